"""Looking on from outside while a side works: how much is stored by when, at what cost."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from time import time

from benchmarks.machine import cpu_seconds
from benchmarks.topics import Shortfall
from deploy.embedded.processes import Process
from shared.mongo import MongoDatabase

LOOK_SECONDS = 0.02
WARM_UP = 0.1
"""This share of the work is done before the clock starts."""

STANDSTILL = 60.0


@dataclass(frozen=True, slots=True)
class Look:
    """`at`: seconds since 1970, as in the messages' timestamps; `cpu`: seconds so far, by process."""

    at: float
    stored: int
    cpu: Mapping[str, float]


@dataclass
class Course:
    """The looks at one side's run."""

    total: int
    looks: list[Look] = field(default_factory=list)

    @property
    def start(self) -> Look:
        """The first look at which the warm-up was over."""
        return next(look for look in self.looks if look.stored >= self.total * WARM_UP)

    def measures(self, last_effect: float | None = None) -> dict[str, float]:
        """Effects per second and CPU microseconds per effect, from the end of the warm-up to the end.

        `last_effect`: when the last announcement was handed to the broker, for a side that announces.
        """
        complete = next(look for look in self.looks if look.stored >= self.total)
        end = max(complete.at, last_effect or 0.0)
        done = self.total - self.start.stored
        spent = self._cpu_at(end)
        cost = {f"{name} µs": (spent[name] - used) / done * 1e6 for name, used in self.start.cpu.items()}
        return {"events/s": done / (end - self.start.at), **cost}

    def _cpu_at(self, moment: float) -> Mapping[str, float]:
        after = [look for look in self.looks if look.at >= moment]
        return (after[0] if after else self.looks[-1]).cpu


class Watch:
    """Looks at a collection's size and some processes' CPU time, often and cheaply."""

    def __init__(self, database: MongoDatabase, collection: str, total: int, pids: Mapping[str, int]) -> None:
        self._database, self._collection, self._pids = database, collection, pids
        self.course = Course(total)

    async def until_stored(self, worker: Sequence[Process]) -> None:
        """Raises `Shortfall` when nothing moves any more, or a worker ended."""
        moved, most = time(), 0
        while (look := await self._look()).stored < self.course.total:
            if look.stored > most:
                moved, most = look.at, look.stored
            if any(process.poll() is not None for process in worker):
                raise Shortfall(f"the side ended with {most} of {self.course.total} stored")
            if look.at - moved > STANDSTILL:
                raise Shortfall(f"only {most} of {self.course.total} stored, and nothing moves")
            await asyncio.sleep(LOOK_SECONDS)

    async def a_little_longer(self, looks: int = 10) -> None:
        """What was stored last is still being announced."""
        for _ in range(looks):
            await asyncio.sleep(LOOK_SECONDS)
            await self._look()

    async def _look(self) -> Look:
        stored = await self._database[self._collection].estimated_document_count()
        look = Look(time(), stored, {name: cpu_seconds(pid) for name, pid in self._pids.items()})
        self.course.looks.append(look)
        return look
