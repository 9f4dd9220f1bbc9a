"""A tick reads and writes parts of schedules; what is stored must be as if it had had the whole."""

from datetime import datetime, timedelta

from services.scheduler.domain import timers
from services.scheduler.domain.schedule import Schedule
from tests.integration.scheduler.conftest import START, Scheduler


async def whole(scheduler: Scheduler, plan: str) -> Schedule:
    """The schedule, read whole."""
    work = scheduler.work()
    await work.schedules.load([plan])
    return work.schedules[plan]


async def next_without_overdue(scheduler: Scheduler, plan: str, late: timedelta) -> datetime:
    """The plan's next due moment and something; what is overdue is let pass."""
    while True:
        due = (await whole(scheduler, plan)).next_due
        assert due is not None
        if not timers.session_overdue(await whole(scheduler, plan), due + late):
            return due + late
        await scheduler.tick(due + late)


async def test_a_tick_leaves_what_deciding_on_the_whole_schedule_leaves(scheduler: Scheduler) -> None:
    await scheduler.start("plan_1")
    for late in (timedelta(0), timedelta(minutes=3), timedelta(hours=9)) * 4:
        moment = await next_without_overdue(scheduler, "plan_1", late)
        wanted, events = timers.due(await whole(scheduler, "plan_1"), moment)
        assert events
        assert await scheduler.ticker().tick(moment) == 1
        assert await whole(scheduler, "plan_1") == wanted
        stored = await scheduler.schedule("plan_1")
        assert (stored["next_due"], stored["waiting"]) == (wanted.next_due, wanted.waiting)


async def test_an_announcement_about_the_whole_plan_is_announced_from_a_part(scheduler: Scheduler) -> None:
    await scheduler.start("plan_1")
    await scheduler.tick(START + timedelta(days=57))
    assert "CaseReviewDue" in await scheduler.types()
    timer = next(t for t in (await whole(scheduler, "plan_1")).timers if t.kind == "CaseReviewDue")
    assert timer.state == "fired"
