"""Alerts over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response
from pydantic import Field

from services.alerts import commands
from services.alerts.domain.alert import Disposition, State
from services.alerts.domain.roster import OnCall
from services.alerts.events import AlertKind, DispositionResult, Severity
from services.alerts.store import AlertsWork, load_page
from services.alerts.views import (
    AlertDetail,
    AlertSummary,
    DeliveryList,
    NoticeView,
    OnCallView,
    delivery_view,
)
from shared.http.caller import ALL_CLINICS, Call
from shared.http.commands import Commands, Reply
from shared.http.guard import call_for
from shared.http.models import AwareDatetime, OpaqueId, Strict
from shared.http.paging import Cursor, Page, PageLimit, decode_cursor, encode_cursor
from shared.http.routes import CRISIS
from shared.mongo import Document

Reader = Annotated[Call, Depends(call_for("clinician", "coordinator", "engineer", "service"))]
Actor = Annotated[Call, Depends(call_for("clinician", "coordinator", "engineer"))]


class AssessForm(Strict):
    """`contact_made`: a human has spoken with the person."""

    result: DispositionResult
    contact_made: bool


class HandOverForm(Strict):
    """`contact_id`: somebody on the clinic's roster (GET /on-call)."""

    contact_id: OpaqueId


class ResolveForm(Strict):
    """A crisis needs `safety_plan` and `next_contact` as well, and a result of a crisis assessment."""

    disposition: DispositionResult
    safety_plan: bool | None = None
    next_contact: AwareDatetime | None = Field(default=None, description="When the person is seen next")


def router(work: Commands[AlertsWork], on_call: OnCall) -> APIRouter:
    """Every route of alerts: clinicians and coordinators act, engineers see dead letters only."""
    api = APIRouter(tags=["alerts"])
    _add_readings(api, work, on_call)
    _add_actions(api, work)
    _add_inbox(api, work, on_call)
    return api


def _add_readings(api: APIRouter, work: Commands[AlertsWork], on_call: OnCall) -> None:
    @api.get("/alerts", response_model=Page[AlertSummary])
    async def list_alerts(
        call: Reader,
        state: State | None = None,
        severity: Severity | None = None,
        kind: AlertKind | None = None,
        patient_id: OpaqueId | None = None,
        cursor: Cursor = None,
        limit: PageLimit = 50,
    ) -> Response:
        """Alerts, a page at a time: live before ended, the most severe first."""
        chosen = {"state": state, "severity": severity, "kind": kind, "patient_id": patient_id}
        query = _query(commands.visible(call.caller, on_call), chosen, decode_cursor(cursor))
        positions: list[str] = []

        async def load(unit: AlertsWork) -> None:
            positions[:] = await load_page(unit, query, limit)

        def page(unit: AlertsWork) -> Reply:
            items = [AlertSummary.of(alert) for alert in unit.alerts]
            after = encode_cursor(positions[limit - 1]) if len(positions) > limit else None
            return Reply(Page[AlertSummary](items=items, next=after))

        return await work.read(call, load, page)

    @api.get("/alerts/{alert_id}", response_model=AlertDetail)
    async def show_alert(call: Reader, alert_id: OpaqueId) -> Response:
        """One alert with its full history: decisions with their reasons, deliveries, obligations."""
        return await work.read(
            call,
            lambda unit: commands.load_alert(unit, alert_id),
            lambda unit: commands.show(unit, call, alert_id),
        )

    @api.get("/alerts/{alert_id}/deliveries", response_model=DeliveryList)
    async def list_deliveries(call: Reader, alert_id: OpaqueId) -> Response:
        """Who was told of an alert, how often delivery was tried, and how it ended."""

        def answer(unit: AlertsWork) -> Reply:
            commands.seen(unit, call.caller, alert_id)
            return Reply(DeliveryList(items=[delivery_view(delivery) for delivery in unit.deliveries]))

        return await work.read(call, lambda unit: commands.load_alert(unit, alert_id), answer)


def _add_actions(api: APIRouter, work: Commands[AlertsWork]) -> None:
    @api.post("/alerts/{alert_id}/acknowledge", response_model=AlertDetail, tags=[CRISIS])
    async def acknowledge(call: Actor, alert_id: OpaqueId) -> Response:
        """Take the alert: paging stops while the lease runs. An earlier acknowledgement is kept."""
        return await work.run(
            call,
            lambda unit: commands.load_alert(unit, alert_id),
            lambda unit: commands.acknowledge(unit, call, alert_id),
        )

    @api.post("/alerts/{alert_id}/assess", response_model=AlertDetail, tags=[CRISIS])
    async def assess(call: Actor, alert_id: OpaqueId, form: AssessForm) -> Response:
        """Record an assessment, which ends the lease. If nobody has taken the alert, the caller takes it."""
        return await work.run(
            call,
            lambda unit: commands.load_alert(unit, alert_id),
            lambda unit: commands.assess(unit, call, alert_id, form.result, form.contact_made),
        )

    @api.post("/alerts/{alert_id}/hand-over", response_model=AlertDetail, tags=[CRISIS])
    async def hand_over(call: Actor, alert_id: OpaqueId, form: HandOverForm) -> Response:
        """Ask somebody else to take it; they are told, and it escalates again if they do not answer."""
        return await work.run(
            call,
            lambda unit: commands.load_alert(unit, alert_id),
            lambda unit: commands.hand_over(unit, call, alert_id, form.contact_id),
        )

    @api.post("/alerts/{alert_id}/resolve", response_model=AlertDetail, tags=[CRISIS])
    async def resolve(call: Actor, alert_id: OpaqueId, form: ResolveForm) -> Response:
        """End the alert with a disposition. A crisis must have been assessed."""
        disposition = Disposition(
            result=form.disposition, safety_plan=form.safety_plan, next_contact=form.next_contact
        )
        return await work.run(
            call,
            lambda unit: commands.load_alert(unit, alert_id),
            lambda unit: commands.resolve(unit, call, alert_id, disposition),
        )


def _add_inbox(api: APIRouter, work: Commands[AlertsWork], on_call: OnCall) -> None:
    @api.get("/inbox", response_model=Page[NoticeView])
    async def read_inbox(call: Reader, cursor: Cursor = None, limit: PageLimit = 50) -> Response:
        """The caller's notices, the latest first."""
        contacts = [contact.id for contact in on_call.contacts_of(call.caller.subject)]
        query: Document = {"contact_id": {"$in": contacts}}
        if (after := decode_cursor(cursor)) is not None:
            query["position"] = {"$gt": after}

        async def load(unit: AlertsWork) -> None:
            await unit.notices.find(query, limit=limit + 1, sort=[("position", 1)])

        def page(unit: AlertsWork) -> Reply:
            found = list(unit.notices)
            more = len(found) > limit
            items = [NoticeView.of(notice) for notice in found[:limit]]
            after = encode_cursor(found[limit - 1].position) if more else None
            return Reply(Page[NoticeView](items=items, next=after))

        return await work.read(call, load, page)

    @api.get("/on-call", response_model=OnCallView)
    async def show_on_call(call: Reader) -> OnCallView:
        """The on-call policy in force: steps per severity, and the people of the caller's clinic."""
        policy = on_call.policy
        clinics = [id for id in policy.clinics if call.caller.clinic in (ALL_CLINICS, id)]
        return OnCallView.of(policy, clinics)


def _query(visible: Document, chosen: dict[str, str | None], after: str | None) -> Document:
    conditions: list[Document] = [visible, {"position": {"$gt": after or ""}}]
    conditions += [{field: value} for field, value in chosen.items() if value is not None]
    return {"$and": conditions}
