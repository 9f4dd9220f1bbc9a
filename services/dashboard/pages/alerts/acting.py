"""Actions on an alert from a page: acknowledge, assess, hand over, resolve."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo, available_timezones

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from services.dashboard.pages.alerts import query as alerts_query
from services.dashboard.pages.alerts import words as alerts_words
from services.dashboard.pages.alerts.detail import Detail
from services.dashboard.pages.alerts.facts import UTC_ZONE, Neighbours
from services.dashboard.pages.alerts.one import Held, draw, look
from services.dashboard.pages.alerts.view import of_detail
from services.dashboard.pages.alerts.watch import AlertId, Watcher
from services.dashboard.pages.desk import Desk
from services.dashboard.pages.forms import Unfit, is_ours, key_of, keyed, version_seen
from services.dashboard.pages.signing_in import FORM, form_of
from services.dashboard.web.services import Answer
from services.dashboard.web.viewer import Viewer
from shared.http.admission import not_found
from shared.http.problems import Problem
from shared.http.routes import CRISIS
from shared.mongo import PyMongoError

Action = Literal["acknowledge", "assess", "hand-over", "resolve"]
Form = Mapping[str, str]

CHANGED = ("version_changed", "changed_meanwhile")
TRIES = 3
CATCH_UP_SECONDS, LOOK_AGAIN_SECONDS = 1.0, 0.03
"""How long, and how often, to wait for the read model so that the next page shows the change."""

DONE: dict[str, str] = {"assess": "assessed", "hand-over": "handed_over", "resolve": "resolved"}


class NotOurs(Exception):
    """The form was rendered for another sign-in."""


def add(api: APIRouter, desk: Desk, neighbours: Neighbours) -> None:
    @api.post("/alerts/{alert_id}/{action}", openapi_extra=FORM, tags=[CRISIS])
    async def act(request: Request, viewer: Watcher, alert_id: AlertId, action: Action) -> Response:
        """Send the action to the alerts service; a refusal is shown with its reason and the entry kept."""
        form = keyed(await form_of(request))
        try:
            answer = await send(desk, viewer, alert_id, action, form)
        except NotOurs:
            held, status = Held(action, form, unsent=True), 403
        except Unfit as unfit:
            held, status = Held(action, form, errors=list(unfit.errors)), 422
        else:
            if answer.ok:
                detail = Detail.model_validate(answer.body)
                await caught_up(desk, viewer, detail)
                return RedirectResponse(following(detail, action, viewer, form), 303)
            held, status = refused(action, form, answer)
        known = await look(desk, neighbours, viewer, alert_id)
        return await draw(desk, request, viewer, known, held=held, status=status)


def body_of(action: Action, form: Form) -> dict[str, Any] | None:
    """The body for the alerts service. Raises `Unfit`; the service's own rules are left to the service."""
    match action:
        case "acknowledge":
            return None
        case "assess":
            result = _chosen(form, "result", "Choose the result.")
            made = _chosen(form, "contact_made", "Say whether somebody spoke with the person.")
            return {"result": result, "contact_made": made == "yes"}
        case "hand-over":
            return {"contact_id": _chosen(form, "contact_id", "Choose whom to hand it to.")}
        case "resolve":
            body: dict[str, Any] = {"disposition": _chosen(form, "disposition", "Choose what came of it.")}
            if form.get("safety_plan"):
                body["safety_plan"] = form["safety_plan"] == "yes"
            if form.get("next_contact", "").strip():
                body["next_contact"] = _instant(form)
            return body


def _chosen(form: Form, name: str, sentence: str) -> str:
    value = form.get(name, "").strip()
    if not value:
        raise Unfit((name, sentence))
    return value


def _instant(form: Form) -> str:
    """The wall-clock time as entered, as an instant in the form's zone. Raises `Unfit`."""
    zone = form.get("zone", "")
    try:
        local = datetime.fromisoformat(form["next_contact"].strip()).replace(tzinfo=None)
        known = ZoneInfo(zone if zone in available_timezones() else UTC_ZONE)
        return local.replace(tzinfo=known).isoformat()
    except (ValueError, OverflowError):
        raise Unfit(("next_contact", "Enter a day and a time, like 2026-03-09T10:00.")) from None


async def send(desk: Desk, viewer: Viewer, id: str, action: Action, form: Form) -> Answer:
    """Send the action; it takes effect once, however often the form is sent. Raises `NotOurs`, `Unfit`.

    A change that the form does not show, such as a delivery that ended, is no conflict: the action is sent
    again with the new version. An acknowledgement names no version: the alerts service keeps the first one,
    and taking a crisis is never out of date. Any other action needs the version its sender has seen, so a
    form without one is a conflict.
    """
    if not is_ours(form.get("csrf", ""), viewer):
        raise NotOurs
    body = body_of(action, form)
    key = key_of(form)
    version = None if action == "acknowledge" else version_seen(form)
    path = f"/alerts/{id}"
    for _ in range(TRIES):
        answer = await desk.services.send(
            viewer, "alerts", "POST", f"{path}/{action}", body, key=key, version=version
        )
        if answer.ok or reason_of(answer) != "version_changed":
            break
        fresh = await desk.services.get(viewer, "alerts", path)
        if not fresh.ok or Detail.model_validate(fresh.body).seen != form.get("seen"):
            break
        version = fresh.version
    return answer


def refused(action: str, form: Form, answer: Answer) -> tuple[Held, int]:
    """The entry with the reason for its refusal. Raises `Problem` 401 without a sign-in, 404 if not found."""
    if answer.status == 401:
        raise Problem(401, "token_required", "Sign in.")
    if answer.status == 404:
        raise not_found()
    entered = dict(form)
    if reason_of(answer) in CHANGED:
        return Held(action, entered, conflict=True), 409
    if answer.status == 0 or answer.status >= 500:
        return Held(action, entered, unsure=True), 503
    return Held(action, entered, problem=alerts_words.refusal(answer.body or {})), answer.status


def reason_of(answer: Answer) -> str:
    return "" if answer.ok else str((answer.body or {}).get("reason", ""))


async def caught_up(desk: Desk, viewer: Viewer, detail: Detail) -> None:
    """Wait a moment for the read model to show the change; the action is done whether or not it does."""
    state = of_detail(detail).state
    with suppress(PyMongoError, TimeoutError):
        async with asyncio.timeout(CATCH_UP_SECONDS):
            for _ in range(int(CATCH_UP_SECONDS / LOOK_AGAIN_SECONDS)):
                row = await alerts_query.one(desk.database, viewer, detail.id, desk.clinics.ids)
                if row is not None and row.state == state:
                    return
                await asyncio.sleep(LOOK_AGAIN_SECONDS)


def following(detail: Detail, action: Action, viewer: Viewer, form: Form) -> str:
    """The next page: a crisis stays on its own page for the assessment, other alerts return to the list."""
    done = DONE.get(action) or taking(detail, viewer.subject)
    back = form.get("back", "")
    if back.partition("?")[0] == "/alerts" and detail.kind != "crisis":
        return f"{back}{'&' if '?' in back else '?'}done={done}&alert={detail.id}"
    return f"/alerts/{detail.id}?done={done}"


def taking(detail: Detail, subject: str) -> str:
    """The outcome of an acknowledgement: the first one is kept, and a later sender is told so."""
    if detail.state == "informed":
        return "noted"
    by = detail.acknowledgement.by if detail.acknowledgement else None
    return "taken" if by == subject else "taken_before"
