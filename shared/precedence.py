"""What is urgent goes first: everything else in the process gives way to it, for a moment."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress

PATIENCE = 0.25
"""Seconds. What is not urgent waits no longer at a time: urgent work that is stuck blocks nobody."""


class Precedence:
    """Shared by those of one process who compete for its event loop and its database."""

    def __init__(self) -> None:
        self._under_way = 0
        self._clear = asyncio.Event()
        self._clear.set()

    @contextmanager
    def urgent(self) -> Iterator[None]:
        self._under_way += 1
        self._clear.clear()
        try:
            yield
        finally:
            self._under_way -= 1
            if not self._under_way:
                self._clear.set()

    async def give_way(self) -> None:
        """Return when nothing urgent is under way, or after `PATIENCE`."""
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE if self._under_way else None):
                while self._under_way:  # one thing may have led to the next
                    await self._clear.wait()
