"""The timeline: windows of a working day or more, each with a busy moment at which its faults occur."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise

from deploy.demo.clinic import ROUND_HOURS, working_days
from tests.chaos.faults import FAULTS, Fault

START = datetime(2027, 3, 8, 10, 0, tzinfo=UTC)
"""A Monday. Clinics in New York and Santiago de Chile bring both clock changes within a month."""

ZONES = {"lakeside": "America/Santiago"}
"""Clinics whose configured time zone is replaced."""

STOPS = (11, 12, 14, 22)
"""Hours, UTC, at which the clock stops for routine timers: they fire late, but none is expired."""

NOON = time(15, 0)
ONE_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Window:
    """`faults` by name. The undisturbed run plays the same windows without their faults."""

    number: int
    begin: datetime
    end: datetime
    faults: tuple[str, ...] = ()

    @property
    def working_days(self) -> list[date]:
        days = [self.begin.date() + n * ONE_DAY for n in range((self.end - self.begin).days)]
        return [day for day in days if day.weekday() < 5]

    @property
    def noon(self) -> datetime:
        """When people are referred: not in the evening, so that slots are assigned in a fixed order."""
        return datetime.combine(self.working_days[0], NOON, UTC)

    @property
    def evening(self) -> datetime:
        """When the day's sessions are recorded and its alerts answered."""
        hour, minute = ROUND_HOURS
        return datetime.combine(self.working_days[0], time(hour, minute), UTC)

    @property
    def busy(self) -> datetime:
        """When faults occur: at noon if one requires it, otherwise at noon and in the evening alternately."""
        has_to_be_noon = any(fault.at_noon for fault in _faults(self.faults))
        return self.noon if has_to_be_noon or self.number % 2 else self.evening

    @property
    def touches_pages(self) -> bool:
        """Whether one of its faults affects the path of pages."""
        return any(fault.touches_pages for fault in _faults(self.faults))

    @property
    def morning(self) -> datetime:
        """When clock faults occur: at the instant of the daylight saving change if a fault names one."""
        return _instant(self.faults) or datetime.combine(self.working_days[0], time(STOPS[0], 5), UTC)

    def holds(self, moment: datetime) -> bool:
        return self.begin <= moment < self.end


def windows(chosen: Sequence[tuple[str, ...]]) -> list[Window]:
    """A window without a fault, then one for each choice of faults, in order.

    Faults that belong to an instant (the two clock changes) go into the window that contains it.
    """
    instants = {faults: instant for faults in chosen if (instant := _instant(faults)) is not None}
    rest = iter([(), *(faults for faults in chosen if faults not in instants)])
    spans = _spans(len(chosen) + 1, max(instants.values(), default=START))
    placed: dict[int, tuple[str, ...]] = {}
    for faults, instant in instants.items():
        placed[next(n for n, (begin, end) in enumerate(spans) if begin <= instant < end)] = faults
    return [
        Window(number, begin, end, placed[number] if number in placed else next(rest))
        for number, (begin, end) in enumerate(spans)
    ]


def _faults(names: Sequence[str]) -> list[Fault]:
    return [FAULTS[name] for name in names]


def _instant(names: Sequence[str]) -> datetime | None:
    """The instant to which one of these faults belongs, if any."""
    return next((fault.instant for fault in _faults(names) if fault.instant is not None), None)


def _spans(count: int, until: datetime) -> list[tuple[datetime, datetime]]:
    """Spans of one working day each, or more if needed to reach `until`."""
    needed = sum((START + n * ONE_DAY).weekday() < 5 for n in range((until - START).days + 2))
    total = max(needed + 1, count)
    days = working_days(START.date(), total + 1)
    edges = [days[(place * total) // count] for place in range(count + 1)]
    moments = [datetime.combine(edge, START.time(), UTC) for edge in edges]
    return list(pairwise(moments))


def stop_for(due: datetime) -> datetime:
    """The next stop at or after a due moment, where the clock stops unless somebody acts earlier."""
    day = due.replace(minute=0, second=0, microsecond=0)
    later = [stop for hour in STOPS if (stop := day.replace(hour=hour)) >= due]
    return later[0] if later else day.replace(hour=STOPS[0]) + ONE_DAY
