"""The real servers tests run on: one mongod and one broker per test session, more brokers on demand."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from deploy.embedded.servers import Broker, Mongod, free_ports
from shared.mongo import MongoDatabase

MakeBroker = Callable[[], Awaitable[Broker]]


@asynccontextmanager
async def running_mongod(folder: Path) -> AsyncIterator[Mongod]:
    mongod = Mongod(folder / "mongod", free_ports(1), folder / "mongod.log")
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
