"""The calendar's view of the clinics file: when a clinic is open, who works there, who is away."""

from datetime import date, datetime, time, timedelta
from functools import lru_cache
from pathlib import Path
from zoneinfo import ZoneInfo

import holidays
from pydantic import BaseModel, ConfigDict, Field

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)


class Away(Part):
    """From the first to the last local day, inclusive. `leave_id` is set only if it can be withdrawn."""

    first: date = Field(alias="from")
    last: date = Field(alias="to")
    leave_id: str | None = None

    def covers(self, day: date) -> bool:
        return self.first <= day <= self.last


class Hours(Part):
    days: tuple[str, ...]
    opens: time
    closes: time


class PublicHolidays(Part):
    country: str
    subdivision: str | None = None


class Clinician(Part):
    id: str
    leave: tuple[Away, ...] = ()


class ClinicHours(Part):
    """Local wall-clock hours on working days (clinical.md, The course of care: per-clinic configuration)."""

    id: str
    name: str = ""
    zone: str
    hours: Hours
    slot_minutes: int = Field(ge=10, le=240)
    holidays: PublicHolidays | None = None
    clinicians: tuple[Clinician, ...] = ()

    @property
    def title(self) -> str:
        return self.name or self.id

    @property
    def slot_times(self) -> list[time]:
        """Wall times at which a session may start, back to back from opening time."""
        start = datetime.combine(date.min, self.hours.opens)
        end = datetime.combine(date.min, self.hours.closes)
        count = (end - start) // timedelta(minutes=self.slot_minutes)
        return [(start + number * timedelta(minutes=self.slot_minutes)).time() for number in range(count)]

    def local(self, instant: datetime) -> datetime:
        """The clinic's wall time at an instant, as a naive datetime."""
        return instant.astimezone(ZoneInfo(self.zone)).replace(tzinfo=None)

    def instant(self, day: date) -> datetime:
        """Local midnight at the start of a day, as an aware datetime."""
        return datetime.combine(day, time(), ZoneInfo(self.zone))

    def works_on(self, day: date) -> bool:
        return WEEKDAYS[day.weekday()] in self.hours.days

    def holiday(self, day: date) -> str | None:
        """The public holiday's name."""
        if self.holidays is None:
            return None
        return _holidays(self.holidays.country, self.holidays.subdivision).get(day)

    def away(self, clinician_id: str) -> tuple[Away, ...]:
        """The clinician's leave as configured."""
        return next((c.leave for c in self.clinicians if c.id == clinician_id), ())

    @property
    def clinician_ids(self) -> list[str]:
        return [clinician.id for clinician in self.clinicians]


class Clinics(Part):
    clinics: tuple[ClinicHours, ...]

    @property
    def ids(self) -> frozenset[str]:
        return frozenset(clinic.id for clinic in self.clinics)

    def get(self, clinic_id: str) -> ClinicHours | None:
        return next((clinic for clinic in self.clinics if clinic.id == clinic_id), None)

    def where_works(self, clinician_id: str) -> ClinicHours | None:
        return next((clinic for clinic in self.clinics if clinician_id in clinic.clinician_ids), None)


def read_clinics(path: Path) -> Clinics:
    """Raises pydantic's `ValidationError` naming the field that is wrong, or `OSError`."""
    return Clinics.model_validate_json(path.read_bytes())


@lru_cache(maxsize=64)
def _holidays(country: str, subdivision: str | None) -> holidays.HolidayBase:
    return holidays.country_holidays(country, subdiv=subdivision)
