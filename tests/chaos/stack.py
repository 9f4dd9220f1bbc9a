"""The suite's development stack: replicas, and a proxy on every link from a service to a server."""

import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from deploy.embedded.mongod import REPLICA_SET
from deploy.embedded.plan import PAGE, ROOT, SERVICES, Plan, Ports
from deploy.embedded.ports import LOOPBACK
from deploy.embedded.processes import Process, spawn, stop
from deploy.embedded.services import ServiceProcess
from deploy.embedded.stack import Say, Stack
from deploy.embedded.state import locked
from tests.chaos.mutations import CONSTANT_CLUSTER_ID, OF_SERVICES, ForgetfulBroker
from tests.chaos.proxy import Proxy
from tests.chaos.wire import Kafka, Mongo

REPLICAS = {
    "intake": "intake",
    "care_plan": "care_plan",
    "care_plan-2": "care_plan",
    "scheduler": "scheduler",
    "alerts": "alerts",
    "alerts-2": "alerts",
    PAGE: PAGE,
}
"""Replica → service."""


def replicas_of(service: str) -> tuple[str, ...]:
    return tuple(replica for replica, of in REPLICAS.items() if of == service)


PORTS_OF_A_STACK = 2 + 3 * (len(REPLICAS) + 1)
SELDOM_FLUSHES = ("--journalCommitInterval", "500")
"""The longest flush interval that mongod allows, so that a kill loses writes without journalling."""

GUEST = "scheduler-2"
"""A replica that joins and leaves."""


@dataclass
class Replica(ServiceProcess):
    """One process of a service. `mutation`: the guarantee taken away on purpose (`tests.chaos.mutant`)."""

    service: str = ""
    port: int = 0
    mutation: str | None = None
    process: Process | None = field(default=None, repr=False)

    @property
    def address(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    def start(self) -> None:
        environment = self.plan.environment(self.service, mongodb=self.mongodb, kafka=self.kafka)
        environment |= {"KITH_INSTANCE": self.name, "KITH_HTTP_PORT": str(self.port)}
        module = [f"services.{self.service}"]
        if self.mutation in OF_SERVICES:
            module = ["tests.chaos.mutant", self.mutation, self.service]
        self.process = spawn(
            [sys.executable, "-m", *module], folder=ROOT, log=self.log, environment=environment
        )

    def send(self, number: signal.Signals) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)


@dataclass(frozen=True)
class Links:
    """One replica's links to its two servers."""

    mongod: Proxy
    broker: Proxy


class ChaosStack(Stack):
    """`links` by replica. The supervisor as shipped restarts what dies."""

    def __init__(
        self,
        plan: Plan,
        say: Say,
        first_port: int,
        *,
        replicated: bool = True,
        mutation: str | None = None,
    ) -> None:
        super().__init__(plan, say)
        self.mongod.options = SELDOM_FLUSHES
        if mutation == CONSTANT_CLUSTER_ID:
            self.broker = ForgetfulBroker(plan.data / "broker", plan.ports.kafka, plan.logs / "kafka.log")
        self.links: dict[str, Links] = {}
        self.replicas: dict[str, Replica] = {}
        names = {**REPLICAS, GUEST: "scheduler"}
        for place, (name, service) in enumerate(names.items()):
            self.replicas[name] = self._replica(name, service, first_port + 3 * place, mutation)
            if not replicated:  # no faults: connect without proxies
                self.replicas[name].mongodb, self.replicas[name].kafka = self.mongod.uri, self.broker.address
        chosen = REPLICAS if replicated else (*SERVICES, PAGE)
        self.services = {name: self.replicas[name] for name in chosen}

    def _replica(self, name: str, service: str, port: int, mutation: str | None) -> Replica:
        mongod = Proxy(Mongo(self.mongod.port, port + 1))
        broker = Proxy(Kafka(self.broker.port, port + 2))
        self.links[name] = Links(mongod, broker)
        uri = f"mongodb://{LOOPBACK}:{port + 1}/?replicaSet={REPLICA_SET}"
        kafka = f"{LOOPBACK}:{port + 2}"
        return Replica(name, self.plan, uri, kafka, service=service, port=port, mutation=mutation)

    @property
    def guest(self) -> Replica:
        return self.replicas[GUEST]

    async def open_links(self) -> None:
        for links in self.links.values():
            await links.mongod.start()
            await links.broker.start()

    async def close_links(self) -> None:
        for links in self.links.values():
            await links.mongod.stop()
            await links.broker.stop()


@asynccontextmanager
async def stacked(
    folder: Path,
    clock_file: Path,
    chosen: dict[str, dict[str, str]],
    say: Say,
    *,
    first_port: int,
    replicated: bool,
    mutation: str | None = None,
) -> AsyncIterator[ChaosStack]:
    """A stack that is ready inside the block and stopped after it, on `PORTS_OF_A_STACK` free ports."""
    first = first_port
    ports = Ports(_first_replicas(first + 2), first, first + 1)
    plan = Plan(folder, ports, clock_file, chosen, page=True)
    with locked(folder):
        stack = ChaosStack(plan, say, first + 2, replicated=replicated, mutation=mutation)
        await stack.open_links()
        try:
            await stack.start(within=120)
            yield stack
        finally:
            await stack.stop()
            if stack.guest.process is not None:
                stop(stack.guest.process, within=3)
            await stack.close_links()


def _first_replicas(first_port: int) -> dict[str, int]:
    """Each service's port: that of its first replica, which has the service's name."""
    return {name: first_port + 3 * place for place, name in enumerate(REPLICAS) if name in (*SERVICES, PAGE)}
