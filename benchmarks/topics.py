"""Access to topics from outside: fill a topic, read all of it, read a group's offsets."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from benchmarks.lab import partitions_of
from shared.messaging.envelope import Envelope

AT_ONCE = 1000
PATIENCE = 10.0


class Shortfall(Exception):
    """Effects are missing or too many: the figure would be worthless."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One message of a topic. `at`: when its producer sent it, in seconds since 1970."""

    id: str
    type: str
    subject: str
    at: float


async def produce(address: str, envelopes: Sequence[Envelope]) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=address, acks="all", linger_ms=5)
    await producer.start()
    try:
        for start in range(0, len(envelopes), AT_ONCE):
            part = envelopes[start : start + AT_ONCE]
            sent = [
                await producer.send(e.topic, e.body, key=e.key.encode(), headers=e.headers()) for e in part
            ]
            await asyncio.gather(*sent)
    finally:
        await producer.stop()


async def read(address: str, name: str, *, expected: int, kind: str | None = None) -> list[Seen]:
    """Read the topic from its beginning until `expected` messages (of type `kind`) and no more arrive.

    If some are missing, returns the others `PATIENCE` seconds after the last arrival.
    """
    places = [TopicPartition(name, number) for number in range(partitions_of(name))]
    consumer = AIOKafkaConsumer(
        bootstrap_servers=address, enable_auto_commit=False, fetch_max_wait_ms=50, check_crcs=False
    )
    consumer.assign(places)
    await consumer.start()
    found: list[Seen] = []
    heard = monotonic()
    try:
        await consumer.seek_to_beginning(*places)
        while monotonic() - heard < (PATIENCE if len(found) < expected else 0.3):
            records = await consumer.getmany(timeout_ms=100, max_records=5000)
            new = [_seen(record) for part in records.values() for record in part]
            heard = monotonic() if new else heard
            found += [seen for seen in new if kind in (None, seen.type)]
    finally:
        await consumer.stop()
    return found


def _seen(record: "object") -> Seen:
    headers = dict(record.headers)  # type: ignore[attr-defined]
    return Seen(
        headers["ce_id"].decode(),
        headers["ce_type"].decode(),
        headers["ce_subject"].decode(),
        record.timestamp / 1000,  # type: ignore[attr-defined]
    )


async def committed(address: str, group: str, name: str) -> int:
    """The number of a topic's messages that a group has committed."""
    admin = AIOKafkaAdminClient(bootstrap_servers=address)
    await admin.start()
    try:
        places = [TopicPartition(name, number) for number in range(partitions_of(name))]
        offsets = await admin.list_consumer_group_offsets(group, partitions=places)
    finally:
        await admin.close()
    return sum(max(0, meta.offset) for meta in offsets.values())


async def all_committed(address: str, group: str, name: str, expected: int) -> None:
    """Raises `Shortfall` if the group's offsets do not reach the end of the topic."""
    until, found = monotonic() + PATIENCE, -1
    while monotonic() < until:
        found = await committed(address, group, name)
        if found == expected:
            return
        await asyncio.sleep(0.1)
    raise Shortfall(f"{group} committed {found} of {expected} messages of {name}")
