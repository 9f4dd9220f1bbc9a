"""What a fault is: something done to the stack, and undone, while people go on working."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import Literal

from tests.chaos.desks import LedgerDesks
from tests.chaos.history import Planted
from tests.chaos.receivers import Receivers
from tests.chaos.settling import ChaosTime
from tests.chaos.stack import ChaosStack
from tests.chaos.tap import Tap


@dataclass
class Scene:
    """Everything a fault may lay hands on."""

    stack: ChaosStack
    tap: Tap
    receivers: Receivers
    time: ChaosTime
    desks: LedgerDesks
    random: Random
    planted: list[Planted] = field(default_factory=list)
    """Records that a fault wrote into topics."""

    disk: "str | None" = None
    """Mount point of the small disk that mongod lives on, if this machine let us make one."""


class PointNotReached(Exception):
    """Nobody came by in time, or nobody was there: nothing was struck."""


Act = Callable[[Scene], Awaitable[None]]
Moment = Literal["step", "request", "morning"]
"""When it strikes: as the clock moves to the busy moment, in the middle of its requests, or in the morning
while nobody works (clocks that go wrong)."""


async def nothing(_: Scene) -> None:
    """Nothing to undo: the supervisor does."""


@dataclass(frozen=True)
class Fault:
    """`hold`: seconds between `inject` and `heal`; `inject` may take its own time. Either raises
    `PointNotReached` when nothing was struck.

    `impossible`: why it cannot be done on this machine, or nothing.
    """

    name: str
    inject: Act
    heal: Act = nothing
    hold: float = 0.0
    moment: Moment = "request"
    impossible: Callable[[Scene], str] = lambda _: ""

    async def strike(self, scene: Scene) -> None:
        """Raises `PointNotReached`."""
        try:
            await self.inject(scene)
            await asyncio.sleep(self.hold)
        except BaseException:
            with suppress(PointNotReached):  # what ended it is what counts
                await self.heal(scene)
            raise
        await self.heal(scene)
