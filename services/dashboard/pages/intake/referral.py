"""One referral in full, live from intake, and what may be done about it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from services.dashboard.calendar.hours import Clinics
from services.dashboard.pages.desk import Carer, Desk
from services.dashboard.pages.forms import new_key, posted
from services.dashboard.pages.intake import words as intake_words
from services.dashboard.pages.intake.answers import Said, said_no
from services.dashboard.pages.intake.form import (
    SCREENING,
    Document,
    answers_of,
    consent_of,
    declining_of,
    enrolment_of,
    is_alarming,
    screening_of,
)
from services.dashboard.pages.signing_in import FORM
from services.dashboard.web.services import Answer
from services.dashboard.web.viewer import Viewer
from shared.http.admission import not_found
from shared.http.problems import Problem

Id = Annotated[str, Path(pattern=r"^[A-Za-z0-9_\-]{1,100}$")]
Done = Annotated[str, Query(max_length=20)]
NOT_THERE = 404


@dataclass(frozen=True)
class Task:
    """A form of the page: where it goes at intake, and what it asks for."""

    method: str
    path: str
    body: Callable[[dict[str, str]], Document]
    fields: tuple[str, ...] = ()
    within: str = ""
    """What stands before intake's own paths in the form's fields."""
    versioned: bool = True


TASKS = {
    "screening": Task("PUT", "screening", screening_of, SCREENING, within="screening."),
    "consent": Task("PUT", "consent", consent_of, ("given",)),
    "enrol": Task("POST", "decision", enrolment_of, ("variant", "crisis_assessed")),
    "decline": Task("POST", "decision", declining_of, ("reason", "alternative_offered", "crisis_assessed")),
    "crisis": Task(
        "POST", "crisis-flag", lambda form: {"by": form.get("by", "other")}, ("by",), versioned=False
    ),
}
"""A crisis names no version: an alarm is never out of date."""


def add(api: APIRouter, desk: Desk, clinics: Clinics) -> None:
    async def drawn(
        request: Request,
        viewer: Viewer,
        id: str,
        *,
        done: str = "",
        task: str = "",
        values: dict[str, str] | None = None,
        said: Said | None = None,
    ) -> HTMLResponse:
        answer = await _read(desk, viewer, id, may_be_away=said is not None)
        return await desk.page(
            request,
            viewer,
            "intake-referral.html",
            title="Referral",
            status=said.status if said else 200,
            done=done,
            task=task,
            said=said,
            values=values or {},
            version=answer.version if answer.ok else (values or {}).get("version", ""),
            new_key=new_key,
            **content_of(answer, clinics),
        )

    @api.get("/intake/ref_{code}", response_class=HTMLResponse)
    async def show_referral(request: Request, viewer: Carer, code: Id, done: Done = "") -> HTMLResponse:
        """A referral with its answers, what was decided, and what may be done about it."""
        return await drawn(request, viewer, f"ref_{code}", done=done)

    @api.get("/parts/intake/ref_{code}", response_class=HTMLResponse)
    async def show_referral_part(request: Request, viewer: Carer, code: Id) -> HTMLResponse:
        """Where the referral stands, alone."""
        answer = await _read(desk, viewer, f"ref_{code}")
        return desk.part(request, viewer, "parts/intake-standing.html", **content_of(answer, clinics))

    @api.post("/intake/ref_{code}", openapi_extra=FORM)
    async def change_referral(request: Request, viewer: Carer, code: Id) -> Response:
        """Do one of the page's tasks; what intake refuses is shown with its reason, the input kept."""
        id, form = f"ref_{code}", await posted(request, viewer)
        name = form.get("task", "")
        task = TASKS.get(name)
        if task is None:
            raise Problem(422, "task_unknown", "There is no such form; load the page again.")
        answer = await _do(desk, viewer, id, task, form)
        if answer.ok:
            return RedirectResponse(f"/intake/{id}?done={name}", 303)
        if answer.status == NOT_THERE:
            raise not_found()
        alarming = name == "crisis" or is_alarming(form)
        said = said_no(answer, form, list(task.fields), within=task.within, is_alarming=alarming)
        return await drawn(request, viewer, id, task=name, values=form, said=said)


async def _do(desk: Desk, viewer: Viewer, id: str, task: Task, form: dict[str, str]) -> Answer:
    version = form.get("version", "")
    return await desk.services.send(
        viewer,
        "intake",
        task.method,
        f"/referrals/{id}/{task.path}",
        task.body(form),
        key=form.get("idempotency_key") or None,
        version=int(version) if task.versioned and version.isdecimal() else None,
    )


async def _read(desk: Desk, viewer: Viewer, id: str, *, may_be_away: bool = False) -> Answer:
    """Raises `Problem`: what intake does not show this viewer is not there.

    `may_be_away`: the page can do without, to show again what was entered.
    """
    answer = await desk.services.get(viewer, "intake", f"/referrals/{id}")
    if answer.status == NOT_THERE:
        raise not_found()
    if not answer.ok and not may_be_away:
        raise Problem(
            503,
            "service_unreachable",
            "Intake does not answer right now. Nothing was changed; load the page again in a moment.",
        )
    return answer


def content_of(answer: Answer, clinics: Clinics) -> dict[str, Any]:
    """`referral` is `None` while intake is away."""
    referral = answer.body if answer.ok else None
    clinic = clinics.get(referral["clinic_id"]) if referral else None
    return {
        "referral": referral,
        "stage": referral["stage"] if referral else {},
        "known_answers": answers_of(referral) if referral else {},
        "clinic_name": clinic.title if clinic else referral and referral["clinic_id"],
        "zone": clinic.zone if clinic else "UTC",
        "instant": datetime.fromisoformat,
        "words": intake_words,
    }
