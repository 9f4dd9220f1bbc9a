"""Reads every topic continuously from its beginning, outside any group, to see what was really published."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from time import time
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from deploy.embedded.broker import Broker, misshapen_topics
from shared.messaging.kafka import within
from shared.messaging.topics import topics

LIMIT_SECONDS = 10.0


@dataclass(frozen=True)
class Published:
    """One record in the log of one epoch; `seen` is the wall-clock time in seconds."""

    epoch: str
    topic: str
    partition: int
    offset: int
    key: str
    id: str
    type: str
    subject: str
    sequence: int
    correlation: str
    seen: float


@dataclass
class Tap:
    """Restarts with every epoch of the broker, because the log restarted too."""

    broker: Broker
    records: list[Published] = field(default_factory=list)
    raw: dict[tuple[str, str, int, int], Any] = field(default_factory=dict)
    """(epoch, topic, partition, offset) → the record as aiokafka read it, for replays. This epoch's only."""

    _places: set[tuple[str, str, int, int]] = field(default_factory=set)
    _task: "asyncio.Task[None] | None" = None
    _is_over: bool = False
    """Set in addition to the cancellation, which a wait ending at the same moment may swallow."""

    async def __aenter__(self) -> "Tap":
        self._task = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._is_over = True
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    def ids(self, epoch: str) -> set[str]:
        return {record.id for record in self.records if record.epoch == epoch}

    async def _read(self) -> None:
        while not self._is_over:
            try:
                await self._read_epoch(self.broker.cluster_id)
            except (KafkaError, OSError, TimeoutError, AssertionError, ValueError):
                await asyncio.sleep(0.1)

    async def _read_epoch(self, epoch: str) -> None:
        if await misshapen_topics(self.broker.address, topics().values()):
            await asyncio.sleep(0.05)  # reading a missing topic would create it, with other partitions
            return
        self.raw = {}
        known = self._offsets(epoch)
        async with _reading(self.broker.address, known) as consumer:
            while self.broker.cluster_id == epoch and not self._is_over:
                self._note(epoch, await _some(consumer, 100))

    async def read_again(self) -> int:
        """Read this epoch's log from its beginning; return the number of records missed before."""
        epoch, before = self.broker.cluster_id, len(self.records)
        try:
            async with _reading(self.broker.address, {}) as consumer:
                while found := await _some(consumer, 1000):
                    self._note(epoch, found)
        except (KafkaError, OSError, TimeoutError):
            return 0
        return len(self.records) - before

    def _offsets(self, epoch: str) -> dict[tuple[str, int], int]:
        """Offsets at which to resume an epoch that was read before."""
        following: dict[tuple[str, int], int] = {}
        for record in self.records:
            if record.epoch == epoch:
                following[record.topic, record.partition] = record.offset + 1
        return following

    def _note(self, epoch: str, found: Mapping[Any, Sequence[Any]]) -> None:
        for record in (record for batch in found.values() for record in batch):
            place = (epoch, record.topic, record.partition, record.offset)
            if place not in self._places:
                self._places.add(place)
                self.raw[place] = record
                self.records.append(_published(epoch, record))


async def _some(consumer: AIOKafkaConsumer, wait_ms: int) -> Mapping[Any, Sequence[Any]]:
    """Poll for records. Raises `TimeoutError`."""
    async with asyncio.timeout(LIMIT_SECONDS):
        return await consumer.getmany(timeout_ms=wait_ms)  # type: ignore[no-any-return]


@asynccontextmanager
async def _reading(address: str, known: Mapping[tuple[str, int], int]) -> AsyncIterator[AIOKafkaConsumer]:
    """A consumer of every partition, from the `known` offsets or the beginning."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=address,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        fetch_max_wait_ms=50,
        request_timeout_ms=5000,
    )
    try:
        async with asyncio.timeout(LIMIT_SECONDS):
            await consumer.start()
        places = [
            TopicPartition(t.name, n)
            for t in topics().values()
            for n in range(t.partitions_on(embedded=True))
        ]
        consumer.assign(places)
        for place in places:
            consumer.seek(place, known.get((place.topic, place.partition), 0))
        yield consumer
    finally:
        await within(3, consumer.stop(), "tap")


def _published(epoch: str, record: Any) -> Published:
    headers = {name: value.decode("utf-8", "replace") for name, value in record.headers if value}
    sequence = headers.get("ce_sequence", "0")
    return Published(
        epoch=epoch,
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        key=(record.key or b"").decode("utf-8", "replace"),
        id=headers.get("ce_id", ""),
        type=headers.get("ce_type", ""),
        subject=headers.get("ce_subject", ""),
        sequence=int(sequence) if sequence.isdigit() else 0,
        correlation=headers.get("ce_correlationid", ""),
        seen=time(),
    )
