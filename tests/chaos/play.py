"""Plays one window of a run: people act, everything settles, the clock moves, and so on."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, time

from deploy.demo.clinic import ROUND_HOURS, together
from deploy.demo.life import Life
from tests.chaos.people import Caseload
from tests.chaos.timeline import Window, stop_for

REFERRALS_A_WINDOW = 2
"""Most referrals in a window; every other window has one."""

REFERRALS_AT_FIRST = 10


@dataclass
class Play:
    """Plays windows in order, with one caseload."""

    people: Caseload
    on_morning: Callable[[Window], Awaitable[None]]

    async def window(self, window: Window) -> None:
        """Play the window. Raises `Unsettled` if the stack does not come to rest."""
        self._plan(window)
        time = self.people.time
        while time.now < window.end:
            await time.advance(self._next_moment(window.end))
            while actions := self.people.agenda.take(time.now):
                await together(action() for action in actions)
                await time.settle()

    def _plan(self, window: Window) -> None:
        people, hour = self.people, ROUND_HOURS
        for day in window.working_days:
            people.agenda.put(datetime.combine(day, time(*hour), UTC), people.round)
        count = 1 + window.number % REFERRALS_A_WINDOW if window.number else REFERRALS_AT_FIRST
        newcomers = people.next_referrals(count)
        people.agenda.put(window.noon, lambda: self._refer(newcomers))
        people.agenda.put(window.busy, lambda: people.raise_flag(window.number))
        people.agenda.put(window.morning, lambda: self.on_morning(window))

    def _refer(self, newcomers: list[Life]) -> Awaitable[None]:
        return together(self.people.refer(life) for life in newcomers)

    def _next_moment(self, end: datetime) -> datetime:
        people, now = self.people, self.people.time.now
        moments = [end]
        if (act := people.agenda.next) is not None:
            moments.append(act)
        moments += [stop_for(due) for due in people.time.due]
        return max(now, min(moments))
