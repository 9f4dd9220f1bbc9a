"""A pulse: wakes waiting tasks when something changed, so that they look again."""

import asyncio
from typing import Generic, TypeVar

T = TypeVar("T")


class Pulse:
    """Wakes all tasks that wait at this moment. Beats are only counted: `beats` reveals missed ones."""

    def __init__(self) -> None:
        self._beats = 0
        self._waiting: set[asyncio.Future[None]] = set()

    @property
    def beats(self) -> int:
        return self._beats

    def beat(self) -> None:
        self._beats += 1
        for future in self._waiting:
            if not future.done():
                future.set_result(None)

    async def wait(self, seen: int, within: float) -> None:
        """Return at once if there was a beat after the `seen`-th, else at the next or after `within` s."""
        if self._beats != seen:
            return
        future = asyncio.get_running_loop().create_future()
        self._waiting.add(future)
        try:
            await asyncio.wait([future], timeout=within)
        finally:
            self._waiting.discard(future)


class Handover(Pulse, Generic[T]):
    """A pulse that carries items up to a limit; items beyond it must be found elsewhere."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self._room, self._used = room, 0
        self._things: list[T] = []

    def hand(self, thing: T, size: int) -> None:
        """Add an item and beat. If there is no room for it, everything handed over before is dropped."""
        if self._used + size > self._room:
            self.take()
        self._things.append(thing)
        self._used += size
        self.beat()

    def take(self) -> list[T]:
        """Remove and return all items in the order in which they were handed over."""
        taken, self._things, self._used = self._things, [], 0
        return taken
