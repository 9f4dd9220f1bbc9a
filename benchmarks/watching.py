"""Observes a running side from outside: progress over time, and CPU cost."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from time import time

from benchmarks.machine import cpu_seconds
from benchmarks.topics import Shortfall
from deploy.embedded.processes import Process

LOOK_SECONDS = 0.02
WARM_UP = 0.1
"""Share of the work done before the measurement starts."""

STANDSTILL = 60.0
AFTER_LOOKS = 10
BATCHES_OF = 1000
"""Largest batch of announcements."""


@dataclass(frozen=True, slots=True)
class Look:
    """`at`: seconds since 1970, as in the messages' timestamps. `cpu`: CPU seconds so far, by process."""

    at: float
    done: int
    cpu: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Span:
    """A time span of the run, and the number of effects in it."""

    start: float
    end: float
    effects: int


@dataclass
class Progress:
    """The samples taken of one side's run."""

    total: int
    looks: list[Look] = field(default_factory=list)

    def span(self, last_effect: float | None = None) -> Span:
        """The span from the first look after the warm-up to the end.

        `last_effect`: when the last announcement was sent to the broker, for a side that announces.
        """
        start = next(look for look in self.looks if look.done >= self.total * WARM_UP)
        complete = next(look for look in self.looks if look.done >= self.total)
        return Span(start.at, max(complete.at, last_effect or 0.0), self.total - start.done)

    def measures(self, span: Span) -> dict[str, float]:
        """Effects per second, and microseconds of CPU per effect for each process."""
        before, after = self._cpu_at(span.start), self._cpu_at(span.end)
        cost = {f"{name} µs": (after[name] - before[name]) / span.effects * 1e6 for name in before}
        return {"events/s": span.effects / (span.end - span.start), **cost}

    def _cpu_at(self, moment: float) -> Mapping[str, float]:
        later = [look for look in self.looks if look.at >= moment]
        return (later[0] if later else self.looks[-1]).cpu


def steady(times: Sequence[float]) -> Span:
    """The span of announcements: from the end of the batch in which the warm-up ends to the last one.

    Batches show as gaps between the times; without gaps any start is equally good.
    """
    ordered = sorted(times)
    first = max(1, int(len(ordered) * WARM_UP))
    near = range(first, min(first + BATCHES_OF, len(ordered) - 1) + 1)
    place = max((i for i in near if i < len(ordered)), key=lambda i: ordered[i] - ordered[i - 1])
    return Span(ordered[place - 1], ordered[-1], len(ordered) - place)


class Watch:
    """Samples the number of effects and the processes' CPU time, often and cheaply."""

    def __init__(
        self, count: Callable[[], Awaitable[int]], total: int, processes: Mapping[str, Process | None]
    ) -> None:
        self._count = count
        self._pids = {name: process.pid for name, process in processes.items() if process is not None}
        self.progress = Progress(total)

    async def until_done(self, worker: Process) -> None:
        """Sample until all is done. Raises `Shortfall` if progress stops or the worker ends."""
        moved, most = time(), -1
        while (look := await self.look()).done < self.progress.total:
            if look.done > most:
                moved, most = look.at, look.done
            if worker.poll() is not None:
                raise Shortfall(f"the side ended with {most} of {self.progress.total} done")
            if look.at - moved > STANDSTILL:
                raise Shortfall(f"only {most} of {self.progress.total} done, and nothing moves")
            await asyncio.sleep(LOOK_SECONDS)
        for _ in range(AFTER_LOOKS):  # the last effects stored are still being announced
            await asyncio.sleep(LOOK_SECONDS)
            await self.look()

    async def look(self) -> Look:
        done = await self._count()
        look = Look(time(), done, {name: cpu_seconds(pid) for name, pid in self._pids.items()})
        self.progress.looks.append(look)
        return look
