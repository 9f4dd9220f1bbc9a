"""The real servers that tests run on: one mongod and one broker per test session, more brokers on demand.

With `KITH_TEST_SERVERS=containers` they are MongoDB and Apache Kafka in containers, not the embedded ones.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

from deploy.embedded.servers import Broker, Mongod, free_ports
from shared.mongo import MongoDatabase

MakeBroker = Callable[[], Awaitable[Broker]]

CHOICE = "KITH_TEST_SERVERS"


class AnyBroker(Protocol):
    """What every broker offers; only an embedded one can be killed and return empty."""

    @property
    def address(self) -> str: ...


def in_containers() -> bool:
    return os.environ.get(CHOICE, "embedded") == "containers"


def kafka_settings() -> dict[str, Any]:
    """Settings a service needs for the broker in use. Apache Kafka refuses session timeouts under 6 s."""
    if in_containers():
        return {"embedded_broker": False, "session_timeout_ms": 6000, "heartbeat_ms": 1000}
    return {"embedded_broker": True, "session_timeout_ms": 3000, "heartbeat_ms": 500}


@asynccontextmanager
async def service_settings() -> AsyncIterator[dict[str, str]]:
    """Extra settings for the services of a whole stack: none, or the addresses of their containers.

    The stack's own mongod and broker then run unused.
    """
    if not in_containers():
        yield {}
        return
    from tests.support.containers import apache_kafka, mongodb

    async with apache_kafka() as broker, mongodb() as uri:
        given = kafka_settings() | {"kafka": broker.address, "mongodb": uri}
        yield {name: str(value) for name, value in given.items()}


@asynccontextmanager
async def any_broker(folder: Path) -> AsyncIterator[AnyBroker]:
    """A broker with all declared topics, empty."""
    if in_containers():
        from tests.support.containers import apache_kafka

        async with apache_kafka() as broker:
            yield broker
    else:
        async with brokers(folder) as make:
            yield await make()


@asynccontextmanager
async def running_mongod(folder: Path, *options: str) -> AsyncIterator[Mongod]:
    mongod = Mongod(folder / "mongod", free_ports(1), folder / "mongod.log", options)
    mongod.start()
    try:
        await mongod.ready()
        yield mongod
    finally:
        mongod.kill()


@asynccontextmanager
async def brokers(folder: Path) -> AsyncIterator[MakeBroker]:
    """A function that starts a broker with all declared topics; every one is stopped at the end."""
    made: list[Broker] = []

    async def make() -> Broker:
        number = len(made) + 1
        broker = Broker(folder / f"broker-{number}", free_ports(1), folder / f"broker-{number}.log")
        made.append(broker)
        broker.start()
        await broker.ready()
        return broker

    try:
        yield make
    finally:
        for broker in made:
            broker.kill()


async def drop_databases(uri: str, prefix: str) -> None:
    """Drop every database whose name starts with `prefix`."""
    server = MongoDatabase(uri, "admin")
    try:
        names = [name for name in await server.client.list_database_names() if name.startswith(prefix)]
        await asyncio.gather(*(server.client.drop_database(name) for name in names))
    finally:
        await server.close()
