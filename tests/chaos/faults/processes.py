"""Processes that are killed, frozen or restarted, and a replica that joins and leaves."""

import signal
from contextlib import suppress
from functools import partial

from deploy.embedded.plan import PAGE
from deploy.embedded.probing import attempts
from deploy.embedded.stack import Supervised
from tests.chaos.faults.base import Fault, PointNotReached, Scene, fault_of
from tests.chaos.stack import REPLICAS

STOPPED_SECONDS = 4.5
"""Longer than the group's session (3 s) and the relay's lease (3 s)."""

SERVER_STOPPED_SECONDS = 4.0
GUEST_STAYS_SECONDS = 3.0


def _member(scene: Scene, name: str) -> Supervised:
    if name == "mongod":
        return scene.stack.mongod
    return scene.stack.broker if name == "broker" else scene.stack.replicas[name]


async def send(scene: Scene, *, name: str, number: signal.Signals) -> None:
    """Send a signal. Raises `PointNotReached` if the process is not running."""
    process = _member(scene, name).process
    if process is None or process.poll() is not None:
        raise PointNotReached
    process.send_signal(number)


async def _wake(scene: Scene, *, name: str) -> None:
    with suppress(PointNotReached):  # it may have died since
        await send(scene, name=name, number=signal.SIGCONT)


async def end(scene: Scene, *, name: str) -> None:
    """Send SIGTERM and wait for the end; the supervisor restarts it. Raises `PointNotReached`."""
    process = _member(scene, name).process
    await send(scene, name=name, number=signal.SIGTERM)
    async for _ in attempts(15):
        if process is None or process.poll() is not None:
            return


def killed(name: str) -> Fault:
    die = partial(send, name=name, number=signal.SIGKILL)
    return fault_of(name, f"kill {name}", die, kind=_kind("kill", name))


def frozen(name: str, seconds: float) -> Fault:
    stop = partial(send, name=name, number=signal.SIGSTOP)
    go_on = partial(_wake, name=name)
    return fault_of(name, f"freeze {name}", stop, go_on, kind=_kind("freeze", name), hold=seconds)


def restarted(name: str) -> Fault:
    return fault_of(name, f"restart {name}", partial(end, name=name), kind=_kind("restart", name))


def _kind(deed: str, name: str) -> str:
    """The kind of fault, the same for all replicas of a service."""
    return f"{deed} {REPLICAS.get(name, name)}"


async def _join(scene: Scene) -> None:
    """Start a second scheduler replica and wait until it is ready."""
    scene.stack.guest.start()
    await scene.stack.guest.ready(60)


async def _leave(scene: Scene) -> None:
    with suppress(PointNotReached):
        await end(scene, name=scene.stack.guest.name)
    scene.stack.guest.kill()


JOINS = Fault("replica joins and leaves", _join, _leave, hold=GUEST_STAYS_SECONDS, moment="step")

OF_CARE = [name for name in REPLICAS if name != PAGE]
KILLED = [killed(name) for name in OF_CARE]
FROZEN = [frozen(name, STOPPED_SECONDS) for name in OF_CARE]
RESTARTED = [restarted(name) for name in OF_CARE]
MONGOD = [killed("mongod"), frozen("mongod", SERVER_STOPPED_SECONDS), restarted("mongod")]
BROKER = [killed("broker"), frozen("broker", SERVER_STOPPED_SECONDS)]
