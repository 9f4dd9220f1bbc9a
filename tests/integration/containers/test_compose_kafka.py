"""Kafka as in the compose file: it asks for a password; a service's user has its own rights and no more."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError, TopicAuthorizationFailedError
from testcontainers.core.container import DockerContainer

from deploy.compose.prepare import prepare_kafka
from deploy.compose.servers import SERVICES
from deploy.embedded.servers import NotReady, attempts, free_ports
from deploy.topics.alike import look
from deploy.topics.cluster import administering
from deploy.topics.declared import shapes
from deploy.topics.rights import rights
from shared.errors import SettingRefused
from shared.messaging.connection import connection, require_not_refused
from shared.settings import KafkaSettings
from tests.support.containers import KAFKA, READY_SECONDS, running, said

ROOT = Path(__file__).parents[3]
ADMIN = "a1d2m3i4n5"
PASSWORDS = {service: f"{service}0f0f" for service in SERVICES}
READ_MS = 3000


def known(address: str, who: str, password: str) -> KafkaSettings:
    return KafkaSettings(
        environment="development",
        kafka=address,
        kafka_security="SASL_PLAINTEXT",
        kafka_username=who,
        kafka_password=password,
    )


@asynccontextmanager
async def composed_kafka() -> AsyncIterator[str]:
    """Its address: the command and the settings are the compose file's, the name it advertises is not."""
    port = free_ports(1)
    declared: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]["kafka"]
    command = [part.replace("$$", "$") for part in declared["command"]]
    container = DockerContainer(KAFKA).with_bind_ports(9092, port).with_command(command)
    changed = {"KAFKA_ADVERTISED_LISTENERS": f"CLIENTS://127.0.0.1:{port}", "ADMIN_PASSWORD": ADMIN}
    for name, value in (declared["environment"] | changed).items():
        container.with_env(name, str(value))
    async with running(container):
        async for _ in attempts(READY_SECONDS, pause=0.5):
            try:
                await prepare_kafka(known(f"127.0.0.1:{port}", "admin", ADMIN), PASSWORDS)
            except (KafkaError, OSError):
                continue
            break
        else:
            raise NotReady(f"{KAFKA} did not answer within {READY_SECONDS:g} s\n{said(container)}")
        yield f"127.0.0.1:{port}"


@pytest.fixture(scope="session")
async def kafka() -> AsyncIterator[str]:
    async with composed_kafka() as address:
        yield address


async def read(settings: KafkaSettings, topic: str) -> None:
    """Raises what Kafka says to reading the first partition."""
    consumer = AIOKafkaConsumer(**connection(settings))
    await consumer.start()
    try:
        consumer.assign([TopicPartition(topic, 0)])
        await consumer.getmany(timeout_ms=READ_MS)
    finally:
        await consumer.stop()


async def test_a_services_user_reads_what_it_reacts_to_and_nothing_else(kafka: str) -> None:
    care_plan = known(kafka, "care_plan", PASSWORDS["care_plan"])
    await read(care_plan, "intake.referrals")
    with pytest.raises(TopicAuthorizationFailedError):
        await read(care_plan, "care-plan.plans")


async def test_whoever_has_no_password_is_not_let_in(kafka: str) -> None:
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka, request_timeout_ms=3000)
    with pytest.raises(KafkaError):
        await consumer.start()
    await consumer.stop()


@pytest.mark.parametrize("service", SERVICES)
async def test_a_wrong_password_is_a_refusal_that_names_the_setting(kafka: str, service: str) -> None:
    await require_not_refused(connection(known(kafka, service, PASSWORDS[service])))
    with pytest.raises(SettingRefused, match="kafka_username and kafka_password"):
        await require_not_refused(connection(known(kafka, service, ADMIN)))


async def test_the_setup_again_changes_nothing_but_passwords(kafka: str) -> None:
    admin = known(kafka, "admin", ADMIN)
    await prepare_kafka(admin, PASSWORDS | {"alerts": "c0ffee"})
    await require_not_refused(connection(known(kafka, "alerts", "c0ffee")))
    async with administering(admin) as cluster:
        assert await look(cluster, shapes(1, 1), rights()) == []
    await prepare_kafka(admin, PASSWORDS)
    await require_not_refused(connection(known(kafka, "alerts", PASSWORDS["alerts"])))


async def test_a_setup_that_is_no_administrator_is_told_how_to_become_one(kafka: str) -> None:
    with pytest.raises(SettingRefused, match=r"KAFKA_ADMIN_PASSWORD: .* docker volume rm kith_kafka"):
        await prepare_kafka(known(kafka, "admin", "another"), PASSWORDS)
