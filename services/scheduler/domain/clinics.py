"""Clinics: zone, hours, slots, holidays, and when their clinicians are away. Per-clinic configuration."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime, time, timedelta
from functools import cached_property, lru_cache
from hashlib import blake2b
from importlib.metadata import version
from typing import Literal, Self

import holidays
from pydantic import BaseModel, ConfigDict, Field, model_validator

from services.scheduler.domain.wall_time import Zone
from shared.errors import Refused

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
ONE_DAY = timedelta(days=1)


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class Leave(Frozen):
    """Away from the first to the last local day, both included."""

    model_config = ConfigDict(frozen=True, populate_by_name=True)

    first: date = Field(alias="from")
    last: date = Field(alias="to")

    @model_validator(mode="after")
    def _runs_forward(self) -> Self:
        if self.last < self.first:
            raise ValueError("a leave ends on or after its first day")
        return self

    def covers(self, day: date) -> bool:
        return self.first <= day <= self.last


class Hours(Frozen):
    days: tuple[Weekday, ...] = Field(min_length=1)
    opens: time
    closes: time

    @model_validator(mode="after")
    def _opens_first(self) -> Self:
        if self.opens >= self.closes:
            raise ValueError("a clinic opens before it closes, on the same day")
        return self


class Holidays(Frozen):
    """`country` and `subdivision` as the holidays library names them."""

    country: str
    subdivision: str | None = None

    @model_validator(mode="after")
    def _is_known(self) -> Self:
        supported = holidays.list_supported_countries()
        if self.country not in supported:
            raise ValueError("unknown country")
        if self.subdivision is not None and self.subdivision not in supported[self.country]:
            raise ValueError("unknown subdivision")
        return self


class Clinician(Frozen):
    id: str
    leave: tuple[Leave, ...] = ()


class Clinic(Frozen):
    id: str
    name: str = ""
    zone: Zone
    hours: Hours
    slot_minutes: int = Field(ge=10, le=240)
    holidays: Holidays
    clinicians: tuple[Clinician, ...] = ()

    @model_validator(mode="after")
    def _has_a_slot(self) -> Self:
        if not self.slot_times():
            raise ValueError("the hours hold no slot")
        return self

    @cached_property
    def hours_version(self) -> str:
        """A hash of hours, slots and holidays. Whatever was booked under another one is checked again."""
        parts = (self.hours.model_dump_json(), str(self.slot_minutes), self.holidays.model_dump_json())
        return blake2b("/".join((*parts, version("holidays"))).encode(), digest_size=8).hexdigest()

    def slot_times(self) -> tuple[time, ...]:
        """Wall times at which a session may start: back to back from opening time on."""
        return _slot_times(self.hours.opens, self.hours.closes, self.slot_minutes)

    def works_on(self, day: date) -> bool:
        """Whether it is one of the clinic's weekdays."""
        return WEEKDAYS[day.weekday()] in self.hours.days

    def is_holiday(self, day: date) -> bool:
        return _is_holiday(self.holidays.country, self.holidays.subdivision, day)

    def next_open_day(self, after: date) -> date:
        """The first clinic day after a day: no weekend, no public holiday."""
        day = after + ONE_DAY
        while not self.works_on(day) or self.is_holiday(day):
            day += ONE_DAY
        return day

    def leave_of(self, clinician_id: str) -> tuple[Leave, ...]:
        """Leave known from the configuration; an unlisted clinician has none."""
        return next((c.leave for c in self.clinicians if c.id == clinician_id), ())


class Clinics(Frozen):
    """The configured clinics, by id."""

    version: str
    by_id: Mapping[str, Clinic]

    @classmethod
    def of(cls, version: str, clinics: Iterable[Clinic]) -> Self:
        return cls(version=version, by_id={clinic.id: clinic for clinic in clinics})

    def __getitem__(self, clinic_id: str) -> Clinic:
        """Raises `Refused("unknown_clinic")`: nothing can be booked where no hours are known."""
        clinic = self.by_id.get(clinic_id)
        if clinic is None:
            raise Refused("unknown_clinic")
        return clinic

    def where_works(self, clinician_id: str) -> Clinic | None:
        return next((c for c in self.by_id.values() if any(w.id == clinician_id for w in c.clinicians)), None)


@lru_cache(maxsize=256)
def _slot_times(opens: time, closes: time, minutes: int) -> tuple[time, ...]:
    start = datetime.combine(date.min, opens)
    end = datetime.combine(date.min, closes)
    count = (end - start) // timedelta(minutes=minutes)
    return tuple((start + number * timedelta(minutes=minutes)).time() for number in range(count))


@lru_cache(maxsize=64)
def _calendar(country: str, subdivision: str | None) -> holidays.HolidayBase:
    return holidays.country_holidays(country, subdiv=subdivision)


@lru_cache(maxsize=65_536)
def _is_holiday(country: str, subdivision: str | None, day: date) -> bool:
    return day in _calendar(country, subdivision)
