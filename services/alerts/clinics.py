"""The part of the clinics file that alerts reads: when a clinic is open."""

from datetime import time
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo, available_timezones

from holidays import country_holidays
from pydantic import BaseModel, ConfigDict, field_validator

from services.alerts.domain.hours import ClinicHours

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Hours(Part):
    days: tuple[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"], ...]
    opens: time
    closes: time


class Holidays(Part):
    country: str
    subdivision: str | None = None


class Clinic(Part):
    id: str
    zone: str
    hours: Hours
    holidays: Holidays | None = None

    @field_validator("zone")
    @classmethod
    def _is_a_zone(cls, zone: str) -> str:
        if zone not in available_timezones():
            raise ValueError("is no time zone")
        return zone

    def clinic_hours(self) -> ClinicHours:
        return ClinicHours(
            zone=ZoneInfo(self.zone),
            days=frozenset(WEEKDAYS.index(day) for day in self.hours.days),
            opens=self.hours.opens,
            closes=self.hours.closes,
            holidays=country_holidays(self.holidays.country, subdiv=self.holidays.subdivision)
            if self.holidays
            else (),
        )


class Clinics(Part):
    clinics: tuple[Clinic, ...]


def read_clinic_hours(path: Path) -> dict[str, ClinicHours]:
    """Clinic id → hours. Raises `ValidationError` for an invalid file."""
    clinics = Clinics.model_validate_json(path.read_bytes()).clinics
    return {clinic.id: clinic.clinic_hours() for clinic in clinics}
