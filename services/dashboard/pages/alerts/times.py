"""Instants in a clinic's zone, and spans in words."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from services.dashboard.pages.alerts.facts import UTC_ZONE

SOON = timedelta(days=1)


@dataclass(frozen=True)
class Times:
    """Instants in a clinic's zone, spans in words. Times in UTC, for an unknown zone, are marked as such."""

    now: datetime
    zone: str = UTC_ZONE

    def at(self, instant: datetime) -> str:
        """`Mon 25 May 12:00`; with the year if it is not the current one."""
        local = instant.astimezone(ZoneInfo(self.zone))
        year = "" if local.year == self.now.year else f" {local.year}"
        return f"{local:%a} {local.day} {local:%b}{year} {local:%H:%M}{self._utc}"

    def hour(self, instant: datetime) -> str:
        """The time alone if it is within a day of now."""
        if abs(instant - self.now) > SOON:
            return self.at(instant)
        return f"{instant.astimezone(ZoneInfo(self.zone)):%H:%M}{self._utc}"

    def since(self, instant: datetime) -> str:
        return span(self.now - instant)

    def local(self, instant: datetime) -> str:
        """The value for a `datetime-local` input."""
        return f"{instant.astimezone(ZoneInfo(self.zone)):%Y-%m-%dT%H:%M}"

    def is_past(self, instant: datetime | None) -> bool:
        return instant is not None and instant <= self.now

    @property
    def _utc(self) -> str:
        return " UTC" if self.zone == UTC_ZONE else ""


def span(delta: timedelta) -> str:
    """`under a minute`, `12 min`, `2 h 5 min`, `3 days`."""
    minutes = int(delta.total_seconds()) // 60
    if minutes < 1:
        return "under a minute"
    if minutes < 60:
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {rest} min" if rest else f"{hours} h"
    return f"{hours // 24} days"
