"""From one service's outbox through a real broker into another service's database."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaConnectionError
from aiokafka.producer import message_accumulator
from aiokafka.producer import producer as producing
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy
from cloudevents.core.bindings.kafka import KafkaMessage, from_kafka_event
from cloudevents.core.formats.json import JSONFormat

from deploy.embedded.broker import delete_topics
from shared import precedence
from shared.messaging import consumer, lease, messaging, outbox, relay
from shared.messaging.consumer import Consumer, Subscription
from shared.messaging.consumption import Consumption
from shared.messaging.envelope import Record
from shared.messaging.messaging import Messaging
from shared.messaging.publishing import partition_of
from shared.messaging.reactions import Reactions
from shared.messaging.relay import Relay
from shared.messaging.topics import Lane, topic
from shared.mongo import Document, MongoDatabase
from shared.settings import Settings
from tests.support.eventually import eventually
from tests.support.letters import (
    Counting,
    IntakeCompleted,
    Told,
    amounts,
    inbound,
    open_database,
    reasons,
    when_intake_completed_count_it,
)
from tests.support.servers import AnyBroker, MakeBroker, in_containers, kafka_settings


def settings(kafka: str, instance: str) -> Settings:
    return Settings(
        environment="development",
        instance=instance,
        kafka=kafka,
        fetch_wait_ms=5,
        jwks="unused",
        **kafka_settings(),
    )


@pytest.fixture
async def sender(mongodb_uri: str, database_name: str) -> AsyncIterator[MongoDatabase]:
    database = await open_database(mongodb_uri, f"{database_name}intake")
    yield database
    await database.close()


@pytest.fixture
async def receiver(mongodb_uri: str, database_name: str) -> AsyncIterator[MongoDatabase]:
    database = await open_database(mongodb_uri, f"{database_name}care_plan")
    yield database
    await database.close()


@asynccontextmanager
async def sending(database: MongoDatabase, kafka: str, instance: str = "i1") -> AsyncIterator[Messaging]:
    messaging = Messaging(
        "intake",
        settings=settings(kafka, instance),
        database=database,
        subscriptions=[],
        open_work=lambda: Counting(database),
    )
    async with running(messaging):
        yield messaging


@asynccontextmanager
async def receiving(
    database: MongoDatabase, kafka: str, instance: str = "c1", **options: Any
) -> AsyncIterator[Messaging]:
    """`options`: of the subscription."""
    subscription = Subscription("work", Reactions({inbound(): when_intake_completed_count_it}), **options)
    messaging = Messaging(
        "care_plan",
        settings=settings(kafka, instance),
        database=database,
        subscriptions=[subscription],
        open_work=lambda: Counting(database),
    )
    async with running(messaging):
        yield messaging


@asynccontextmanager
async def running(messaging: Messaging) -> AsyncIterator[None]:
    task = asyncio.create_task(messaging.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def announce(database: MongoDatabase, referrals: Iterator[str] | list[str], count: int = 1) -> None:
    """Each referral announces `count` times, one transaction per round."""
    for number in range(1, count + 1):
        work = Counting(database, service="intake")
        names = list(referrals)
        await work.told.load(names)
        for name in names:
            told = work.told.get(name) or Told(id=name, patient_id=f"pat-{name}", clinic_id="riverside")
            event = IntakeCompleted(
                patient_id=told.patient_id, clinic_id="riverside", referral_id=name, amount=number
            )
            work.told.save(told, [event])
        await work.commit()


async def test_what_a_transaction_announces_arrives_in_order(
    sender: MongoDatabase, receiver: MongoDatabase, broker: AnyBroker
) -> None:
    names = [f"r{n}" for n in range(50)]
    async with sending(sender, broker.address), receiving(receiver, broker.address):
        await announce(sender, names, count=12)
        expected = {name: list(range(1, 13)) for name in names}
        await eventually(lambda: _equal(receiver, expected), within=30)
    assert await sender[outbox.COLLECTION].count_documents(outbox.PENDING) == 0


async def test_crises_are_published_before_the_work_of_the_same_transaction(
    sender: MongoDatabase, broker: AnyBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each lane has a task of its own, and whoever reads the crisis is to have it first."""
    publish, published = Relay._publish, list[str]()

    async def noted(relay: Relay, lane: Lane, rows: list[Document]) -> None:
        await publish(relay, lane, rows)
        published.append(lane)

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


async def test_a_backlog_is_taken_two_transactions_at_a_time_and_one_bad_message_harms_neither(
    sender: MongoDatabase, receiver: MongoDatabase, broker: AnyBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    take, under_way, most = Consumption.take, 0, 0

    async def watched(self: Consumption[Any], records: Sequence[Record], **options: Any) -> None:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await take(self, records, **options)
        under_way -= 1

    monkeypatch.setattr(Consumption, "take", watched)
    names = [f"r{n}" for n in range(600)]
    async with sending(sender, broker.address):
        await announce(sender, names, count=2)
        await announce(sender, ["bad"], count=13)
        await eventually(lambda: _nothing_pending(sender), within=90)
    async with receiving(receiver, broker.address, abreast=2):
        expected = {name: [1, 2] for name in names} | {"bad": list(range(1, 13))}
        await eventually(lambda: _equal(receiver, expected), within=90)
        await eventually(lambda: _set_aside(receiver, ["failed_RuntimeError"]), within=30)
    assert most == 2


async def _set_aside(database: MongoDatabase, expected: list[str]) -> bool:
    return await reasons(database) == expected


async def _rests(relaying: Messaging) -> bool:
    """Whether both lanes looked after the last beat, and wait."""
    epoch = relaying._epoch
    return epoch is not None and epoch.relay is not None and epoch.relay.has_published_all


async def _equal(database: MongoDatabase, expected: dict[str, list[int]]) -> bool:
    return await amounts(database) == expected


async def test_a_consumer_whose_task_was_lost_is_noticed_and_begins_anew(
    sender: MongoDatabase, receiver: MongoDatabase, broker: AnyBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Heartbeats go on without it, so that nobody else gets its partitions."""
    monkeypatch.setattr(consumer, "SILENT_SECONDS", 5.0)
    async with (
        sending(sender, broker.address),
        receiving(receiver, broker.address, own_group=True) as reading,
    ):
        await announce(sender, ["r1"])
        await eventually(lambda: _equal(receiver, {"r1": [1]}), within=120)
        for task in reading.consumers[0]._subscriber.tasks:
            task.cancel()
        await announce(sender, ["r1", "r2"])
        await eventually(lambda: _equal(receiver, {"r1": [1, 1], "r2": [1]}), within=120)


async def test_a_record_that_kafka_s_client_cannot_read_stops_its_partition_alone(
    sender: MongoDatabase, receiver: MongoDatabase, broker: AnyBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """aiokafka raises, has moved on in other partitions by then, and forgets what it had read of them."""
    names = [f"r{number}" for number in range(60)]
    stands = _partition("r0")
    async with sending(sender, broker.address):
        await announce(sender, names, count=2)
        await eventually(lambda: _nothing_pending(sender), within=30)
        await _send_with_a_name_that_is_no_text(broker.address, stands, monkeypatch)
        await announce(sender, names, count=1)
        await eventually(lambda: _nothing_pending(sender), within=30)
        others = [name for name in names if _partition(name) != stands]
        assert 0 < len(others) < len(names)
        async with receiving(receiver, broker.address) as reading:
            await eventually(lambda: _have(receiver, others, [1, 2, 1]), within=30)
            await announce(sender, others)
            await eventually(lambda: _have(receiver, others, [1, 2, 1, 1]), within=30)
            assert await reading.consumers[0].behind() > 0


def _partition(name: str) -> int:
    return partition_of(f"pat-{name}", topic("intake.referrals").partitions_on(embedded=not in_containers()))


async def _have(database: MongoDatabase, names: Sequence[str], expected: list[int]) -> bool:
    found = await amounts(database)
    return all(found.get(name) == expected for name in names)


async def _send_with_a_name_that_is_no_text(
    address: str, partition: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    class NoText(str):
        def encode(self, *_: object, **__: object) -> bytes:
            return b"\xff\xfe"

    with monkeypatch.context() as patched:
        for module in (message_accumulator, producing):
            patched.setattr(module, "DefaultRecordBatchBuilder", _DefaultRecordBatchBuilderPy)
        producer = AIOKafkaProducer(bootstrap_servers=address)
        await producer.start()
        headers = [(NoText("x"), b"")]
        await producer.send_and_wait("intake.referrals", b"", key=b"k", partition=partition, headers=headers)
        await producer.stop()


async def test_a_consumer_that_hangs_on_its_way_into_its_group_begins_anew(
    sender: MongoDatabase, receiver: MongoDatabase, broker: AnyBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin, hung = Consumer.begin, asyncio.Event()

    async def hang_once(self: Consumer, *arguments: Any) -> None:
        if not hung.is_set():
            hung.set()
            monkeypatch.setattr(messaging, "BEGIN_SECONDS", 60)
            await asyncio.Event().wait()
        await begin(self, *arguments)

    monkeypatch.setattr(messaging, "BEGIN_SECONDS", 2)
    monkeypatch.setattr(Consumer, "begin", hang_once)
    async with receiving(receiver, broker.address):
        await asyncio.wait_for(hung.wait(), 30)
        async with sending(sender, broker.address):
            await announce(sender, ["r1"])
            await eventually(lambda: _equal(receiver, {"r1": [1]}), within=60)


async def test_what_was_announced_before_the_broker_came_up_is_published_when_it_does(
    sender: MongoDatabase, receiver: MongoDatabase, broker: AnyBroker
) -> None:
    await announce(sender, ["r1"], count=3)
    async with receiving(receiver, broker.address), sending(sender, broker.address):
        await eventually(lambda: _equal(receiver, {"r1": [1, 2, 3]}), within=30)


async def test_a_broker_that_lost_its_log_is_noticed_and_refilled_without_a_second_effect(
    sender: MongoDatabase, receiver: MongoDatabase, make_broker: MakeBroker
) -> None:
    broker = await make_broker()
    names = [f"r{n}" for n in range(20)]
    async with sending(sender, broker.address) as one, receiving(receiver, broker.address) as two:
        await announce(sender, names, count=2)
        await eventually(lambda: _equal(receiver, {name: [1, 2] for name in names}), within=30)
        for _ in range(2):
            before = one.epoch_id
            broker.kill()
            await announce(sender, ["while-away"])
            broker.start()
            await broker.ready()
            await eventually(
                lambda before=before: one.epoch_id != before and two.epoch_id == one.epoch_id, within=30
            )
        expected = {name: [1, 2] for name in names} | {"while-away": [1, 1]}
        await eventually(lambda: _equal(receiver, expected), within=30)
        published = sum(one.flow.published.values())
        assert published >= 42, "the whole outbox stands in the new log"
        await eventually(lambda: _caught_up(one, two), within=30)
        assert await amounts(receiver) == expected


async def _caught_up(one: Messaging, two: Messaging) -> bool:
    positions = await two.consumers[0].positions()
    return all(positions.get(f"{t}/{p}", 0) >= offset for (t, p), offset in one.flow.published.items())


async def test_a_topic_with_more_partitions_than_declared_is_not_used(
    sender: MongoDatabase, make_broker: MakeBroker
) -> None:
    broker = await make_broker()
    await delete_topics(broker.address, ["intake.referrals"])
    admin = AIOKafkaAdminClient(bootstrap_servers=broker.address)
    await admin.start()
    await admin.create_topics([NewTopic("intake.referrals", 4, 1)])
    await announce(sender, ["r1"])
    async with sending(sender, broker.address) as messaging:
        await eventually(lambda: messaging.cluster_reached)
        with pytest.raises(AssertionError):
            await eventually(lambda: _nothing_pending(sender), within=1)
        await admin.delete_topics(["intake.referrals"])
        await admin.close()
        await broker.ready()
        await eventually(lambda: _nothing_pending(sender), within=15)


async def test_a_relay_killed_between_publish_and_mark_publishes_again_and_nothing_doubles(
    sender: MongoDatabase, receiver: MongoDatabase, broker: AnyBroker
) -> None:
    async with receiving(receiver, broker.address):
        async with sending(sender, broker.address):
            await announce(sender, ["r1"], count=2)
            await eventually(lambda: _equal(receiver, {"r1": [1, 2]}), within=30)
        await sender[outbox.COLLECTION].update_many({}, {"$set": {"pending": True}})
        async with sending(sender, broker.address, "i2") as again:
            await announce(sender, ["r2"])
            await eventually(lambda: _equal(receiver, {"r1": [1, 2], "r2": [1]}), within=30)
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
            await eventually(lambda: _nothing_pending(sender), within=15)
            assert await sender[lease.COLLECTION].find_one({"_id": "relay", "holder": "i1"})
    await eventually(lambda: _free(sender), within=5)
    async with sending(sender, broker.address, "i3"):
        await announce(sender, ["r2"])
        await eventually(lambda: _nothing_pending(sender), within=15)


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
            await eventually(lambda: _nothing_pending(sender), within=15)
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
        await eventually(lambda: _equal(receiver, expected), within=60)
        await eventually(lambda: _nothing_pending(sender), within=15)


async def _free(database: MongoDatabase) -> bool:
    return await database[lease.COLLECTION].find_one({"_id": "relay"}) is None


async def _nothing_pending(database: MongoDatabase) -> bool:
    return await database[outbox.COLLECTION].count_documents(outbox.PENDING) == 0


async def test_every_replica_of_an_own_group_reads_all_and_the_effect_is_one(
    sender: MongoDatabase, receiver: MongoDatabase, broker: AnyBroker
) -> None:
    async with (
        sending(sender, broker.address) as one,
        receiving(receiver, broker.address, "c1", own_group=True) as two,
        receiving(receiver, broker.address, "c2", own_group=True) as three,
    ):
        await announce(sender, [f"r{n}" for n in range(30)])
        await eventually(lambda: _equal(receiver, {f"r{n}": [1] for n in range(30)}), within=30)
        await eventually(lambda: _caught_up(one, two), within=15)
        await eventually(lambda: _caught_up(one, three), within=15)
    assert await amounts(receiver) == {f"r{n}": [1] for n in range(30)}


async def test_the_official_cloudevents_sdk_reads_our_messages(
    sender: MongoDatabase, broker: AnyBroker
) -> None:
    async with sending(sender, broker.address):
        await announce(sender, ["r1"])
        await eventually(lambda: _nothing_pending(sender), within=15)
    consumer = AIOKafkaConsumer(
        "intake.referrals", bootstrap_servers=broker.address, auto_offset_reset="earliest"
    )
    await consumer.start()
    try:
        record = await asyncio.wait_for(consumer.getone(), 15)
    finally:
        await consumer.stop()
    event = from_kafka_event(KafkaMessage(dict(record.headers), record.key, record.value), JSONFormat())
    assert event.get_type() == "IntakeCompleted"
    assert event.get_subject() == "r1"
    assert event.get_source() == "intake"
    assert event.get_extension("sequence") == "1"
    assert record.key == b"pat-r1"
