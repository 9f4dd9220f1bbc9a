"""Maps instants and values to coordinates of a picture."""

from datetime import datetime, timedelta
from typing import NamedTuple

STEPS = (1, 7, 14, 28, 56, 91, 182, 364, 728)
"""Days between two marks of a time axis: mostly whole weeks, because sessions are weekly."""


class TimeScale(NamedTuple):
    """Maps `start`…`end` to `left`…`right`; a span of zero length maps to the middle."""

    start: datetime
    end: datetime
    left: float
    right: float

    def x(self, at: datetime) -> float:
        whole = (self.end - self.start).total_seconds()
        share = (at - self.start).total_seconds() / whole if whole else 0.5
        return self.left + max(0.0, min(1.0, share)) * (self.right - self.left)

    def marks(self, room: float = 90) -> list[datetime]:
        """Midnights at regular intervals, each with at least `room` units for its label."""
        days = max(1.0, (self.end - self.start) / timedelta(days=1))
        most = max(1.0, (self.right - self.left) / room)
        step = timedelta(days=next((step for step in STEPS if days / step <= most), STEPS[-1]))
        first = self.start.replace(hour=0, minute=0, second=0, microsecond=0)
        first = first if first >= self.start else first + timedelta(days=1)
        count = int((self.end - first) / step) + 1 if first <= self.end else 0
        return [first + step * n for n in range(count)]


class ValueScale(NamedTuple):
    """Maps 0…`top` to `bottom`…`ceiling` (y grows downwards)."""

    top: float
    bottom: float
    ceiling: float

    def y(self, value: float) -> float:
        return self.bottom - max(0.0, min(1.0, value / self.top)) * (self.bottom - self.ceiling)
