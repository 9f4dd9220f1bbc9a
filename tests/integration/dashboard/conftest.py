"""The dashboard as it is shipped, on a real database and a real broker."""

import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from aiokafka import AIOKafkaProducer
from fastapi import FastAPI

from services.dashboard.app import build
from services.dashboard.settings import DashboardSettings
from shared.auth import mint, new_development_key, public_jwks
from shared.http import commands
from shared.messaging import consumption, lease, outbox
from shared.messaging.envelope import Envelope
from shared.messaging.publishing import Publisher
from shared.mongo import MongoDatabase
from shared.process import Process
from shared.service import Service
from tests.support.letters import delivered
from tests.support.servers import kafka_settings

KEY = new_development_key()


@dataclass
class Dashboard:
    """The service under test; what it hears is put into its hands, and into the log."""

    service: Service
    kafka: str

    def __post_init__(self) -> None:
        self.process = Process(self.service)
        self.app: FastAPI = self.process.app()

    @property
    def database(self) -> MongoDatabase:
        return self.service.database

    async def take(self, messages: Sequence[Envelope]) -> None:
        (consumer,) = self.process.messaging.consumers
        await consumer.consumption.take([delivered(message) for message in messages])

    async def publish(self, messages: Sequence[Envelope]) -> None:
        publisher = Publisher(AIOKafkaProducer(bootstrap_servers=self.kafka, acks="all"))
        await publisher.start()
        await publisher.publish(messages)
        await publisher.stop()

    async def stored(self, collection: str) -> list[dict[str, Any]]:
        return [row async for row in self.database[collection].find().sort("_id", 1)]

    def as_(self, role: str, clinic: str = "*", subject: str = "somebody") -> httpx2.AsyncClient:
        token = mint(KEY, subject=subject, roles=[role], clinic=clinic)
        return httpx2.AsyncClient(
            transport=httpx2.ASGITransport(self.app),
            base_url="http://dashboard",
            headers={"Authorization": f"Bearer {token}"},
        )

    def nobody(self) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(transport=httpx2.ASGITransport(self.app), base_url="http://dashboard")


@pytest.fixture
def log_address(request: pytest.FixtureRequest) -> str:
    """A rebuild reads the whole log, so its tests have an empty one each; the others share the session's."""
    if request.module.__name__.endswith("test_rebuild"):
        return str(request.getfixturevalue("broker").address)
    return str(request.getfixturevalue("kafka"))


@pytest.fixture
async def dashboard(
    mongodb_uri: str, database_name: str, tmp_path: Path, log_address: str
) -> AsyncIterator[Dashboard]:
    (tmp_path / "jwks.json").write_text(json.dumps(public_jwks(KEY)))
    settings = DashboardSettings(
        environment="development",
        mongodb=mongodb_uri,
        database_prefix=database_name,
        kafka=log_address,
        jwks=str(tmp_path / "jwks.json"),
        **kafka_settings(),
    )
    service = build(settings)
    database = service.database
    names = [*service.collections, *consumption.COLLECTIONS, *commands.COLLECTIONS, outbox.COLLECTION]
    await database.ensure_collections([*names, lease.COLLECTION])
    await database.ensure_indexes(
        [*service.indexes, *consumption.INDEXES, *outbox.INDEXES, *commands.INDEXES]
    )
    yield Dashboard(service, log_address)
    await database.close()
