"""Webhook and mail receivers that misbehave while somebody is to be paged."""

from functools import partial

from tests.chaos.faults.base import Fault, Scene
from tests.chaos.receivers import Manner

HOLD_SECONDS = 3.0
"""Longer than one attempt may take (2 s): at least one fails, and the next ones are the clock's."""


async def _behave(scene: Scene, *, manner: Manner) -> None:
    scene.receivers.behave(manner)


def _receivers(manner: Manner) -> Fault:
    act, heal = partial(_behave, manner=manner), partial(_behave, manner="well")
    return Fault(f"receivers {manner}", act, heal, hold=HOLD_SECONDS, moment="step")


ALL = [_receivers(manner) for manner in ("hang", "refuse", "error", "slow", "close")]
