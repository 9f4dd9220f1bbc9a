"""Webhook and mail receivers that misbehave while somebody must be paged."""

from datetime import timedelta
from functools import partial

from tests.chaos.faults.base import Fault, PointNotReached, Scene
from tests.chaos.receivers import Manner

HOLD_SECONDS = 3.0
"""Longer than one attempt may take (2 s)."""


TWO_ATTEMPTS = timedelta(seconds=3)
"""Stepped time: a page's first two attempts fail, but not its last two, or its step would be lost."""


async def _misbehave(scene: Scene, *, manner: Manner) -> None:
    busy = scene.time.coming + TWO_ATTEMPTS
    scene.receivers.behave(manner, lambda: scene.time.now <= busy)


async def _behave(scene: Scene) -> None:
    """End the misbehaviour. Raises `PointNotReached` if no call met it."""
    scene.receivers.behave("well")
    if not scene.receivers.wronged:
        raise PointNotReached


def _receivers(manner: Manner) -> Fault:
    act = partial(_misbehave, manner=manner)
    return Fault(f"receivers {manner}", act, _behave, hold=HOLD_SECONDS, moment="step", touches_pages=True)


ALL = [_receivers(manner) for manner in ("hang", "refuse", "error", "slow", "close")]
