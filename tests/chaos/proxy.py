"""A TCP proxy between one service and one server that can fail as networks do."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal

from deploy.embedded.ports import LOOPBACK
from tests.chaos.wire import Protocol

Mode = Literal["pass", "frozen", "blackhole", "half_open", "delay", "cut", "refuse"]
"""frozen: traffic stops, and resumes when healed. blackhole: connections open but nothing answers, and they
are dropped when healed. half_open: requests arrive, answers do not. cut: answers end in the middle.
"""

STAYS: tuple[Mode, ...] = ("pass", "frozen", "delay")
"""Modes that a connection survives when they end."""


@dataclass
class Trip:
    """A trap for a request: `fell` is called when the first one that `fits` arrives.

    `swallow`: the request never reaches the server. Otherwise it does, but its answer never comes back.
    """

    fits: Callable[[bytes], bool]
    fell: Callable[[], None]
    swallow: bool = True
    done: asyncio.Event = field(default_factory=asyncio.Event)


class Proxy:
    """One link. `lose` selects requests to drop while their connection stays open."""

    def __init__(self, protocol: Protocol, *, delay: float = 0.3) -> None:
        self.protocol, self.delay = protocol, delay
        self.mode: Mode = "pass"
        self.trip: Trip | None = None
        self.lose: Callable[[bytes], bool] | None = None
        self.lost = 0
        self._open = asyncio.Event()
        self._open.set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._accept, LOOPBACK, self.protocol.proxy)

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        self._open.set()
        self.drop()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def drop(self) -> None:
        """Abort every connection, as a pulled cable eventually does."""
        for writer in list(self._writers):
            writer.transport.abort()

    def fail(self, mode: Mode) -> None:
        self.mode = mode
        if mode in ("frozen", "blackhole"):
            self._open.clear()
        if mode == "refuse":
            self.drop()

    def heal(self) -> None:
        before, self.mode = self.mode, "pass"
        self.lose, self.trip = None, None
        if before not in STAYS:
            self.drop()
        self._open.set()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            if self.mode != "refuse":
                await self._open.wait()
                await self._join(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self._writers.discard(writer)
            writer.transport.abort()

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(LOOPBACK, self.protocol.server)
        self._writers.add(far_writer)
        pumps = [
            asyncio.create_task(self._ask(reader, far_writer)),
            asyncio.create_task(self._answer(far_reader, writer)),
        ]
        self._tasks.update(pumps)
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            self._tasks.difference_update(pumps)
            self._writers.discard(far_writer)
            far_writer.transport.abort()

    async def _ask(self, reader: asyncio.StreamReader, server: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            while True:
                frame = await self.protocol.read(reader)
                await self._open.wait()
                if self.lose is not None and self.lose(frame):
                    self.lost += 1
                    continue
                trip = self.trip
                if trip is not None and trip.fits(frame):
                    self.trip = None
                    if trip.swallow:
                        trip.fell()
                        trip.done.set()
                        return
                    self.mode = "half_open"
                    server.write(frame)
                    await server.drain()
                    await self._executed(trip)
                    return
                server.write(frame)
                await server.drain()

    async def _executed(self, trip: Trip) -> None:
        """Let the server execute the request before the sender is killed; its answer is held back."""
        await asyncio.sleep(0.1)
        trip.fell()
        trip.done.set()
        self.heal()

    async def _answer(self, server: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            while True:
                frame = self.protocol.answered(await self.protocol.read(server))
                await self._open.wait()
                match self.mode:
                    case "half_open":
                        continue
                    case "delay":
                        await asyncio.sleep(self.delay)
                    case "cut":
                        client.write(frame[: len(frame) // 2])
                        await client.drain()
                        return
                client.write(frame)
                await client.drain()
