"""Rate limits: a token bucket per caller, and a separate one for crisis routes."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic

MAX_CALLERS = 10_000


@dataclass(frozen=True, slots=True)
class Rate:
    """`per_second` on average, up to `burst` at once."""

    per_second: float
    burst: int


@dataclass(frozen=True, slots=True)
class Rates:
    """Limits per caller and replica. A caller's other requests never delay crisis routes."""

    ordinary: Rate = field(default=Rate(1_000, 2_000))
    crisis: Rate = field(default=Rate(200, 1_000))


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float


class Buckets:
    """The token buckets of one rate; the least recently used are dropped first."""

    def __init__(self, rate: Rate, *, clock: Callable[[], float] = monotonic) -> None:
        self._rate = rate
        self._clock = clock
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def take(self, subject: str) -> float:
        """Seconds to wait before asking again; 0 lets the request in."""
        now = self._clock()
        bucket = self._buckets.get(subject)
        if bucket is None:
            bucket = self._buckets[subject] = _Bucket(self._rate.burst, now)
            if len(self._buckets) > MAX_CALLERS:
                self._buckets.popitem(last=False)
        self._buckets.move_to_end(subject)
        refilled = bucket.tokens + (now - bucket.at) * self._rate.per_second
        bucket.tokens, bucket.at = min(float(self._rate.burst), refilled), now
        if bucket.tokens < 1:
            return (1 - bucket.tokens) / self._rate.per_second
        bucket.tokens -= 1
        return 0.0
