"""Network faults between a service and a server (freeze, swallow, delay, cut), and one unavailable topic."""

from functools import partial
from typing import Literal

from tests.chaos.faults.base import Fault, PointNotReached, Scene, fault_of
from tests.chaos.proxy import Mode
from tests.chaos.stack import replicas_of
from tests.chaos.wire import is_produce_to_dead_letters

HOLD_SECONDS = 4.0

Link = Literal["mongod", "broker"]


async def _fail(scene: Scene, *, replicas: tuple[str, ...], link: Link, mode: Mode) -> None:
    for replica in replicas:
        getattr(scene.stack.links[replica], link).fail(mode)


async def _heal(scene: Scene, *, replicas: tuple[str, ...], link: Link) -> None:
    for replica in replicas:
        getattr(scene.stack.links[replica], link).heal()


def between(service: str, link: Link, mode: Mode, *, hold: float = HOLD_SECONDS) -> Fault:
    """The same network fault between a server and all replicas of a service."""
    replicas, kind = replicas_of(service), f"network {mode}"
    fail = partial(_fail, replicas=replicas, link=link, mode=mode)
    heal = partial(_heal, replicas=replicas, link=link)
    return fault_of(service, f"{kind}: {service} and {link}", fail, heal, kind=kind, hold=hold)


async def _lose_dead_letters(scene: Scene) -> None:
    for links in scene.stack.links.values():
        links.broker.lost, links.broker.lose = 0, is_produce_to_dead_letters


async def _find_dead_letters(scene: Scene) -> None:
    """Heal the links. Raises `PointNotReached` if no letter was lost."""
    for links in scene.stack.links.values():
        links.broker.heal()
    if not any(links.broker.lost for links in scene.stack.links.values()):
        raise PointNotReached


DEAD_LETTER_TOPIC = Fault(
    "dead-letter topic unavailable", _lose_dead_letters, _find_dead_letters, hold=HOLD_SECONDS, moment="step"
)

TO_MONGOD = [
    between("intake", "mongod", "half_open"),
    between("care_plan", "mongod", "frozen"),
    between("care_plan", "mongod", "cut", hold=2.0),
    between("scheduler", "mongod", "frozen"),
    between("alerts", "mongod", "frozen"),
    between("alerts", "mongod", "delay", hold=3.0),
]
TO_BROKER = [
    between("intake", "broker", "frozen"),
    between("care_plan", "broker", "frozen"),
    between("scheduler", "broker", "half_open"),
    between("alerts", "broker", "frozen"),
    between("alerts", "broker", "blackhole"),
]
