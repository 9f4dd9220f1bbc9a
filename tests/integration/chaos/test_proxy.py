"""The proxy between a service and a server: whole frames, our address in answers, and every way to fail."""

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import bson
import pytest

from deploy.embedded.ports import LOOPBACK, free_ports
from tests.chaos.proxy import Proxy, Trip
from tests.chaos.wire import (
    Kafka,
    Mongo,
    PageCommit,
    is_offset_commit,
    is_produce,
    is_relay_mark,
    is_transaction_commit,
)


def frame(body: bytes) -> bytes:
    return struct.pack(">i", len(body)) + body


@dataclass
class Echo:
    """A server that answers each frame with itself."""

    port: int
    heard: list[bytes] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        protocol = Kafka(self.port, self.port)
        try:
            while True:
                self.heard.append(await protocol.read(reader))
                writer.write(self.heard[-1])
                await writer.drain()
        except (asyncio.IncompleteReadError, OSError):
            writer.close()


@asynccontextmanager
async def linked() -> AsyncIterator["Link"]:
    port = free_ports(2)
    echo, proxy = Echo(port), Proxy(Kafka(port, port + 1))
    server = await asyncio.start_server(echo.serve, LOOPBACK, port)
    await proxy.start()
    link = Link(echo, proxy)
    try:
        yield link
    finally:
        for client in link.clients:
            client.writer.close()
        await proxy.stop()
        server.close()


class Client:
    """One connection through the proxy."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def say(self, body: bytes) -> None:
        self.writer.write(frame(body))

    async def hears(self, body: bytes) -> bool:
        told = await asyncio.wait_for(self.reader.readexactly(len(body) + 4), 5)
        return told == frame(body)

    async def waits(self) -> bool:
        """Whether nothing comes for a moment."""
        try:
            await asyncio.wait_for(self.reader.read(1), 0.1)
        except TimeoutError:
            return True
        return False

    async def is_cut_off(self) -> bool:
        try:
            return len(await asyncio.wait_for(self.reader.read(), 5)) < 4 + 5
        except ConnectionError:
            return True


@dataclass
class Link:
    echo: Echo
    proxy: Proxy
    clients: list[Client] = field(default_factory=list)

    async def connect(self) -> Client:
        self.clients.append(Client(*await asyncio.open_connection(LOOPBACK, self.proxy.protocol.proxy)))
        return self.clients[-1]


async def test_answers_carry_the_proxys_address_in_place_of_the_servers() -> None:
    async with linked() as link:
        client = await link.connect()
        client.say(LOOPBACK.encode() + struct.pack(">i", link.echo.port))
        assert await client.hears(LOOPBACK.encode() + struct.pack(">i", link.proxy.protocol.proxy))
    mongo = Mongo(27117, 28118)
    assert mongo.answered(b"..127.0.0.1:27117..") == b"..127.0.0.1:28118.."


async def test_a_frozen_link_goes_on_where_it_stood() -> None:
    async with linked() as link:
        client = await link.connect()
        client.say(b"first")
        assert await client.hears(b"first")
        link.proxy.fail("frozen")
        client.say(b"second")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.hears(b"second"), 0.2)
        assert link.echo.heard == [frame(b"first")]
        link.proxy.heal()
        assert await client.hears(b"second")


async def test_a_half_open_link_delivers_requests_and_loses_their_answers() -> None:
    async with linked() as link:
        client = await link.connect()
        link.proxy.fail("half_open")
        client.say(b"asked")
        assert await client.waits()
        assert link.echo.heard == [frame(b"asked")]
        link.proxy.heal()
        assert await client.is_cut_off()


@pytest.mark.parametrize("mode", ["cut", "refuse"])
async def test_a_link_that_cuts_or_refuses_ends_the_connection_and_heals(mode: str) -> None:
    async with linked() as link:
        client = await link.connect()
        link.proxy.fail(mode)  # type: ignore[arg-type]
        client.say(b"asked")
        assert await client.is_cut_off()
        link.proxy.heal()
        again = await link.connect()
        again.say(b"again")
        assert await again.hears(b"again")


async def test_a_trip_tells_of_the_request_that_fits_and_swallows_it() -> None:
    async with linked() as link:
        fell: list[str] = []
        client = await link.connect()
        link.proxy.trip = Trip(is_produce, lambda: fell.append("now"))
        client.say(b"\x00\x08 commit")
        assert await client.hears(b"\x00\x08 commit")
        client.say(b"\x00\x00 produce")
        assert await client.is_cut_off()
        assert fell == ["now"]
        assert link.echo.heard == [frame(b"\x00\x08 commit")]


async def test_a_trip_that_lets_the_request_through_keeps_its_answer() -> None:
    async with linked() as link:
        trip = Trip(is_produce, lambda: None, swallow=False)
        link.proxy.trip = trip
        client = await link.connect()
        client.say(b"\x00\x00 produce")
        await asyncio.wait_for(trip.done.wait(), 5)
        assert await client.is_cut_off()
        assert link.echo.heard == [frame(b"\x00\x00 produce")]


async def test_lost_requests_leave_the_connection_alone() -> None:
    async with linked() as link:
        link.proxy.lose = lambda frame: b"gone" in frame
        client = await link.connect()
        client.say(b"gone")
        client.say(b"stays")
        assert await client.hears(b"stays")
        assert link.echo.heard == [frame(b"stays")]
        assert link.proxy.lost == 1


def request(session: int, transaction: int = 1, **command: Any) -> bytes:
    """One of MongoDB's, as a driver sends it inside a transaction."""
    lsid, number = {"id": bson.Binary(bytes([session]) * 16, 4)}, bson.Int64(transaction)
    body = bson.encode({**command, "lsid": lsid, "txnNumber": number, "autocommit": False})
    return bytes(16) + struct.pack("<IB", 0, 0) + body


def delivery(queue: str, severity: str) -> dict[str, str]:
    return {"_id": "dlv_1", "severity": severity, "queue": queue}


def test_the_commit_of_a_page_is_told_from_all_others() -> None:
    fits, commit = PageCommit(), {"commitTransaction": 1}
    assert not fits(request(1, insert="deliveries", documents=[delivery("page", "low")]))
    assert not fits(request(2, insert="deliveries", documents=[delivery("inbox", "high")]))
    assert not fits(request(3, insert="alerts", documents=[delivery("page", "high")]))
    assert not fits(request(4, insert="deliveries", documents=[delivery("page", "high")]))
    assert [fits(request(session, **commit)) for session in (1, 2, 3, 4)] == [False, False, False, True]


@pytest.mark.parametrize("end", [{"abortTransaction": 1}, {}])
def test_a_page_that_was_not_committed_leaves_nothing_behind_for_the_next_transaction(
    end: dict[str, int],
) -> None:
    fits, insert = PageCommit(), {"insert": "deliveries", "documents": [delivery("page", "high")]}
    assert not fits(request(4, 1, **insert))
    assert not end or not fits(request(4, 1, **end))
    assert not fits(request(4, 2, commitTransaction=1))
    assert not fits(request(4, 3, **insert))
    assert fits(request(4, 3, commitTransaction=1))


def test_requests_are_told_apart() -> None:
    assert is_produce(frame(b"\x00\x00rest"))
    assert is_offset_commit(frame(b"\x00\x08rest"))
    assert not is_produce(frame(b"\x00\x08rest"))
    assert is_transaction_commit(b"....\x10commitTransaction\x00\x01")
    assert is_relay_mark(b"....\x02update\x00\x07\x00\x00\x00outbox\x00....$unset....")
    assert not is_relay_mark(b"....\x02update\x00\x06\x00\x00\x00inbox\x00....$unset....")
