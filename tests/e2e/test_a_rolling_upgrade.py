"""This version and the next side by side, there and back, under load: nothing is lost or doubled."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from deploy.embedded.plan import ROOT, Plan
from deploy.embedded.ports import free_ports
from deploy.embedded.processes import spawn
from deploy.embedded.services import ServiceProcess
from shared.messaging.topics import topics
from tests.support.eventually import eventually
from tests.support.next_version import next_version
from tests.support.upgrading import (
    Started,
    counting,
    everybody_has_a_course,
    letters,
    nothing_is_set_aside,
    referred,
    replay,
)
from tests.support.world import World, world


def start_from(tree: Path, service: ServiceProcess) -> None:
    environment = service.plan.environment(service.name, mongodb=service.mongodb, kafka=service.kafka)
    command = [sys.executable, "-m", f"services.{service.name}"]
    service.process = spawn(command, folder=tree, log=service.log, environment=environment)


async def roll(kith: World, name: str, tree: Path) -> None:
    """End a service in order; its supervisor brings it back from another tree."""
    service = kith.stack.services[name]
    before = service.process
    assert before is not None
    service.start = partial(start_from, tree, service)  # type: ignore[method-assign]
    before.send_signal(signal.SIGTERM)
    await eventually(lambda: service.process is not before and service.is_running, within=60)
    await service.ready(120)


@asynccontextmanager
async def another_replica(kith: World, name: str, tree: Path) -> AsyncIterator[None]:
    """A second replica, of the version in `tree`, beside the stack's.

    When it is gone the other takes its partitions over; only then the block is left. The embedded broker lets
    nobody join a group any more that two members left at once.
    """
    ports = replace(kith.stack.plan.ports, services={name: free_ports(1)})
    plan: Plan = replace(kith.stack.plan, ports=ports, chosen={name: {"instance": f"{name}-2"}})
    service = ServiceProcess(name, plan, kith.stack.mongod.uri, kith.stack.broker.address)
    start_from(tree, service)
    try:
        await service.ready(120)
        yield
    finally:
        await asyncio.to_thread(service.stop)
    await eventually(partial(reads_everything, kith, name), within=60, pause=0.2)


async def reads_everything(kith: World, name: str) -> bool:
    """Whether the stack's replica has every partition of every topic."""
    wanted = sum(t.partitions_on(embedded=True) for t in topics().values() if name in t.consumers)
    flow = await kith.desks.get(name, "/flow", role="engineer")
    return len(flow["consumed"]) == wanted


async def test_versions_side_by_side_there_and_back_lose_nothing_and_double_nothing(tmp_path: Path) -> None:
    tree = await asyncio.to_thread(next_version, tmp_path / "next")
    async with (
        world(tmp_path / "stack") as kith,
        referred(kith.desks) as load,
        counting(kith.stack.mongod.uri) as started,
    ):
        await there(kith, started, tree)
        await back_in_the_wrong_order(kith, started)
        await there_again(kith, started, tree)
        await load.end()
        await kith.time.settle()
        await replay(kith.desks)
        await kith.time.settle()
        await nothing_is_set_aside(kith.desks)
        await everybody_has_a_course(kith.desks, load.people)


async def there(kith: World, started: Started, tree: Path) -> None:
    """The reader first, then the writer, which for a while runs in both versions."""
    await started.more(1)
    await roll(kith, "scheduler", tree)
    async with another_replica(kith, "care_plan", tree):
        await started.more(2)
    await roll(kith, "care_plan", tree)
    await started.more(2)


async def back_in_the_wrong_order(kith: World, started: Started) -> None:
    """The reader meets what it does not know, and sets it aside."""
    await roll(kith, "scheduler", ROOT)
    await started.more(2)
    await eventually(partial(letters, kith.desks), within=120, pause=0.2, that="something is set aside")
    async with another_replica(kith, "care_plan", ROOT):
        await started.more(1)
    await roll(kith, "care_plan", ROOT)
    await started.more(1)


async def there_again(kith: World, started: Started, tree: Path) -> None:
    await roll(kith, "scheduler", tree)
    await roll(kith, "care_plan", tree)
    await started.more(2)
