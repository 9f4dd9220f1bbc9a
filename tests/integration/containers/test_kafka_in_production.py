"""SASL_SSL and mutual TLS, rights and topics as code, against Apache Kafka itself."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from deploy.topics.alike import look, make_alike
from deploy.topics.cluster import administering
from deploy.topics.declared import shapes
from deploy.topics.rights import rights
from shared.messaging.connection import connection
from shared.messaging.consumer import Subscription
from shared.messaging.messaging import Messaging
from shared.messaging.reactions import Reactions
from shared.messaging.topics import topics
from shared.mongo import MongoDatabase
from shared.settings import PREFIX, KafkaSettings, Settings
from tests.integration.containers.secured import Secured
from tests.integration.messaging.wire import announce, running
from tests.support.eventually import eventually
from tests.support.letters import (
    Counting,
    amounts,
    inbound,
    open_database,
    when_intake_completed_count_it,
)

ROOT = Path(__file__).parents[3]
END_SECONDS = 60


async def differences(secured: Secured) -> list[str]:
    async with administering(KafkaSettings(**secured.with_certificate("admin"))) as cluster:
        return [f"{d.where} {d.what}" for d in await look(cluster, shapes(1, 1), rights())]


@pytest.fixture(scope="session")
async def prepared(secured: Secured) -> Secured:
    """With everything that is declared."""
    async with administering(KafkaSettings(**secured.with_certificate("admin"))) as cluster:
        await make_alike(cluster, shapes(1, 1), rights())
    return secured


@pytest.fixture
async def databases(mongodb_uri: str, database_name: str) -> AsyncIterator[list[MongoDatabase]]:
    names = (f"{database_name}intake", f"{database_name}care_plan")
    opened = [await open_database(mongodb_uri, name) for name in names]
    yield opened
    for database in opened:
        await database.close()


async def test_what_is_declared_is_missing_then_made_and_then_all_there(secured: Secured) -> None:
    before = await differences(secured)
    assert {f"{name} topic" for name in topics()} <= set(before)
    assert "User:intake Write topic" in before
    async with administering(KafkaSettings(**secured.with_certificate("admin"))) as cluster:
        assert await make_alike(cluster, shapes(1, 1), rights()) == []
    assert await differences(secured) == []


async def test_too_few_partitions_and_too_short_a_retention_are_named_and_mended(prepared: Secured) -> None:
    changed = [shape for shape in shapes(1, 1) if shape.name == "dashboard.dead-letters"]
    wanted = [type(s)(s.name, 3, 1, s.configs | {"retention.ms": "99999999999"}) for s in changed]
    async with administering(KafkaSettings(**prepared.with_certificate("admin"))) as cluster:
        found = await look(cluster, wanted, None)
        assert [(d.what, d.found, d.wanted) for d in found] == [
            ("partitions", "1", "3"),
            ("retention.ms", "31536000000", "99999999999"),
        ]
        assert await make_alike(cluster, wanted, None) == []
        (left,) = await look(cluster, changed, None)  # the longer retention stays
        assert (left.what, left.found, left.mend) == ("partitions", "3", ""), "none is ever taken away"


@pytest.mark.parametrize("how", ["with_password", "with_certificate"])
async def test_services_speak_to_each_other_with_no_more_than_their_rights(
    prepared: Secured, databases: list[MongoDatabase], how: str
) -> None:
    sender, receiver = databases
    intake = messaging("intake", getattr(prepared, how)("intake"), sender, [])
    work = Subscription("work", Reactions({inbound(): when_intake_completed_count_it}))
    care_plan = messaging("care_plan", getattr(prepared, how)("care_plan"), receiver, [work])
    name = f"r-{how}"
    async with running(intake), running(care_plan):
        await announce(sender, [name], count=3)
        await eventually(lambda: told(receiver, name), within=30, that="all three arrived")


def messaging(
    service: str, reached: dict[str, Any], database: MongoDatabase, subscriptions: list[Subscription]
) -> Messaging:
    settings = Settings(environment="production", instance="one", jwks="https://id.example/keys", **reached)
    return Messaging(
        service,
        settings=settings,
        database=database,
        subscriptions=subscriptions,
        open_work=lambda: Counting(database),
    )


async def told(database: MongoDatabase, name: str) -> bool:
    return (await amounts(database)).get(name) == [1, 2, 3]


async def test_nobody_writes_what_is_anothers_to_announce(prepared: Secured) -> None:
    settings = KafkaSettings(**prepared.with_password("intake"))
    producer = AIOKafkaProducer(**connection(settings), request_timeout_ms=5000)
    await producer.start()
    try:
        with pytest.raises(KafkaError):
            await producer.send_and_wait("care-plan.plans", b"{}")
    finally:
        await producer.stop()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"kafka_password": "another"}, "KITH_KAFKA_USERNAME and KITH_KAFKA_PASSWORD: Kafka refuses them"),
        ({"kafka_ca_file": "other-ca.pem"}, "KITH_KAFKA_CA_FILE: does not vouch for the certificate"),
        ({"how": "stranger"}, "KITH_KAFKA_CERTIFICATE_FILE: Kafka does not accept our certificate"),
    ],
)
async def test_a_service_that_is_refused_ends_at_once_and_names_the_setting(
    prepared: Secured, mongodb_uri: str, database_name: str, given: dict[str, str], said: str
) -> None:
    reached = prepared.with_password("intake")
    if given.pop("how", None):
        stranger = prepared.folder / "stranger.pem"
        reached = prepared.with_certificate("intake", kafka_certificate_file=stranger)
    if "kafka_ca_file" in given:
        given["kafka_ca_file"] = str(prepared.folder / given["kafka_ca_file"])
    ended = await asyncio.to_thread(run_intake, mongodb_uri, database_name, reached | given)
    assert (ended.returncode, said in ended.stderr) == (2, True), ended.stderr


def run_intake(mongodb: str, prefix: str, reached: dict[str, Any]) -> "subprocess.CompletedProcess[str]":
    given = reached | {
        "mongodb": mongodb,
        "database_prefix": prefix,
        "jwks": "https://id.example/keys",
        "http_port": "0",
    }
    environment = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    environment |= {f"{PREFIX}{name}".upper(): str(value) for name, value in given.items()}
    command = [sys.executable, "-m", "services.intake"]
    return subprocess.run(  # noqa: S603  (ours, in this Python)
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=END_SECONDS, check=False
    )
