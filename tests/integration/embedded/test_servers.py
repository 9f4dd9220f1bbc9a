"""The servers of the development stack, really started."""

import asyncio
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient

from deploy.embedded import servers
from deploy.embedded.servers import Broker, MissingBinary, Mongod, NotReady, create_topics, free_ports
from shared.messaging.topics import topics
from shared.mongo import MongoDatabase
from tests.support.eventually import eventually
from tests.support.servers import MakeBroker


async def test_mongod_is_a_replica_set_and_takes_transactions(mongodb_uri: str, database_name: str) -> None:
    database = MongoDatabase(mongodb_uri, database_name)
    await database.require_replica_set()
    await database.ensure_collections(["plans"])

    async def write(txn: object) -> None:
        await database["plans"].insert_one({"_id": "one"}, session=txn)

    await database.transaction(write)
    assert await database["plans"].count_documents({}) == 1
    await database.close()


async def test_mongod_offers_no_zlib(mongod: Mongod) -> None:
    database = MongoDatabase(mongod.uri, "admin")
    options = await database.db.command("getCmdLineOpts")
    assert options["parsed"]["net"]["compression"]["compressors"] == "snappy,zstd"
    assert options["parsed"]["net"]["bindIp"] == "127.0.0.1"
    await database.close()


async def test_a_slow_operation_is_not_logged_with_what_it_looked_for(
    mongod: Mongod, database_name: str
) -> None:
    database = MongoDatabase(mongod.uri, database_name)
    try:
        await database["people"].insert_one({"_id": "1", "name": "Plantedname"})
        await database["people"].find({"name": "Plantedname", "$where": "sleep(300) || true"}).to_list(None)
    finally:
        await database.close()
    assert "Plantedname" not in mongod.log.read_text()


async def test_mongod_keeps_its_data_when_killed_and_started_on_another_port(tmp_path: Path) -> None:
    first, second = (Mongod(tmp_path / "data", free_ports(1), tmp_path / "mongod.log") for _ in range(2))
    try:
        first.start()
        await first.ready()
        before = MongoDatabase(first.uri, "kept")
        await before["things"].insert_one({"_id": "one"})
        await before.close()
        first.kill()
        second.start()
        await second.ready()
        after = MongoDatabase(second.uri, "kept")
        assert await after["things"].find_one({}) == {"_id": "one"}
        await after.close()
        assert second.stop()
    finally:
        first.kill()
        second.kill()


async def test_a_mongod_that_cannot_start_says_why(tmp_path: Path, mongod: Mongod) -> None:
    rival = Mongod(tmp_path / "data", mongod.port, tmp_path / "mongod.log")
    rival.start()
    await eventually(lambda: not rival.is_running)
    with pytest.raises(NotReady, match="mongod ended"):
        await rival.ready()


async def test_the_broker_has_every_declared_topic_with_its_partitions(kafka: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    described = await admin.describe_topics(list(topics()))
    await admin.close()
    assert {topic["topic"]: len(topic["partitions"]) for topic in described} == {
        name: declared.partitions_on(embedded=True) for name, declared in topics().items()
    }


async def test_topics_that_exist_are_not_made_again(kafka: str) -> None:
    assert await create_topics(kafka, topics().values()) == []


async def test_a_restarted_broker_has_a_new_cluster_id_the_topics_and_an_empty_log(
    make_broker: MakeBroker,
) -> None:
    broker = await make_broker()
    first = broker.cluster_id
    await _produce(broker.address, b"lost")
    broker.kill()
    broker.start()
    await broker.ready()
    assert broker.cluster_id != first
    assert await servers.cluster_id(broker.address) == broker.cluster_id
    assert await create_topics(broker.address, topics().values()) == []
    await _produce(broker.address, b"kept")
    assert await _consume(broker.address) == b"kept"


async def test_a_topic_that_a_client_brought_about_too_early_gets_its_declared_partitions(
    make_broker: MakeBroker,
) -> None:
    broker = await make_broker()
    broker.kill()
    broker.start()
    await broker.ready(declared=[])
    await _produce(broker.address, b"made by asking, with more partitions than declared")
    await broker.ready()
    admin = AIOKafkaAdminClient(bootstrap_servers=broker.address)
    await admin.start()
    found = {row["topic"]: len(row["partitions"]) for row in await admin.describe_topics()}
    await admin.close()
    assert found == {name: topic.partitions_on(embedded=True) for name, topic in topics().items()}


async def test_a_broker_waits_for_its_port_to_become_free(tmp_path: Path, broker: Broker) -> None:
    successor = Broker(tmp_path / "successor", broker.port, tmp_path / "successor.log")
    successor.start()
    await eventually(lambda: not successor.is_running)
    waiting = asyncio.create_task(successor.ready())
    try:
        await eventually(lambda: (tmp_path / "successor.log").read_text().count("AddrInUse") > 2)
        assert not waiting.done()
        broker.kill()
        await waiting
        assert await servers.cluster_id(successor.address) == successor.cluster_id
    finally:
        successor.kill()


async def test_another_broker_on_the_port_is_not_taken_for_ours(tmp_path: Path, broker: Broker) -> None:
    ours = Broker(tmp_path / "ours", broker.port, tmp_path / "ours.log")
    ours.start()
    try:
        with pytest.raises(NotReady, match=str(broker.port)):
            await ours.ready(within=0.5)
    finally:
        ours.kill()


def test_a_missing_program_is_named_with_what_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingBinary, match=r"mongod was not found.*requirements/run\.txt"):
        servers.mongod_binary()
    with pytest.raises(MissingBinary, match=r"tansu.*requirements/run\.txt"):
        servers.broker_binary()


async def _produce(address: str, value: bytes) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=address)
    await producer.start()
    await producer.send_and_wait("intake.referrals", value, key=b"patient")
    await producer.stop()


async def _consume(address: str) -> object:
    consumer = AIOKafkaConsumer("intake.referrals", bootstrap_servers=address, auto_offset_reset="earliest")
    await consumer.start()
    record = await asyncio.wait_for(consumer.getone(), 10)
    await consumer.stop()
    return record.value
