"""Reads the whole log of some topics once from its beginning, outside any consumer group."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import chain
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from shared.messaging.connection import connection
from shared.messaging.envelope import Record
from shared.messaging.kafka import Cluster
from shared.messaging.topics import topic
from shared.settings import Settings

POLL_MS = 200


class Log:
    """`epoch`: the cluster's id. Positions count messages, not bytes."""

    def __init__(self, consumer: AIOKafkaConsumer, epoch: str, first: dict[Any, int]) -> None:
        self._consumer, self.epoch, self._first = consumer, epoch, first

    async def some(self, at_most: int | None = None) -> Sequence[Record]:
        """Return the next records, or none after `POLL_MS`. Batches are whole unless `at_most` cuts one."""
        found = await self._consumer.getmany(timeout_ms=POLL_MS, max_records=at_most)
        return list(chain.from_iterable(found.values()))

    async def ends(self) -> Mapping[Any, int]:
        """Return the log's present end by partition; some brokers report the start of the last batch."""
        ends: Mapping[Any, int] = await self._consumer.end_offsets(list(self._first))
        return ends

    async def has_reached(self, ends: Mapping[Any, int]) -> bool:
        """Whether everything up to these ends was read. Call `some` without `at_most` before."""
        return all([await self._consumer.position(place) >= end for place, end in ends.items()])

    async def progress(self) -> tuple[int, int]:
        """Return how many messages were read, and how many there are now according to `ends`."""
        ends = await self.ends()
        read = [await self._consumer.position(place) - first for place, first in self._first.items()]
        return sum(read), sum(ends[place] - first for place, first in self._first.items())


class LogReplaced(RuntimeError):
    """The log was replaced while it was being opened, so its offsets are unusable."""


@asynccontextmanager
async def reading(settings: Settings, names: Sequence[str]) -> AsyncIterator[Log]:
    """Open a log. Raises `LogReplaced`, and `KafkaError` or `OSError` when no broker answers."""
    places = [
        TopicPartition(name, number)
        for name in names
        for number in range(topic(name).partitions_on(embedded=settings.embedded_broker))
    ]
    cluster = Cluster(settings)
    consumer = AIOKafkaConsumer(**connection(settings), enable_auto_commit=False)
    consumer.assign(places)
    try:
        epoch = await cluster.identity()
        await consumer.start()
        first = await consumer.beginning_offsets(places)
        if await cluster.identity() != epoch:
            raise LogReplaced
        for place, offset in first.items():
            consumer.seek(place, offset)
        yield Log(consumer, epoch, first)
    finally:
        await consumer.stop()
        await cluster.close()
