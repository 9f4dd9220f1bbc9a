"""Stepped time for a stack with replicas, with a hook before each step."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from time import monotonic

from deploy.demo.settling import PAUSE, Time, Unsettled, unsettled
from shared.clock import step

PATIENCE_SECONDS = 150.0
Offsets = dict[str, tuple[dict[str, int], dict[str, int]]]


async def _nobody(_: datetime) -> None:
    return None


async def nobody_asked() -> str:
    """The default verification: reports nothing in flight."""
    return ""


@dataclass
class ChaosTime(Time):
    """`before_step` is called with the clock's next time."""

    patience: float = PATIENCE_SECONDS
    replicated: bool = True
    """Whether services have replicas, in which case one look at all of them is not enough."""

    before_step: Callable[[datetime], Awaitable[None]] = field(default=_nobody)

    verify: Callable[[], Awaitable[str]] = field(default=nobody_asked)
    """Checks the databases after a fault: the services' own reports do not cover the refill of a lost log."""

    coming: datetime = field(init=False)
    """The clock's present or next time."""

    why: str = ""
    """What was still in flight at the last look; empty if nothing was."""

    rested: float = field(default_factory=monotonic)
    """The monotonic time at which everything was last at rest."""

    def __post_init__(self) -> None:
        self.coming = self.now

    async def advance(self, to: datetime) -> None:
        self.coming = to
        await self.before_step(to)
        await super().advance(to)

    async def settle(self) -> None:
        """Wait for two equal looks in a row, three after a service was away. Raises `Unsettled`.

        One look is not enough with replicas: after one of them was looked at, it may publish what another
        wrote in the meantime.
        """
        if not self.replicated:
            await super().settle()
            return
        deadline, wanted, quiet = monotonic() + self.patience, 2, 0
        before: Offsets = {}
        while monotonic() < deadline:
            try:
                flows = await self.flows.flows()
                self.why = unsettled(flows, self.now)
            except ConnectionError as error:
                flows, wanted, self.why = [], 3, str(error)
            seen = {flow["service"]: (flow["published"], flow["consumed"]) for flow in flows}
            quiet = 0 if self.why else quiet + 1 if seen == before else 1
            before = seen
            if quiet >= wanted and not await self._verified():
                self.rested = monotonic()
                self.due = tuple(datetime.fromisoformat(flow["due"]) for flow in flows if flow["due"])
                return
            await asyncio.sleep(PAUSE)
        raise Unsettled(self.why or "offsets keep moving")

    async def _verified(self) -> str:
        self.why = await self.verify()
        return self.why

    async def stray(self, by: timedelta) -> None:
        """Set the clock off by `by` until everything that triggers has happened, then set it right."""
        stands = self.now
        try:
            self.now = stands + by
            step(self.clock_file, self.now)
            await self.settle()
        finally:
            self.now = stands
            step(self.clock_file, stands)
        await self.settle()
