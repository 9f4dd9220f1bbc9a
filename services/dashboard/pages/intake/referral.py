"""One referral in full, live from intake, and the possible actions."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from services.dashboard.calendar.hours import Clinics
from services.dashboard.pages import instruments
from services.dashboard.pages.desk import Carer, Desk
from services.dashboard.pages.forms import is_ours, key_of, keyed, new_key, version_seen
from services.dashboard.pages.intake import words as intake_words
from services.dashboard.pages.intake.answers import Said, said_no, unsent
from services.dashboard.pages.intake.form import (
    SCREENING,
    Document,
    age_of,
    answers_of,
    consent_of,
    declining_of,
    enrolment_of,
    is_alarming,
    merged,
    screening_of,
    seen_of,
)
from services.dashboard.pages.signing_in import FORM, form_of
from services.dashboard.web.services import Answer
from services.dashboard.web.viewer import Viewer
from shared.http.admission import not_found
from shared.http.problems import Problem

Id = Annotated[str, Path(pattern=r"^[A-Za-z0-9_\-]{1,100}$")]
Done = Annotated[str, Query(max_length=20)]
NOT_THERE = 404


@dataclass(frozen=True)
class Task:
    """A form of the page: its route at intake, and its fields."""

    method: str
    path: str
    body: Callable[[dict[str, str]], Document]
    fields: tuple[str, ...] = ()
    within: str = ""
    """The prefix of the form's field names to intake's own paths."""
    versioned: bool = True


TASKS = {
    "screening": Task("PUT", "screening", screening_of, SCREENING, within="screening."),
    "consent": Task("PUT", "consent", consent_of, ("given",)),
    "age": Task("PUT", "age", age_of, ("age",)),
    "enrol": Task("POST", "decision", enrolment_of, ("variant", "crisis_assessed")),
    "decline": Task("POST", "decision", declining_of, ("reason", "alternative_offered", "crisis_assessed")),
    "crisis": Task(
        "POST", "crisis-flag", lambda form: {"by": form.get("by", "other")}, ("by",), versioned=False
    ),
}
"""A crisis sends no version: an alarm is never out of date."""


@dataclass(frozen=True)
class Held:
    """A form that was not accepted, as it was sent."""

    task: str
    form: dict[str, str]
    said: Said


def add(api: APIRouter, desk: Desk, clinics: Clinics) -> None:
    @api.get("/intake/ref_{code}", response_class=HTMLResponse)
    async def show_referral(request: Request, viewer: Carer, code: Id, done: Done = "") -> HTMLResponse:
        """A referral with its answers, the decision, and the possible actions."""
        return await _page(desk, clinics, request, viewer, f"ref_{code}", done=done)

    @api.get("/parts/intake/ref_{code}", response_class=HTMLResponse)
    async def show_referral_part(request: Request, viewer: Carer, code: Id) -> HTMLResponse:
        """Only the referral's current state."""
        answer = await _read(desk, viewer, f"ref_{code}")
        return desk.part(request, viewer, "parts/intake-standing.html", **content_of(answer, clinics))

    @api.post("/intake/ref_{code}", openapi_extra=FORM)
    async def change_referral(request: Request, viewer: Carer, code: Id) -> Response:
        """Carry out one of the page's tasks; a refusal is shown with its reason and the input kept."""
        id, form = f"ref_{code}", keyed(await form_of(request))
        name = form.get("task", "")
        task = TASKS.get(name)
        if task is None:
            raise Problem(422, "task_unknown", "There is no such form; load the page again.")
        said = await _do(desk, viewer, id, task, form)
        if said is None:
            return RedirectResponse(f"/intake/{id}?done={name}", 303)
        return await _page(desk, clinics, request, viewer, id, held=Held(name, form, said))


async def _page(
    desk: Desk,
    clinics: Clinics,
    request: Request,
    viewer: Viewer,
    id: str,
    *,
    done: str = "",
    held: Held | None = None,
) -> HTMLResponse:
    """Render the page; `held`: a form that was not accepted, to be shown again."""
    answer = await _read(desk, viewer, id, may_be_away=held is not None)
    status = held.said.status if held else 200
    known = content_of(answer, clinics) | drawn_from(answer, held) | {"done": done, "new_key": new_key}
    return await desk.page(request, viewer, "intake-referral.html", title="Referral", status=status, **known)


async def _do(desk: Desk, viewer: Viewer, id: str, task: Task, form: dict[str, str]) -> Said | None:
    """Carry out a task; returns the refusal, or `None` on success. Raises `Problem` 404."""
    alarming = task.path == "crisis-flag" or is_alarming(form)
    if not is_ours(form.get("csrf", ""), viewer):
        return unsent(is_alarming=alarming)
    answer = await _send(desk, viewer, id, task, form)
    if answer.status == NOT_THERE:
        raise not_found()
    if answer.ok:
        return None
    return said_no(answer, form, list(task.fields), within=task.within, is_alarming=alarming)


async def _send(desk: Desk, viewer: Viewer, id: str, task: Task, form: dict[str, str]) -> Answer:
    return await desk.services.send(
        viewer,
        "intake",
        task.method,
        f"/referrals/{id}/{task.path}",
        task.body(form),
        key=key_of(form),
        version=version_seen(form, "version") if task.versioned else None,
    )


async def _read(desk: Desk, viewer: Viewer, id: str, *, may_be_away: bool = False) -> Answer:
    """Read the referral. Raises `Problem` 404 if intake does not show it to this viewer, 503 without answer.

    `may_be_away`: return a failed answer, because the page can show the input again without it.
    """
    answer = await desk.services.get(viewer, "intake", f"/referrals/{id}")
    if answer.status == NOT_THERE:
        raise not_found()
    if not answer.ok and not may_be_away:
        raise Problem(
            503,
            "service_unreachable",
            "Intake does not answer right now: load the page again in a moment.",
        )
    return answer


def drawn_from(answer: Answer, held: Held | None) -> dict[str, Any]:
    """The values to render the forms with, and the version of the referral they are for.

    A form shown again carries the version its sender saw. After a conflict it carries the current version,
    which the page then shows. Answers that others gave since are then taken over. Where the sender changed
    the same answers, the sender's are kept, with the stored ones beside them (`theirs`).
    """
    stored = answers_of(answer.body) if answer.ok else {}
    version = answer.version if answer.ok else ""
    drawn: dict[str, Any] = {"given": stored, "seen": seen_of(stored), "theirs": {}, "version": version}
    if held is None:
        return {**drawn, "said": None, "task": "", "values": {}, "held_version": ""}
    drawn |= {"said": held.said, "task": held.task, "values": held.form}
    if held.said.is_conflict and answer.ok:
        return {**drawn, "held_version": version, **_merged(held, stored)}
    drawn["held_version"] = held.form.get("version", "")
    if held.task == "screening":
        drawn |= {"given": held.form, "seen": held.form.get("seen", "")}
    return drawn


def _merged(held: Held, stored: dict[str, str]) -> dict[str, Any]:
    if held.task != "screening":
        return {}
    given = merged(held.form, stored)
    return {
        "given": given,
        "theirs": {name: said for name, said in stored.items() if said and said != given[name]},
    }


def content_of(answer: Answer, clinics: Clinics) -> dict[str, Any]:
    """The template's data; `referral` is `None` if intake does not answer."""
    referral = answer.body if answer.ok else None
    clinic = clinics.get(referral["clinic_id"]) if referral else None
    return {
        "referral": referral,
        "stage": referral["stage"] if referral else {},
        "clinic_name": clinic.title if clinic else referral and referral["clinic_id"],
        "zone": clinic.zone if clinic else "UTC",
        "instant": datetime.fromisoformat,
        "words": intake_words,
        "instruments": instruments,
    }
