"""What a fault is: something done to the stack, and undone, while people go on working."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from typing import Literal

from tests.chaos.desks import LedgerDesks
from tests.chaos.history import Planted
from tests.chaos.receivers import Receivers
from tests.chaos.settling import ChaosTime
from tests.chaos.stack import REPLICAS, ChaosStack
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
    kind: str = ""
    """What is done, whichever replica or link it is done to; nothing, where no other fault does the same."""

    moment: Moment = "request"
    at_noon: bool = False
    """Whether the busy moment has to be noon, when people are referred: intake has most to do then."""

    instant: datetime | None = None
    """The morning's instant, if not any will do."""

    touches_pages: bool = False
    """Whether it touches what a page goes through: alerts, its database, the far ends."""

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


def fault_of(
    member: str,
    name: str,
    inject: Act,
    heal: Act = nothing,
    *,
    kind: str,
    hold: float = 0.0,
    moment: Moment | None = None,
) -> Fault:
    """Done to a service, one of its replicas or a server: which one says when it strikes and what it touches.

    `moment`: if it is not the one at which they are at work.
    """
    service = REPLICAS.get(member, member)
    return Fault(
        name,
        inject,
        heal,
        hold=hold,
        kind=kind,
        moment=moment or _moment(service),
        at_noon=service == "intake",
        touches_pages=service in ("alerts", "mongod"),
    )


def _moment(service: str) -> Moment:
    """The scheduler's work begins when the clock moves, everybody else's with requests."""
    return "step" if service == "scheduler" else "request"
