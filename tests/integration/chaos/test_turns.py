"""In which order faults strike, and what a run says of those it had no time for."""

import math
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

from tests.chaos.checks import Violation
from tests.chaos.director import NEVER_REACHED
from tests.chaos.faults import FAMILIES, FAULTS, processes
from tests.chaos.faults.clocks import AUTUMN, SPRING
from tests.chaos.figures import WindowResult
from tests.chaos.options import SHORT_MINUTES, SOAK_MINUTES, minutes, options
from tests.chaos.prove import failing, harm
from tests.chaos.report import not_reached, summary
from tests.chaos.side_by_side import (
    AHEAD,
    OVERTIME_SECONDS,
    Compared,
    Comparison,
    Lead,
    _strike,
    is_time_left,
)
from tests.chaos.timeline import Window, windows
from tests.chaos.turns import every_fault, in_turn

SEED, PAIRS = 7, 4


def test_every_fault_has_its_turn_once() -> None:
    order = every_fault(SEED, PAIRS)
    assert sorted(faults for faults in order if len(faults) == 1) == sorted((name,) for name in FAULTS)
    assert len(order) == len(FAULTS) + PAIRS


def test_one_of_each_family_strikes_before_the_second_of_any() -> None:
    first = every_fault(SEED, PAIRS)[: len(FAMILIES)]
    struck = [{fault.name for fault in family} & {faults[0] for faults in first} for family in FAMILIES]
    assert [len(names) for names in struck] == [1] * len(FAMILIES)


def test_a_pair_strikes_as_early_as_a_family() -> None:
    assert in_turn([[("a",), ("b",)], [("c",)], [("d", "e")]]) == [("a",), ("c",), ("d", "e"), ("b",)]


def test_what_differs_comes_before_another_replica_of_the_same() -> None:
    struck = [FAULTS[name] for (name,) in every_fault(SEED, 0)]
    kinds = [fault.kind for fault in struck if fault in processes.KILLED]
    services = ["kill alerts", "kill care_plan", "kill intake", "kill scheduler"]
    assert sorted(kinds[: len(services)]) == services


def test_the_seed_decides_who_is_struck_first() -> None:
    assert every_fault(SEED, PAIRS) == every_fault(SEED, PAIRS) != every_fault(SEED + 1, PAIRS)


def test_the_clocks_change_in_the_windows_of_their_faults() -> None:
    plan = windows(every_fault(SEED, PAIRS))
    held = {name: window for window in plan for name in window.faults}
    assert held["clock_spring"].holds(SPRING)
    assert held["clock_autumn"].holds(AUTUMN)
    assert all(plan[n].end == plan[n + 1].begin for n in range(len(plan) - 1))
    assert plan[-1].end - plan[0].begin > timedelta(days=len(plan))


def test_a_run_names_the_faults_it_had_no_time_for() -> None:
    plan = windows([("kill alerts",), ("messages torn", "kill broker"), ("receivers hang",)])
    compared = Compared(hurt=[WindowResult(0, (), ""), WindowResult(1, ("kill alerts",), "")])
    compared.not_reached = plan[2:]
    assert not_reached(compared) == "not reached, no time left: messages torn + kill broker, receivers hang"
    assert summary([compared], 60, 0) == (
        "1 of 3 faults and pairs in 60 s (2 not reached, 0 struck nothing): no violation."
    )


def test_a_window_that_was_broken_off_is_not_reached() -> None:
    why = "broken off: alerts is at work"
    compared = Compared(not_reached=windows([("kill alerts",)])[1:], broken_off=True, last_words=why)
    assert not_reached(compared) == f"not reached, no time left: kill alerts (begun, and {why})"


def test_a_fault_that_struck_nothing_is_not_counted_as_survived() -> None:
    idle = WindowResult(1, ("die before commit: scheduler",), "", missed=1, notes=[NEVER_REACHED])
    compared = Compared(hurt=[idle])
    assert not_reached(compared) == f"struck nothing: die before commit: scheduler ({NEVER_REACHED})"
    assert "1 struck nothing" in summary([compared], 60, 0)


def test_no_window_is_begun_that_would_end_long_after_the_time_is_up() -> None:
    assert is_time_left(1, longest=0)
    assert is_time_left(60, longest=60 + OVERTIME_SECONDS - 1)
    assert not is_time_left(60, longest=60 + OVERTIME_SECONDS + 1)
    assert not is_time_left(0, longest=0)


async def test_the_undisturbed_run_plays_no_more_than_is_asked_for() -> None:
    lead = Lead()
    for _ in range(AHEAD):
        assert await lead.may_go_on()
        lead.tell({})
    assert await lead.next() == {}
    assert await lead.may_go_on()
    lead.end()
    assert not await lead.may_go_on()


@dataclass
class Plays:
    """As much of a run as striking needs: every window is played and strikes."""

    async def window(self, window: Window, **_: object) -> WindowResult:
        return WindowResult(window.number, window.faults, "", hits=1)


async def test_nothing_more_is_struck_when_enough_was_seen() -> None:
    plan, lead, compared = windows([("kill mongod",)] * 4), Lead(), Compared()
    for _ in plan:
        lead.tell({})
    comparison = Comparison(Path(), SEED, plan, math.inf, enough=lambda result: result.number == 2)
    await _strike(cast(Any, Plays()), comparison, lead, compared, lambda _: None)
    assert [result.number for result in compared.hurt] == [0, 1, 2]


def test_a_run_without_a_word_about_its_length_is_the_short_form() -> None:
    lengths = {
        (): SHORT_MINUTES,
        ("--all",): math.inf,
        ("--only", "kill alerts"): math.inf,
        ("--soak",): SOAK_MINUTES,
        ("--minutes", "3"): 3,
        ("--all", "--minutes", "3"): 3,
    }
    assert {arguments: minutes(options(arguments)) for arguments in lengths} == lengths


def test_a_stack_that_is_only_slow_proves_nothing() -> None:
    slow = Violation("stuck", ("now",), "alerts does not answer (ReadTimeout)")
    late = Violation("not_ready", ("kill mongod",), "not ready after 90 s")
    lost = Violation("stuck", ("now",), "care_plan has not read intake.referrals/0 up to 7")
    again = Violation("stuck", ("later",), "care_plan has not read intake.referrals/0 up to 9")
    twice = Violation("plan_doubled", ("referral", "ref_1"), "2 times")
    result = WindowResult(1, ("kill broker",), "", violations=[slow, late, lost, again])
    assert harm([result]) == []
    result.violations.append(twice)
    assert harm([result]) == [lost, twice]


def test_a_control_that_shows_harm_or_strikes_nothing_is_none() -> None:
    struck, idle = WindowResult(1, ("kill broker",), "", hits=1), WindowResult(1, ("kill broker",), "")
    harmed = WindowResult(2, (), "", violations=[Violation("stuck", ("now",), "nothing moves")])
    assert failing(Compared(hurt=[struck])) is None
    assert failing(Compared(hurt=[idle])) == "nothing was struck"
    assert failing(Compared(calm=[harmed], hurt=[struck])) == "stuck: now (nothing moves)"
