"""MongoDB and Kafka as the doctor finds them: each fault planted once, on real servers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from deploy.doctor import kafka, members, mongodb
from deploy.doctor.members import Address
from deploy.embedded.broker import delete_topics
from deploy.embedded.diagnosis import Check
from deploy.embedded.servers import Mongod, attempts, free_ports, listens
from deploy.topics.declared import shapes
from shared.mongo import MongoDatabase
from shared.settings import Settings
from tests.support.eventually import eventually
from tests.support.servers import brokers, running_mongod


def settings(**chosen: str) -> Settings:
    return Settings.model_validate({"environment": "development", "jwks": "unused"} | chosen)


def wrong(checks: list[Check]) -> list[str]:
    return [f"{check.name}: {check.found}" for check in checks if not check.ok]


@asynccontextmanager
async def replica_set(folder: Path, size: int) -> AsyncIterator[list[Mongod]]:
    """Servers that have not been told yet that they are a set."""
    first = free_ports(size)
    servers = [Mongod(folder / str(n), first + n, folder / f"{n}.log") for n in range(size)]
    try:
        for server in servers:
            server.start()
        for server in servers:
            async for _ in attempts(30):
                if await listens(server.port):
                    break
        yield servers
    finally:
        for server in servers:
            server.kill()


async def initiate(servers: list[Mongod]) -> None:
    members = [{"_id": n, "host": server.address} for n, server in enumerate(servers)]
    admin = MongoDatabase(f"mongodb://{servers[0].address}/?directConnection=true", "admin")
    await admin.db.command({"replSetInitiate": {"_id": "kith", "members": members}})
    await admin.close()


async def seen(servers: list[Mongod]) -> list[Check]:
    return members.checks(await members.look(Address.of(f"mongodb://{servers[0].address}/?replicaSet=kith")))


async def test_a_server_that_is_no_replica_set_is_told_from_one_that_is_away(tmp_path: Path) -> None:
    async with replica_set(tmp_path, 1) as servers:
        assert wrong(await seen(servers)) == ["replica set: a server without a replica set"]
        servers[0].kill()
        assert wrong(await seen(servers)) == [f"replica set: none of {servers[0].address} answers"]


async def test_members_that_are_down_are_named_and_a_lost_majority_is_said(tmp_path: Path) -> None:
    async with replica_set(tmp_path, 3) as servers:
        await initiate(servers)

        async def whole() -> bool:
            return wrong(await seen(servers)) == []

        await eventually(whole, within=60)
        servers[2].kill()
        (down,) = wrong(await seen(servers))
        assert down == f"replica set: down or not yet in step: {servers[2].address}"
        servers[1].kill()

        async def lost() -> bool:
            found = wrong(await seen(servers))
            return {"replica set: 1 of 3 members work", "replica set: no primary"} <= set(found)

        await eventually(lost, within=60)
        assert servers[1].address in wrong(await seen(servers))[-1]


async def test_a_server_without_passwords_or_encryption_is_refused_and_all_else_is_well(
    tmp_path: Path,
) -> None:
    async with running_mongod(tmp_path) as mongod:
        checks = await mongodb.checks(settings(mongodb=mongod.uri), "intake")
        assert wrong(checks) == [
            "MongoDB TLS: the connection is not encrypted",
            "failover: 1 members",
            "MongoDB rights: the server asks for no password",
        ]
        well = {check.name for check in checks if check.ok}
        assert well == {"replica set", "MongoDB version", "MongoDB writing", "MongoDB clock"}


async def test_a_server_that_is_away_is_a_finding_per_question_and_no_error(tmp_path: Path) -> None:
    uri = f"mongodb://127.0.0.1:{free_ports(1)}/?replicaSet=kith"
    checks = await mongodb.checks(settings(mongodb=uri), "intake")
    assert all(not check.ok for check in checks)
    assert any("none of" in check.found for check in checks)


def test_rights_too_few_and_too_many_are_named() -> None:
    everything = sorted(mongodb.OWN)
    own = {"resource": {"db": "kith_intake", "collection": ""}, "actions": everything}
    assert mongodb.of_privileges("kith_intake", [own])[0].ok
    other = {"resource": {"db": "kith_alerts", "collection": ""}, "actions": ["find"]}
    (found,) = mongodb.of_privileges("kith_intake", [own, other])
    assert found.found == "reaches kith_alerts too"
    all_of_them = {"resource": {"db": "", "collection": ""}, "actions": everything}
    (found,) = mongodb.of_privileges("kith_intake", [all_of_them])
    assert found.found == "reaches every database too"
    reader = own | {"actions": ["find", "changeStream"]}
    (found,) = mongodb.of_privileges("kith_intake", [reader])
    assert found.found == "may not createCollection, createIndex, insert, remove, update in kith_intake"


def test_a_clock_that_is_off_is_told_by_how_much() -> None:
    check = mongodb.off_by("MongoDB clock", timedelta(seconds=3.5))
    assert not check.ok
    assert check.found == "3.5 s from ours"


async def test_a_missing_topic_and_one_with_too_few_partitions_are_named(tmp_path: Path) -> None:
    async with brokers(tmp_path) as make:
        broker = await make()
        await delete_topics(broker.address, ["intake.dead-letters"])
        found = wrong(await kafka.checks(settings(kafka=broker.address, embedded_broker="true"), "intake"))
    assert "topics: intake.dead-letters: topic missing instead of 1 partitions, 3 copies" in found
    assert "topics: intake.referrals: partitions 2 instead of 12" in found
    assert "topics: intake.crisis-flags: partitions 2 instead of 6" in found
    assert not any("care-plan" in line for line in found), "only what this service reads and writes"


async def test_a_broker_that_is_away_is_named() -> None:
    place = f"127.0.0.1:{free_ports(1)}"
    (found,) = wrong(await kafka.checks(settings(kafka=place), "intake"))
    assert found.startswith(f"Kafka: {place}: ")


def test_a_setting_that_could_lose_messages_is_named_with_the_command_that_mends_it() -> None:
    (wanted,) = [shape for shape in shapes() if shape.name == "intake.referrals"]
    alone = replace(wanted, configs=wanted.configs | {"min.insync.replicas": "1"})
    (check,) = kafka.of_topics([wanted], {wanted.name: alone})
    assert check.found == "intake.referrals: min.insync.replicas 1 instead of 2"
    assert check.mend == "kith topics apply"
    assert kafka.of_topics([wanted], {wanted.name: wanted})[0].ok


def test_settings_that_a_services_user_may_not_read_are_said_to_be_unread() -> None:
    (wanted,) = [shape for shape in shapes() if shape.name == "intake.referrals"]
    (check,) = kafka.of_topics([wanted], {wanted.name: replace(wanted, configs={})})
    assert check.ok
    assert "kith topics plan" in check.found


def test_copies_that_lag_are_named() -> None:
    (wanted,) = [shape for shape in shapes() if shape.name == "intake.crisis-flags"]
    parts = [{"partition": n, "replicas": [1, 2, 3], "isr": [1, 2, 3][: 3 - n % 2]} for n in range(6)]
    (check,) = kafka.of_copies([wanted], {wanted.name: parts})
    assert check.found == "intake.crisis-flags has copies behind in partitions 1, 3, 5"


async def test_apache_kafka_tells_its_topics_options(monkeypatch: pytest.MonkeyPatch) -> None:
    from testcontainers.core.config import testcontainers_config

    from tests.support.containers import KAFKA, apache_kafka

    await _require(KAFKA)
    monkeypatch.setattr(testcontainers_config, "ryuk_disabled", True)  # the container is stopped here
    async with apache_kafka() as broker:
        found = wrong(await kafka.checks(settings(kafka=broker.address), "alerts"))
    assert "topics: alerts.alerts: copies 1 instead of 3" in found
    assert "topics: alerts.alerts: min.insync.replicas 1 instead of 2" in found
    assert not any(": partitions " in line for line in found)


async def _require(image: str) -> None:
    import docker

    try:
        await asyncio.to_thread(lambda: docker.from_env().images.get(image))
    except docker.errors.DockerException:
        pytest.skip(f"no Docker engine with {image} answers")
