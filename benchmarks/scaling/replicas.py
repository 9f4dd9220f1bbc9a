"""Replicas of care_plan that have joined their group and got partitions before the backlog exists."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from time import monotonic

import httpx2

from benchmarks.contenders.filling import INTAKE_TOPIC
from benchmarks.lab import Lab
from benchmarks.topics import Shortfall
from deploy.embedded.keys import development_token
from deploy.embedded.plan import ROOT
from deploy.embedded.processes import Process, spawn
from deploy.embedded.servers import Broker
from deploy.embedded.services import ServiceProcess

SESSION_MS = 60_000
"""The same for every side: replicas paused while the backlog is produced must stay in the group."""

JOINED_SECONDS = 60.0


class Replica(ServiceProcess):
    """care_plan as shipped, except for the number of partitions of the topic it consumes."""

    partitions: int = 1

    def start(self) -> None:
        environment = self.plan.environment(self.name, mongodb=self.mongodb, kafka=self.kafka)
        command = [sys.executable, "-m", "benchmarks.scaling.service", str(self.partitions)]
        self.process = spawn(command, folder=ROOT, log=self.log, environment=environment)

    @property
    def running(self) -> Process:
        assert self.process is not None  # noqa: S101 (it was started)
        return self.process

    async def assigned(self) -> set[str]:
        """Its assigned partitions of the topic, as `topic/number`."""
        token = development_token(self.plan.signing_key, "engineer")
        headers = {"authorization": f"Bearer {token}"}
        async with httpx2.AsyncClient(base_url=self.address, headers=headers, trust_env=False) as client:
            flow = (await client.get("/flow")).json()
        return {place for place in flow["consumed"] if place.rpartition("/")[0] == INTAKE_TOPIC}


@asynccontextmanager
async def working(
    lab: Lab, broker: Broker, label: str, number: int, partitions: int
) -> AsyncIterator[list[Replica]]:
    """Run `number` replicas with the partitions assigned as evenly as possible. Raises `Shortfall`."""
    replicas = [_replica(lab, broker, label, place, partitions) for place in range(1, number + 1)]
    try:
        for replica in replicas:
            replica.start()
        await asyncio.gather(*(replica.ready() for replica in replicas))
        await _shared_out(replicas, partitions)
        yield replicas
    finally:
        for replica in replicas:
            replica.stop(within=3.0)


def _replica(lab: Lab, broker: Broker, label: str, place: int, partitions: int) -> Replica:
    chosen = {"instance": f"care_plan-{place}", "session_timeout_ms": str(SESSION_MS)}
    plan = lab.plan(database_prefix=f"{label}_", **chosen)
    replica = Replica("care_plan", plan, lab.mongod.uri, broker.address)
    replica.partitions = partitions
    return replica


async def _shared_out(replicas: Sequence[Replica], partitions: int) -> None:
    until = monotonic() + JOINED_SECONDS
    shares: list[int] = []
    while monotonic() < until:
        shares = sorted([len(await replica.assigned()) for replica in replicas])
        if sum(shares) == partitions and shares[-1] - shares[0] <= 1:
            return
        await asyncio.sleep(0.1)
    raise Shortfall(f"{partitions} partitions are not shared out evenly: {shares}")


@contextmanager
def standing_still(replicas: Sequence[Replica]) -> Iterator[None]:
    """Pause all replicas inside the block (SIGSTOP)."""
    for replica in replicas:
        os.kill(replica.running.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for replica in replicas:
            os.kill(replica.running.pid, signal.SIGCONT)
