"""What happens to messages once they arrive: on a real mongod, with both drivers."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.messaging import dead_letters, outbox
from shared.messaging.batch import HELD, Batch
from shared.messaging.consumption import Consumption
from shared.messaging.inbox import Inbox
from shared.messaging.work import Conflict
from shared.mongo import MongoDatabase, PyMongoError, is_duplicate_key
from shared.mongo.database import FEW
from tests.support.letters import (
    Counting,
    Told,
    amounts,
    counting,
    delivered,
    message,
    reasons,
    when_intake_completed_count_it,
)
from tests.support.letting_go import all_gone, no_collector


async def test_a_message_delivered_three_times_has_one_effect(database: MongoDatabase) -> None:
    first = message("r1", 1)
    for _ in range(3):
        await counting(database).take([delivered(first), delivered(first)])
    assert await amounts(database) == {"r1": [1]}
    assert await reasons(database) == []


async def test_two_replicas_that_take_the_same_batch_make_one_effect(database: MongoDatabase) -> None:
    batch = [delivered(message(f"r{n}", s)) for n in range(20) for s in (1, 2)]
    await asyncio.gather(*(counting(database).take(batch) for _ in range(4)))
    assert await amounts(database) == {f"r{n}": [1, 2] for n in range(20)}


async def test_a_replica_overtaken_with_old_and_new_subjects_at_once_is_told_so_at_once(
    database: MongoDatabase,
) -> None:
    """The driver must not go on with a transaction that ended: the answer to that looks transient, and is
    asked for again for two minutes."""
    await counting(database).take([delivered(message("r1", 1))])
    following = [message("r1", 2), message("r2", 1)]
    first, second = Inbox(database), Inbox(database)
    for inbox in (first, second):
        await inbox.load(following)
        for envelope in following:
            inbox.position(envelope).advance(envelope)

    async def write(inbox: Inbox) -> None:
        async def flush(txn: object) -> None:
            await inbox.flush(txn)

        await database.transaction(flush)

    await write(first)
    with pytest.raises(PyMongoError) as overtaken:
        await asyncio.wait_for(write(second), 10)
    assert is_duplicate_key(overtaken.value)


MANY = 3 * FEW


async def told(database: MongoDatabase, count: int) -> tuple[Counting, Counting]:
    """Two units of work with the same stored documents in hand: ours with all of them, theirs with one."""
    stored, ours, theirs = (Counting(database) for _ in range(3))
    names = [f"r{n}" for n in range(count)]
    for name in names:
        stored.told.save(Told(id=name, patient_id=f"pat-{name}", clinic_id="riverside"))
    await stored.commit()
    await ours.told.load(names)
    await theirs.told.load(names[-1:])
    for work, amount in ((ours, 1), (theirs, 2)):
        for one in list(work.told):
            work.told.save(one.model_copy(update={"amounts": (amount,)}))
    return ours, theirs


@pytest.mark.parametrize("count", [2, MANY])
async def test_where_somebody_else_changed_one_of_the_documents_none_is_written(
    database: MongoDatabase, count: int
) -> None:
    ours, theirs = await told(database, count)
    await theirs.commit()
    with pytest.raises(Conflict):
        await ours.commit()
    assert {name: found for name, found in (await amounts(database)).items() if found} == {
        f"r{count - 1}": [2]
    }


@pytest.mark.parametrize("count", [2, MANY])
async def test_where_somebody_else_changes_one_while_we_are_about_to_write_none_is_written(
    database: MongoDatabase, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    """After the versions of many were asked for, nothing but the transaction itself guards them."""
    ours, theirs = await told(database, count)
    write_all, overtaken = MongoDatabase.write_all, list[Counting]()

    async def late(self: MongoDatabase, *writes: Any) -> int:
        if not overtaken:
            overtaken.append(theirs)
            await theirs.commit()
        return await write_all(self, *writes)

    monkeypatch.setattr(MongoDatabase, "write_all", late)
    with pytest.raises(Conflict):
        await ours.commit()
    assert {name: found for name, found in (await amounts(database)).items() if found} == {
        f"r{count - 1}": [2]
    }


async def test_what_another_replica_has_just_stored_is_seen_with_its_position(
    database: MongoDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reaction that finds no document saves nothing, so no version would tell that it came too early."""
    load, others = Inbox.load, [delivered(message("r1", 1))]

    async def overtaken(self: Inbox, envelopes: Any) -> None:
        if others:
            await counting(database).take([others.pop()])
        await load(self, envelopes)

    def count_if_known(fact: Any, work: Counting) -> None:
        if work.told.get(fact.referral_id) is not None:
            when_intake_completed_count_it(fact, work)

    monkeypatch.setattr(Inbox, "load", overtaken)
    await counting(database, count_if_known).take([delivered(message("r1", s)) for s in (1, 2)])
    assert await amounts(database) == {"r1": [1, 2]}


async def test_of_two_replicas_that_give_up_a_message_one_tells_of_it(database: MongoDatabase) -> None:
    record, group = delivered(message("r1", 1)), counting(database).group
    outcomes = []
    for _ in range(2):
        batch = Batch(group, "", alone=True)
        await batch.give_up(record, "failed_ValueError")
        await batch.commit()
        outcomes.append(batch.outcome)
    assert outcomes == ["dead_lettered", "duplicate"]
    assert await reasons(database) == ["failed_ValueError"]
    assert await outbox.announced(database) == {"MessageDeadLettered": 1}


async def test_messages_in_one_batch_are_put_in_sequence(database: MongoDatabase) -> None:
    await counting(database).take([delivered(message("r1", s)) for s in (3, 1, 2)])
    assert await amounts(database) == {"r1": [1, 2, 3]}


async def test_a_gap_holds_only_its_own_subject_until_it_is_filled(database: MongoDatabase) -> None:
    consumption = counting(database)
    await consumption.take(
        [delivered(message("r1", 1)), delivered(message("r1", 3)), delivered(message("r2", 1))]
    )
    await consumption.take([delivered(message("r1", 4))])
    assert await amounts(database) == {"r1": [1], "r2": [1]}
    await consumption.take([delivered(message("r1", 2))])
    assert await amounts(database) == {"r1": [1, 2, 3, 4], "r2": [1]}
    assert await database[HELD].count_documents({}) == 0


async def test_what_waits_for_a_gap_may_come_twice(database: MongoDatabase) -> None:
    consumption = counting(database)
    await consumption.take([delivered(message("r1", s)) for s in (1, 3, 3)])
    await consumption.take([delivered(message("r1", 3)), delivered(message("r2", 1))])
    assert await database[HELD].count_documents({}) == 1
    await consumption.take([delivered(message("r1", 2))])
    assert await amounts(database) == {"r1": [1, 2, 3], "r2": [1]}
    assert await reasons(database) == []


async def test_a_gap_that_lasts_is_announced_once_and_still_filled_later(database: MongoDatabase) -> None:
    consumption = counting(database)
    await consumption.take([delivered(message("r1", 2))])
    await database[HELD].update_many({}, {"$set": {"since": datetime.now(UTC) - timedelta(seconds=31)}})
    await consumption.sweep()
    await consumption.sweep()
    assert await reasons(database) == ["sequence_gap"]
    assert await database["outbox"].count_documents({}) == 1
    await consumption.take([delivered(message("r1", 1))])
    assert await amounts(database) == {"r1": [1, 2]}
    assert (await database[dead_letters.COLLECTION].find_one({}))["state"] == "replayed"


async def test_a_letter_about_a_gap_stays_one_when_it_is_replayed_too_early(database: MongoDatabase) -> None:
    consumption = counting(database)
    await consumption.take([delivered(message("r1", 2))])
    await database[HELD].update_many({}, {"$set": {"since": datetime.now(UTC) - timedelta(seconds=31)}})
    await consumption.sweep()
    letter = await database[dead_letters.COLLECTION].find_one({})
    assert await consumption.replay(letter) == "held"
    assert (await database[dead_letters.COLLECTION].find_one({}))["state"] == "open"
    await consumption.take([delivered(message("r1", 1))])
    assert await amounts(database) == {"r1": [1, 2]}
    assert (await database[dead_letters.COLLECTION].find_one({}))["state"] == "replayed"


async def test_what_was_released_meanwhile_is_no_gap_any_more(
    database: MongoDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    consumption, announce = counting(database), Consumption._announce_gap
    await consumption.take([delivered(message("r1", 2))])
    await database[HELD].update_many({}, {"$set": {"since": datetime.now(UTC) - timedelta(seconds=31)}})

    async def late(self: Consumption[Any], row: Any) -> None:
        await consumption.take([delivered(message("r1", 1))])
        await announce(self, row)

    monkeypatch.setattr(Consumption, "_announce_gap", late)
    await consumption.sweep()
    assert await amounts(database) == {"r1": [1, 2]}
    assert await reasons(database) == []


async def test_a_crisis_never_waits_for_a_gap_and_loses_no_latecomer(database: MongoDatabase) -> None:
    consumption = counting(database, hold_gaps=False)
    for sequence in (3, 1, 3, 2, 1):
        await consumption.take([delivered(message("r1", sequence))])
    assert await amounts(database) == {"r1": [3, 1, 2]}


async def test_while_mongodb_is_away_nothing_is_acknowledged(mongodb_uri: str, database_name: str) -> None:
    away = MongoDatabase("mongodb://127.0.0.1:1/?directConnection=true", f"{database_name}x", timeout_ms=200)
    with pytest.raises(PyMongoError):
        await counting(away).take([delivered(message("r1", 1)), delivered(message("r2", 1))])
    await away.close()


async def test_a_batch_of_five_hundred_is_one_transaction(database: MongoDatabase) -> None:
    before = await _transactions(database)
    await counting(database).take([delivered(message(f"r{n}", 1)) for n in range(500)])
    assert await _transactions(database) - before == 1
    assert len(await amounts(database)) == 500


async def _transactions(database: MongoDatabase) -> int:
    status = await database.client.admin.command("serverStatus")
    return int(status["transactions"]["totalCommitted"])


async def test_all_that_a_batch_had_in_hand_is_freed_when_it_is_done(database: MongoDatabase) -> None:
    with no_collector():
        await counting(database).take([delivered(message(f"r{n}", 1)) for n in range(3)])
        await all_gone(Batch)
        await all_gone(Counting)
    assert await amounts(database) == {f"r{n}": [1] for n in range(3)}
