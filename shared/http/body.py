"""Reads bodies whole, within a size and a time limit, and checks type and JSON before any route runs."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.http import strict_json
from shared.http.caller import Arrival, arrival_of
from shared.http.context import ClientGone
from shared.http.problems import Problem
from shared.http.routes import JSON

CLOSE = {"Connection": "close"}
DRAIN_SECONDS = 1.0
DRAIN_BODIES = 4
"""How much more is read and discarded, in multiples of the limit, so that the refusal reaches the sender."""


class Body:
    def __init__(self, app: ASGIApp, *, max_bytes: int, max_seconds: float) -> None:
        self.app = app
        self._max_bytes = max_bytes
        self._max_seconds = max_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        body = await self._checked(scope, receive)
        await self.app(scope, _replay(body, receive), send)

    async def _checked(self, scope: Scope, receive: Receive) -> bytes:
        """Raises `Problem` 400, 408, 413, 415 or 422."""
        headers, arrival = Headers(scope=scope), arrival_of(scope)
        limit = arrival.max_body_bytes or self._max_bytes
        try:
            kind = _media_type(headers, arrival.media_types) if _announced(headers, limit) else None
            body = await self._read(receive, limit)
        except Problem as problem:
            if problem.status in (413, 415):
                await _drain(receive, DRAIN_BODIES * limit)
            raise
        if body and (kind or _media_type(headers, arrival.media_types)) == JSON:
            _check_json(body, arrival)
        return body

    async def _read(self, receive: Receive, limit: int) -> bytes:
        chunks, size = [], 0
        try:
            async with asyncio.timeout(self._max_seconds):
                async for chunk in _chunks(receive):
                    size += len(chunk)
                    if size > limit:
                        raise _too_large(limit)
                    chunks.append(chunk)
        except TimeoutError:
            raise Problem(
                408, "body_too_slow", f"A body arrives within {self._max_seconds:g} s.", headers=CLOSE
            ) from None
        return b"".join(chunks)


def _check_json(body: bytes, arrival: Arrival) -> None:
    try:
        strict_json.load(body)
    except Problem as problem:
        if not arrival.hears_malformed:
            raise
        arrival.malformed = problem


def _announced(headers: Headers, limit: int) -> bool:
    """Whether headers announce a body. Raises `Problem` 400 or 413 for its Content-Length."""
    length = headers.get("content-length", "0")
    if not length.isdecimal():
        raise Problem(400, "content_length_malformed", "Content-Length is a number.", headers=CLOSE)
    if int(length) > limit:
        raise _too_large(limit)
    return int(length) > 0 or "transfer-encoding" in headers


def _media_type(headers: Headers, allowed: frozenset[str]) -> str:
    """Return the media type. Raises `Problem` 415 for another type or charset, or a compressed body."""
    if headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise Problem(415, "content_encoding_unsupported", "Send the body uncompressed.", headers=CLOSE)
    kind, _, parameters = headers.get("content-type", "").partition(";")
    kind = kind.strip().lower()
    charset = parameters.replace(" ", "").replace('"', "").lower()
    if kind not in allowed or (charset.startswith("charset=") and charset != "charset=utf-8"):
        takes = " or ".join(sorted(allowed))
        raise Problem(415, "content_type_unsupported", f"The Content-Type here is {takes}.", headers=CLOSE)
    return kind


def _too_large(limit: int) -> Problem:
    return Problem(413, "body_too_large", f"A body here has at most {limit} bytes.", headers=CLOSE)


async def _chunks(receive: Receive) -> AsyncIterator[bytes]:
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        yield message.get("body", b"")
        if not message.get("more_body", False):
            return


async def _drain(receive: Receive, at_most: int) -> None:
    size = 0
    with suppress(TimeoutError):
        async with asyncio.timeout(DRAIN_SECONDS):
            async for chunk in _chunks(receive):
                size += len(chunk)
                if size > at_most:
                    return


def _replay(body: bytes, receive: Receive) -> Receive:
    replayed = False

    async def replay() -> Message:
        nonlocal replayed
        if replayed:
            return await receive()
        replayed = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
