"""A pulse: something happened, whoever waits looks again."""

import asyncio


class Pulse:
    """Wakes everybody who waits at this moment. A beat that nobody waits for is remembered by none."""

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
