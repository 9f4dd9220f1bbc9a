"""A cache of page parts that many people look at: rendered once per variant, until the next change.

Open pages fetch a part only when `Live` tells them of a change, and further changes follow within a moment.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from time import monotonic

from services.dashboard.web.live import Live

KEPT = 500
SECONDS = 10.0
"""Lifetime of a cached part: displayed ages grow even if nothing is announced."""


async def _drawn(draw: Callable[[], Awaitable[str]]) -> str:
    return await draw()


@dataclass
class _Part:
    told: int
    made: float
    text: "asyncio.Task[str]"


class Parts:
    """The key must cover everything the text depends on besides the read model, above all the clinic."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._parts: OrderedDict[Hashable, _Part] = OrderedDict()

    async def text(self, key: Hashable, draw: Callable[[], Awaitable[str]]) -> str:
        """Render the part, or reuse the cached text; concurrent requests share one rendering."""
        part = self._parts.get(key)
        if part is None or not self._is_good(part):
            task: asyncio.Task[str] = asyncio.create_task(_drawn(draw))
            part = self._parts[key] = _Part(self._live.told, monotonic(), task)
            self._parts.move_to_end(key)
            if len(self._parts) > KEPT:
                self._parts.popitem(last=False)
        return await asyncio.shield(part.text)

    def _is_good(self, part: _Part) -> bool:
        failed = part.text.done() and (part.text.cancelled() or part.text.exception() is not None)
        return not failed and part.told == self._live.told and monotonic() - part.made < SECONDS
