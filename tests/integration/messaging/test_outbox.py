"""What was announced, published again when somebody asks for it."""

from datetime import UTC, datetime, timedelta

import pytest

from shared.messaging import outbox
from shared.mongo import MongoDatabase, ObjectId
from tests.integration.messaging.wire import announce
from tests.support.letters import NOW

SINCE = {"$gte": datetime(2000, 1, 1, tzinfo=UTC)}


async def published(database: MongoDatabase, count: int) -> list[ObjectId]:
    """So many documents, none of which waits any more; their ids in order."""
    for number in range(count):
        await announce(database, [f"r{number}"])
    await database[outbox.COLLECTION].update_many({}, {"$unset": {"pending": ""}})
    return [row["_id"] async for row in database[outbox.COLLECTION].find({}, {"_id": 1}).sort("_id", 1)]


async def pending(database: MongoDatabase) -> list[ObjectId]:
    return [row["_id"] async for row in database[outbox.COLLECTION].find(outbox.PENDING).sort("_id", 1)]


@pytest.mark.parametrize("dry_run", [True, False])
async def test_an_outbox_is_replayed_in_parts_that_one_can_go_on_from(
    sender: MongoDatabase, monkeypatch: pytest.MonkeyPatch, dry_run: bool
) -> None:
    monkeypatch.setattr(outbox, "REPLAYED_AT_ONCE", 3)
    ids = await published(sender, 8)
    counts, after, first = [], None, True
    while first or after is not None:
        count, after = await outbox.replay(sender, SINCE, after=after, now=NOW, dry_run=dry_run)
        counts.append(count)
        done = [] if dry_run else ids[: sum(counts)]
        assert await pending(sender) == done
        first = False
    assert counts == [3, 3, 2]


async def test_only_what_was_announced_in_the_span_is_replayed(
    sender: MongoDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "REPLAYED_AT_ONCE", 2)
    ids = await published(sender, 3)
    await sender[outbox.COLLECTION].update_one({"_id": ids[1]}, {"$set": {"at": NOW - timedelta(days=1)}})
    first = await outbox.replay(sender, {"$gte": NOW}, after=None, now=NOW, dry_run=False)
    assert first == (1, ids[1])
    assert await outbox.replay(sender, {"$gte": NOW}, after=first[1], now=NOW, dry_run=False) == (1, None)
    assert await pending(sender) == [ids[0], ids[2]]


async def test_what_is_replayed_waits_since_then(sender: MongoDatabase) -> None:
    (id,) = await published(sender, 1)
    row = await sender[outbox.COLLECTION].find_one({"_id": id})
    assert outbox.waits_since(row) == NOW
    later = NOW + timedelta(days=3)
    await outbox.replay(sender, SINCE, after=None, now=later, dry_run=False)
    row = await sender[outbox.COLLECTION].find_one({"_id": id})
    assert (outbox.waits_since(row), row["at"]) == (later, NOW)


async def test_what_was_published_into_a_lost_log_is_not_marked_as_being_in_the_new_one(
    sender: MongoDatabase,
) -> None:
    """A relay that was stopped between publishing and marking wakes when the new log is being filled."""
    await announce(sender, ["r1"])
    document = await sender[outbox.COLLECTION].find_one({})
    row = outbox.Row.of(document)
    await outbox.mark_again(sender, {"_id": row.id}, NOW, epoch="new")
    await outbox.mark(sender, [row], refused=())
    assert await pending(sender) == [row.id]
    again = outbox.Row.of(await sender[outbox.COLLECTION].find_one({}))
    await outbox.mark(sender, [again], refused=())
    assert await pending(sender) == []
