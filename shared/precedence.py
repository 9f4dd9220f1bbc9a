"""Priority for urgent work: everything else in the process gives way to it, for a limited time."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from time import monotonic

PATIENCE = 0.25
"""Seconds that work stays urgent, and that other work waits at most: stuck work blocks nothing."""


class Precedence:
    """Shared by the tasks of one process that compete for its event loop and its database."""

    def __init__(self) -> None:
        self._under_way = 0
        self._until = float("-inf")
        """When the urgent work that began last stops being urgent."""
        self._clear = asyncio.Event()

    @contextmanager
    def urgent(self) -> Iterator[None]:
        self._under_way += 1
        self._until = monotonic() + PATIENCE
        self._clear.clear()
        try:
            yield
        finally:
            self._under_way -= 1
            if not self._under_way:
                self._clear.set()

    @asynccontextmanager
    async def turn(self, *, urgent: bool) -> AsyncIterator[None]:
        """Enter at once if urgent; otherwise give way first."""
        if urgent:
            with self.urgent():
                yield
        else:
            await self.give_way()
            yield

    async def give_way(self) -> None:
        """Return when nothing urgent is under way, or after `PATIENCE`."""
        patience_ends = monotonic() + PATIENCE
        while self._under_way:  # more urgent work may have begun meanwhile
            left = min(patience_ends, self._until) - monotonic()
            if left <= 0:
                return
            with suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._clear.wait()
