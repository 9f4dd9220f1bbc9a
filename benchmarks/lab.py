"""The benchmarks' own servers: one mongod for all sides, an empty broker for each side's run."""

import json
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from deploy.embedded.keys import ensure_keys
from deploy.embedded.plan import ROOT, SERVICES, Plan, Ports
from deploy.embedded.processes import Process, last_lines, spawn, stop
from deploy.embedded.servers import Broker, Mongod, free_ports
from deploy.embedded.services import ServiceProcess
from shared.messaging.topics import topic
from shared.mongo import MongoDatabase

RIVALS = Path(sys.prefix) / "rivals" / "bin" / "python"
"""The interpreter with the contenders that cannot be installed beside Kith (requirements/bench.txt)."""


@dataclass(frozen=True)
class Lab:
    folder: Path
    mongod: Mongod

    @asynccontextmanager
    async def broker(self) -> AsyncIterator[Broker]:
        """An empty broker with every declared topic."""
        broker = Broker(self.folder / "broker", free_ports(1), self.folder / "logs" / "broker.log")
        broker.start()
        try:
            await broker.ready()
            yield broker
        finally:
            broker.kill()

    def plan(self, **chosen: str) -> Plan:
        """A plan with free ports, keys, and these settings for every service."""
        ports = Ports.above(free_ports(1 + len(SERVICES)))
        plan = Plan(self.folder, ports, chosen={"*": chosen})
        ensure_keys(plan.signing_key, plan.jwks)
        return plan

    def service(self, name: str, broker: Broker, **chosen: str) -> ServiceProcess:
        """A service as it ships, not started yet."""
        return ServiceProcess(name, self.plan(**chosen), self.mongod.uri, broker.address)

    def last_words(self) -> str:
        """The end of the log written last, which usually shows what went wrong."""
        logs = [log for log in (self.folder / "logs").glob("*.log") if "mongod" not in log.name]
        return last_lines(max(logs, key=lambda log: log.stat().st_mtime), 12) if logs else ""

    @asynccontextmanager
    async def contender(
        self, name: str, task: Mapping[str, Any], *, rival: bool = False
    ) -> AsyncIterator[Process]:
        """A hand-written side in its own process, with `task` as its JSON argument."""
        python = str(RIVALS) if rival else sys.executable
        command = [python, "-m", f"benchmarks.contenders.{name}", json.dumps(task)]
        log = self.folder / "logs" / f"{name}.log"
        process = spawn(command, folder=ROOT, log=log, environment=os.environ)
        try:
            yield process
        finally:
            stop(process, within=3.0)

    @asynccontextmanager
    async def looking(self, name: str) -> AsyncIterator[MongoDatabase]:
        """Access to a database that is kept."""
        database = MongoDatabase(self.mongod.uri, name)
        try:
            yield database
        finally:
            await database.close()

    @asynccontextmanager
    async def database(self, name: str) -> AsyncIterator[MongoDatabase]:
        """Access to a database that is dropped at the end, flushing to disk before the next side runs."""
        database = MongoDatabase(self.mongod.uri, name)
        try:
            yield database
        finally:
            await database.client.drop_database(name)
            await database.client.admin.command("fsync")
            await database.close()


@asynccontextmanager
async def laboratory() -> AsyncIterator[Lab]:
    with TemporaryDirectory(prefix="kith-bench-") as path:
        folder = Path(path)
        mongod = Mongod(folder / "mongod", free_ports(1), folder / "logs" / "mongod.log")
        mongod.start()
        try:
            await mongod.ready()
            yield Lab(folder, mongod)
        finally:
            mongod.kill()


def has_rivals() -> bool:
    return RIVALS.exists()


def partitions_of(name: str) -> int:
    """The number of partitions of a topic, the same for every side."""
    return topic(name).partitions_on(embedded=True)
