"""Many messages to Kafka at once: a batch per partition, not a promise per message."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from struct import unpack
from typing import Any

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import UnknownTopicOrPartitionError

from shared.messaging.envelope import Envelope
from shared.messaging.flow import Place

log = structlog.get_logger()

M, MASK = 0x5BD1E995, 0xFFFFFFFF

NOWHERE = -1
"""The partition of whatever belongs to a topic whose partitions nobody tells."""

TRY_AGAIN_SECONDS = 0.2


class Publisher:
    """Publishes in the order given, per partition; the key says which partition (murmur2, as Kafka's own).

    A partition that refuses delays only its own messages: it is tried beside the others, and gets nothing
    else until the caller begins with what it refused (`readmit`). `wake` is called when it takes one again.
    """

    def __init__(self, producer: AIOKafkaProducer, wake: Callable[[], None] = lambda: None) -> None:
        self._producer, self._wake = producer, wake
        self._refusing: dict[Place, asyncio.Task[None]] = {}
        """Where something was refused, with what tries whether it takes anything again."""

    async def start(self) -> None:
        await self._producer.start()

    async def stop(self) -> None:
        self.forget_refusals()
        await self._producer.stop()

    def forget_refusals(self) -> None:
        """Try no more what was refused: another replica does."""
        for trying in self._refusing.values():
            trying.cancel()
        self._refusing.clear()

    async def publish(self, messages: Sequence[Envelope]) -> tuple[dict[Place, int], list[Envelope]]:
        """Return when each is acknowledged or refused.

        The next offset of each partition that took all of its messages, and the messages of the others, some
        of which may have been published all the same.
        """
        counts = {topic: await self._count(topic) for topic in {message.topic for message in messages}}
        parts: defaultdict[Place, list[Envelope]] = defaultdict(list)
        for message in messages:
            parts[message.topic, partition_of(message.key, counts[message.topic])].append(message)
        asked = [place for place in parts if place not in self._refusing]
        answers = await asyncio.gather(
            *(self._publish(*place, parts[place]) for place in asked), return_exceptions=True
        )
        reached: dict[Place, int] = {}
        for place, answer in zip(asked, answers, strict=True):
            if isinstance(answer, BaseException):
                self._note_refusal(place, parts[place][0], answer)
            else:
                reached[place] = answer
        return reached, [message for place in parts.keys() - reached.keys() for message in parts[place]]

    def readmit(self) -> bool:
        """Publish again where something is taken again; whether there is such a place.

        What was refused there comes next, or what was announced after it would overtake it.
        """
        taking = [place for place, trying in self._refusing.items() if trying.done()]
        for topic, partition in taking:
            del self._refusing[topic, partition]
            log.info("partition takes messages again", topic=topic, partition=partition)
        return bool(taking)

    def _note_refusal(self, place: Place, first: Envelope, error: BaseException) -> None:
        log.warning("partition refuses", topic=place[0], partition=place[1], error=type(error).__name__)
        self._refusing[place] = asyncio.create_task(self._try(first))

    async def _try(self, message: Envelope) -> None:
        """Publish one message until it is acknowledged. It is published again with the others then."""
        while True:
            try:
                partitions = len(await self._producer.partitions_for(message.topic))
                await self._publish(message.topic, partition_of(message.key, partitions), [message])
            except Exception:
                await asyncio.sleep(TRY_AGAIN_SECONDS)
            else:
                break
        self._wake()

    async def _count(self, topic: str) -> int:
        """How many partitions a topic has; 0 where nobody tells."""
        if (topic, NOWHERE) in self._refusing:
            return 0
        try:
            return len(await self._producer.partitions_for(topic))
        except Exception:  # what it was is found again where the topic is tried
            return 0

    async def _publish(self, topic: str, partition: int, messages: Sequence[Envelope]) -> int:
        """One batch after the other: where one is refused, none goes on past it."""
        if partition == NOWHERE:
            raise UnknownTopicOrPartitionError
        reached = 0
        for batch in self._batches(messages):
            acknowledged = await self._producer.send_batch(batch, topic, partition=partition)
            reached = int((await acknowledged).offset) + batch.record_count()
        return reached

    def _batches(self, messages: Sequence[Envelope]) -> Iterator[Any]:
        """As few as the size of a batch allows."""
        batch = self._producer.create_batch()
        for message in messages:
            record = {
                "timestamp": None,
                "key": message.key.encode(),
                "value": message.body,
                "headers": message.headers(),
            }
            if batch.append(**record) is None:
                yield batch
                batch = self._producer.create_batch()
                batch.append(**record)
        yield batch


@lru_cache(maxsize=4096)  # what one batch announces of a patient is what hits
def partition_of(key: str, partitions: int) -> int:
    """Where Kafka's default partitioner puts a key; nowhere, where there are no partitions."""
    return (murmur2(key.encode()) & 0x7FFFFFFF) % partitions if partitions else NOWHERE


def murmur2(data: bytes) -> int:
    """Kafka's hash of a key, 32 bits, in half the time of aiokafka's own."""
    whole = len(data) // 4
    hashed = 0x9747B28C ^ len(data)
    for word in unpack(f"<{whole}I", data[: 4 * whole]):
        mixed = word * M & MASK
        hashed = hashed * M & MASK ^ (mixed ^ mixed >> 24) * M & MASK
    if rest := data[4 * whole :]:
        hashed = (hashed ^ int.from_bytes(rest, "little")) * M & MASK
    hashed = (hashed ^ hashed >> 13) * M & MASK
    return hashed ^ hashed >> 15
