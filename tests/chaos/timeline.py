"""When what happens: windows of a few days each, every one with a busy evening in which its fault strikes."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from random import Random

from deploy.demo.clinic import ROUND_HOURS
from deploy.demo.play import next_stop

START = datetime(2026, 10, 19, 12, 0, tzinfo=UTC)
"""A Monday; the clocks of New York and Chicago go back on 1 November and forward on 14 March."""

AUTUMN = datetime(2026, 11, 1, 6, 0, tzinfo=UTC)
"""The instant at which New York's clocks go back."""

SPRING = datetime(2027, 3, 14, 7, 0, tzinfo=UTC)
"""The instant at which New York's clocks go forward."""

CHANGES = {"clock_autumn": AUTUMN, "clock_spring": SPRING}
MORNING_HOUR = 12
ONE_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Window:
    """`faults` by name, none in the undisturbed run. `evening` is when its fault strikes."""

    number: int
    begin: datetime
    end: datetime
    faults: tuple[str, ...] = ()

    @property
    def working_days(self) -> list[date]:
        days = [self.begin.date() + n * ONE_DAY for n in range((self.end - self.begin).days)]
        return [day for day in days if day.weekday() < 5]

    @property
    def evening(self) -> datetime:
        hour, minute = ROUND_HOURS
        return datetime.combine(self.working_days[0], time(hour, minute), UTC)

    @property
    def morning(self) -> datetime:
        """When clocks go wrong: on the very change of daylight saving where that is the fault."""
        for name, moment in CHANGES.items():
            if name in self.faults:
                return moment
        return datetime.combine(self.working_days[0], time(MORNING_HOUR, 5), UTC)

    def holds(self, moment: datetime) -> bool:
        return self.begin <= moment < self.end


def windows(chosen: list[tuple[str, ...]], seed: int) -> list[Window]:
    """A window without a fault, then one for each choice of faults, in an order of the seed's.

    The two that belong to a change of the clocks stand where the clocks change, if they are chosen.
    """
    order = [faults for faults in chosen if not CHANGES.keys() & {*faults}]
    Random(seed).shuffle(order)  # noqa: S311 (an order of tests, no secret)
    order.insert(0, ())
    count, days = len(chosen) + 1, 3
    if ("clock_autumn",) in chosen:
        days = max(days, -(-((AUTUMN - START).days + 1) // max(count - 1, 1)))
    if ("clock_spring",) in chosen:
        days = max(days, -(-((SPRING - START).days + 1) // max(count - 1, 1)))
    spans = [(START + n * days * ONE_DAY, START + (n + 1) * days * ONE_DAY) for n in range(count)]
    placed: dict[int, tuple[str, ...]] = {}
    for name, moment in CHANGES.items():
        if (name,) in chosen:
            placed[next(n for n, (begin, end) in enumerate(spans) if begin <= moment < end)] = (name,)
    rest = iter(order)
    return [
        Window(number, begin, end, placed[number] if number in placed else next(rest))
        for number, (begin, end) in enumerate(spans)
    ]


def stop_for(due: datetime, now: datetime, *, near: timedelta) -> datetime:
    """When something due is met: to the minute while somebody is in danger, else at the day's next stop."""
    return due if due - now < near else next_stop(due)
