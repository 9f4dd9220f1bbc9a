"""Slots on a real mongod: whole courses booked at once, and nobody twice."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from services.scheduler import bookings, commands, configured, handlers, inbound
from services.scheduler.configured import Alignment
from services.scheduler.domain import moving
from services.scheduler.domain.clinics import Clinic, Clinics
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


HALIFAX = Clinics.of("new", [clinic(zone="America/Halifax")])
"""An hour ahead of New York all year: what keeps its wall time begins an hour earlier."""


async def test_a_session_whose_new_instant_is_past_goes_to_the_nearest_opening_and_all_others_to_theirs(
    scheduler: Scheduler,
) -> None:
    await scheduler.start("plan_1", "plan_2")
    begun, next_one = [(await scheduler.schedule(plan))["appointments"] for plan in ("plan_1", "plan_2")]
    assert [begun[0]["local_time"], next_one[0]["local_time"]] == ["2026-03-03T09:00", "2026-03-03T10:00"]
    scheduler.clock.at = now = begun[0]["starts_at"] + timedelta(minutes=30)
    async with asyncio.timeout(60):
        assert await alignment(scheduler, HALIFAX).keep_wall_times() == 2
    after = [(await scheduler.schedule(plan))["appointments"] for plan in ("plan_1", "plan_2")]
    assert after[0][0] == begun[0]
    assert after[1][0]["local_time"] == "2026-03-03T11:00"
    assert all(a["starts_at"] > now for a in (*after[0][1:], *after[1]))
    kept = [a["local_time"] for a in (*begun[1:], *next_one[1:])]
    assert [a["local_time"] for a in (*after[0][1:], *after[1][1:])] == kept
    assert await scheduler.slots() == sorted(slots_of(*after[0], *after[1]))
    assert await alignment(scheduler, HALIFAX).keep_wall_times() == 0


async def test_a_session_whose_new_slot_was_booked_meanwhile_goes_to_the_nearest_opening(
    scheduler: Scheduler,
) -> None:
    await scheduler.start("plan_1")
    work = SchedulerWork(scheduler.database, HALIFAX, now=scheduler.clock.now())
    fact = started("plan_2", START)
    await work.prefetch([fact])
    handlers.when_care_plan_started_book_the_course(fact, work)
    await work.commit()
    booked_anew = await scheduler.schedule("plan_2")
    async with asyncio.timeout(60):
        assert await alignment(scheduler, HALIFAX).keep_wall_times() == 1
    moved = (await scheduler.schedule("plan_1"))["appointments"]
    assert await scheduler.schedule("plan_2") == booked_anew
    assert {a["zone"] for a in moved} == {"America/Halifax"}
    assert {a["local_time"][11:] for a in moved} == {"10:00"}
    assert await scheduler.slots() == sorted(slots_of(*moved, *booked_anew["appointments"]))


async def test_a_schedule_that_cannot_be_read_keeps_no_other_clinician_and_no_other_step_waiting(
    scheduler: Scheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(configured, "PAUSE_SECONDS", 600.0)
    await scheduler.take(started("plan_1", START), started("plan_2", START, clinician_id="cln_r02"))
    await scheduler.database[SCHEDULES].update_one({"_id": "plan_1"}, {"$set": {"sessions": "many"}})
    later = clinic(
        zone="America/Halifax", hours={"days": ["mon", "wed"], "opens": "09:00", "closes": "17:00"}
    )
    stopping = asyncio.Event()
    with capture_logs() as said:
        running = asyncio.create_task(alignment(scheduler, Clinics.of("new", [later])).run(stopping))
        await eventually(lambda: any(entry["event"] == "schedules not yet in line" for entry in said))
        stopping.set()
        await asyncio.wait_for(running, 10)
    moved = (await scheduler.schedule("plan_2"))["appointments"]
    assert {a["zone"] for a in moved} == {"America/Halifax"}
    assert all(later.works_on(datetime.fromisoformat(a["local_time"]).date()) for a in moved)


async def test_bringing_in_line_what_always_meets_a_conflict_is_given_up_after_some_tries_and_said(
    scheduler: Scheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def conflict(_work: SchedulerWork) -> int:
        raise Conflict(bookings.COLLECTION)

    monkeypatch.setattr(configured, "PAUSE_AFTER_CONFLICT_SECONDS", 0.0)
    with capture_logs() as said, pytest.raises(Conflict):
        await asyncio.wait_for(alignment(scheduler, HALIFAX)._again_on_conflict(conflict), 10)
    assert [entry["event"] for entry in said] == ["decided again"] * (configured.ATTEMPTS - 1)


async def test_what_an_outgoing_replica_booked_after_the_start_is_brought_in_line_some_minutes_later(
    scheduler: Scheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(configured, "AGAIN_SECONDS", 0.2)
    aligned, stopping = alignment(scheduler, HALIFAX), asyncio.Event()
    running = asyncio.create_task(aligned.run(stopping))
    await scheduler.start("plan_1")
    await eventually(lambda: zones_of(scheduler, "plan_1", {"America/Halifax"}))
    await asyncio.wait_for(running, 10)


async def zones_of(scheduler: Scheduler, plan: str, zones: set[str]) -> bool:
    return {a["zone"] for a in (await scheduler.schedule(plan))["appointments"]} == zones


async def test_what_an_outgoing_replica_adds_under_old_hours_is_looked_at_again(scheduler: Scheduler) -> None:
    await scheduler.start("plan_1")
    new = Clinics.of("new", [clinic(hours={"days": ["thu"], "opens": "09:00", "closes": "17:00"})])
    assert await alignment(scheduler, new).keep_to_hours() == 1
    await scheduler.take(missed("plan_1", 1))
    days = {datetime.fromisoformat(a["local_time"]).weekday() for a in await booked(scheduler, "plan_1")}
    assert len(days) == 2, "the replica with the old hours booked a day of its own"
    assert await alignment(scheduler, new).keep_to_hours() == 1
    days = {datetime.fromisoformat(a["local_time"]).weekday() for a in await booked(scheduler, "plan_1")}
    assert days == {3}


async def test_a_session_added_under_new_hours_does_not_hide_those_booked_under_the_old_ones(
    scheduler: Scheduler,
) -> None:
    new = Clinics.of("new", [clinic(hours={"days": ["thu"], "opens": "09:00", "closes": "17:00"})])
    await scheduler.start("plan_1")
    work = SchedulerWork(scheduler.database, new, now=scheduler.clock.now())
    fact = missed("plan_1", 1)
    await work.prefetch([fact])
    handlers.when_session_missed_extend_the_course(fact, work)
    await work.commit()
    assert await alignment(scheduler, new).keep_to_hours() == 1


async def test_leave_of_today_at_the_clinic_makes_way_although_it_is_tomorrow_in_greenwich(
    scheduler: Scheduler,
) -> None:
    hours = {"days": ["mon", "tue", "wed", "thu", "fri"], "opens": "09:00", "closes": "23:00"}
    late = clinic(zone="America/Los_Angeles", hours=hours)
    work = SchedulerWork(scheduler.database, Clinics.of("late", [late]), now=START)
    fact = started("plan_1", START)
    await work.prefetch([fact])
    handlers.when_care_plan_started_book_the_course(fact, work)
    await work.commit()
    first = (await scheduler.schedule("plan_1"))["appointments"][0]
    await move_to_nine_in_the_evening(scheduler, late, first["id"])
    scheduler.clock.at = datetime(2026, 3, 4, 1, tzinfo=UTC)  # 17:00 on the day before in Los Angeles
    today = away(date(2026, 3, 3))
    away_now = late.model_copy(
        update={"clinicians": clinic(clinicians=[{"id": "cln_r01", "leave": [today]}]).clinicians}
    )
    assert await alignment(scheduler, Clinics.of("new", [away_now])).make_way_for_leave() == 1


async def move_to_nine_in_the_evening(scheduler: Scheduler, at_clinic: Clinic, id: str) -> None:
    work = SchedulerWork(scheduler.database, Clinics.of("late", [at_clinic]), now=START)
    await commands.load_appointment(work, id)
    schedule = work.schedules["plan_1"]
    nine = datetime(2026, 3, 3, 21)  # noqa: DTZ001 - a wall time
    after, events, _ = moving.move_as_asked(schedule, id, nine, work.diary_of(schedule), START)
    work.keep(after, events)
    await work.commit()


def missed(plan: str, number: int) -> inbound.SessionMissed:
    return inbound.SessionMissed(**about(plan), appointment_id=f"{plan}.a{number}")


async def booked(scheduler: Scheduler, plan: str) -> list[dict[str, Any]]:
    return [a for a in (await scheduler.schedule(plan))["appointments"] if a["state"] == "booked"]


def slots_of(*appointments: dict[str, Any]) -> list[str]:
    return [bookings.booking_id("cln_r01", a["starts_at"]) for a in appointments]


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
