"""Kills at a chosen point: the proxy sees the request that marks it and kills the sender."""

import asyncio
import signal
from collections.abc import Callable
from functools import partial
from typing import Literal

from tests.chaos.faults.base import Act, Fault, PointNotReached, Scene, fault_of
from tests.chaos.proxy import Proxy, Trip
from tests.chaos.receivers import Page
from tests.chaos.stack import replicas_of
from tests.chaos.wire import (
    PageCommit,
    is_offset_commit,
    is_produce,
    is_relay_mark,
    is_transaction_commit,
)

WAIT_SECONDS = 6.0
"""Most seconds to wait for the point; otherwise the window reports that the fault had no effect."""

Link = Literal["mongod", "broker"]
Fits = Callable[[bytes], bool]
ALERTS = replicas_of("alerts")


def _proxy(scene: Scene, replica: str, link: Link) -> Proxy:
    links = scene.stack.links[replica]
    return links.mongod if link == "mongod" else links.broker


async def wait_in(
    scene: Scene,
    *,
    replicas: tuple[str, ...],
    link: Link,
    sign: Callable[[], Fits],
    swallow: bool,
    within: float = WAIT_SECONDS,
) -> None:
    """Kill the replica that reaches the point first. Raises `PointNotReached`."""
    fallen = asyncio.Event()

    def fell(replica: str) -> None:
        if not fallen.is_set():
            fallen.set()
            scene.stack.replicas[replica].send(signal.SIGKILL)

    for replica in replicas:
        _proxy(scene, replica, link).trip = Trip(sign(), partial(fell, replica), swallow)
    try:
        await _come_by(fallen, within)
    finally:
        for replica in replicas:
            _proxy(scene, replica, link).trip = None


async def _come_by(fallen: asyncio.Event, within: float = WAIT_SECONDS) -> None:
    try:
        async with asyncio.timeout(within):
            await fallen.wait()
    except TimeoutError:
        raise PointNotReached from None


def point(kind: str, service: str, link: Link, fits: Fits, *, swallow: bool = True) -> Fault:
    """One replica of the service is killed at a request that fits."""
    act = partial(wait_in, replicas=replicas_of(service), link=link, sign=lambda: fits, swallow=swallow)
    return _death(kind, service, act)


def _death(kind: str, service: str, act: Act) -> Fault:
    return fault_of(service, f"{kind}: {service}", act, kind=kind, moment="step")


async def _die_before_paging(scene: Scene) -> None:
    """Kill a replica that has committed a page, before the commit's answer arrives."""
    await wait_in(scene, replicas=ALERTS, link="mongod", sign=PageCommit, swallow=False)


async def _die_when_paging(scene: Scene) -> None:
    """Kill all replicas of alerts when a page has arrived, before its sender can record that."""
    paged = asyncio.Event()

    def on_page(_: Page) -> None:
        if not paged.is_set():
            paged.set()
            for replica in ALERTS:
                scene.stack.replicas[replica].send(signal.SIGKILL)

    scene.receivers.on_page = on_page
    try:
        await _come_by(paged)
    finally:
        scene.receivers.on_page = None


COMMIT = [
    point("die before commit", "care_plan", "mongod", is_transaction_commit),
    point("die after commit", "care_plan", "mongod", is_transaction_commit, swallow=False),
    point("die before commit", "scheduler", "mongod", is_transaction_commit),
]
RELAY = [
    point("die between commit and publish", "intake", "broker", is_produce),
    point("die between commit and publish", "care_plan", "broker", is_produce),
    point("die between publish and mark", "intake", "mongod", is_relay_mark),
    point("die between publish and mark", "care_plan", "mongod", is_relay_mark),
]
PAGE = [
    point("die before offset commit", "alerts", "broker", is_offset_commit),
    _death("die between commit and page", "alerts", _die_before_paging),
    _death("die between page and record", "alerts", _die_when_paging),
]
