"""A real HTTP server on a free loopback port, and a raw socket to misbehave with."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import uvicorn
from fastapi import FastAPI

from tests.support.eventually import eventually
from tests.support.http_sample import token


@asynccontextmanager
async def serving(app: FastAPI) -> AsyncIterator[int]:
    """Serve `app`; yields the port."""
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None, access_log=False))
    task = asyncio.create_task(server._serve())
    await eventually(lambda: server.started, that="the server has started")
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        await task


@dataclass
class RawAnswer:
    status: int
    headers: str
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Wire:
    """One connection, used at the byte level."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def begin(self, method: str, path: str, *headers: str) -> None:
        lines = [f"{method} {path} HTTP/1.1", "Host: sample", f"Authorization: Bearer {token()}", *headers]
        await self.send("\r\n".join([*lines, "", ""]).encode())

    async def answer(self, within: float = 5.0) -> RawAnswer:
        async with asyncio.timeout(within):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode().lower()
            length = next(
                int(line.partition(":")[2]) for line in head.splitlines() if line.startswith("content-length")
            )
            return RawAnswer(int(head.split()[1]), head, await self.reader.readexactly(length))

    async def closed(self, within: float = 5.0) -> bool:
        """Whether the server closed the connection and sent nothing more."""
        async with asyncio.timeout(within):
            try:
                return await self.reader.read() == b""
            except ConnectionResetError:
                return True


@asynccontextmanager
async def wire(port: int) -> AsyncIterator[Wire]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield Wire(reader, writer)
    finally:
        writer.close()
