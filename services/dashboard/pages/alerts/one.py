"""One alert: its current state from the alerts service, its history from the read model."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse

from services.dashboard.domain.alert import Alert
from services.dashboard.pages.alerts import course as alerts_course
from services.dashboard.pages.alerts import query as alerts_query
from services.dashboard.pages.alerts import telling as alerts_telling
from services.dashboard.pages.alerts import words as alerts_words
from services.dashboard.pages.alerts.detail import Detail
from services.dashboard.pages.alerts.facts import Facts, Neighbours
from services.dashboard.pages.alerts.times import Times
from services.dashboard.pages.alerts.view import Standing, notice, of_detail, of_row
from services.dashboard.pages.alerts.watch import AlertId, Watcher
from services.dashboard.pages.desk import Desk
from services.dashboard.pages.forms import new_key
from services.dashboard.web.viewer import Viewer
from shared.http.admission import not_found
from shared.http.problems import Problem
from shared.mongo import PyMongoError

READ_SECONDS = 3.0
NOBODY = "unknown-"
"""Prefix of intake's id for a person known only from a refused form."""


@dataclass(frozen=True)
class Held:
    """A form that was not accepted, with its input; `problem` or `errors` say why.

    `unsure`: the outcome is unknown, so it may have been done; sending the same form again takes effect once.
    `unsent`: it was rendered for another sign-in, and never went to the alerts service.
    """

    action: str = ""
    entered: dict[str, str] = field(default_factory=dict)
    problem: dict[str, str] | None = None
    errors: list[tuple[str, str]] = field(default_factory=list)
    conflict: bool = False
    unsure: bool = False
    unsent: bool = False


@dataclass(frozen=True)
class Known:
    """One alert as far as it is known.

    `detail` is missing while the alerts service does not answer. `row` is missing while the read model does
    not know the alert or cannot be read.
    """

    detail: Detail | None
    row: Alert | None
    facts: Facts

    def drawn_from(self, held: Held) -> dict[str, str]:
        """The version, and the digest of what is shown, to render a form with."""
        if self.detail is not None:
            return {"tag": str(self.detail.version), "seen": self.detail.seen}
        return {"tag": held.entered.get("if_match", ""), "seen": held.entered.get("seen", "")}

    @property
    def standing(self) -> Standing:
        if self.detail is not None:
            return of_detail(self.detail)
        assert self.row is not None  # noqa: S101 - one of them is there, see `look`
        return of_row(self.row, self.facts)


def add(api: APIRouter, desk: Desk, neighbours: Neighbours) -> None:
    @api.get("/alerts/{alert_id}", response_class=HTMLResponse)
    async def show_alert(
        request: Request, viewer: Watcher, alert_id: AlertId, done: str = ""
    ) -> HTMLResponse:
        """One alert with its whole story, and the possible actions."""
        known = await look(desk, neighbours, viewer, alert_id)
        return await draw(desk, request, viewer, known, done=done)

    @api.get("/alerts/{alert_id}/{action}", include_in_schema=False)
    async def show_alert_again(viewer: Watcher, alert_id: AlertId, action: str) -> RedirectResponse:
        """Redirect to the alert: the address of a refused form was loaded again."""
        return RedirectResponse(f"/alerts/{alert_id}", 303)

    @api.get("/parts/alerts/{alert_id}/standing", response_class=HTMLResponse)
    async def show_standing(request: Request, viewer: Watcher, alert_id: AlertId) -> HTMLResponse:
        """Only the alert's state and its story."""
        known = await look(desk, neighbours, viewer, alert_id)
        return desk.part(request, viewer, "parts/alert_standing.html", **await content(desk, viewer, known))

    @api.get("/parts/alerts/{alert_id}/actions", response_class=HTMLResponse)
    async def show_actions(request: Request, viewer: Watcher, alert_id: AlertId) -> HTMLResponse:
        """Only the possible actions."""
        known = await look(desk, neighbours, viewer, alert_id)
        return desk.part(request, viewer, "parts/alert_actions.html", **await content(desk, viewer, known))


async def look(desk: Desk, neighbours: Neighbours, viewer: Viewer, id: str) -> Known:
    """Look up an alert in the read model and the alerts service.

    Raises `Problem` 401 without a sign-in, 404 if the alert does not exist or is not the viewer's, and 503 if
    neither can tell.
    """
    facts = await neighbours.facts(viewer)
    row = await _row(desk, viewer, id)
    answer = await desk.services.get(viewer, "alerts", f"/alerts/{id}")
    if answer.ok:
        return Known(Detail.model_validate(answer.body), row, facts)
    if answer.status in (401, 403, 404, 422):
        raise Problem(401, "token_required", "Sign in.") if answer.status == 401 else not_found()
    if row is None:
        raise Problem(503, "service_unreachable", "The alerts service does not answer right now; try again.")
    return Known(None, row, facts)


async def _row(desk: Desk, viewer: Viewer, id: str) -> Alert | None:
    """The read model's alert; `None` also if it cannot be read, as the alerts service's answer is enough."""
    with suppress(PyMongoError, TimeoutError):
        async with asyncio.timeout(READ_SECONDS):
            return await alerts_query.one(desk.database, viewer, id, desk.clinics.ids)
    return None


async def draw(
    desk: Desk,
    request: Request,
    viewer: Viewer,
    known: Known,
    *,
    done: str = "",
    held: Held | None = None,
    status: int = 200,
) -> HTMLResponse:
    """Render the whole page; `held`: a form that was not accepted, to be shown again."""
    shown = await content(desk, viewer, known, held)
    standing = known.standing.seen(desk.clock.now())
    after = notice(done, standing, viewer.subject) if held is None else None
    return await desk.page(
        request, viewer, "alert.html", title=standing.title, status=status, notice=after, **shown
    )


async def forms_set_aside(desk: Desk, viewer: Viewer, standing: Standing) -> list[dict[str, Any]] | None:
    """Refused forms behind a crisis of a person not known yet, so that their senders can be asked.

    `None` if intake cannot tell at present.
    """
    if not (standing.patient_id or "").startswith(NOBODY):
        return []
    answer = await desk.services.get(viewer, "intake", f"/people/{standing.patient_id}/set-aside")
    forms: list[dict[str, Any]] = answer.body["items"] if answer.ok else []
    return [{**form, "at": datetime.fromisoformat(form["at"])} for form in forms] if answer.ok else None


async def content(desk: Desk, viewer: Viewer, known: Known, held: Held | None = None) -> dict[str, Any]:
    facts, row, detail, now = known.facts, known.row, known.detail, desk.clock.now()
    standing = known.standing.seen(now)
    times = Times(now, facts.zone(standing.clinic_id))
    events = await alerts_course.announced(desk.database, row) if row else []
    told = alerts_telling.told_by_detail(detail, facts) if detail else []
    if row is not None and detail is None:
        told = alerts_telling.told_by_row(row, facts)
    return {
        "standing": standing,
        "set_aside": await forms_set_aside(desk, viewer, standing),
        "detail": detail,
        "facts": facts,
        "times": times,
        "told": told,
        "course": alerts_course.course(events, facts, times),
        "nobodys": standing.is_nobodys(times.now),
        "offered": standing.is_offered_to(viewer.subject),
        "roster": [c for c in facts.roster(standing.clinic_id, standing.kind) if c.subject != viewer.subject],
        "results": alerts_words.results_for(standing.kind),
        "held": held or Held(),
        **known.drawn_from(held or Held()),
        "words": alerts_words,
        "new_key": new_key,
    }
