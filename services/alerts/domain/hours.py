"""A clinic's working days and hours, as instants."""

from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

LOOK_AHEAD_DAYS = 400


@dataclass(frozen=True)
class ClinicHours:
    """Local wall-clock hours on working days (clinical.md, The course of care: per-clinic configuration).

    `days`: Monday is 0. `holidays`: local dates without clinic hours.
    """

    zone: ZoneInfo
    days: frozenset[int]
    opens: time
    closes: time
    holidays: Container[date] = ()

    def is_working_day(self, day: date) -> bool:
        return day.weekday() in self.days and day not in self.holidays

    def is_open(self, instant: datetime) -> bool:
        local = instant.astimezone(self.zone)
        return self.is_working_day(local.date()) and self.opens <= local.time() < self.closes

    def next_open(self, instant: datetime) -> datetime:
        """`instant` itself within clinic hours, else the next opening."""
        return instant if self.is_open(instant) else self.next_of([self.opens], instant)

    def next_of(self, times: Iterable[time], instant: datetime) -> datetime:
        """The first of these local times on a working day that is not before `instant`."""
        ordered = sorted(times)
        for day in self._working_days(self._day(instant)):
            for at in ordered:
                if (moment := self._moment(day, at)) >= instant:
                    return moment
        raise LookupError("no working day ahead")

    def closing(self, instant: datetime, working_days: int) -> datetime:
        """When the clinic closes on the `working_days`-th working day after the day of `instant`."""
        days = self._working_days(self._day(instant) + timedelta(days=1))
        for count, day in enumerate(days, start=1):
            if count == working_days:
                return self._moment(day, self.closes)
        raise LookupError("no working day ahead")

    def end_of_day(self, instant: datetime) -> datetime:
        """Local midnight after `instant`."""
        return self._moment(self._day(instant) + timedelta(days=1), time(0))

    def _day(self, instant: datetime) -> date:
        return instant.astimezone(self.zone).date()

    def _moment(self, day: date, at: time) -> datetime:
        return datetime.combine(day, at, self.zone).astimezone(UTC)

    def _working_days(self, start: date) -> Iterator[date]:
        days = (start + timedelta(days=ahead) for ahead in range(LOOK_AHEAD_DAYS))
        return (day for day in days if self.is_working_day(day))


AROUND_THE_CLOCK = ClinicHours(
    zone=ZoneInfo("UTC"), days=frozenset(range(7)), opens=time(0), closes=time(23, 59, 59)
)
"""For an unknown clinic: nothing waits for clinic hours."""
