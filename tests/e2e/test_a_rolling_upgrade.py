"""This version and the next side by side, there and back, under load: nothing is lost or doubled."""

import asyncio
import itertools
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

from deploy import books
from deploy.embedded.plan import ROOT, Plan
from deploy.embedded.ports import free_ports
from deploy.embedded.processes import spawn
from deploy.embedded.services import ServiceProcess
from shared.messaging.topics import topics
from shared.mongo import MongoDatabase
from tests.support.eventually import eventually
from tests.support.next_version import next_version
from tests.support.world import CALM, LOW_MOOD, World, world

AT_LEAST = 3
"""Announcements of a version before the next step."""

PACE = 0.5
"""Seconds between referrals."""


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


class Load:
    """Referrals at a steady pace, until told."""

    def __init__(self, kith: World) -> None:
        self._kith, self.people = kith, 0
        self._enough = asyncio.Event()
        self._working = asyncio.create_task(self._run())

    async def end(self) -> None:
        self._enough.set()
        await self._working

    async def _run(self) -> None:
        for number in itertools.count():
            if self._enough.is_set():
                return
            await self._kith.desks.send("intake", "POST", "/referrals", _form(number), key=f"person {number}")
            self.people = number + 1
            with suppress(TimeoutError):
                await asyncio.wait_for(self._enough.wait(), PACE)


@asynccontextmanager
async def referred(kith: World) -> AsyncIterator[Load]:
    load = Load(kith)
    try:
        yield load
    finally:
        await load.end()


def _form(number: int) -> dict[str, object]:
    return {
        "clinic_id": "riverside",
        "person": {"given_name": "Zuzanna", "family_name": f"Brzęczyszczykiewicz {number}"},
        "age": 41,
        "consent": True,
        "screening": {"phq9": {"items": LOW_MOOD}, "cssrs": CALM},
    }


class Started:
    """How many plans' starts were announced, by schema version."""

    def __init__(self, database: MongoDatabase) -> None:
        self._database = database

    async def count(self, version: int) -> int:
        chosen = {"events.type": "CarePlanStarted", "events.schema_version": version}
        rows = await self._database.aggregate(
            "outbox", [{"$unwind": "$events"}, {"$match": chosen}, {"$count": "events"}]
        )
        return int(rows[0]["events"]) if rows else 0

    async def more(self, version: int) -> None:
        """Wait until some more were announced in this version."""
        target = await self.count(version) + AT_LEAST

        async def enough() -> bool:
            return await self.count(version) >= target

        await eventually(enough, within=120, pause=0.2, that=f"plans started in version {version}")


@asynccontextmanager
async def counting(kith: World) -> AsyncIterator[Started]:
    database = MongoDatabase(kith.stack.mongod.uri, "kith_care_plan")
    try:
        yield Started(database)
    finally:
        await database.close()


async def letters(kith: World) -> list[dict[str, str]]:
    """The scheduler's open dead letters."""
    answer = await kith.desks.get("scheduler", "/dead-letters", role="engineer", limit=200)
    found: list[dict[str, str]] = answer["items"]
    return found


async def test_versions_side_by_side_there_and_back_lose_nothing_and_double_nothing(tmp_path: Path) -> None:
    tree = await asyncio.to_thread(next_version, tmp_path / "next")
    async with world(tmp_path / "stack") as kith, referred(kith) as load, counting(kith) as started:
        await there(kith, started, tree)
        await back_in_the_wrong_order(kith, started)
        await there_again(kith, started, tree)
        await load.end()
        await kith.time.settle()
        await replay(kith)
        await kith.time.settle()
        assert await letters(kith) == []
        await everybody_has_a_course(kith, load.people)


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
    await eventually(partial(letters, kith), within=120, pause=0.2, that="something is set aside")
    async with another_replica(kith, "care_plan", ROOT):
        await started.more(1)
    await roll(kith, "care_plan", ROOT)
    await started.more(1)


async def there_again(kith: World, started: Started, tree: Path) -> None:
    await roll(kith, "scheduler", tree)
    await roll(kith, "care_plan", tree)
    await started.more(2)


async def replay(kith: World) -> None:
    found = await letters(kith)
    assert {letter["reason"] for letter in found} == {"newer_schema"}
    for letter in found:
        path = f"/dead-letters/{letter['id']}/replay"
        answer = await kith.desks.send("scheduler", "POST", path, role="engineer")
        assert answer["outcome"] == "processed"


async def everybody_has_a_course(kith: World, people: int) -> None:
    plans = await kith.desks.all_pages("care_plan", "/plans")
    assert len(plans) == len({plan["patient_id"] for plan in plans}) == people
    for plan in plans:
        assert len(await kith.appointments(plan["id"])) == plan["sessions"], plan["id"]
    answers = [await kith.desks.get(service, "/books", role="engineer") for service in kith.stack.services]
    assert [line for line in books.join(books.entries(answers)) if not line.balanced] == []
