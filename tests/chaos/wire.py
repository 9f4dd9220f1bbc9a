"""The two protocols our services speak to servers: where a frame ends, what it is, whose address it tells.

Both servers tell clients where to connect. A proxy puts its own address in the place of theirs (the same
number of bytes, so nothing else moves), or clients would go around it after their first question.
"""

import asyncio
import struct
from dataclasses import dataclass

from deploy.embedded.ports import LOOPBACK

PRODUCE, OFFSET_COMMIT = 0, 8
"""Kafka's request keys."""

LARGEST = 64 * 1024 * 1024


class BrokenFrame(ConnectionError):
    """What came is none of the protocol's frames."""


@dataclass(frozen=True)
class Kafka:
    """Frames are a big-endian length and that many bytes."""

    server: int
    proxy: int

    async def read(self, reader: asyncio.StreamReader) -> bytes:
        head = await reader.readexactly(4)
        (length,) = struct.unpack(">i", head)
        if not 0 <= length <= LARGEST:
            raise BrokenFrame
        return head + await reader.readexactly(length)

    def answered(self, frame: bytes) -> bytes:
        """An answer with our address instead of the broker's."""
        host = LOOPBACK.encode()
        return frame.replace(host + struct.pack(">i", self.server), host + struct.pack(">i", self.proxy))


@dataclass(frozen=True)
class Mongo:
    """Messages begin with their little-endian length, itself included. Ports have five digits here."""

    server: int
    proxy: int

    async def read(self, reader: asyncio.StreamReader) -> bytes:
        head = await reader.readexactly(4)
        (length,) = struct.unpack("<i", head)
        if not 16 <= length <= LARGEST:
            raise BrokenFrame
        return head + await reader.readexactly(length - 4)

    def answered(self, frame: bytes) -> bytes:
        """An answer with our address instead of mongod's."""
        return frame.replace(f"{LOOPBACK}:{self.server}".encode(), f"{LOOPBACK}:{self.proxy}".encode())


Protocol = Kafka | Mongo


def is_produce(frame: bytes) -> bool:
    return frame[4:6] == struct.pack(">h", PRODUCE)


def is_offset_commit(frame: bytes) -> bool:
    return frame[4:6] == struct.pack(">h", OFFSET_COMMIT)


def is_produce_to_dead_letters(frame: bytes) -> bool:
    return is_produce(frame) and b".dead-letters" in frame


def is_transaction_commit(frame: bytes) -> bool:
    return b"commitTransaction\x00" in frame


def is_relay_mark(frame: bytes) -> bool:
    """The relay's note that a batch is published: an update of the outbox that takes `pending` away."""
    return b"update\x00\x07\x00\x00\x00outbox\x00" in frame and b"$unset" in frame
