"""What Kafka refuses, or nobody can read, and what goes on past it."""

import random

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import UnknownTopicOrPartitionError

from shared.messaging import lane_relay, outbox, publishing, refill
from shared.messaging.lane_relay import LaneRelay
from shared.mongo import Document, MongoDatabase
from tests.integration.messaging.published import TOPIC, Log, in_partition, rests
from tests.integration.messaging.wire import announce, nothing_pending, sending
from tests.support.eventually import eventually
from tests.support.letters import Counting, IntakeCompleted
from tests.support.servers import AnyBroker


async def pending(sender: MongoDatabase, count: int) -> bool:
    return await sender[outbox.COLLECTION].count_documents(outbox.PENDING) == count


async def test_nothing_overtakes_what_could_not_be_published(
    sender: MongoDatabase, broker: AnyBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = Log(monkeypatch)
    async with sending(sender, broker.address) as relaying:
        await eventually(lambda: rests(relaying), within=30)
        refusals = iter(range(2))
        log.refuses = lambda place: next(refusals, None) is not None
        for _ in range(4):
            await announce(sender, ["r1"])
        await eventually(lambda: nothing_pending(sender), within=15)
    assert log.numbers("r1") == [1, 2, 3, 4]


async def test_a_partition_that_takes_nothing_holds_up_only_its_own_messages(
    sender: MongoDatabase, broker: AnyBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though more of them wait than a look at the outbox holds, and are the oldest."""
    log = Log(monkeypatch)
    monkeypatch.setattr(lane_relay, "EVENTS_AT_ONCE", 10)
    theirs, others = in_partition(0, 30), in_partition(1, 5)
    async with sending(sender, broker.address) as relaying:
        await eventually(lambda: rests(relaying), within=30)
        log.refuses = lambda place: place == (TOPIC, 0)
        for name in theirs:
            await announce(sender, [name])
        for name in others:
            await announce(sender, [name])
        await announce(sender, [*theirs, *others])
        await announce(sender, others)
        await eventually(lambda: all(log.numbers(name) == [1, 2, 3] for name in others), within=15)
        assert {name for name, _ in log.messages} == set(others)
        await eventually(lambda: pending(sender, len(theirs) + 1), that="the marks follow the messages")
        assert not relaying._epoch.relay.has_published_all
        log.refuses = lambda place: False
        await eventually(lambda: nothing_pending(sender), within=15)
        assert all(log.numbers(name) == [1, 2] for name in theirs)
    assert max(log.messages.count((name, number)) for name in others for number in (1, 2, 3)) == 1


async def test_past_what_is_left_behind_only_what_is_new_is_read(
    sender: MongoDatabase, broker: AnyBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A large backlog of one partition must not delay each message of the others by a look at all of it."""
    log = Log(monkeypatch)
    read, seen = LaneRelay._read, list[int]()

    async def counted(lane: LaneRelay, among: Document) -> tuple[list[outbox.Row], bool]:
        rows, more = await read(lane, among)
        seen.append(len(rows))
        return rows, more

    monkeypatch.setattr(lane_relay, "EVENTS_AT_ONCE", 10)
    monkeypatch.setattr(lane_relay, "RETURN_SECONDS", 600.0)
    monkeypatch.setattr(LaneRelay, "_read", counted)
    theirs, others = in_partition(0, 30), in_partition(1, 3)
    async with sending(sender, broker.address) as relaying:
        await eventually(lambda: rests(relaying), within=30)
        log.refuses = lambda place: place == (TOPIC, 0)
        for name in theirs:
            await announce(sender, [name])
        await announce(sender, others)
        await eventually(lambda: log.numbers(others[-1]) == [1], within=15)
        (lane,) = [lane for lane in relaying._epoch.relay._lanes.values() if lane.lane == "work"]
        await eventually(lambda: lane._return_at is not None, within=15, that="all of it was left behind")
        seen.clear()
        for name in others:
            await announce(sender, [name])
        await eventually(lambda: all(log.numbers(name) == [1, 2] for name in others), within=15)
        assert sum(seen) <= len(others)
        assert not relaying._epoch.relay._is_stuck()


async def test_what_is_left_of_a_row_is_known_to_whoever_relays_next(
    sender: MongoDatabase, broker: AnyBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = Log(monkeypatch)
    log.refuses = lambda place: place == (TOPIC, 0)
    theirs, others = in_partition(0, 2), in_partition(1, 2)
    async with sending(sender, broker.address, "i1"):
        await announce(sender, [*theirs, *others])
        await eventually(lambda: sender[outbox.COLLECTION].find_one({"left": {"$size": 2}}), within=30)
    log.refuses = lambda place: False
    async with sending(sender, broker.address, "i2"):
        await eventually(lambda: nothing_pending(sender), within=30)
    row = await sender[outbox.COLLECTION].find_one({})
    assert "left" not in row
    assert {name: log.messages.count((name, 1)) for name in others} == dict.fromkeys(others, 1)
    assert all(log.numbers(name) == [1] for name in theirs)


async def test_a_document_nobody_can_read_holds_up_nothing_and_stays_pending(
    sender: MongoDatabase, broker: AnyBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And one of a newer release, with a field that this one does not know, is published."""
    log = Log(monkeypatch)
    for name in ("r1", "r2", "r3"):
        await announce(sender, [name])
    rows = sender[outbox.COLLECTION]
    spoilt = {"events.subject": "r1"}
    await rows.update_one(spoilt, {"$set": {"events.0.key": None}})
    await rows.update_one({"events.subject": "r2"}, {"$set": {"events.0.colour": "blue"}})
    async with sending(sender, broker.address) as relaying:
        await announce(sender, ["r4"])
        await eventually(lambda: sorted(log.messages) == [("r2", 1), ("r3", 1), ("r4", 1)], within=30)

        await eventually(lambda: pending(sender, 1), within=30, that="the marks follow the messages")
        assert [row["events"][0]["subject"] async for row in rows.find(outbox.PENDING)] == ["r1"]
        assert not relaying._epoch.relay.has_published_all
        await rows.update_one(spoilt, {"$set": {"events.0.key": "pat-r1"}})
        await eventually(lambda: nothing_pending(sender), within=30)
    assert log.numbers("r1") == [1]


async def test_an_empty_log_is_filled_but_for_what_a_partition_refuses_which_follows(
    sender: MongoDatabase, broker: AnyBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = Log(monkeypatch)
    monkeypatch.setattr(lane_relay, "EVENTS_AT_ONCE", 5)
    monkeypatch.setattr(refill, "MARKED_AT_ONCE", 7)
    theirs, others = in_partition(0, 10), in_partition(1, 10)
    for both in zip(theirs, others, strict=True):
        await announce(sender, list(both), count=2)
    await sender[outbox.COLLECTION].update_many({}, {"$unset": {"pending": ""}})
    log.refuses = lambda place: place == (TOPIC, 0)
    async with sending(sender, broker.address) as relaying:
        await announce(sender, [others[0]])
        await eventually(lambda: log.numbers(others[0]) == [1, 2, 3], within=30)
        await eventually(lambda: all(log.numbers(name)[:2] == [1, 2] for name in others), within=30)
        assert max(log.messages.count(message) for message in log.messages) == 1
        log.refuses = lambda place: False
        await eventually(lambda: nothing_pending(sender), within=30)
        await eventually(lambda: rests(relaying), within=15)
    assert all(log.numbers(name) == [1, 2] for name in theirs)
    assert not [row async for row in sender[outbox.COLLECTION].find({"left": {"$exists": True}})]


async def test_a_topic_that_nobody_knows_holds_up_only_its_own_messages(
    sender: MongoDatabase, broker: AnyBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, away = Log(monkeypatch), True
    partitions_for = AIOKafkaProducer.partitions_for

    async def asked(producer: AIOKafkaProducer, name: str) -> set[int]:
        if away and name == "intake.dead-letters":
            raise UnknownTopicOrPartitionError
        return await partitions_for(producer, name)

    monkeypatch.setattr(AIOKafkaProducer, "partitions_for", asked)
    work = Counting(sender, service="intake")
    event = IntakeCompleted(patient_id="pat-r1", clinic_id="riverside", referral_id="r1")
    work.announce(event, subject="lost", sequence=1, topic="intake.dead-letters")
    work.announce(event, subject="r1", sequence=1)
    await work.commit()
    async with sending(sender, broker.address):
        await eventually(lambda: log.numbers("r1") == [1], within=30)
        await announce(sender, ["r2"])
        await eventually(lambda: log.numbers("r2") == [1], within=15)
        away = False
        await eventually(lambda: nothing_pending(sender), within=15)
    assert log.numbers("lost") == [1]
    assert log.messages.count(("r1", 1)) == 1


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("is_refill", [False, True])
async def test_partitions_that_refuse_now_and_then_put_nothing_out_of_order(
    sender: MongoDatabase, broker: AnyBroker, monkeypatch: pytest.MonkeyPatch, seed: int, *, is_refill: bool
) -> None:
    monkeypatch.setattr(refill, "MARKED_AT_ONCE", 4)
    log, chance = Log(monkeypatch), random.Random(seed)  # noqa: S311
    monkeypatch.setattr(lane_relay, "EVENTS_AT_ONCE", 7)
    monkeypatch.setattr(publishing, "TRY_AGAIN_SECONDS", 0.01)
    log.refuses = lambda place: chance.random() < 0.5
    names = in_partition(0, 4) + in_partition(1, 4)
    if is_refill:
        for _ in range(30):
            await announce(sender, chance.sample(names, 3))
        await sender[outbox.COLLECTION].update_many({}, {"$unset": {"pending": ""}})
    async with sending(sender, broker.address) as relaying:
        await eventually(lambda: relaying.leads, within=30)
        for _ in range(30):
            await announce(sender, chance.sample(names, 3))
        await eventually(lambda: rests(relaying), within=60)
        await eventually(lambda: nothing_pending(sender), within=30)
    for name in names:
        numbers = log.numbers(name)
        assert numbers == list(range(1, len(numbers) + 1))
