"""The definition of a fault: a disturbance that is injected and healed while people keep working."""

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
    """Everything a fault may act on."""

    stack: ChaosStack
    tap: Tap
    receivers: Receivers
    time: ChaosTime
    desks: LedgerDesks
    random: Random
    planted: list[Planted] = field(default_factory=list)
    """Records that a fault wrote into topics."""

    disk: "str | None" = None
    """Mount point of mongod's small disk, if this machine allowed one."""


class PointNotReached(Exception):
    """The fault had no effect: its point was not reached in time, or its target was not running."""


Act = Callable[[Scene], Awaitable[None]]
Moment = Literal["step", "request", "morning"]
"""When a fault is injected: as the clock moves to the busy moment, amid that moment's requests, or in the
morning while nobody works (for clock faults)."""


async def nothing(_: Scene) -> None:
    """Heal nothing: the supervisor restarts what died."""


@dataclass(frozen=True)
class Fault:
    """`hold`: seconds between the end of `inject` and `heal`. Both may raise `PointNotReached` if the fault
    had no effect.

    `impossible` returns why the fault cannot be injected on this machine, or an empty string.
    """

    name: str
    inject: Act
    heal: Act = nothing
    hold: float = 0.0
    kind: str = ""
    """The kind of disturbance, shared by faults on other replicas or links; empty if it has no siblings."""

    moment: Moment = "request"
    at_noon: bool = False
    """Whether the busy moment must be noon, when people are referred and intake is busiest."""

    instant: datetime | None = None
    """The required instant of the morning, if any."""

    touches_pages: bool = False
    """Whether it affects the path of pages: alerts, its database, the receivers."""

    impossible: Callable[[Scene], str] = lambda _: ""

    async def strike(self, scene: Scene) -> None:
        """Inject, hold and heal. Raises `PointNotReached`."""
        try:
            await self.inject(scene)
            await asyncio.sleep(self.hold)
        except BaseException:
            with suppress(PointNotReached):  # keep the original error
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
    """A fault on a service, a replica or a server, which determines its moment and what it affects.

    `moment` overrides the moment at which that member is at work.
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
    """The moment a service is at work: for the scheduler when the clock moves, for others on requests."""
    return "step" if service == "scheduler" else "request"
