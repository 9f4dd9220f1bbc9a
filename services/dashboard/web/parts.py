"""Parts of pages that many people look at: drawn once for all who see the same, until they hear of a change.

Open pages fetch them when they are told (`Live`), and not before: what changed since is told within a moment.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from time import monotonic

from services.dashboard.web.live import Live

KEPT = 500
SECONDS = 10.0
"""Nothing is kept for longer: ages grow without anything being announced."""


async def _drawn(draw: Callable[[], Awaitable[str]]) -> str:
    return await draw()


@dataclass
class _Part:
    told: int
    made: float
    text: "asyncio.Task[str]"


class Parts:
    """The key holds everything that the text depends on besides the read model: the clinic above all."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._parts: OrderedDict[Hashable, _Part] = OrderedDict()

    async def text(self, key: Hashable, draw: Callable[[], Awaitable[str]]) -> str:
        """Draw, or take what was drawn since pages last heard of a change; others wait for the same."""
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
