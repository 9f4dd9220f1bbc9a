"""Giving and withdrawing leave: done by coordinators, through the scheduler."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Path
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from services.dashboard.calendar.week import week_of
from services.dashboard.pages.calendar import leave as calendar_leave
from services.dashboard.pages.calendar.place import Asked, Place
from services.dashboard.pages.calendar.view import MOST_MOVED, CalendarView, SaidNow
from services.dashboard.pages.desk import Carer
from services.dashboard.pages.forms import is_ours
from services.dashboard.pages.signing_in import FORM, form_of
from services.dashboard.web.services import Answer
from services.dashboard.web.viewer import Viewer
from shared.http.admission import not_found
from shared.http.problems import Problem

LeaveId = Annotated[str, Path(max_length=100, pattern=r"^[A-Za-z0-9_\-]+$")]
LONGEST = timedelta(days=366)
UNSENT, GONE, CONFLICT, UNSURE = 403, 404, 409, 503


def leave_routes(api: APIRouter, view: CalendarView) -> None:
    @api.post("/calendar/leave", openapi_extra=FORM)
    async def give_leave(request: Request, viewer: Carer) -> Response:
        """Enter leave; sessions in the way are moved, and listed."""
        form = await form_of(request)
        place = _place(view, viewer, form)
        if not is_ours(form.get("csrf", ""), viewer):
            return await _again(view, request, viewer, place, UNSENT, unsent=True, form=form)
        if errors := mistakes(form):
            return await _again(view, request, viewer, place, 422, errors=errors, form=form)
        answer = await calendar_leave.give(view.desk, viewer, form)
        view.book.forget()
        if not answer.ok:
            return await _not_taken(view, request, viewer, place, answer, _key(form), form)
        return RedirectResponse(_given(place, form, answer.body["moved"]), 303)

    @api.post("/calendar/leave/{leave_id}/withdraw", openapi_extra=FORM)
    async def withdraw_leave(request: Request, viewer: Carer, leave_id: LeaveId) -> Response:
        """Withdraw leave; sessions moved for it stay at the times people were told."""
        form = await form_of(request)
        place = _place(view, viewer, form)
        if not is_ours(form.get("csrf", ""), viewer):
            return await _again(view, request, viewer, place, UNSENT, unsent=True)
        if not (clinician := form.get("clinician_id", "")):
            raise not_found()
        answer = await calendar_leave.withdraw(view.desk, viewer, clinician, leave_id, _key(form))
        view.book.forget()
        if answer.status == GONE:
            return await _again(view, request, viewer, place, CONFLICT, conflict=True)
        if not answer.ok:
            key = _key(form).removeprefix(f"{leave_id}.")
            return await _not_taken(view, request, viewer, place, answer, key, {})
        return RedirectResponse(place.address(said="leave-withdrawn") + "#leave", 303)


def _key(form: Mapping[str, str]) -> str:
    return form.get("idempotency_key", "")


def _place(view: CalendarView, viewer: Viewer, form: Mapping[str, str]) -> Place:
    """The calendar the form was on. Raises `Problem` 403 without the role, 404 for another clinic's staff."""
    if "coordinator" not in viewer.roles:
        raise Problem(403, "role_required", "Leave is entered by coordinators.")
    week, day = form.get("week", ""), form.get("day", "")
    drawn = Asked(form.get("clinic", ""), form.get("clinician", ""), week, day, "day" if day else "week")
    place = view.place(viewer, drawn)
    chosen = form.get("clinician_id", "")
    if chosen and chosen not in place.clinic.clinician_ids:
        raise not_found()
    return place


def mistakes(form: Mapping[str, str]) -> list[tuple[str, str]]:
    """Errors to correct before the scheduler is asked: (field, sentence)."""
    wrong = [] if form.get("clinician_id") else [("clinician_id", "Choose whose leave it is")]
    first, last = _date(form.get("from", "")), _date(form.get("to", ""))
    if first is None:
        wrong.append(("from", "First day: enter a date"))
    if last is None:
        wrong.append(("to", "Last day: enter a date"))
    if first and last and last < first:
        wrong.append(("to", "Last day: must not come before the first day"))
    elif first and last and last - first > LONGEST:
        wrong.append(("to", "Last day: leave lasts a year at most"))
    return wrong


def _date(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _given(place: Place, form: Mapping[str, str], moved: list[str]) -> str:
    """The address of the week in which the leave begins, with the ids of the sessions that moved."""
    known: dict[str, Any] = {"said": "leave-given"}
    if moved:
        known |= {"moved": ",".join(moved[:MOST_MOVED]), "count": str(len(moved))}
    week = week_of(date.fromisoformat(form["from"]))
    return place.address(view="", day="", week=week, clinician=form["clinician_id"], **known)


async def _not_taken(
    view: CalendarView,
    request: Request,
    viewer: Viewer,
    place: Place,
    answer: Answer,
    key: str,
    form: Mapping[str, str],
) -> Response:
    """Show the page again with the input. The form keeps its key if the command may have been carried out."""
    if not answer.is_certain:
        known = {"key": key} if key else {}
        return await _again(view, request, viewer, place, UNSURE, unsure=True, form=form, **known)
    refused = calendar_leave.refusal(answer)
    return await _again(view, request, viewer, place, answer.status, refused=refused, form=form)


async def _again(
    view: CalendarView, request: Request, viewer: Viewer, place: Place, status: int, **known: Any
) -> Response:
    return await view.page(request, viewer, place, SaidNow(), status=status, **known)
