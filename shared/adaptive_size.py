"""Adapts how much one transaction handles, because the server may end a long one before it is stored."""

from collections.abc import Iterator
from contextlib import contextmanager

from shared.mongo import is_transient


class AdaptiveSize:
    """A size of at most `most`: halved after a transient error, doubled after a success."""

    def __init__(self, most: int) -> None:
        self._most = self.size = most

    @contextmanager
    def taken(self) -> Iterator[int]:
        """Yield the present size, then adapt it. Errors raised within propagate."""
        try:
            yield self.size
        except Exception as error:
            if is_transient(error):
                self.size = max(1, self.size // 2)
            raise
        self.size = min(self._most, self.size * 2)
