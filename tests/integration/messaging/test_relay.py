"""From one service's outbox into the log: in order, by one replica, all of it."""

import asyncio
import itertools
import random
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaConnectionError, UnknownTopicOrPartitionError

from shared import precedence
from shared.messaging import lane_relay, lease, outbox, publishing, refill, relay
from shared.messaging.envelope import Envelope
from shared.messaging.flow import Place
from shared.messaging.lane_relay import LaneRelay
from shared.messaging.messaging import Messaging
from shared.messaging.publishing import Publisher, partition_of
from shared.messaging.topics import topic
from shared.mongo import Document, MongoDatabase
from tests.integration.messaging.wire import announce, have_arrived, nothing_pending, receiving, sending
from tests.support.eventually import eventually
from tests.support.letters import Counting, IntakeCompleted, open_database
from tests.support.servers import AnyBroker, in_containers


async def test_crises_are_published_before_the_work_of_the_same_transaction(
    sender: MongoDatabase, broker: AnyBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each lane has a task of its own, and whoever reads the crisis is to have it first."""
    publish, published = LaneRelay._publish, list[str]()

    async def noted(relay: LaneRelay, rows: list[outbox.Row]) -> bool:
        left = await publish(relay, rows)
        published.extend([relay.lane] if rows else [])
        return left

    monkeypatch.setattr(LaneRelay, "_publish", noted)
    monkeypatch.setattr(precedence, "PATIENCE", 60.0)
    async with sending(sender, broker.address) as relaying:
        await eventually(lambda: _rests(relaying))
        for number in range(1, 21):
            work = Counting(sender, service="intake")
            event = IntakeCompleted(patient_id="pat-r1", clinic_id="riverside", referral_id="r1")
            work.announce(event, subject="r1", sequence=number)
            work.announce(event, subject="r1", sequence=number, topic="intake.crisis-flags")
            await work.commit()
            await eventually(lambda: _rests(relaying))
    assert published == ["crisis", "work"] * 20


async def _rests(relaying: Messaging) -> bool:
    """Whether both lanes looked after the last beat, and wait."""
    epoch = relaying._epoch
    return epoch is not None and epoch.relay is not None and epoch.relay.has_published_all


class Log:
    """What was acknowledged, in order: subject and sequence. `refuses` says which places take nothing."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.messages: list[tuple[str, int]] = []
        self.refuses: Callable[[Place], bool] = lambda place: False
        publish = Publisher._publish

        async def noted(publisher: Publisher, name: str, partition: int, part: Sequence[Envelope]) -> int:
            if self.refuses((name, partition)):
                raise KafkaConnectionError
            reached = await publish(publisher, name, partition, part)
            self.messages += [(message.subject, message.sequence) for message in part]
            return reached

        monkeypatch.setattr(Publisher, "_publish", noted)

    def numbers(self, subject: str) -> list[int]:
        """Those of one subject, each when it came first."""
        return list(dict.fromkeys(number for name, number in self.messages if name == subject))


TOPIC = "intake.referrals"


def in_partition(number: int, count: int) -> list[str]:
    """Referrals that go there."""
    partitions = topic(TOPIC).partitions_on(embedded=not in_containers())
    names = (f"r{n}" for n in itertools.count())
    return list(itertools.islice((n for n in names if partition_of(f"pat-{n}", partitions) == number), count))


async def test_what_is_committed_here_is_published_without_a_look_into_the_outbox(
    sender: MongoDatabase, broker: AnyBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = Log(monkeypatch)
    monkeypatch.setattr(lane_relay, "SWEEP_SECONDS", 600.0)
    async with sending(sender, broker.address) as relaying:
        await eventually(lambda: _rests(relaying), within=30)
        monkeypatch.setattr(LaneRelay, "_read", _never)
        await announce(sender, ["r1", "r2"])
        await eventually(lambda: nothing_pending(sender), within=15)
    assert log.messages == [("r1", 1), ("r2", 1)]


async def _never(*_: object) -> None:
    await asyncio.Event().wait()


async def test_what_follows_something_that_another_replica_committed_waits_for_it(
    sender: MongoDatabase,
    mongodb_uri: str,
    database_name: str,
    broker: AnyBroker,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    log = Log(monkeypatch)
    monkeypatch.setattr(lane_relay, "SWEEP_SECONDS", 600.0)
    other = await open_database(mongodb_uri, f"{database_name}intake")
    async with sending(sender, broker.address) as relaying:
        await eventually(lambda: _rests(relaying), within=30)
        await announce(other, ["r1"], count=2)
        await announce(sender, ["r2"])
        await eventually(lambda: _rests(relaying), within=15)
        await announce(other, ["r3"])
        await announce(sender, ["r1", "r3"])
        await eventually(lambda: nothing_pending(sender), within=15)
    await other.close()
    for referral in ("r1", "r3"):
        numbers = [number for subject, number in log.messages if subject == referral]
        assert numbers == sorted(numbers)
    assert set(log.messages) == {("r1", 1), ("r1", 2), ("r1", 3), ("r2", 1), ("r3", 1), ("r3", 2)}


async def test_nothing_overtakes_what_could_not_be_published(
    sender: MongoDatabase, broker: AnyBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = Log(monkeypatch)
    async with sending(sender, broker.address) as relaying:
        await eventually(lambda: _rests(relaying), within=30)
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
        await eventually(lambda: _rests(relaying), within=30)
        log.refuses = lambda place: place == (TOPIC, 0)
        for name in theirs:
            await announce(sender, [name])
        for name in others:
            await announce(sender, [name])
        await announce(sender, [*theirs, *others])
        await announce(sender, others)
        await eventually(lambda: all(log.numbers(name) == [1, 2, 3] for name in others), within=15)
        assert {name for name, _ in log.messages} == set(others)
        assert await sender[outbox.COLLECTION].count_documents(outbox.PENDING) == len(theirs) + 1
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
        await eventually(lambda: _rests(relaying), within=30)
        log.refuses = lambda place: place == (TOPIC, 0)
        for name in theirs:
            await announce(sender, [name])
        await announce(sender, others)
        await eventually(lambda: log.numbers(others[-1]) == [1], within=15)
        await asyncio.sleep(3 * lane_relay.SWEEP_SECONDS)
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
        assert all(log.numbers(name)[:2] == [1, 2] for name in others)
        assert max(log.messages.count(message) for message in log.messages) == 1
        log.refuses = lambda place: False
        await eventually(lambda: nothing_pending(sender), within=30)
        await eventually(lambda: _rests(relaying), within=15)
    assert all(log.numbers(name) == [1, 2] for name in theirs)
    assert not [row async for row in sender[outbox.COLLECTION].find({"left": {"$exists": True}})]


async def test_a_cancellation_that_nobody_asked_for_does_not_end_a_lane(
    sender: MongoDatabase, broker: AnyBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, publish, strays = Log(monkeypatch), Publisher.publish, iter(range(1))

    async def cancelled_once(
        publisher: Publisher, messages: Sequence[Envelope]
    ) -> tuple[dict[Place, int], list[Envelope]]:
        if next(strays, None) is not None:
            raise asyncio.CancelledError
        return await publish(publisher, messages)

    monkeypatch.setattr(Publisher, "publish", cancelled_once)
    async with sending(sender, broker.address):
        await announce(sender, ["r1"])
        await eventually(lambda: nothing_pending(sender), within=30)
    assert log.numbers("r1") == [1]


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
        await eventually(lambda: _rests(relaying), within=60)
        await eventually(lambda: nothing_pending(sender), within=30)
    for name in names:
        numbers = log.numbers(name)
        assert numbers == list(range(1, len(numbers) + 1))


async def test_a_relay_killed_between_publish_and_mark_publishes_again_and_nothing_doubles(
    sender: MongoDatabase, receiver: MongoDatabase, broker: AnyBroker
) -> None:
    async with receiving(receiver, broker.address):
        async with sending(sender, broker.address):
            await announce(sender, ["r1"], count=2)
            await eventually(lambda: have_arrived(receiver, {"r1": [1, 2]}), within=30)
        await sender[outbox.COLLECTION].update_many({}, {"$set": {"pending": True}})
        async with sending(sender, broker.address, "i2") as again:
            await announce(sender, ["r2"])
            await eventually(lambda: have_arrived(receiver, {"r1": [1, 2], "r2": [1]}), within=30)
            assert sum(again.flow.published.values()) >= 5


async def test_two_replicas_have_one_relay_and_the_second_takes_over(
    sender: MongoDatabase, broker: AnyBroker
) -> None:
    async with sending(sender, broker.address, "i1"):
        await eventually(
            lambda: sender[lease.COLLECTION].find_one({"_id": "relay", "holder": "i1"}), within=15
        )
        async with sending(sender, broker.address, "i2"):
            await announce(sender, ["r1"])
            await eventually(lambda: nothing_pending(sender), within=15)
            assert await sender[lease.COLLECTION].find_one({"_id": "relay", "holder": "i1"})
    await eventually(lambda: _free(sender), within=5)
    async with sending(sender, broker.address, "i3"):
        await announce(sender, ["r2"])
        await eventually(lambda: nothing_pending(sender), within=15)


async def _free(database: MongoDatabase) -> bool:
    return await database[lease.COLLECTION].find_one({"_id": "relay"}) is None


async def test_what_another_replica_commits_wakes_the_one_that_relays_which_alone_watches_nothing(
    sender: MongoDatabase,
    mongodb_uri: str,
    database_name: str,
    broker: AnyBroker,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lane_relay, "SWEEP_SECONDS", 600.0)
    monkeypatch.setattr(relay, "OURS", b"them!")
    opened: list[str] = []
    watch = MongoDatabase.watch

    def counted(self: MongoDatabase, collection: str, *operations: str, **options: Any) -> Any:
        opened.append(collection)
        return watch(self, collection, *operations, **options)

    monkeypatch.setattr(MongoDatabase, "watch", counted)
    other = await open_database(mongodb_uri, f"{database_name}intake")
    async with sending(sender, broker.address, "i1") as leader:
        await eventually(lambda: _rests(leader), within=30)
        await announce(other, ["r1"])
        assert opened == []
        async with sending(other, broker.address, "i2"):
            await eventually(lambda: opened == [outbox.COLLECTION], within=15)
            await eventually(lambda: nothing_pending(sender), within=30)
            for number in range(3):
                await announce(other, [f"s{number}"])
                await eventually(lambda: nothing_pending(sender), within=30)
        await eventually(lambda: not leader._epoch.relay._has_company.is_set(), within=15)
    await other.close()


async def test_a_relay_whose_way_to_kafka_is_cut_lets_a_replica_that_waits_try(
    sender: MongoDatabase, broker: AnyBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "STUCK_SECONDS", 0.5)
    async with sending(sender, broker.address, "i1") as cut:
        await eventually(lambda: sender[lease.COLLECTION].find_one({"_id": "relay", "holder": "i1"}))
        monkeypatch.setattr(cut._epoch.publishers["work"], "publish", _nowhere)
        await announce(sender, ["r1"])
        await eventually(cut._epoch.relay._is_stuck, within=10)
        stuck = await sender[lease.COLLECTION].find_one({"_id": "relay"})
        kept = {"_id": "relay", "holder": "i1", "until": {"$gt": stuck["until"]}}
        await eventually(lambda: sender[lease.COLLECTION].find_one(kept), within=10)  # nobody else waits
        async with sending(sender, broker.address, "i2"):
            await eventually(lambda: nothing_pending(sender), within=15)
            assert await sender[lease.COLLECTION].find_one({"_id": "relay", "holder": "i2"})


async def _nowhere(messages: object) -> None:
    raise KafkaConnectionError


async def test_a_backlog_of_many_small_and_a_few_large_transactions_is_published_whole(
    sender: MongoDatabase, receiver: MongoDatabase, broker: AnyBroker
) -> None:
    small, large = [f"s{n}" for n in range(60)], [f"l{n}" for n in range(600)]
    for name in small:
        await announce(sender, [name])
    await announce(sender, large, count=3)
    for name in small:
        await announce(sender, [name])
    async with sending(sender, broker.address), receiving(receiver, broker.address):
        expected = {name: [1, 1] for name in small} | {name: [1, 2, 3] for name in large}
        await eventually(lambda: have_arrived(receiver, expected), within=60)
        await eventually(lambda: nothing_pending(sender), within=15)
