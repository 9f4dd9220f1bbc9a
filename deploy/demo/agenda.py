"""The simulated people's future actions, by time."""

import heapq
from collections.abc import Awaitable, Callable
from datetime import datetime
from itertools import count

Action = Callable[[], Awaitable[None]]


class Agenda:
    """Actions by moment; those of the same moment in the order in which they were added."""

    def __init__(self) -> None:
        self._entries: list[tuple[datetime, int, Action]] = []
        self._numbers = count()

    def put(self, at: datetime, action: Action) -> None:
        heapq.heappush(self._entries, (at, next(self._numbers), action))

    @property
    def next(self) -> datetime | None:
        return self._entries[0][0] if self._entries else None

    def take(self, now: datetime) -> list[Action]:
        """Remove and return all actions due by `now`."""
        taken = []
        while self._entries and self._entries[0][0] <= now:
            taken.append(heapq.heappop(self._entries)[2])
        return taken
