"""HTTP: the calendar, one plan's schedule, moving and cancelling, clinicians' leave."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Response

from services.scheduler import commands as does
from services.scheduler import leave as leaves
from services.scheduler import store
from services.scheduler.domain.clinics import Clinics
from services.scheduler.store import SchedulerWork
from services.scheduler.views import (
    AppointmentView,
    Calendar,
    CancelForm,
    ClinicList,
    ClinicView,
    LeaveForm,
    LeaveList,
    LeaveView,
    MovedView,
    MoveForm,
    ScheduleView,
)
from shared.http.caller import Call
from shared.http.commands import Commands, Reply
from shared.http.guard import call_for
from shared.http.models import AwareDatetime, OpaqueId
from shared.http.paging import Cursor, PageLimit, decode_cursor, encode_cursor
from shared.http.problems import Problem

Reader = Annotated[Call, Depends(call_for("coordinator", "clinician", "service"))]
Carer = Annotated[Call, Depends(call_for("coordinator", "clinician"))]
Coordinator = Annotated[Call, Depends(call_for("coordinator"))]
Id = Annotated[OpaqueId, Path()]
Code = Annotated[OpaqueId | None, Query()]
From = Annotated[AwareDatetime, Query(alias="from")]
To = Annotated[AwareDatetime, Query(alias="to", description="At most 31 days after `from`")]

LONGEST_SPAN = timedelta(days=31)

SchedulerCommands = Commands[SchedulerWork]


def routers(commands: SchedulerCommands, clinics: Clinics) -> list[APIRouter]:
    return [reading(commands, clinics), deciding(commands), leave(commands)]


def reading(commands: SchedulerCommands, clinics: Clinics) -> APIRouter:
    api = APIRouter(tags=["calendar"])

    @api.get("/appointments", response_model=Calendar)
    async def list_appointments(
        call: Reader,
        since: From,
        until: To,
        clinician_id: Code = None,
        patient_id: Code = None,
        cursor: Cursor = None,
        limit: PageLimit = 50,
    ) -> Response:
        """Appointments of the caller's clinic that start in a span of time, in order."""
        if not since < until <= since + LONGEST_SPAN:
            raise Problem(422, "span_too_long", "`to` must follow `from` within 31 days.")
        query = store.calendar_query(
            [id for id in clinics.by_id if call.caller.sees(id)],
            since,
            until,
            clinician_id=clinician_id,
            patient_id=patient_id,
            after=_place(decode_cursor(cursor)),
        )
        rows: list[dict[str, Any]] = []

        async def load(work: SchedulerWork) -> None:
            rows.extend(await store.calendar(work.database, query, limit + 1))
            await work.schedules.load(row["plan_id"] for row in rows)

        def page(work: SchedulerWork) -> Reply:
            shown = rows[:limit]
            items = [view for row in shown if (view := does.in_the_calendar(work, row)) is not None]
            more = _cursor(shown[-1]) if len(rows) > limit else None
            return Reply(Calendar(items=items, next=more))

        return await commands.read(call, load, page)

    @api.get("/schedules/{plan_id}", response_model=ScheduleView)
    async def read_schedule(plan_id: Id, call: Reader) -> Response:
        """Every appointment of a plan, cancelled ones included."""
        return await commands.read(
            call,
            lambda work: work.schedules.load([plan_id]),
            lambda work: does.show_schedule(work, call, plan_id),
        )

    @api.get("/clinics")
    async def list_clinics(call: Reader) -> ClinicList:
        """Zone, hours and clinicians of the clinics the caller may see."""
        seen = [clinic for clinic in clinics.by_id.values() if call.caller.sees(clinic.id)]
        return ClinicList(items=[ClinicView.of(clinic) for clinic in seen])

    return api


def deciding(commands: SchedulerCommands) -> APIRouter:
    api = APIRouter(tags=["appointments"])

    @api.post("/appointments/{appointment_id}/move", response_model=MovedView)
    async def move_appointment(appointment_id: Id, form: MoveForm, call: Carer) -> Response:
        """Move it to another wall time at the clinic. Refused (409): outside_clinic_hours, holiday,
        clinician_on_leave, slot_taken, already_recorded, already_cancelled, in_the_past, too_far_ahead."""
        return await commands.run(
            call,
            lambda work: does.load_appointment(work, appointment_id),
            lambda work: does.move_appointment(work, call, appointment_id, form.local()),
        )

    @api.post("/appointments/{appointment_id}/cancel", response_model=AppointmentView)
    async def cancel_appointment(appointment_id: Id, form: CancelForm, call: Carer) -> Response:
        """Cancel it; the course is extended by one session at its end. Refused (409): already_recorded,
        already_cancelled, in_the_past."""
        return await commands.run(
            call,
            lambda work: does.load_appointment(work, appointment_id),
            lambda work: does.cancel_appointment(work, call, appointment_id, form.reason),
        )

    return api


def leave(commands: SchedulerCommands) -> APIRouter:
    api = APIRouter(tags=["leave"], prefix="/clinicians/{clinician_id}/leave")

    @api.post("", response_model=LeaveView, status_code=201)
    async def give_leave(clinician_id: Id, form: LeaveForm, call: Coordinator) -> Response:
        """Enter leave; booked appointments on these days move to the nearest open slots."""
        away = form.leave()
        return await commands.run(
            call,
            lambda work: leaves.load(work, clinician_id, [away]),
            lambda work: does.give_leave(work, call, clinician_id, away),
        )

    @api.get("", response_model=LeaveList)
    async def list_leave(clinician_id: Id, call: Reader) -> Response:
        """Leave entered here. The configuration may contain more."""
        return await commands.read(
            call,
            lambda work: work.rosters.load([clinician_id]),
            lambda work: does.list_leave(work, call, clinician_id),
        )

    @api.delete("/{leave_id}", status_code=204)
    async def withdraw_leave(clinician_id: Id, leave_id: Id, call: Coordinator) -> Response:
        """Withdraw leave. Appointments moved for it stay where people were told."""
        return await commands.run(
            call,
            lambda work: work.rosters.load([clinician_id]),
            lambda work: does.withdraw_leave(work, call, clinician_id, leave_id),
        )

    return api


def _cursor(row: dict[str, Any]) -> str:
    return encode_cursor(f"{row['starts_at'].isoformat()} {row['_id']}")


def _place(key: str | None) -> tuple[datetime, str] | None:
    if key is None:
        return None
    instant, _, id = key.partition(" ")
    try:
        return datetime.fromisoformat(instant).astimezone(UTC), id
    except (ValueError, OverflowError):  # the year 1 may have no such instant in UTC
        raise Problem(422, "cursor_unknown", "cursor must be the `next` of a page, unchanged.") from None
