"""Messages that come twice, out of order or torn, written straight into the topics."""

from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from aiokafka import AIOKafkaProducer

from tests.chaos.faults.base import Fault, Scene
from tests.chaos.history import Planted

AGAIN = 60
"""How many records come a second time."""

TORN = (b"IntakeCompleted", b"SessionAttended", b"CrisisFlagRaised", b"AlertRaised")
"""Types that every consumer of their topic reads: one that is ignored may be torn."""

Headers = list[tuple[str, bytes]]


@dataclass
class _Writer:
    """Writes records into the broker's topics as no relay would."""

    scene: Scene
    producer: AIOKafkaProducer

    async def write(self, record: Any, *, value: bytes, headers: Headers, key: bytes, torn: bool) -> None:
        sent = await self.producer.send_and_wait(record.topic, value, key=key, headers=headers)
        broker = self.scene.stack.broker
        self.scene.planted.append(
            Planted(broker.cluster_id, sent.topic, sent.partition, sent.offset, key.decode(), torn)
        )

    async def again(self, record: Any) -> None:
        await self.write(record, value=record.value, headers=list(record.headers), key=record.key, torn=False)


async def _writing(scene: Scene) -> _Writer:
    producer = AIOKafkaProducer(
        bootstrap_servers=scene.stack.broker.address, acks="all", request_timeout_ms=5000
    )
    await producer.start()
    return _Writer(scene, producer)


def _some(scene: Scene, count: int) -> list[Any]:
    """Records of this epoch, in their order."""
    places = sorted(scene.tap.raw)
    chosen = sorted(scene.random.sample(places, min(count, len(places))))
    return [scene.tap.raw[place] for place in chosen]


async def duplicate(scene: Scene) -> None:
    writer = await _writing(scene)
    try:
        for record in _some(scene, AGAIN):
            await writer.again(record)
    finally:
        await writer.producer.stop()


async def reorder(scene: Scene) -> None:
    """Old ones backwards; and a new subject's second message before its first."""
    writer = await _writing(scene)
    try:
        for record in reversed(_some(scene, AGAIN)):
            await writer.again(record)
        record = next(r for r in scene.tap.raw.values() if ("ce_type", b"ReferralReceived") in r.headers)
        key = f"chaos-{uuid4().hex[:12]}".encode()
        for sequence in (2, 1):
            headers = renamed(record.headers, key, sequence)
            await writer.write(record, value=record.value, headers=headers, key=key, torn=False)
    finally:
        await writer.producer.stop()


async def tear(scene: Scene) -> None:
    """Half a body, and no envelope at all, in every kind of topic."""
    writer = await _writing(scene)
    try:
        for type in TORN:
            record = next((r for r in scene.tap.raw.values() if ("ce_type", type) in r.headers), None)
            if record is None:
                continue
            key = f"chaos-{uuid4().hex[:12]}".encode()
            half = record.value[: len(record.value) // 2]
            headers = renamed(record.headers, key, 1)
            await writer.write(record, value=half, headers=headers, key=key, torn=True)
            await writer.write(record, value=half, headers=[], key=key, torn=True)
    finally:
        await writer.producer.stop()


def renamed(headers: Any, key: bytes, sequence: int) -> Headers:
    """The envelope of a message of somebody new."""
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
