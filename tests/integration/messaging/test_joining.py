"""A consumer on its way into its group."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from faststream.kafka import KafkaBroker

from deploy.embedded.ports import LOOPBACK
from shared.messaging.consumer import Consumer, Subscription
from shared.messaging.flow import Flow
from shared.messaging.reactions import Reactions
from shared.mongo import MongoDatabase
from shared.settings import Settings
from tests.support.eventually import eventually
from tests.support.letters import Counting, inbound, when_intake_completed_count_it


@asynccontextmanager
async def silent_broker() -> AsyncIterator[str]:
    """Takes connections and never answers, as one that is just starting."""

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            await reader.read(-1)
        writer.close()

    async with await asyncio.start_server(listen, LOOPBACK, 0) as server:
        yield f"{LOOPBACK}:{server.sockets[0].getsockname()[1]}"


async def test_a_consumer_that_is_still_connecting_has_no_positions_yet(database: MongoDatabase) -> None:
    async with silent_broker() as address:
        settings = Settings(environment="development", kafka=address, embedded_broker=True, jwks="unused")
        consumer = Consumer(
            Subscription("work", Reactions({inbound(): when_intake_completed_count_it}), own_group=True),
            service="care_plan",
            settings=settings,
            database=database,
            open_work=lambda: Counting(database),
            flow=Flow(),
        )
        broker = KafkaBroker(address, logger=None, consumer_only=True)
        await broker.connect()
        joining = asyncio.create_task(consumer.begin(broker, "kith-epoch-1"))
        try:
            await eventually(lambda: consumer.assigned or joining.done())
            assert consumer.assigned
            assert await consumer.positions() == {}
        finally:
            joining.cancel()
            await asyncio.gather(joining, return_exceptions=True)
            await broker.stop()
