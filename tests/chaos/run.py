"""One run: its people, its windows with or without faults, and the checker after each."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from time import monotonic

from deploy.demo.desks import Answered
from deploy.demo.settling import Unsettled
from deploy.embedded.probing import attempts
from tests.chaos.checks import Violation, check
from tests.chaos.checks.state import Known, State, differences, state
from tests.chaos.director import NOT_READY, Director
from tests.chaos.faults import Scene
from tests.chaos.figures import WindowResult, measure
from tests.chaos.history import History, Reader
from tests.chaos.ledger import Ledger
from tests.chaos.people import Caseload
from tests.chaos.play import Play
from tests.chaos.settling import nobody_asked
from tests.chaos.strangers import take_care_of_strangers
from tests.chaos.timeline import Window

CATCH_UP_SECONDS = 20.0
BROKEN_OFF = (Unsettled, ConnectionError, Answered)
"""Errors that end a window early: the stack does not come to rest, or does not answer as expected."""

STUCK_SECONDS = 45.0
"""An aborted window was stuck if the stack was not at rest this long after its fault was over."""

Meddle = Callable[[History], None]


@dataclass
class Run:
    """A run in progress. `states`: the state at the end of each window."""

    scene: Scene
    people: Caseload
    ledger: Ledger
    director: Director
    reader: Reader
    log: Callable[[str], None]
    states: list[State] = field(default_factory=list)
    results: list[WindowResult] = field(default_factory=list)
    meddle: Meddle | None = None
    """Changes what the checker sees, to prove that it detects violations."""

    known: set[Violation] = field(default_factory=set)
    differing: Known = field(default_factory=dict)
    under_way: Window | None = None
    rough: set[int] = field(default_factory=set)
    """Windows in which a page may have rung more than once."""

    async def window(self, window: Window, *, faults: bool, expected: State | None) -> WindowResult:
        result = WindowResult(window.number, window.faults if faults else (), self.scene.time.now.isoformat())
        began, self.under_way = monotonic(), window
        self.scene.desks.window = self.scene.receivers.window = window.number
        if faults and window.touches_pages:
            self.rough.add(window.number)
        self.scene.time.verify = self._in_flight if faults and window.faults else nobody_asked
        if faults:
            self.director.begin(window)
        try:
            await Play(self.people, self.director.on_morning).window(window)
            await self.director.finish()
            await take_care_of_strangers(self.scene, self.director.strike.notes)
            await self.scene.time.settle()
        except (*BROKEN_OFF, ExceptionGroup) as stuck:
            why = "; ".join(sorted(set(_reasons(stuck))))
            result.violations.append(Violation("stuck", (window.begin.isoformat(),), why))
            await self._log_flows()
            await self.director.finish()
        self._tell_of_strike(result)
        result.played = monotonic() - began
        await asyncio.to_thread(self._judge, result, await self.history(), expected)
        result.took = monotonic() - began
        self.results.append(result)
        self.under_way = None
        return result

    def broken_off(self, window: Window) -> WindowResult:
        """The result of an aborted window: only whether it was stuck. The checker does not run."""
        result = WindowResult(window.number, window.faults, self.scene.time.now.isoformat())
        over, time = self.director.seconds_over, self.scene.time
        self.director.break_off()
        self._tell_of_strike(result)
        why = time.why or "everything at rest at the last look"
        result.notes.append(f"broken off: {why}")
        if over is not None and (still := min(over, monotonic() - time.rested)) >= STUCK_SECONDS:
            evidence = f"{why}; not at rest for {still:.0f} s after the fault was over"
            result.violations.append(Violation("stuck", (window.begin.isoformat(),), evidence))
        return result

    def _tell_of_strike(self, result: WindowResult) -> None:
        strike = self.director.strike
        result.struck, result.hits, result.missed = strike.struck, strike.hits, strike.missed
        result.ready, result.is_ready, result.notes = strike.ready, strike.is_ready, strike.notes

    async def _log_flows(self) -> None:
        """Log each replica's own report when the stack does not come to rest."""
        for name in self.scene.stack.services:
            try:
                self.log(f"{name}: {await self.scene.desks.flow_of(name)}")
            except ConnectionError as away:
                self.log(f"{name}: {away}")

    async def _in_flight(self) -> str:
        return await asyncio.to_thread(self.reader.in_flight)

    async def history(self) -> History:
        """Wait until the tap has read all announcements in the outboxes, then read everything."""
        async for left in attempts(CATCH_UP_SECONDS, pause=0.2):
            history = await asyncio.to_thread(self.reader.read, self.scene.time.now)
            history.epoch = self.scene.stack.broker.cluster_id
            seen = self.scene.tap.ids(history.epoch)
            if all(event.id in seen for event in history.announced):
                break
            if left < CATCH_UP_SECONDS - 5 and (missed := await self.scene.tap.read_again()):
                self.director.strike.notes.append(f"{missed} records found by reading the log again")
        history.entries = list(self.ledger.entries)
        history.published = list(self.scene.tap.records)
        history.pages = list(self.scene.receivers.pages)
        history.planted = list(self.scene.planted)
        history.rough = frozenset(self.rough)
        return history

    def _judge(self, result: WindowResult, history: History, expected: State | None) -> None:
        if self.meddle is not None:
            self.meddle(history)
        found = check(history) if expected is not None else []
        numbers = {id: life.person.number for id, life in self.people.lives.items()}
        now = state(history, numbers)
        self.states.append(now)
        if expected is not None:
            found += differences(now, expected, self.differing)
        result.violations += [violation for violation in found if violation not in self.known]
        if not result.is_ready:
            result.violations.append(Violation("not_ready", result.faults, NOT_READY))
        self.known.update(result.violations)
        measure(result, history)


def _reasons(stuck: Exception) -> Iterator[str]:
    """The reasons of an error or of a group's members. Re-raises errors of the suite itself."""
    if isinstance(stuck, ExceptionGroup):
        for one in stuck.exceptions:
            yield from _reasons(one)
    elif isinstance(stuck, BROKEN_OFF):
        yield str(stuck)
    else:
        raise stuck
