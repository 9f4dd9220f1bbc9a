"""When what happens: windows of a working day or more, each with a busy moment at which its faults strike."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise

from deploy.demo.clinic import ROUND_HOURS, working_days

START = datetime(2027, 3, 8, 10, 0, tzinfo=UTC)
"""A Monday. One clinic is in New York, the other one in Santiago de Chile: both changes within a month."""

SPRING = datetime(2027, 3, 14, 7, 0, tzinfo=UTC)
"""The instant at which New York's clocks go forward."""

AUTUMN = datetime(2027, 4, 4, 3, 0, tzinfo=UTC)
"""The instant at which Santiago's clocks go back."""

ZONES = {"lakeside": "America/Santiago"}
"""Clinics that are elsewhere than their configuration says."""

CHANGES = {"clock_autumn": AUTUMN, "clock_spring": SPRING}
STOPS = (11, 12, 14, 22)
"""Hours, UTC, at which routine announcements are met: each late, none too late to be made."""

NOON = time(15, 0)
ONE_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Window:
    """`faults` by name, none in the undisturbed run."""

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
        """When people are referred: apart from the evening, so that slots are given away in one order."""
        return datetime.combine(self.working_days[0], NOON, UTC)

    @property
    def evening(self) -> datetime:
        """When the day's sessions are recorded and its alerts answered."""
        hour, minute = ROUND_HOURS
        return datetime.combine(self.working_days[0], time(hour, minute), UTC)

    @property
    def busy(self) -> datetime:
        """When faults strike: what is done to intake at noon, everything else in turn."""
        concerns_intake = any("intake" in name for name in self.faults)
        return self.noon if concerns_intake or self.number % 2 else self.evening

    @property
    def disturbs_pages(self) -> bool:
        """Whether its faults touch what a page goes through: alerts, its database, the far ends."""
        others = [name for name in self.faults if "dashboard" not in name]  # no page goes through it
        return any(part in name for name in others for part in ("alerts", "mongod", "receivers"))

    @property
    def morning(self) -> datetime:
        """When clocks go wrong: on the very change of daylight saving where that is the fault."""
        for name, moment in CHANGES.items():
            if name in self.faults:
                return moment
        return datetime.combine(self.working_days[0], time(STOPS[0], 5), UTC)

    def holds(self, moment: datetime) -> bool:
        return self.begin <= moment < self.end


def windows(chosen: Sequence[tuple[str, ...]]) -> list[Window]:
    """A window without a fault, then one for each choice of faults, in their order.

    The two that belong to a change of the clocks stand where the clocks change, if they are chosen.
    """
    order = [faults for faults in chosen if not CHANGES.keys() & {*faults}]
    order.insert(0, ())
    spans = _spans(len(chosen) + 1, max((m for n, m in CHANGES.items() if (n,) in chosen), default=START))
    placed: dict[int, tuple[str, ...]] = {}
    for name, moment in CHANGES.items():
        if (name,) in chosen:
            placed[next(n for n, (begin, end) in enumerate(spans) if begin <= moment < end)] = (name,)
    rest = iter(order)
    return [
        Window(number, begin, end, placed[number] if number in placed else next(rest))
        for number, (begin, end) in enumerate(spans)
    ]


def _spans(count: int, until: datetime) -> list[tuple[datetime, datetime]]:
    """A working day each, or more where they are needed to come to a change of the clocks."""
    needed = sum((START + n * ONE_DAY).weekday() < 5 for n in range((until - START).days + 2))
    total = max(needed + 1, count)
    days = working_days(START.date(), total + 1)
    edges = [days[(place * total) // count] for place in range(count + 1)]
    moments = [datetime.combine(edge, START.time(), UTC) for edge in edges]
    return list(pairwise(moments))


def stop_for(due: datetime) -> datetime:
    """When something due is met, unless somebody acts before: at the day's next stop."""
    day = due.replace(minute=0, second=0, microsecond=0)
    later = [stop for hour in STOPS if (stop := day.replace(hour=hour)) >= due]
    return later[0] if later else day.replace(hour=STOPS[0]) + ONE_DAY
