"""Stepped time for a stack with replicas, told when it moves."""

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
    """Nothing is in flight, as far as we know."""
    return ""


@dataclass
class ChaosTime(Time):
    """`before_step` is told where the clock is about to go."""

    patience: float = PATIENCE_SECONDS
    replicated: bool = True
    """Whether services have replicas: one look at all of them is not enough then."""

    before_step: Callable[[datetime], Awaitable[None]] = field(default=_nobody)

    verify: Callable[[], Awaitable[str]] = field(default=nobody_asked)
    """Looks into the databases after a fault: what services say of themselves leaves out the refill of a
    log that was lost."""

    coming: datetime = field(init=False)
    """Where the clock stands or is just about to go."""

    why: str = ""
    """What was still moving at the last look, or nothing."""

    rested: float = field(default_factory=monotonic)
    """The monotonic second at which everything was last at rest."""

    def __post_init__(self) -> None:
        self.coming = self.now

    async def advance(self, to: datetime) -> None:
        self.coming = to
        await self.before_step(to)
        await super().advance(to)

    async def settle(self) -> None:
        """Two looks that show the same, three after somebody was away.

        One is not enough where a service has replicas: what one wrote while the other had already been
        looked at is published by the other.
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
        """A clock that is wrong by so much, until everything that follows has happened; then right again."""
        stands = self.now
        try:
            self.now = stands + by
            step(self.clock_file, self.now)
            await self.settle()
        finally:
            self.now = stands
            step(self.clock_file, stands)
        await self.settle()
