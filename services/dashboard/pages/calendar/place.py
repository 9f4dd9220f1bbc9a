"""The part of the calendar that is shown, held entirely in the address."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Annotated, Literal
from urllib.parse import urlencode

from fastapi import Depends, Query

from services.dashboard.calendar.hours import ClinicHours, Clinics
from services.dashboard.calendar.week import ONE_DAY, monday_of, week_of
from services.dashboard.pages.desk import Code, MaybeCode
from services.dashboard.web.viewer import Viewer
from shared.http.admission import not_found
from shared.http.problems import Problem

Text = Annotated[str, Query(max_length=10)]
View = Literal["week", "day"]
EARLIEST, LATEST = date(2000, 1, 10), date(2199, 12, 20)


@dataclass(frozen=True, slots=True)
class Asked:
    """`clinician`: if absent, the viewer's own calendar if they have one, else everybody's; if empty,
    everybody's."""

    clinic: str = ""
    clinician: str | None = None
    week: str = ""
    day: str = ""
    view: View = "week"


async def asked(
    clinic: Code = "",
    clinician: MaybeCode = None,
    week: Text = "",
    day: Text = "",
    view: View = "week",
) -> Asked:
    return Asked(clinic, clinician, week, day, view)


AskedFor = Annotated[Asked, Depends(asked)]


@dataclass(frozen=True, slots=True)
class Place:
    clinic: ClinicHours
    clinician: str
    """Empty means everybody who works there."""
    day: date
    view: View
    today: date

    @property
    def monday(self) -> date:
        return self.day - self.day.weekday() * ONE_DAY

    @property
    def span(self) -> tuple[datetime, datetime]:
        """The shown week or day as instants: from its first midnight to before the midnight that ends it."""
        first, days = (self.monday, 7) if self.view == "week" else (self.day, 1)
        return self.clinic.instant(first), self.clinic.instant(first + days * ONE_DAY)

    @property
    def week(self) -> str:
        return week_of(self.day)

    def address(self, path: str = "/calendar", **changes: str) -> str:
        """A link to the same place, except for the changes; an empty `week` or `day` means today."""
        when = {"week": self.week} if self.view == "week" else {"view": "day", "day": self.day.isoformat()}
        given = {"clinic": self.clinic.id, "clinician": self.clinician, **when, **changes}
        return f"{path}?{urlencode({k: v for k, v in given.items() if v or k == 'clinician'})}"

    def on(self, day: date) -> str:
        """A link to that day."""
        return self.address(view="day", day=day.isoformat(), week="")

    def stepped(self, direction: Literal[-1, 1]) -> str:
        """A link to the next or previous week or, in the day view, working day of the clinic."""
        if self.view == "week":
            return self.address(week=week_of(self.monday + direction * timedelta(weeks=1)))
        day = self.day + direction * ONE_DAY
        while not self.clinic.works_on(day):
            day += direction * ONE_DAY
        return self.on(day)


def resolve(clinics: Clinics, viewer: Viewer, asked: Asked, now: datetime) -> Place:
    """Raises `Problem` 404 for a clinic or clinician outside the viewer's rights, 422 for an invalid date."""
    clinic = _clinic(clinics, viewer, asked)
    if not viewer.sees(clinic.id):
        raise not_found()
    clinician = _clinician(clinic, viewer, asked)
    works_at = clinics.where_works(clinician)
    if works_at is not None and works_at.id != clinic.id:
        raise not_found()
    today = clinic.local(now).date()
    return Place(clinic, clinician, _day(asked, today), asked.view, today)


def _clinic(clinics: Clinics, viewer: Viewer, asked: Asked) -> ClinicHours:
    """The clinic asked for, else the one where the clinician works, else the first the viewer sees."""
    if asked.clinic:
        found = clinics.get(asked.clinic)
    elif asked.clinician:
        found = clinics.where_works(asked.clinician)
    else:
        own = clinics.where_works(viewer.subject) if viewer.treats else None
        found = own or next((clinic for clinic in clinics.clinics if viewer.sees(clinic.id)), None)
    if found is None:
        raise not_found()
    return found


def _clinician(clinic: ClinicHours, viewer: Viewer, asked: Asked) -> str:
    if asked.clinician is not None:
        return asked.clinician
    return viewer.subject if viewer.treats and viewer.subject in clinic.clinician_ids else ""


def _day(asked: Asked, today: date) -> date:
    try:
        if asked.day:
            day = date.fromisoformat(asked.day)
        elif asked.week:
            day = monday_of(asked.week)
            if day <= today < day + timedelta(weeks=1):
                day = today
        else:
            day = today
    except ValueError:
        raise _no_date() from None
    if not EARLIEST <= day <= LATEST:
        raise _no_date()
    return day


def _no_date() -> Problem:
    return Problem(422, "date_unknown", "There is no such week or day: 2026-W22 and 2026-05-25 are examples.")
