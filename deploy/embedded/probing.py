"""Polling for readiness with a deadline, instead of fixed sleeps."""

import asyncio
import time
from collections.abc import AsyncIterator

from deploy.embedded.ports import LOOPBACK

PAUSE = 0.02


class NotReady(Exception):
    """A process was not ready in time or ended; the message names it and its log."""


async def attempts(within: float, *, pause: float = PAUSE) -> AsyncIterator[float]:
    """Yield the seconds left every `pause` seconds, until `within` seconds have passed."""
    deadline = time.monotonic() + within
    while (left := deadline - time.monotonic()) > 0:
        yield left
        await asyncio.sleep(min(pause, left))


async def listens(port: int) -> bool:
    """Whether something on loopback accepts connections at `port`."""
    try:
        _, writer = await asyncio.open_connection(LOOPBACK, port)
    except OSError:
        return False
    writer.close()
    await writer.wait_closed()
    return True
