"""The services' two wire protocols: framing, recognition of requests, and server addresses in answers.

Both servers tell clients where to connect. A proxy replaces their address by its own (with the same number of
bytes, so nothing else moves), or clients would bypass it after their first request.
"""

import asyncio
import struct
from dataclasses import dataclass, field

from deploy.embedded.ports import LOOPBACK

PRODUCE, OFFSET_COMMIT = 0, 8
"""Kafka's request keys."""

LARGEST = 64 * 1024 * 1024
URGENT = (b"severity\x00\x05\x00\x00\x00high\x00", b"severity\x00\x09\x00\x00\x00moderate\x00")
LSID_BYTES, NUMBER_BYTES = 30, 8
"""Lengths of a BSON document with one UUID named `id`, and of a 64-bit integer."""


class BrokenFrame(ConnectionError):
    """The bytes read are not a frame of the protocol."""


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
        """An answer with the proxy's address instead of the broker's."""
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
        """An answer with the proxy's address instead of mongod's."""
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


def is_transaction_abort(frame: bytes) -> bool:
    return b"abortTransaction\x00" in frame


@dataclass
class PageCommit:
    """Recognises the commit of a transaction that creates an urgent page.

    It sees every request of its link. Transactions of a session are distinguished by number, so an aborted
    one leaves no state for the next.
    """

    _deciding: set[bytes] = field(default_factory=set)

    def __call__(self, frame: bytes) -> bool:
        transaction = transaction_of(frame)
        if is_urgent_page(frame):
            self._deciding.add(transaction)
        if not is_transaction_commit(frame) and not is_transaction_abort(frame):
            return False
        is_page = transaction in self._deciding
        self._deciding.discard(transaction)
        return is_page and is_transaction_commit(frame)


def is_urgent_page(frame: bytes) -> bool:
    """An insert of alerts' deliveries, at least one of them a page of high or moderate severity."""
    inserts = b"insert\x00\x0b\x00\x00\x00deliveries\x00" in frame
    is_page = b"queue\x00\x05\x00\x00\x00page\x00" in frame
    return inserts and is_page and any(severity in frame for severity in URGENT)


def transaction_of(frame: bytes) -> bytes:
    """The key of a request's transaction: session and number; empty outside of any."""
    session = frame.partition(b"lsid\x00")[2][:LSID_BYTES]
    return session + frame.partition(b"txnNumber\x00")[2][:NUMBER_BYTES]


def is_rename(frame: bytes) -> bool:
    """A request that renames a collection."""
    return b"renameCollection\x00" in frame


def is_relay_mark(frame: bytes) -> bool:
    """The relay's mark that a batch is published: an outbox update that unsets `pending`."""
    return b"update\x00\x07\x00\x00\x00outbox\x00" in frame and b"$unset" in frame
