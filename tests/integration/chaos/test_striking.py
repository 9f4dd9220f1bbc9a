"""A fault that struck nothing says so; a window that hangs when the time is up is no window without fault."""

import argparse
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any, cast

import pytest
from rich.console import Console

from deploy.embedded.processes import Process, spawn, stop
from tests.chaos.__main__ import report_all
from tests.chaos.director import NEVER_REACHED, Director, Strike
from tests.chaos.faults import Fault, Scene, nothing
from tests.chaos.faults.base import PointNotReached
from tests.chaos.faults.processes import send
from tests.chaos.figures import WindowResult
from tests.chaos.people import Caseload
from tests.chaos.run import STUCK_SECONDS, Run
from tests.chaos.side_by_side import Compared
from tests.chaos.timeline import windows
from tests.integration.chaos.histories import clean


@dataclass
class Member:
    process: Process | None


def scene_with(process: Process | None) -> Scene:
    """As much of a scene as a signal needs."""

    @dataclass
    class Stack:
        mongod: Member

    return Scene(cast(Any, Stack(Member(process))), *cast(Any, (None,) * 5))


async def test_a_signal_to_a_process_that_is_away_strikes_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import time; time.sleep(60)"]
    process = spawn(command, folder=tmp_path, log=tmp_path / "log", environment={})
    try:
        await send(scene_with(process), name="mongod", number=signal.SIGKILL)
        process.wait(10)
    finally:
        stop(process, within=3)
    for away in (process, None):
        with pytest.raises(PointNotReached):
            await send(scene_with(away), name="mongod", number=signal.SIGKILL)


async def test_what_was_begun_is_undone_when_nothing_was_struck() -> None:
    undone: list[str] = []

    async def inject(_: Scene) -> None:
        raise PointNotReached

    async def heal(_: Scene) -> None:
        undone.append("healed")
        raise PointNotReached

    with pytest.raises(PointNotReached):
        await Fault("sample", inject, heal).strike(scene_with(None))
    assert undone == ["healed"]


async def test_a_fault_counts_when_it_took_effect() -> None:
    async def misses(_: Scene) -> None:
        raise PointNotReached

    director = Director(scene_with(None))
    await director._hit(Fault("misses", misses))
    strike = director.strike
    assert (strike.hits, strike.missed, strike.struck, strike.notes) == (0, 1, None, [NEVER_REACHED])
    await director._hit(Fault("hits", nothing))
    assert (strike.hits, strike.missed) == (1, 1)
    assert strike.struck is not None
    assert director.seconds_over is not None


@pytest.mark.parametrize(("hits", "code"), [(0, 1), (1, 0)])
def test_a_run_that_struck_nothing_fails(hits: int, code: int, tmp_path: Path) -> None:
    result = WindowResult(1, ("kill alerts",), "", hits=hits, missed=1 - hits)
    args = argparse.Namespace(folder=tmp_path, seed=7, document=None)
    assert report_all(args, Console(quiet=True), [Compared(hurt=[result])], 1.0) == code


def test_a_replica_that_was_not_ready_in_time_is_a_violation() -> None:
    run = Run(scene_with(None), Caseload(*cast(Any, (None,) * 3)), *cast(Any, (None,) * 4))
    for is_ready in (True, False):
        result = WindowResult(1, ("kill alerts",), "", is_ready=is_ready)
        run._judge(result, clean(), None)
        assert [violation.kind for violation in result.violations] == ["not_ready"] * (not is_ready)


@dataclass
class Resting:
    """Time that last came to rest so many seconds ago."""

    ago: float
    why: str = "alerts is 3 messages behind"

    @property
    def now(self) -> Any:
        return windows([])[0].begin

    @property
    def rested(self) -> float:
        return monotonic() - self.ago


def broken_off(*, rested: float, over: float, at_work: int = 0) -> WindowResult:
    scene = Scene(*cast(Any, (None,) * 3), cast(Any, Resting(rested)), *cast(Any, (None,) * 2))
    director = Director(scene, strike=Strike(at_work=at_work, over=monotonic() - over))
    window = windows([("kill alerts",)])[1]
    return Run(scene, *cast(Any, (None, None, director, None, None))).broken_off(window)


def test_a_window_that_hangs_long_after_its_fault_is_stuck() -> None:
    (found,) = broken_off(rested=STUCK_SECONDS + 9, over=STUCK_SECONDS + 1).violations
    assert found.kind == "stuck"
    assert found.evidence.startswith("alerts is 3 messages behind; not at rest for")


@pytest.mark.parametrize(
    ("rested", "over", "at_work"),
    [(STUCK_SECONDS - 9, 300, 0), (300, STUCK_SECONDS - 9, 0), (300, 300, 1)],
    ids=["it rested meanwhile", "the fault was over just now", "the fault is at work"],
)
def test_a_window_that_had_no_time_to_rest_is_only_told_of(rested: float, over: float, at_work: int) -> None:
    result = broken_off(rested=rested, over=over, at_work=at_work)
    assert result.violations == []
    assert result.notes == ["broken off: alerts is 3 messages behind"]
