"""The baseline: produce → consume on the same broker with the same fetch wait, nothing in between."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from time import perf_counter

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from deploy.embedded.servers import create_topics
from shared.messaging.topics import EMBEDDED_PARTITIONS, Topic

NAME = "bench.raw"
FETCH_WAIT_MS = 20
"""The services' own setting (deploy.embedded.plan)."""

WITHIN = 30


@dataclass
class Raw:
    producer: AIOKafkaProducer
    consumer: AIOKafkaConsumer
    sent: int = 0

    async def trip(self) -> float:
        """Milliseconds from sending a message to receiving it."""
        self.sent += 1
        key = f"pat_{self.sent:032x}".encode()
        listening = asyncio.create_task(self.consumer.getone())
        begun = perf_counter()
        await self.producer.send(NAME, b"x" * 400, key=key)
        record = await asyncio.wait_for(listening, WITHIN)
        took = (perf_counter() - begun) * 1000
        if record.key != key:
            raise LookupError("another message came than was sent")
        return took


@asynccontextmanager
async def raw(address: str) -> AsyncIterator[Raw]:
    declared = Topic(
        name=NAME, producer="-", consumers=(), partitions=EMBEDDED_PARTITIONS, lane="crisis", types=()
    )
    await create_topics(address, [declared])
    producer = AIOKafkaProducer(bootstrap_servers=address, acks="all", linger_ms=0)
    consumer = AIOKafkaConsumer(
        bootstrap_servers=address, fetch_max_wait_ms=FETCH_WAIT_MS, enable_auto_commit=False
    )
    consumer.assign([TopicPartition(NAME, number) for number in range(EMBEDDED_PARTITIONS)])
    await producer.start()
    await consumer.start()
    try:
        await consumer.seek_to_end()
        yield Raw(producer, consumer)
    finally:
        await consumer.stop()
        await producer.stop()
