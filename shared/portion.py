"""How much a transaction takes at a time, where the server may end it before all of it is stored."""

from collections.abc import Iterator
from contextlib import contextmanager

from shared.mongo import is_transient


class Portion:
    """At most `most`; half as much after an error that may pass, twice as much after what went well."""

    def __init__(self, most: int) -> None:
        self._most = self.size = most

    @contextmanager
    def taken(self) -> Iterator[int]:
        """So much, now. What is raised within goes on."""
        try:
            yield self.size
        except Exception as error:
            if is_transient(error):
                self.size = max(1, self.size // 2)
            raise
        self.size = min(self._most, self.size * 2)
