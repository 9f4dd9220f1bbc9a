"""Slots on a real mongod: whole courses booked at once, and nobody twice."""

import asyncio
from datetime import datetime, timedelta

import pytest
from structlog.testing import capture_logs

from services.scheduler import bookings, configured, handlers
from services.scheduler.configured import Alignment
from services.scheduler.domain.clinics import Clinics
from services.scheduler.store import SCHEDULES, SchedulerWork
from shared.errors import Refused
from shared.messaging.work import Conflict
from tests.integration.scheduler.conftest import (
    MORNING,
    START,
    Scheduler,
    about,
    attended,
    body,
    plans,
    started,
)
from tests.support.eventually import eventually
from tests.support.letting_go import all_gone, no_collector
from tests.unit.scheduler.builders import away, clinic


async def test_a_started_plan_has_its_whole_course_on_day_one(scheduler: Scheduler) -> None:
    await scheduler.start("plan_1", sessions=16)
    stored = await scheduler.schedule("plan_1")
    assert len(stored["appointments"]) == 16
    assert await scheduler.types() == ["SessionScheduled"] * 16
    assert len(await scheduler.slots()) == 16
    first = body((await scheduler.announced())[0])
    starts_at = datetime.fromisoformat(first["starts_at"])
    assert START < starts_at <= START + timedelta(hours=48)
    assert {envelope.correlation_id for envelope in await scheduler.announced()} == {"story-plan_1"}


async def test_a_hundred_plans_of_one_clinician_in_one_batch_share_no_slot(scheduler: Scheduler) -> None:
    await scheduler.start(*plans(100), sessions=8)
    assert len(set(await scheduler.slots())) == 800
    moved = [tuple(body(e)["adjusted"]) for e in await scheduler.announced()]
    assert any("double_booking" in reasons for reasons in moved)


async def test_two_replicas_racing_for_a_slot_give_it_to_one_and_the_other_decides_again(
    scheduler: Scheduler,
) -> None:
    works = [scheduler.work(), scheduler.work()]
    facts = [started("plan_1", START), started("plan_2", START)]
    for work, fact in zip(works, facts, strict=True):
        await work.prefetch([fact])
        handlers.when_care_plan_started_book_the_course(fact, work)
    outcomes = await asyncio.gather(*(work.commit() for work in works), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes if outcome is not None] == [Conflict]
    await scheduler.take(*facts)
    assert len(set(await scheduler.slots())) == 24
    assert await scheduler.database[SCHEDULES].count_documents({}) == 2


async def test_consumers_racing_with_many_plans_lose_none_and_double_none(scheduler: Scheduler) -> None:
    await asyncio.gather(*(scheduler.start(plan, sessions=4) for plan in plans(12)))
    assert await scheduler.database[SCHEDULES].count_documents({}) == 12
    assert len(set(await scheduler.slots())) == 48


async def test_a_cancelled_session_frees_its_slot_for_others(scheduler: Scheduler) -> None:
    await scheduler.start("plan_1")
    before = await scheduler.slots()
    response = await scheduler.ask("POST", "/appointments/plan_1.a3/cancel", {"reason": "patient_asked"})
    assert response.json()["status"] == "cancelled"
    after = await scheduler.slots()
    assert len(after) == 12
    assert before[2] not in after


async def test_redelivered_facts_change_nothing(scheduler: Scheduler) -> None:
    await scheduler.start("plan_1")
    fact = attended("plan_1", 1, 1)
    scheduler.clock.at = START + timedelta(days=1)
    await scheduler.take(fact)
    stored = await scheduler.schedule("plan_1")
    scheduler._told["plan_1"] = 0
    await scheduler.take(started("plan_1", START), fact)
    assert await scheduler.schedule("plan_1") == stored


async def test_a_plan_closed_before_its_start_came_through_books_nothing(scheduler: Scheduler) -> None:
    from services.scheduler.inbound import CarePlanClosed

    await scheduler.take(CarePlanClosed(**about("plan_1"), clinician_id="cln_r01", closed_at=START))
    await scheduler.start("plan_1")
    assert await scheduler.slots() == []
    assert await scheduler.types() == []


async def test_a_plan_of_an_unknown_clinic_becomes_a_dead_letter_and_others_go_on(
    scheduler: Scheduler,
) -> None:
    await scheduler.take(started("lost", START, clinic_id="nowhere"), started("plan_1", START))
    assert len(await scheduler.slots()) == 12
    assert (await scheduler.types()).count("MessageDeadLettered") == 1


async def test_a_batch_that_tells_a_whole_story_is_one_decision_after_the_other(scheduler: Scheduler) -> None:
    await scheduler.take(
        started("plan_1", START, sessions=4),
        *(attended("plan_1", number, number, sessions=4) for number in range(1, 5)),
    )
    stored = await scheduler.schedule("plan_1")
    assert [a["state"] for a in stored["appointments"]] == ["fulfilled"] * 4
    assert stored["termination_announced_for"] == [4]


async def test_at_start_leave_added_to_the_configuration_moves_what_stands_in_its_way(
    scheduler: Scheduler,
) -> None:
    await scheduler.start("plan_1")
    leave = away(START.date() + timedelta(days=7), START.date() + timedelta(days=9))
    away_now = clinic(clinicians=[{"id": "cln_r01", "leave": [leave]}])
    await alignment(scheduler, Clinics.of("new", [away_now])).make_way_for_leave()
    moved = [body(e) for e in await scheduler.announced() if e.type == "SessionMoved"]
    assert [event["reason"] for event in moved] == ["clinician_leave"]


async def test_at_start_new_hours_of_a_clinic_move_what_stands_outside_them(scheduler: Scheduler) -> None:
    await scheduler.start("plan_1", "plan_2")
    before = await scheduler.schedule("plan_1")
    assert await alignment(scheduler, Clinics.of("same", [clinic()])).keep_to_hours() == 0
    hours = {"days": ["tue", "wed", "thu"], "opens": "09:30", "closes": "17:00"}
    changed = clinic(hours=hours, slot_minutes=50)
    new = Clinics.of("new", [changed])
    assert await alignment(scheduler, new).keep_to_hours() == 2
    moved = [body(e) for e in await scheduler.announced() if e.type == "SessionMoved"]
    assert {event["reason"] for event in moved} == {"clinic_hours"}
    assert {event["plan_id"] for event in moved} == {"plan_1", "plan_2"}
    schedules = [await scheduler.schedule(plan) for plan in ("plan_1", "plan_2")]
    standing = [datetime.fromisoformat(a["local_time"]) for s in schedules for a in s["appointments"]]
    assert len(standing) == len(set(standing)) == 2 * len(before["appointments"])
    assert all(changed.works_on(local.date()) and local.time() in changed.slot_times() for local in standing)
    assert await alignment(scheduler, new).keep_to_hours() == 0


async def test_leave_that_leaves_no_slot_keeps_nobody_else_in_theirs(scheduler: Scheduler) -> None:
    await scheduler.take(started("plan_1", START), started("plan_2", START, clinician_id="cln_r02"))
    endless = away(START.date(), START.date() + timedelta(days=800))
    short = away(START.date() + timedelta(days=7), START.date() + timedelta(days=9))
    away_now = clinic(clinicians=[{"id": "cln_r01", "leave": [endless]}, {"id": "cln_r02", "leave": [short]}])
    with pytest.raises(Refused, match="no_free_slot"):
        await alignment(scheduler, Clinics.of("new", [away_now])).make_way_for_leave()
    moved = [body(e) for e in await scheduler.announced() if e.type == "SessionMoved"]
    assert {event["plan_id"] for event in moved} == {"plan_2"}


async def test_bringing_schedules_in_line_again_later_does_not_hold_up_the_end(
    scheduler: Scheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(configured, "PAUSE_SECONDS", 600.0)
    await scheduler.start("plan_1")
    endless = away(START.date(), START.date() + timedelta(days=800))
    stopping = asyncio.Event()
    clinics = Clinics.of("new", [clinic(clinicians=[{"id": "cln_r01", "leave": [endless]}])])
    with capture_logs() as said:
        running = asyncio.create_task(alignment(scheduler, clinics).run(stopping))
        await eventually(lambda: any(entry["event"] == "schedules not yet in line" for entry in said))
        stopping.set()
        await asyncio.wait_for(running, 10)


async def test_at_start_a_new_zone_of_a_clinic_keeps_wall_times_and_shifts_instants(
    scheduler: Scheduler,
) -> None:
    await scheduler.start("plan_1", "plan_2")
    before = await scheduler.slots()
    moved = Clinics.of("new", [clinic(zone="America/Chicago")])
    assert await alignment(scheduler, moved).keep_wall_times() == 2
    after = await scheduler.slots()
    assert len(after) == len(before) == 24
    found = scheduler.database[bookings.COLLECTION].find()
    assert {row["appointment_id"]: row["_id"] async for row in found} == {
        appointment["id"]: bookings.booking_id("cln_r01", appointment["starts_at"])
        for plan in ("plan_1", "plan_2")
        for appointment in (await scheduler.schedule(plan))["appointments"]
    }
    hour = timedelta(hours=1)
    assert [at(id) - hour for id in after] == [at(id) for id in before]
    assert await alignment(scheduler, moved).keep_wall_times() == 0


def at(slot: str) -> datetime:
    return datetime.fromisoformat(slot.rpartition("|")[2])


def alignment(scheduler: Scheduler, clinics: Clinics) -> Alignment:
    def open_work() -> SchedulerWork:
        return SchedulerWork(scheduler.database, clinics, now=scheduler.clock.now())

    return Alignment(scheduler.database, clinics, open_work)


async def test_courses_that_were_booked_and_fired_are_freed_at_once(scheduler: Scheduler) -> None:
    with no_collector():
        await scheduler.start(*plans(3), sessions=16)
        assert await scheduler.tick(MORNING) == 3
        await all_gone(SchedulerWork)
