"""Rates, medians and histogram columns, and whether there are too few cases to say much. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

FEW = 5
"""Figures on fewer cases than this are shown but marked: one more person would change them."""

Bin = tuple[float, float | None, int]


@dataclass(frozen=True, slots=True)
class Rate:
    part: int
    whole: int

    @property
    def percent(self) -> float | None:
        """`None` if `whole` is 0."""
        return 100 * self.part / self.whole if self.whole else None

    @property
    def few(self) -> bool:
        return 0 < self.whole < FEW

    @property
    def said(self) -> str:
        return f"{self.part:,} of {self.whole:,}"


@dataclass(frozen=True, slots=True)
class Counted:
    """How often each whole number of units (hours, days or minutes) occurred."""

    times: Mapping[int, int]

    @property
    def total(self) -> int:
        return sum(self.times.values())

    @property
    def few(self) -> bool:
        return 0 < self.total < FEW

    @property
    def median(self) -> float | None:
        """The middle value, or the mean of the two middle ones."""
        if not self.total:
            return None
        return (self._at((self.total - 1) // 2) + self._at(self.total // 2)) / 2

    @property
    def longest(self) -> int | None:
        return max(self.times, default=None)

    def share_within(self, limit: int) -> Rate:
        """The share of cases with at most `limit` units; units were rounded up when counted."""
        return Rate(sum(count for unit, count in self.times.items() if unit <= limit), self.total)

    def columns(self, edges: Sequence[int]) -> list[Bin]:
        """Columns between the edges, the last one open-ended. A unit equal to an edge counts below it."""
        bins: list[Bin] = []
        for place, low in enumerate(edges):
            high = edges[place + 1] if place + 1 < len(edges) else None
            held = [
                count
                for unit, count in self.times.items()
                if (unit > low or place == 0) and (high is None or unit <= high)
            ]
            bins.append((low, high, sum(held)))
        return bins

    def _at(self, place: int) -> int:
        passed = 0
        for unit in sorted(self.times):
            passed += self.times[unit]
            if place < passed:
                return unit
        raise IndexError(place)
