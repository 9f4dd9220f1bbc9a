"""Measures over time; a missing total stays missing."""

from collections.abc import Sequence
from datetime import datetime
from itertools import groupby
from typing import NamedTuple


class Point(NamedTuple):
    """A total of one instrument at one instant; `None` where items were missing, which is never 0."""

    at: datetime
    total: int | None


class Known(NamedTuple):
    at: datetime
    total: int


def ordered(points: Sequence[Point]) -> list[Point]:
    return sorted(points, key=lambda point: point.at)


def known(points: Sequence[Point]) -> list[Known]:
    return [Known(at, total) for at, total in ordered(points) if total is not None]


def runs(points: Sequence[Point]) -> list[list[Known]]:
    """Stretches without a missing total: each is drawn as one line, with gaps in between."""
    grouped = groupby(ordered(points), key=lambda point: point.total is None)
    return [known(list(stretch)) for missing, stretch in grouped if not missing]
