"""From the log into a service's database, whatever becomes of its consumers."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.producer import message_accumulator
from aiokafka.producer import producer as producing
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy

from shared.messaging import consumer, messaging
from shared.messaging.consumer import Consumer
from shared.messaging.consumption import Consumption
from shared.messaging.envelope import Record
from shared.messaging.publishing import partition_of
from shared.messaging.topics import topic
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
from tests.support.letters import amounts, reasons
from tests.support.servers import AnyBroker, in_containers


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
        await eventually(lambda: nothing_pending(sender), within=90)
    async with receiving(receiver, broker.address, concurrency=2):
        expected = {name: [1, 2] for name in names} | {"bad": list(range(1, 13))}
        await eventually(lambda: have_arrived(receiver, expected), within=90)
        await eventually(lambda: _set_aside(receiver, ["failed_RuntimeError"]), within=30)
    assert most == 2


async def _set_aside(database: MongoDatabase, expected: list[str]) -> bool:
    return await reasons(database) == expected


@pytest.mark.parametrize("at_work", [False, True])
async def test_a_consumer_whose_task_was_lost_is_noticed_and_begins_anew(
    sender: MongoDatabase,
    receiver: MongoDatabase,
    broker: AnyBroker,
    monkeypatch: pytest.MonkeyPatch,
    at_work: bool,
) -> None:
    """Heartbeats go on without it, so that nobody else gets its partitions."""
    monkeypatch.setattr(consumer, "SILENT_SECONDS", 5.0)
    async with (
        sending(sender, broker.address),
        receiving(receiver, broker.address, own_group=True) as reading,
    ):
        await announce(sender, ["r1"])
        await eventually(lambda: have_arrived(receiver, {"r1": [1]}), within=120)
        with monkeypatch.context() as patched:
            taking = asyncio.Event()

            async def hang(*_: object, **__: object) -> None:
                taking.set()
                await asyncio.Event().wait()

            if at_work:
                patched.setattr(Consumption, "take", hang)
                await announce(sender, ["r1"])
                await asyncio.wait_for(taking.wait(), 30)
            for task in reading.consumers[0]._subscriber.tasks:
                task.cancel()
        await announce(sender, ["r2"])
        again = [1] * (1 + at_work)
        await eventually(lambda: have_arrived(receiver, {"r1": again, "r2": [1]}), within=120)
        await eventually(lambda: reading.flow.working == 0)


async def test_a_batch_that_partitions_were_shared_out_during_moves_no_position_back(
    sender: MongoDatabase, receiver: MongoDatabase, broker: AnyBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Meanwhile they may have been another member's, which read further."""
    persist, gate = Consumption.persist, asyncio.Event()

    async def held(self: Consumption[Any], records: Sequence[Record], epoch: str) -> None:
        await gate.wait()
        await persist(self, records, epoch)

    async with sending(sender, broker.address), receiving(receiver, broker.address) as running:
        monkeypatch.setattr(Consumption, "persist", held)
        (reading,) = running.consumers
        await announce(sender, ["r1"])
        await eventually(lambda: reading._at_work, within=30)
        (place,) = reading._in_hand
        running.flow.note_assigned(reading.name)
        running.flow.note_consumed(reading.name, {place: 1000})
        gate.set()
        await eventually(lambda: have_arrived(receiver, {"r1": [1]}), within=30)
        await eventually(lambda: not reading._at_work, within=10)
        assert running.flow.consumed[reading.name][place] == 1000
        assert await reading._kafka.committed(TopicPartition(*place)) is None


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
            await eventually(lambda: have_arrived(receiver, {"r1": [1]}), within=60)


async def test_every_replica_of_an_own_group_reads_all_and_the_effect_is_one(
    sender: MongoDatabase, receiver: MongoDatabase, broker: AnyBroker
) -> None:
    async with (
        sending(sender, broker.address) as one,
        receiving(receiver, broker.address, "c1", own_group=True) as two,
        receiving(receiver, broker.address, "c2", own_group=True) as three,
    ):
        await announce(sender, [f"r{n}" for n in range(30)])
        await eventually(lambda: have_arrived(receiver, {f"r{n}": [1] for n in range(30)}), within=30)
        await eventually(lambda: caught_up(one, two), within=15)
        await eventually(lambda: caught_up(one, three), within=15)
    assert await amounts(receiver) == {f"r{n}": [1] for n in range(30)}


async def test_a_record_that_kafka_s_client_cannot_read_stops_its_partition_alone(
    sender: MongoDatabase, receiver: MongoDatabase, broker: AnyBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """aiokafka raises, has moved on in other partitions by then, and forgets what it had read of them."""
    names = [f"r{number}" for number in range(60)]
    stands = _partition("r0")
    async with sending(sender, broker.address):
        await announce(sender, names, count=2)
        await eventually(lambda: nothing_pending(sender), within=30)
        await _send_with_a_name_that_is_no_text(broker.address, stands, monkeypatch)
        await announce(sender, names, count=1)
        await eventually(lambda: nothing_pending(sender), within=30)
        others = [name for name in names if _partition(name) != stands]
        assert 0 < len(others) < len(names)
        async with receiving(receiver, broker.address) as reading:
            await eventually(lambda: _have(receiver, others, [1, 2, 1]), within=30)
            await announce(sender, others)
            await eventually(lambda: _have(receiver, others, [1, 2, 1, 1]), within=30)
            assert await reading.consumers[0].behind() > 0
            assert reading.consumers[0].standing == 1


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
