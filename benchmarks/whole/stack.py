"""A whole stack for a benchmark, queried from outside."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

import httpx2

from benchmarks.machine import cpu_seconds, resident_megabytes
from benchmarks.topics import Shortfall
from benchmarks.whole import clinics
from deploy.demo.settling import unsettled
from deploy.embedded.keys import development_token
from deploy.embedded.log_watch import LogLine
from deploy.embedded.plan import ROOT, SERVICES, Plan, Ports, chosen_settings
from deploy.embedded.ports import free_ports
from deploy.embedded.processes import Process, last_lines, spawn, stop
from deploy.embedded.stack import Stack, running
from shared.clock import SystemClock
from shared.mongo import MongoDatabase

PAUSE = 0.05
PATIENCE = 1800.0
SERVERS = 2
COUNTING_MS = 120_000
"""Long timeout: counting effects reads whole collections."""


@dataclass
class RunningStack:
    """`capacity`: the number of patients its clinics have time for."""

    embedded: Stack
    capacity: int
    warnings: list[str]

    @property
    def data(self) -> Path:
        return self.embedded.plan.data

    @property
    def broker_address(self) -> str:
        return self.embedded.broker.address

    def token(self, role: str) -> str:
        return development_token(self.embedded.plan.signing_key, role)

    @asynccontextmanager
    async def client(self, role: str) -> AsyncIterator[httpx2.AsyncClient]:
        headers = {"Authorization": f"Bearer {self.token(role)}"}
        async with httpx2.AsyncClient(timeout=30, trust_env=False, headers=headers) as client:
            yield client

    def url(self, service: str) -> str:
        return self.embedded.plan.url(service)

    @asynccontextmanager
    async def database(self, service: str) -> AsyncIterator[MongoDatabase]:
        database = MongoDatabase(self.embedded.mongod.uri, f"kith_{service}", timeout_ms=COUNTING_MS)
        try:
            yield database
        finally:
            await database.close()

    def cpu(self) -> dict[str, float]:
        """CPU seconds so far of each process."""
        return {m.name: cpu_seconds(m.process.pid) for m in self.embedded.members if m.process is not None}

    def memory(self) -> dict[str, float]:
        """Resident megabytes of each service."""
        services = self.embedded.services.items()
        return {name: resident_megabytes(s.process.pid) for name, s in services if s.process is not None}

    @asynccontextmanager
    async def importing(self, first: int, count: int) -> AsyncIterator[Process]:
        """A process that sends `count` referrals, from number `first` on."""
        task = {
            "url": self.url("intake"),
            "token": self.token("service"),
            "first": first,
            "count": count,
            "capacity": self.capacity,
        }
        command = [sys.executable, "-m", "benchmarks.whole.importing", json.dumps(task)]
        log = self.data / "logs" / "importing.log"
        process = spawn(command, folder=ROOT, log=log, environment=os.environ)
        try:
            yield process
        finally:
            stop(process, within=3.0)

    async def refer(self, first: int, count: int) -> None:
        """Import, and wait until every plan has its appointments. Raises `Shortfall`."""
        async with self.importing(first, count) as process, self.database("scheduler") as scheduler:
            await self.until(lambda: self.scheduled(scheduler, first + count - 1), "schedules", process)

    async def scheduled(self, scheduler: MongoDatabase, expected: int) -> bool:
        return int(await scheduler["schedules"].estimated_document_count()) >= expected

    async def until(
        self, holds: Callable[[], Awaitable[bool]], what: str, process: Process | None = None
    ) -> None:
        """Wait until `holds` is true. Raises `Shortfall` after `PATIENCE`, or if `process` failed."""
        deadline = monotonic() + PATIENCE
        while not await holds():
            if process is not None and process.poll() not in (None, 0):
                raise Shortfall(f"the import failed: {last_lines(self.data / 'logs' / 'importing.log', 3)}")
            if monotonic() > deadline:
                raise Shortfall(f"{what}: not within {PATIENCE:g} s; {self.warnings[-3:]}")
            await asyncio.sleep(PAUSE)

    async def settled(self) -> None:
        """Wait until nothing is in flight: all announcements are published and consumed."""
        async with self.client("engineer") as client:
            await self.until(lambda: self._still(client), "everything at rest")

    async def _still(self, client: httpx2.AsyncClient) -> bool:
        answers = await asyncio.gather(*(client.get(f"{self.url(name)}/flow") for name in SERVICES))
        if any(answer.status_code != httpx2.codes.OK for answer in answers):
            return False
        return not unsettled([answer.json() for answer in answers], SystemClock().now())

    async def announced(self) -> dict[str, int]:
        """Events by type in the outboxes of all services; one announced twice counts twice."""
        counts: dict[str, int] = {}
        group = {"_id": "$events.type", "count": {"$sum": 1}}
        pipeline: list[dict[str, Any]] = [
            {"$project": {"events.type": 1}},
            {"$unwind": "$events"},
            {"$group": group},
        ]
        for name in SERVICES:
            async with self.database(name) as database:
                for row in await database.aggregate("outbox", pipeline):
                    counts[row["_id"]] = counts.get(row["_id"], 0) + row["count"]
        return counts

    async def require_no_dead_letters(self) -> None:
        for name in SERVICES:
            async with self.database(name) as database:
                if found := await database["dead_letters"].count_documents({}):
                    raise Shortfall(f"{name} set {found} messages aside; {self.warnings[-3:]}")


def plan_for(data: Path, capacity: int, *, page: str | None = None, **chosen: Any) -> Plan:
    """A plan with free ports, and clinics with time for `capacity` patients."""
    first = free_ports(1 + len(SERVICES) + SERVERS)
    ports = Ports.above(first + SERVERS, mongod=first, kafka=first + 1)
    files = clinics.write(data / "config", capacity, page=page)
    texts = [f"{name}={value}" for name, value in (files | chosen).items()]
    return Plan(data.resolve(), ports, chosen=chosen_settings(texts))


@asynccontextmanager
async def running_stack(plan: Plan, capacity: int) -> AsyncIterator[RunningStack]:
    warnings: list[str] = []

    def note(line: LogLine) -> None:
        warnings.append(f"{line.service}: {line.text}")

    async with running(plan, note) as embedded:
        yield RunningStack(embedded, capacity, warnings)
