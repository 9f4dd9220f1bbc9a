"""Dead letters of care_plan's facts: replayed late, in whatever order, they end in the same schedule."""

from collections.abc import Sequence
from datetime import date, timedelta

import pytest

from services.scheduler import inbound
from services.scheduler.inbound import (
    CarePlanClosed,
    CarePlanHeld,
    CarePlanResumed,
    ContractRevised,
    MaintenanceContracted,
    PhaseEntered,
)
from tests.integration.scheduler.conftest import START, Scheduler, about, attended, started, weeks

ABOUT = about("plan_1")


def contracted(frequency: str) -> MaintenanceContracted:
    first = START.date() + weeks(2)
    return MaintenanceContracted.model_validate(
        {**ABOUT, "frequency": frequency, "first_on_or_after": first, "review_on": first + weeks(26)}
    )


def revised(sessions: int) -> ContractRevised:
    return ContractRevised(**ABOUT, sessions=sessions, termination_sessions=3)


def entered(phase: str) -> PhaseEntered:
    return PhaseEntered(**ABOUT, phase=phase, entered_at=START)


def held(review_on: date = date(2026, 5, 4)) -> CarePlanHeld:
    return CarePlanHeld(**ABOUT, held_at=START, review_on=review_on)


def resumed() -> CarePlanResumed:
    return CarePlanResumed(**ABOUT, resumed_at=START)


async def test_a_maintenance_contract_that_is_replayed_after_a_newer_one_changes_nothing(
    scheduler: Scheduler,
) -> None:
    await scheduler.start("plan_1", sessions=4)
    await scheduler.take(entered("ended"))
    await scheduler.set_aside(contracted("monthly"))
    await scheduler.take(contracted("weekly"))
    agreed = await scheduler.schedule("plan_1")
    assert await scheduler.replay_all() == ["processed"]
    assert await scheduler.schedule("plan_1") == agreed


async def test_a_revision_that_is_replayed_after_a_newer_one_changes_nothing(scheduler: Scheduler) -> None:
    await scheduler.start("plan_1")
    await scheduler.set_aside(revised(16))
    await scheduler.take(revised(10))
    agreed = await scheduler.schedule("plan_1")
    assert await scheduler.replay_all() == ["processed"]
    assert await scheduler.schedule("plan_1") == agreed


async def test_an_attendance_that_is_replayed_after_a_revision_does_not_take_the_revision_back(
    scheduler: Scheduler,
) -> None:
    await scheduler.start("plan_1")
    scheduler.clock.at = START + weeks(1)
    await scheduler.set_aside(attended("plan_1", 1, 1))
    await scheduler.take(revised(16))
    assert await scheduler.replay_all() == ["processed"]
    stored = await scheduler.schedule("plan_1")
    assert (stored["sessions"], stored["attended"]) == (16, 1)


async def test_a_phase_that_is_replayed_after_a_later_one_is_not_entered_again(scheduler: Scheduler) -> None:
    await scheduler.start("plan_1")
    await scheduler.set_aside(entered("termination"))
    await scheduler.take(entered("ended"))
    assert await scheduler.replay_all() == ["processed"]
    assert (await scheduler.schedule("plan_1"))["phase"] == "ended"
    assert await scheduler.slots() == []


async def test_a_hold_of_a_plan_whose_start_was_set_aside_is_not_lost(scheduler: Scheduler) -> None:
    await scheduler.set_aside(started("plan_1", START))
    await scheduler.take(held())
    assert await scheduler.open_letters() == ["failed_RuntimeError", "failed_PlanNotStartedError"]
    assert await scheduler.replay_all() == ["processed", "processed"]
    assert (await scheduler.schedule("plan_1"))["hold"] is not None
    assert await scheduler.slots() == []
    await scheduler.tick(START + weeks(3))
    assert not {"SessionReminderDue", "WeeklySessionDue"} & set(await scheduler.types())


STORY: Sequence[inbound.PlanFact] = (
    attended("elsewhere", 1, 1).model_copy(update=ABOUT),
    revised(16),
    held(),
    resumed(),
    held(date(2026, 6, 1)),
    revised(14),
    resumed(),
)


@pytest.mark.parametrize("backwards", [False, True])
async def test_what_was_said_before_a_late_start_ends_well_in_either_order(
    scheduler: Scheduler, backwards: bool
) -> None:
    await scheduler.set_aside(started("plan_1", START))
    scheduler.clock.at = START + timedelta(days=2)
    await scheduler.take(*STORY)
    await scheduler.replay_all(backwards=backwards)
    await scheduler.replay_all()
    assert await scheduler.open_letters() == []
    stored = await scheduler.schedule("plan_1")
    assert (stored["sessions"], stored["attended"], stored["hold"]) == (14, 1, None)
    assert len(await scheduler.slots()) == 13


async def test_a_start_that_is_replayed_after_the_end_books_nothing_whatever_was_said_between(
    scheduler: Scheduler,
) -> None:
    await scheduler.set_aside(started("plan_1", START))
    await scheduler.take(held(), CarePlanClosed(**ABOUT, clinician_id="cln_r01", closed_at=START))
    assert await scheduler.replay_all() == ["processed", "processed"]
    assert await scheduler.slots() == []
