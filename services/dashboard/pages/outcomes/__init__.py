"""Outcome figures: whether treatment helps, how long people wait, how fast crises are acknowledged."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query
from starlette.requests import Request
from starlette.responses import HTMLResponse

from services.dashboard import outcomes
from services.dashboard.calendar.hours import ClinicHours, Clinics
from services.dashboard.outcomes import Outcomes, Window
from services.dashboard.outcomes.together import together
from services.dashboard.pages.desk import Carer, Desk, MaybeCode
from services.dashboard.pages.outcomes.view import shown
from services.dashboard.web.viewer import Viewer
from shared.http.admission import not_found
from shared.http.problems import Problem

Text = Annotated[str, Query(max_length=10)]

LOOK_BACK = timedelta(weeks=26)
LONGEST = timedelta(days=5 * 366)
EARLIEST, LATEST = date(2000, 1, 10), date(2199, 12, 20)
PRESETS = (("12 weeks", 12), ("26 weeks", 26), ("52 weeks", 52))


@dataclass(frozen=True, slots=True)
class Asked:
    """`clinic`: if absent, the viewer's own or the first; if empty, all clinics, if the viewer sees all."""

    clinic: str | None = None
    since: str = ""
    until: str = ""


async def asked(clinic: MaybeCode = None, since: Text = "", until: Text = "") -> Asked:
    return Asked(clinic, since, until)


@dataclass(frozen=True, slots=True)
class Span:
    """A span of local days, inclusive, of one clinic or of all (`clinic` is `None`), each in its own zone."""

    clinics: Sequence[ClinicHours]
    clinic: ClinicHours | None
    since: date
    until: date

    @property
    def zone(self) -> str:
        return self.clinic.zone if self.clinic else "UTC"

    @property
    def windows(self) -> list[Window]:
        after = self.until + timedelta(days=1)
        return [
            Window(one.id, one.instant(self.since).astimezone(UTC), one.instant(after).astimezone(UTC))
            for one in ([self.clinic] if self.clinic else self.clinics)
        ]

    def address(self, since: date) -> str:
        """A link to the same clinic and last day, but another first day."""
        known = {"clinic": self.clinic.id if self.clinic else "", "since": since.isoformat()}
        return f"/outcomes?{urlencode(known | {'until': self.until.isoformat()})}"


def router(desk: Desk) -> APIRouter:
    api = APIRouter(tags=["outcomes"])
    clinics = desk.clinics

    async def counting(window: Window) -> Outcomes:
        return await outcomes.count(desk.database, window, desk.clock.now())

    kept = outcomes.Kept(counting)

    @api.get("/outcomes", response_class=HTMLResponse)
    async def show_outcomes(
        request: Request, viewer: Carer, asked: Annotated[Asked, Depends(asked)]
    ) -> HTMLResponse:
        """Figures of one clinic, or of all clinics, for a span of days."""
        span = span_of(clinics, viewer, asked, desk.clock.now())
        counted = together([await kept.of(window) for window in span.windows])
        seen = [(clinic.id, clinic.title) for clinic in clinics.clinics if viewer.sees(clinic.id)]
        choices = [*seen, ("", "All clinics")] if viewer.only_clinic is None else seen
        presets = [(span.address(_back(span.until, weeks)), name, None) for name, weeks in PRESETS]
        return await desk.page(
            request,
            viewer,
            "outcomes.html",
            title="How we are doing",
            span=span,
            choices=choices,
            presets=presets,
            current=span.address(span.since),
            **shown(counted),
        )

    return api


def span_of(clinics: Clinics, viewer: Viewer, asked: Asked, now: datetime) -> Span:
    """Raises `Problem` 404 for a clinic that the viewer may not see, 422 for invalid days."""
    clinic = _clinic(clinics, viewer, asked.clinic)
    today = (clinic.local(now) if clinic else now).date()
    until = _date(asked.until) or today
    since = _date(asked.since) or until - LOOK_BACK
    if since > until or until - since > LONGEST:
        raise Problem(422, "span_unknown", "The first day comes before the last one, by five years at most.")
    return Span(clinics.clinics, clinic, since, until)


def _clinic(clinics: Clinics, viewer: Viewer, asked: str | None) -> ClinicHours | None:
    """The clinic asked for; `None` means all clinics."""
    if asked == "" and viewer.only_clinic is None:
        return None
    id = asked or viewer.only_clinic or next((clinic.id for clinic in clinics.clinics), "")
    found = clinics.get(id)
    if found is None or not viewer.sees(id):
        raise not_found()
    return found


def _date(text: str) -> date | None:
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = date.min
    if not EARLIEST <= day <= LATEST:
        raise Problem(422, "date_unknown", "There is no such day: 2026-05-25 is an example.")
    return day


def _back(until: date, weeks: int) -> date:
    return max(EARLIEST, until - timedelta(weeks=weeks))
