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
from shared.messaging import lease, outbox, publishing, relay
from shared.messaging.envelope import Envelope
from shared.messaging.flow import Place
from shared.messaging.messaging import Messaging
from shared.messaging.publishing import Publisher, partition_of
from shared.messaging.relay import Relay
from shared.messaging.topics import Lane, topic
from shared.mongo import MongoDatabase, ObjectId
from tests.integration.messaging.wire import announce, have_arrived, nothing_pending, receiving, sending
from tests.support.eventually import eventually
from tests.support.letters import Counting, IntakeCompleted, open_database
from tests.support.servers import AnyBroker, in_containers


async def test_crises_are_published_before_the_work_of_the_same_transaction(
    sender: MongoDatabase, broker: AnyBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each lane has a task of its own, and whoever reads the crisis is to have it first."""
    publish, published = Relay._publish, list[str]()

    async def noted(relay: Relay, lane: Lane, rows: list[outbox.Row]) -> set[ObjectId]:
        left = await publish(relay, lane, rows)
        published.extend([lane] if rows else [])
        return left

    monkeypatch.setattr(Relay, "_publish", noted)
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
    monkeypatch.setattr(relay, "SWEEP_SECONDS", 600.0)
    async with sending(sender, broker.address) as relaying:
        await eventually(lambda: _rests(relaying), within=30)
        monkeypatch.setattr(Relay, "_some", _never)
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
    monkeypatch.setattr(relay, "SWEEP_SECONDS", 600.0)
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
    monkeypatch.setattr(relay, "EVENTS_AT_ONCE", 10)
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
async def test_partitions_that_refuse_now_and_then_put_nothing_out_of_order(
    sender: MongoDatabase, broker: AnyBroker, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    log, chance = Log(monkeypatch), random.Random(seed)  # noqa: S311
    monkeypatch.setattr(relay, "EVENTS_AT_ONCE", 7)
    monkeypatch.setattr(relay, "REFUSED_SECONDS", 0.01)
    monkeypatch.setattr(publishing, "TRY_AGAIN_SECONDS", 0.01)
    log.refuses = lambda place: chance.random() < 0.5
    names = in_partition(0, 4) + in_partition(1, 4)
    async with sending(sender, broker.address):
        for _ in range(30):
            await announce(sender, chance.sample(names, 3))
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
    monkeypatch.setattr(relay, "SWEEP_SECONDS", 600.0)
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
