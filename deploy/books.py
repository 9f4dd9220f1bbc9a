"""The books of a whole deployment: expected counts against outcomes, joined across services.

A kind's expected count and its outcomes are counted in different places, often in different services, so
that one mistake cannot hide on both sides.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

OUTCOMES = ("done", "cancelled", "breached", "open")
COLUMNS = ("expected", *OUTCOMES)


class Counted(Protocol):
    """The count of one kind in one column (`shared.service.BookEntry` is one)."""

    @property
    def kind(self) -> str: ...
    @property
    def column(self) -> str: ...
    @property
    def count(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Entry:
    kind: str
    column: str
    count: int


@dataclass(frozen=True, slots=True)
class BookLine:
    """One kind across all services. A column that no service reports is None, which is not zero."""

    kind: str
    expected: int | None = None
    done: int | None = None
    cancelled: int | None = None
    breached: int | None = None
    open: int | None = None

    @property
    def incomplete(self) -> bool:
        """True if no service reports the expected count, or none reports any outcome."""
        return self.expected is None or all(getattr(self, column) is None for column in OUTCOMES)

    @property
    def difference(self) -> int | None:
        """Expected minus all outcomes: how many disappeared (negative: how many were not expected)."""
        if self.expected is None or self.incomplete:
            return None
        return self.expected - sum(getattr(self, column) or 0 for column in OUTCOMES)

    @property
    def balanced(self) -> bool:
        return self.difference == 0

    def as_json(self) -> dict[str, Any]:
        counts = {column: getattr(self, column) for column in COLUMNS}
        return {"kind": self.kind, **counts, "difference": self.difference, "balanced": self.balanced}


def entries(answers: Iterable[Mapping[str, Any]]) -> list[Entry]:
    """The entries in the bodies of `GET /books`. Raises `KeyError` for any other body."""
    return [
        Entry(row["kind"], row["column"], row["count"]) for answer in answers for row in answer["entries"]
    ]


def join(counted: Iterable[Counted]) -> list[BookLine]:
    """One line per kind, sorted by name; counts of several services in one column are added.

    Raises `ValueError` for an unknown column.
    """
    sums: dict[str, dict[str, int]] = {}
    for entry in counted:
        if entry.column not in COLUMNS:
            raise ValueError(f"the books have no column {entry.column!r}")
        columns = sums.setdefault(entry.kind, {})
        columns[entry.column] = columns.get(entry.column, 0) + entry.count
    return [BookLine(kind, **columns) for kind, columns in sorted(sums.items())]
