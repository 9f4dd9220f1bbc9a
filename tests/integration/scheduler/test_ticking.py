"""Tickers on a real mongod: nothing announced twice, nothing lost, nothing looked at that is not due."""

import asyncio
from collections import Counter
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta

import pytest

from services.scheduler.domain.clinics import Leave
from services.scheduler.store import SCHEDULES, GivenLeave, Roster, SchedulerWork
from services.scheduler.tickers import Announcing
from shared.messaging.work import Conflict
from shared.mongo import MongoDatabase, OperationFailure
from tests.integration.scheduler.conftest import MORNING, START, Scheduler, attended, body, plans, weeks

REMINDING = MORNING - timedelta(hours=20)
LONG_BEFORE = START - timedelta(days=5)

DUE = ["WeeklySessionDue", "SessionReminderDue", "SessionOverdue", "AnnouncementSkipped", "CaseReviewDue"]


async def test_a_morning_is_announced_when_it_comes(scheduler: Scheduler) -> None:
    await scheduler.start("plan_1")
    assert await scheduler.tick(datetime(2026, 3, 3, 12, 59, tzinfo=UTC)) == 1
    assert await scheduler.ticker().due() == datetime(2026, 3, 3, 13, tzinfo=UTC)
    await scheduler.tick(datetime(2026, 3, 3, 13, tzinfo=UTC))
    due = [e for e in await scheduler.announced() if e.type == "WeeklySessionDue"]
    assert [body(e)["appointment_id"] for e in due] == ["plan_1.a1"]
    assert due[0].correlation_id == "story-plan_1"


async def test_two_tickers_racing_announce_nothing_twice_and_nothing_not_at_all(
    scheduler: Scheduler, another_connection: MongoDatabase
) -> None:
    await scheduler.start(*plans(60), sessions=4)
    noon = START + weeks(2)
    racing = [scheduler.ticker(), scheduler.ticker(database=another_connection), scheduler.ticker()]
    await asyncio.gather(*(until_nothing_is_left(ticker, noon) for ticker in racing))
    ids = [e.id for e in await scheduler.announced()]
    assert len(ids) == len(set(ids))
    stored = [row async for row in scheduler.database[SCHEDULES].find()]
    ended = [t for row in stored for a in row["appointments"] for t in a["timers"] if t["state"] != "armed"]
    counted = Counter(e.type for e in await scheduler.announced())
    assert sum(counted[kind] for kind in DUE) == len(ended)
    assert not any(
        t["state"] == "armed" and t["due_at"] <= noon
        for row in stored
        for a in row["appointments"]
        for t in a["timers"]
    )


async def until_nothing_is_left(ticker: Announcing, now: datetime) -> None:
    left = 1
    while left:
        try:
            left = await ticker.tick(now)
        except Conflict:
            await asyncio.sleep(0)


async def test_replicas_that_know_of_each_other_share_the_schedules(
    scheduler: Scheduler, another_connection: MongoDatabase
) -> None:
    await scheduler.start(*plans(40), sessions=2)
    one, two = scheduler.ticker("one"), scheduler.ticker("two", another_connection)
    await one._share.mine()
    await two._share.mine()
    one._share._asked = float("-inf")
    now = START + timedelta(days=1)
    due = {"waiting": True, "next_due": {"$lte": now}}
    waiting = await scheduler.database[SCHEDULES].count_documents(due)
    first, second = await one.tick(now), await two.tick(now)
    assert first > 0
    assert second > 0
    assert first + second == waiting


async def test_killed_between_claim_and_commit_nothing_is_lost(
    scheduler: Scheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    await scheduler.start("plan_1")
    before = await scheduler.types()

    async def dies(_: SchedulerWork) -> None:
        raise asyncio.CancelledError

    with monkeypatch.context() as patched:
        patched.setattr(SchedulerWork, "commit", dies)
        with pytest.raises(asyncio.CancelledError):
            await scheduler.ticker().tick(REMINDING)
    assert await scheduler.types() == before
    await scheduler.tick(REMINDING)
    assert (await scheduler.types())[len(before) :] == ["SessionReminderDue"]


async def test_where_the_server_ends_long_transactions_a_batch_becomes_smaller_until_it_fits(
    scheduler: Scheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    await scheduler.start(*plans(5))
    commit = SchedulerWork.commit

    async def ends_after_two(work: SchedulerWork) -> None:
        if len(list(work.due_parts)) > 2:
            raise OperationFailure("lived too long", 290)
        await commit(work)

    monkeypatch.setattr(SchedulerWork, "commit", ends_after_two)
    ticker = scheduler.ticker()
    for _ in range(12):
        with suppress(OperationFailure):
            await ticker.tick(REMINDING)
    due = await ticker.due()
    assert due is not None
    assert due > REMINDING


async def test_an_idle_tick_looks_at_no_schedule_however_many_there_are(scheduler: Scheduler) -> None:
    await scheduler.start(*plans(60), sessions=4)
    query = {"waiting": True, "next_due": {"$lte": LONG_BEFORE}}
    explained = await scheduler.database.db.command(
        "explain",
        {"find": SCHEDULES, "filter": query, "sort": {"next_due": 1}, "limit": 500},
        verbosity="executionStats",
    )
    stats = explained["executionStats"]
    assert (stats["totalDocsExamined"], stats["totalKeysExamined"]) == (0, 0)
    assert await scheduler.ticker().tick(LONG_BEFORE) == 0


async def test_after_an_outage_each_kind_follows_its_late_policy_and_each_skip_is_said(
    scheduler: Scheduler,
) -> None:
    await scheduler.start("plan_1", sessions=4)
    before = len(await scheduler.announced())
    await scheduler.tick(START + timedelta(days=3))
    told = (await scheduler.announced())[before:]
    assert [(e.type, body(e).get("skipped")) for e in told] == [
        ("AnnouncementSkipped", "SessionReminderDue"),
        ("AnnouncementSkipped", "WeeklySessionDue"),
        ("SessionOverdue", None),
    ]
    assert body(told[-1])["late_by_seconds"] > 0


async def test_a_course_nobody_records_goes_on_and_closed_books_balance(scheduler: Scheduler) -> None:
    await scheduler.start("plan_1", sessions=2)
    for day in range(1, 40):
        await scheduler.tick(START + timedelta(days=day))
    stored = await scheduler.schedule("plan_1")
    assert any(a["starts_at"] > scheduler.clock.at for a in stored["appointments"])
    books = await scheduler.books()
    balanced(books)
    assert books["session breached"] >= 4
    assert books["announcement open"] == 0


async def test_what_is_overdue_is_settled_in_the_same_stream_once_and_the_books_balance(
    scheduler: Scheduler,
) -> None:
    await scheduler.start("plan_1", sessions=2)
    await scheduler.tick(MORNING + timedelta(days=3))
    for _ in range(2):
        await scheduler.take(attended("plan_1", 1, 1, sessions=2))
    due = [e for e in await scheduler.announced() if e.topic == "scheduler.due"]
    assert [e.sequence for e in due] == list(range(1, len(due) + 1))
    assert {e.subject for e in due} == {"plan_1"}
    asked, settled = [e for e in due if e.type in ("SessionOverdue", "AnnouncementSettled")]
    assert (asked.type, settled.type) == ("SessionOverdue", "AnnouncementSettled")
    assert body(settled)["appointment_id"] == body(asked)["appointment_id"] == "plan_1.a1"
    balanced(await scheduler.books(), recorded=1)


async def test_a_schedule_that_cannot_be_read_is_set_aside_and_the_others_go_on(scheduler: Scheduler) -> None:
    await scheduler.start("plan_1", "plan_2", sessions=2)
    await scheduler.database[SCHEDULES].update_one({"_id": "plan_1"}, {"$set": {"attended": "many"}})
    await scheduler.tick(MORNING)
    announced = await scheduler.announced()
    assert [body(e)["plan_id"] for e in announced if e.type == "WeeklySessionDue"] == ["plan_2"]
    (letter,) = [e for e in announced if e.type == "MessageDeadLettered"]
    assert (letter.topic, letter.key) == ("scheduler.dead-letters", "pat_plan_1")
    assert body(letter)["reason"] == "failed_ValidationError"
    assert b"many" not in letter.body
    assert await scheduler.ticker().tick(MORNING) == 0


async def test_leave_that_nobody_can_make_way_for_is_set_aside_and_other_leave_is_looked_at(
    scheduler: Scheduler,
) -> None:
    await scheduler.start("plan_1", sessions=2)
    for clinician, until in (("cln_r01", date(2028, 3, 2)), ("cln_r02", date(2026, 3, 20))):
        days = Leave(first=date(2026, 3, 2), last=until)
        given = GivenLeave(id=f"leave_{clinician}", leave=days, given_at=START)
        roster = Roster(
            id=clinician, clinic_id="riverside", leave=(given,), recheck_at=START, rechecking=True
        )
        work = scheduler.work()
        work.rosters.save(roster)
        await work.commit()
    assert await scheduler.rechecking().tick(MORNING) == 2
    assert await scheduler.rechecking().due() is None
    (letter,) = [e for e in await scheduler.announced() if e.type == "MessageDeadLettered"]
    assert body(letter)["reason"] == "no_free_slot"
    assert body(letter)["dead_letter_id"].startswith("scheduler.leave:cln_r01:")


async def test_the_books_balance_with_what_care_plan_recorded_and_notice_what_was_lost(
    scheduler: Scheduler,
) -> None:
    await scheduler.start("plan_1", "plan_2", sessions=3)
    recorded = 0
    for day in range(1, 60):
        now = START + timedelta(days=day)
        await scheduler.tick(now)
        stored = await scheduler.schedule("plan_1")
        for number, appointment in enumerate(stored["appointments"], 1):
            if appointment["state"] == "booked" and appointment["starts_at"] <= now and recorded < 3:
                recorded += 1
                await scheduler.take(attended("plan_1", number, recorded, sessions=3))
    books = await scheduler.books()
    balanced(books, recorded=recorded)
    await scheduler.database[SCHEDULES].update_one(
        {"_id": "plan_2"}, {"$pull": {"appointments.$[].timers": {"state": "armed"}}}
    )
    with pytest.raises(AssertionError, match="announcement"):
        balanced(await scheduler.books(), recorded=recorded)
    await scheduler.database[SCHEDULES].update_one({"_id": "plan_2"}, {"$pop": {"appointments": 1}})
    with pytest.raises(AssertionError, match="session"):
        balanced(await scheduler.books(), recorded=recorded)


def balanced(books: dict[str, int], recorded: int = 0) -> None:
    for kind, done in (("session", recorded), ("announcement", books["announcement done"])):
        ended = done + sum(books.get(f"{kind} {column}", 0) for column in ("cancelled", "breached", "open"))
        assert books[f"{kind} expected"] == ended, kind
