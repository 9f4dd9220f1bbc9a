"""Median and range of a few rounds."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True)
class Figure:
    """The median and the range of several rounds."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        if self.low == self.high:
            return short(self.median)
        return f"{short(self.median)} [{short(self.low)}–{short(self.high)}]"


def figure(values: Sequence[float]) -> Figure:
    """The figure of some measurements. Raises `ValueError` if there are none."""
    if not values:
        raise ValueError("nothing was measured")
    return Figure(median(values), min(values), max(values))


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> Figure:
    """The figure of the ratios per round, because machines drift between rounds."""
    return figure([mine / other for mine, other in zip(ours, theirs, strict=True)])


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` (0–1) of the values do not exceed."""
    if not values:
        raise ValueError("nothing was measured")
    ordered = sorted(values)
    place = max(0, min(len(ordered) - 1, -(-int(share * 10_000) * len(ordered) // 10_000) - 1))
    return ordered[place]


def short(value: float) -> str:
    """Format a value for people: at most two decimals, thousands separated."""
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
