"""From one service's outbox through a real broker into another service's database."""

import asyncio
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from cloudevents.core.bindings.kafka import KafkaMessage, from_kafka_event
from cloudevents.core.formats.json import JSONFormat

from deploy.embedded.broker import delete_topics
from shared.messaging import outbox
from shared.messaging.kafka import Cluster
from shared.mongo import MongoDatabase
from tests.integration.messaging.wire import (
    announce,
    caught_up,
    have_arrived,
    nothing_pending,
    receiving,
    sending,
)
from tests.support.eventually import eventually
from tests.support.letters import amounts
from tests.support.servers import AnyBroker, MakeBroker


async def test_what_a_transaction_announces_arrives_in_order(
    sender: MongoDatabase, receiver: MongoDatabase, broker: AnyBroker
) -> None:
    names = [f"r{n}" for n in range(50)]
    async with sending(sender, broker.address), receiving(receiver, broker.address):
        await announce(sender, names, count=12)
        expected = {name: list(range(1, 13)) for name in names}
        await eventually(lambda: have_arrived(receiver, expected), within=30)
    assert await sender[outbox.COLLECTION].count_documents(outbox.PENDING) == 0


async def test_what_was_announced_before_the_broker_came_up_is_published_when_it_does(
    sender: MongoDatabase, receiver: MongoDatabase, broker: AnyBroker
) -> None:
    await announce(sender, ["r1"], count=3)
    async with receiving(receiver, broker.address), sending(sender, broker.address):
        await eventually(lambda: have_arrived(receiver, {"r1": [1, 2, 3]}), within=30)


@pytest.mark.parametrize("question", ["identity", "partitions"])
async def test_an_answer_that_makes_no_sense_is_asked_for_again(
    sender: MongoDatabase, broker: AnyBroker, monkeypatch: pytest.MonkeyPatch, question: str
) -> None:
    asking, nonsense = getattr(Cluster, question), iter(range(2))

    async def asked(cluster: Cluster, *about: Any) -> Any:
        if next(nonsense, None) is not None:
            raise KeyError("cluster_id")
        return await asking(cluster, *about)

    monkeypatch.setattr(Cluster, question, asked)
    await announce(sender, ["r1"])
    async with sending(sender, broker.address):
        await eventually(lambda: nothing_pending(sender), within=15)


async def test_a_broker_that_lost_its_log_is_noticed_and_refilled_without_a_second_effect(
    sender: MongoDatabase, receiver: MongoDatabase, make_broker: MakeBroker
) -> None:
    broker = await make_broker()
    names = [f"r{n}" for n in range(20)]
    async with sending(sender, broker.address) as one, receiving(receiver, broker.address) as two:
        await announce(sender, names, count=2)
        await eventually(lambda: have_arrived(receiver, {name: [1, 2] for name in names}), within=30)
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
        await eventually(lambda: have_arrived(receiver, expected), within=30)
        published = sum(one.flow.published.values())
        assert published >= 42, "the whole outbox stands in the new log"
        await eventually(lambda: caught_up(one, two), within=30)
        assert await amounts(receiver) == expected


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
            await eventually(lambda: nothing_pending(sender), within=1)
        await admin.delete_topics(["intake.referrals"])
        await admin.close()
        await broker.ready()
        await eventually(lambda: nothing_pending(sender), within=15)


async def test_the_official_cloudevents_sdk_reads_our_messages(
    sender: MongoDatabase, broker: AnyBroker
) -> None:
    async with sending(sender, broker.address):
        await announce(sender, ["r1"])
        await eventually(lambda: nothing_pending(sender), within=15)
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
