"""Stepped time for a stack with replicas, told when it moves."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from deploy.demo.settling import Time
from shared.clock import step

PATIENCE_SECONDS = 150.0


async def _nobody(_: datetime) -> None:
    return None


@dataclass
class ChaosTime(Time):
    """`before_step` is told where the clock is about to go."""

    patience: float = PATIENCE_SECONDS
    before_step: Callable[[datetime], Awaitable[None]] = field(default=_nobody)

    coming: datetime = field(init=False)
    """Where the clock stands or is just about to go."""

    def __post_init__(self) -> None:
        self.coming = self.now

    async def advance(self, to: datetime) -> None:
        self.coming = to
        await self.before_step(to)
        await super().advance(to)

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
