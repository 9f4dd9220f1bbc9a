"""Duplicate, reordered and torn messages, written directly into the topics."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import orjson
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from tests.chaos.faults.base import Fault, PointNotReached, Scene
from tests.chaos.history import Planted

AGAIN = 60
"""Number of records written a second time."""

TORN = (b"IntakeCompleted", b"SessionAttended", b"CrisisFlagRaised", b"AlertRaised")
"""Types that every consumer of their topic reads: a torn message of an ignored type would go unnoticed."""

Headers = list[tuple[str, bytes]]


@dataclass
class _Writer:
    """Writes records directly into the broker's topics, bypassing the relay."""

    scene: Scene
    producer: AIOKafkaProducer

    async def write(self, record: Any, *, value: bytes, headers: Headers, key: bytes, torn: bool) -> None:
        sent = await self.producer.send_and_wait(record.topic, value, key=key, headers=headers)
        broker = self.scene.stack.broker
        self.scene.planted.append(
            Planted(
                broker.cluster_id,
                sent.topic,
                sent.partition,
                sent.offset,
                key.decode(),
                torn=torn,
                enveloped=bool(headers),
            )
        )

    async def again(self, record: Any) -> None:
        await self.write(record, value=record.value, headers=list(record.headers), key=record.key, torn=False)


@asynccontextmanager
async def _writing(scene: Scene) -> AsyncIterator[_Writer]:
    """Raises `PointNotReached` if nothing was written: no record to start from, or no broker."""
    before = len(scene.planted)
    producer = AIOKafkaProducer(
        bootstrap_servers=scene.stack.broker.address, acks="all", request_timeout_ms=5000
    )
    try:
        await producer.start()
        yield _Writer(scene, producer)
    except KafkaError:
        pass  # the broker is disturbed too: keep what was written before
    finally:
        await producer.stop()
    if len(scene.planted) == before:
        raise PointNotReached


def _whole(scene: Scene) -> dict[tuple[str, str, int, int], Any]:
    """Records of this epoch by place, in the order read, without torn ones, which must not be repeated."""
    torn = {(p.epoch, p.topic, p.partition, p.offset) for p in scene.planted if p.torn}
    return {place: record for place, record in scene.tap.raw.items() if place not in torn}


def _some(scene: Scene, count: int) -> list[Any]:
    """A random sample of `count` records, in order of their places."""
    records = _whole(scene)
    places = sorted(records)
    chosen = sorted(scene.random.sample(places, min(count, len(places))))
    return [records[place] for place in chosen]


def _first(scene: Scene, type: bytes) -> Any:
    """The first record of this type that was read in this epoch, or `None`."""
    return next((r for r in _whole(scene).values() if ("ce_type", type) in r.headers), None)


async def duplicate(scene: Scene) -> None:
    async with _writing(scene) as writer:
        for record in _some(scene, AGAIN):
            await writer.again(record)


async def reorder(scene: Scene) -> None:
    """Repeat old records in reverse order, and write a new subject's second message before its first."""
    async with _writing(scene) as writer:
        for record in reversed(_some(scene, AGAIN)):
            await writer.again(record)
        key = f"chaos-{uuid4().hex[:12]}".encode()
        if (record := _first(scene, b"ReferralReceived")) is not None:
            nobody = {"patient_id": key.decode(), "referral_id": key.decode()}
            value = orjson.dumps(orjson.loads(record.value) | nobody)
            for sequence in (2, 1):
                headers = renamed(record.headers, key, sequence)
                await writer.write(record, value=value, headers=headers, key=key, torn=False)


async def tear(scene: Scene) -> None:
    """Write truncated bodies, with and without an envelope, for each type in `TORN`."""
    async with _writing(scene) as writer:
        for type in TORN:
            if (record := _first(scene, type)) is None:
                continue
            key = f"chaos-{uuid4().hex[:12]}".encode()
            half = record.value[: len(record.value) // 2]
            headers = renamed(record.headers, key, 1)
            await writer.write(record, value=half, headers=headers, key=key, torn=True)
            await writer.write(record, value=half, headers=[], key=key, torn=True)


def renamed(headers: Any, key: bytes, sequence: int) -> Headers:
    """The headers of a message, changed to a new id, subject, key and sequence."""
    changed = {
        "ce_id": uuid4().hex.encode(),
        "ce_subject": key,
        "ce_partitionkey": key,
        "ce_sequence": b"%d" % sequence,
    }
    return [(name, changed.get(name, value)) for name, value in headers]


ALL = [
    Fault("messages duplicated", duplicate, moment="request"),
    Fault("messages reordered", reorder, moment="request"),
    Fault("messages torn", tear, moment="step"),
]
