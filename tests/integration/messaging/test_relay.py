"""From one service's outbox into the log: in order, by one replica, all of it."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError

from shared import precedence
from shared.messaging import lane_relay, lease, outbox, relay
from shared.messaging.envelope import Envelope
from shared.messaging.flow import Place
from shared.messaging.lane_relay import LaneRelay
from shared.messaging.publishing import Publisher
from shared.mongo import MongoDatabase
from tests.integration.messaging.published import Log, rests
from tests.integration.messaging.wire import announce, have_arrived, nothing_pending, receiving, sending
from tests.support.eventually import eventually
from tests.support.letters import Counting, IntakeCompleted, open_database
from tests.support.servers import AnyBroker


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
        await eventually(lambda: rests(relaying))
        for number in range(1, 21):
            work = Counting(sender, service="intake")
            event = IntakeCompleted(patient_id="pat-r1", clinic_id="riverside", referral_id="r1")
            work.announce(event, subject="r1", sequence=number)
            work.announce(event, subject="r1", sequence=number, topic="intake.crisis-flags")
            await work.commit()
            await eventually(lambda: rests(relaying))
    assert published == ["crisis", "work"] * 20


async def test_what_is_committed_here_is_published_without_a_look_into_the_outbox(
    sender: MongoDatabase, broker: AnyBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = Log(monkeypatch)
    monkeypatch.setattr(lane_relay, "SWEEP_SECONDS", 600.0)
    async with sending(sender, broker.address) as relaying:
        await eventually(lambda: rests(relaying), within=30)
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
        await eventually(lambda: rests(relaying), within=30)
        await announce(other, ["r1"], count=2)
        await announce(sender, ["r2"])
        await eventually(lambda: rests(relaying), within=15)
        await announce(other, ["r3"])
        await announce(sender, ["r1", "r3"])
        await eventually(lambda: nothing_pending(sender), within=15)
    await other.close()
    for referral in ("r1", "r3"):
        numbers = [number for subject, number in log.messages if subject == referral]
        assert numbers == sorted(numbers)
    assert set(log.messages) == {("r1", 1), ("r1", 2), ("r1", 3), ("r2", 1), ("r3", 1), ("r3", 2)}


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
            await eventually(lambda: sum(again.flow.published.values()) >= 5)


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
        await eventually(lambda: rests(leader), within=30)
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
