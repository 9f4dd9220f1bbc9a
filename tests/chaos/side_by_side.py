"""Plays the same people and clock twice, side by side: undisturbed, slightly ahead, and with faults."""

import asyncio
import math
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import monotonic

from deploy.embedded.ports import free_ports
from tests.chaos.checks import Violation, check
from tests.chaos.checks.state import State
from tests.chaos.faults.storage import remove_disk
from tests.chaos.figures import WindowResult
from tests.chaos.opening import PORTS, Log, Opening, opened
from tests.chaos.run import Meddle, Run
from tests.chaos.timeline import Window

AHEAD = 2
"""Most windows by which the undisturbed run is ahead, so that it plays little that is not compared."""

RECENT, OVERTIME_SECONDS = 3, 45.0
"""Seconds after the time limit by which the last window may end, judged by the longest of recent ones."""

BREAK_OFF_SECONDS = 60.0
"""Seconds after the time limit at which a window under way is aborted. It counts only if it was stuck."""

LAST_SECONDS = 60.0
"""Seconds that the undisturbed run may then take to end its window and be checked."""

OnWindow = Callable[[WindowResult], None]


@dataclass(frozen=True)
class Comparison:
    """`folder` holds both runs. `until` is the monotonic time after which no window is started."""

    folder: Path
    seed: int
    plan: Sequence[Window]
    until: float
    mutation: str | None = None
    meddle: Meddle | None = None
    patience: float | None = None
    """Seconds that the disturbed stack may take to settle, if not the default."""

    enough: Callable[[WindowResult], bool] = lambda _: False
    """Whether a window's result suffices, so that no further one is played."""


@dataclass
class Compared:
    """Results of the undisturbed run and of the one with faults, and the windows not reached."""

    calm: list[WindowResult] = field(default_factory=list)
    hurt: list[WindowResult] = field(default_factory=list)
    not_reached: list[Window] = field(default_factory=list)
    opened: float = 0.0
    """Seconds until both stacks were ready to play."""

    broken_off: bool = False
    """Whether the first of `not_reached` was started."""

    last_words: str = ""
    """What was still in flight when it was aborted."""

    out_of_time: bool = False
    """Whether it ended because the time was up while a window of either run was under way."""

    @property
    def telling(self) -> list[WindowResult]:
        """Results for the report: windows with faults or violations."""
        return [result for result in [*self.calm, *self.hurt] if result.faults or result.violations]

    @property
    def is_stuck(self) -> bool:
        return any(result.is_stuck for result in [*self.calm, *self.hurt])


class Lead:
    """Passes the undisturbed run's states window by window, and keeps it from running too far ahead."""

    def __init__(self) -> None:
        self._room = asyncio.Semaphore(AHEAD)
        self._states: asyncio.Queue[State | None] = asyncio.Queue()
        self._is_over = False

    async def may_go_on(self) -> bool:
        """Wait until another window is wanted; `False` if none will be."""
        await self._room.acquire()
        return not self._is_over

    def tell(self, state: State | None) -> None:
        """Pass a state; `None` means there are no more."""
        self._states.put_nowait(state)

    async def next(self) -> State | None:
        state = await self._states.get()
        self._room.release()
        return state

    def end(self) -> None:
        self._is_over = True
        self._room.release()


async def side_by_side(comparison: Comparison, log: Log, on_window: OnWindow) -> Compared:
    """Play both runs, starting with empty folders."""
    began, first, lead, compared = monotonic(), free_ports(2 * PORTS), Lead(), Compared()
    calm = Opening(
        _emptied(comparison.folder / "undisturbed"),
        comparison.seed,
        len(comparison.plan),
        first,
        log,
        disturbed=False,
    )
    hurt = replace(
        calm,
        folder=_emptied(comparison.folder / "disturbed"),
        first_port=first + PORTS,
        disturbed=True,
        mutation=comparison.mutation,
        patience=comparison.patience,
    )

    def ready() -> None:
        compared.opened = monotonic() - began

    async with asyncio.TaskGroup() as runs:
        beside = runs.create_task(_undisturbed(calm, comparison, lead, compared))
        await _disturbed(hurt, comparison, lead, compared, on_window, ready)
        if compared.out_of_time and not (await asyncio.wait({beside}, timeout=LAST_SECONDS))[0]:
            compared.calm.append(_never_ended(len(compared.calm)))
            beside.cancel()
    compared.not_reached = list(comparison.plan[len(compared.hurt) :])
    return compared


def _never_ended(number: int) -> WindowResult:
    stuck = Violation("stuck", ("undisturbed",), f"its window did not end within {LAST_SECONDS:g} s")
    return WindowResult(number, (), "", violations=[stuck])


def _emptied(folder: Path) -> Path:
    remove_disk(folder / "mongod")  # left over from a run that was killed
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


async def _undisturbed(opening: Opening, comparison: Comparison, lead: Lead, compared: Compared) -> None:
    async with opened(opening) as run:
        for window in comparison.plan:
            if not await lead.may_go_on():
                break
            compared.calm.append(result := await run.window(window, faults=False, expected=None))
            if result.is_stuck:
                break
            lead.tell(run.states[-1])
        lead.tell(None)
        if run.results:
            run.results[-1].violations += await asyncio.to_thread(check, await run.history())


async def _disturbed(
    opening: Opening,
    comparison: Comparison,
    lead: Lead,
    compared: Compared,
    on_window: OnWindow,
    ready: Callable[[], None],
) -> None:
    try:
        async with opened(opening) as run:
            ready()
            run.meddle = comparison.meddle
            await _strike(run, comparison, lead, compared, on_window)
            lead.end()  # let the undisturbed run end while this stack stops
    finally:
        lead.end()


def is_time_left(seconds: float, longest: float) -> bool:
    """Whether a window may be started `seconds` before the time is up."""
    return seconds > max(0.0, longest - OVERTIME_SECONDS)


async def _in_time(run: Run, window: Window, lead: Lead, until: float) -> WindowResult | None:
    """The window's result; `None` if the undisturbed run has no more.

    Raises `TimeoutError` `BREAK_OFF_SECONDS` after `until`.
    """
    seconds = None if until == math.inf else max(0.0, until - monotonic()) + BREAK_OFF_SECONDS
    async with asyncio.timeout(seconds):
        expected = await lead.next()
        return None if expected is None else await run.window(window, faults=True, expected=expected)


async def _strike(
    run: Run, comparison: Comparison, lead: Lead, compared: Compared, on_window: OnWindow
) -> None:
    """Play windows until all are played, the result suffices, the time is up, or one is stuck."""
    for window in comparison.plan:
        longest = max((result.took for result in compared.hurt[-RECENT:]), default=0.0)
        if not is_time_left(comparison.until - monotonic(), longest):
            return
        try:
            result = await _in_time(run, window, lead, comparison.until)
        except TimeoutError:
            compared.out_of_time = True
            _break_off(run, compared, on_window)
            return
        if result is None:
            return
        compared.hurt.append(result)
        on_window(result)
        if result.is_stuck or comparison.enough(result):
            return


def _break_off(run: Run, compared: Compared, on_window: OnWindow) -> None:
    """Report the window under way as stuck, or record what was still in flight."""
    if run.under_way is None:
        return  # the undisturbed run was not that far
    result = run.broken_off(run.under_way)
    if result.violations:
        compared.hurt.append(result)
        on_window(result)
    else:
        compared.broken_off, compared.last_words = True, "; ".join(result.notes)
