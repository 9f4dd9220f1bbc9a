"""Injects faults at their moments, and measures the time until the stack is ready again."""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime
from time import monotonic

import httpx2

from deploy.embedded.probing import attempts
from tests.chaos.faults import FAULTS, Fault, Scene
from tests.chaos.faults.base import PointNotReached
from tests.chaos.timeline import Window

READY_SECONDS = 90.0
NOT_READY = f"not ready after {READY_SECONDS:g} s"
NEVER_REACHED = "its point was never reached"
REQUESTS_FIRST = 5
"""Most requests of the moment that are sent before a fault is injected."""

NO_REQUESTS_SECONDS = 3.0


@dataclass
class Strike:
    """Outcome of one window's faults, in seconds: `struck` since the run began, `ready` after healing.

    `hits`: how many took effect. `missed`: how many were impossible or never reached their point.
    `at_work`: how many are not healed yet. `over`: the monotonic time since which none is active.
    """

    struck: float | None = None
    hits: int = 0
    missed: int = 0
    at_work: int = 0
    over: float = field(default_factory=monotonic)
    ready: float | None = None
    is_ready: bool = True
    """Whether every replica became ready again in time."""

    notes: list[str] = field(default_factory=list)


@dataclass
class Director:
    scene: Scene
    began: float = field(default_factory=monotonic)
    strike: Strike = field(default_factory=Strike)
    _window: Window | None = None
    _tasks: list["asyncio.Task[None]"] = field(default_factory=list)

    def begin(self, window: Window) -> None:
        self._window, self.strike, self._tasks = window, Strike(), []

    async def before_step(self, to: datetime) -> None:
        """At the busy moment, start the faults: they act as the clock moves or after the first requests."""
        if self._window is None or to != self._window.busy or self._tasks:
            return
        for name in self._window.faults:
            fault = FAULTS[name]
            if fault.moment != "morning":
                self._tasks.append(asyncio.create_task(self._strike(fault)))
        await asyncio.sleep(0)

    async def on_morning(self, window: Window) -> None:
        for name in window.faults if self._window is not None else ():
            if FAULTS[name].moment == "morning":
                await self._strike(FAULTS[name])

    @property
    def seconds_over(self) -> float | None:
        """Seconds since the window's last fault was over; `None` while one is active."""
        return None if self.strike.at_work else monotonic() - self.strike.over

    async def finish(self) -> None:
        await asyncio.gather(*self._tasks)
        self._window = None

    def break_off(self) -> None:
        """End the window early, cancelling faults that are not yet injected or healed."""
        for task in self._tasks:
            task.cancel()
        self._window = None

    async def _strike(self, fault: Fault) -> None:
        if why := fault.impossible(self.scene):
            self.strike.missed += 1
            self.strike.notes.append(f"skipped: {why}")
            return
        if fault.moment == "request":
            await self._some_requests()
        await self._hit(fault)
        healed = monotonic()
        if await ready(self.scene):
            self.strike.ready = max(self.strike.ready or 0.0, monotonic() - healed)
        else:
            self.strike.is_ready = False
            self.strike.notes.append(NOT_READY)

    async def _hit(self, fault: Fault) -> None:
        strike, at = self.strike, monotonic() - self.began
        strike.at_work += 1
        try:
            await fault.strike(self.scene)
        except PointNotReached:
            strike.missed += 1
            alone = self._window is None or len(self._window.faults) == 1
            strike.notes.append(NEVER_REACHED if alone else f"{NEVER_REACHED}: {fault.name}")
        else:
            strike.struck, strike.hits = at, strike.hits + 1
        finally:
            strike.at_work, strike.over = strike.at_work - 1, monotonic()

    async def _some_requests(self) -> None:
        desks = self.scene.desks
        wanted = desks.sent + self.scene.random.randint(1, REQUESTS_FIRST)
        async for _ in attempts(NO_REQUESTS_SECONDS, pause=0.01):
            if desks.sent >= wanted:
                return


async def ready(scene: Scene, within: float = READY_SECONDS) -> bool:
    """Whether every replica reports ready within the time, without intervention."""
    replicas = [scene.stack.replicas[name] for name in scene.stack.services]
    async with httpx2.AsyncClient(timeout=2, trust_env=False) as client:
        async for _ in attempts(within, pause=0.1):
            try:
                for replica in replicas:
                    (await client.get(f"{replica.address}/health/ready")).raise_for_status()
            except (httpx2.TransportError, httpx2.HTTPStatusError):
                continue
            return True
    return False
