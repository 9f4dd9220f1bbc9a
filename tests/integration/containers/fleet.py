"""The services as containers of the image on a network of their own, rolled as in a cluster."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
from testcontainers.core.container import DockerContainer
from testcontainers.core.network import Network

from deploy.demo.desks import Desks, development_tokens
from deploy.demo.settling import Time
from deploy.embedded.clock import stepped_clock
from deploy.embedded.keys import ensure_keys
from deploy.embedded.servers import free_ports
from tests.support.containers import KAFKA_INSIDE, MONGODB_INSIDE, apache_kafka, mongodb, said
from tests.support.eventually import eventually
from tests.support.replicas import as_services
from tests.support.world import MONDAY

PORT = 8000
READY_SECONDS = 120.0
GRACE_SECONDS = 12
"""As `stop_grace_period` in docker-compose.yml."""

SETTINGS = {
    "ENVIRONMENT": "development",
    "KAFKA": KAFKA_INSIDE,
    "MONGODB": MONGODB_INSIDE,
    "HTTP_HOST": "0.0.0.0",  # noqa: S104  (of the container)
    "HTTP_PORT": str(PORT),
    "JWKS": "/keys/jwks.json",
    "CLOCK_FILE": "/clock/clock",
}


class ReplicaDesks(Desks):
    """Each service is asked through the replica that came last; what is under way, of all replicas."""

    def __init__(self, tokens: dict[str, str]) -> None:
        super().__init__({}, tokens)

    def enter(self, instance: str, url: str) -> None:
        self._clients[instance] = httpx2.AsyncClient(base_url=url, timeout=20, trust_env=False)

    async def leave(self, instance: str) -> None:
        await self._clients.pop(instance).aclose()

    async def _ask(self, service: str, *asked: Any) -> Any:
        replicas = [instance for instance in self._clients if instance.startswith(f"{service}-")]
        return await super()._ask(replicas[-1], *asked)

    async def flows(self) -> list[dict[str, Any]]:
        return as_services(await super().flows())


class Replica:
    """One container. It is confined as in the compose file; its clock and the public keys are mounted."""

    def __init__(self, service: str, instance: str, image: str, folder: Path, network: Network) -> None:
        self.instance = instance
        port = free_ports(1)
        self.url = f"http://127.0.0.1:{port}"
        container = DockerContainer(image, read_only=True, cap_drop=["ALL"]).with_tmpfs_mount("/tmp")  # noqa: S108
        container.with_network(network).with_bind_ports(PORT, port)
        container.with_command(["python", "-m", f"services.{service}"])
        for name, value in (SETTINGS | {"INSTANCE": instance}).items():
            container.with_env(f"KITH_{name}", value)
        for name in ("keys", "clock"):
            container.with_volume_mapping(str(folder / name), f"/{name}", "ro")
        self._container = container

    async def start(self) -> None:
        await asyncio.to_thread(self._container.start)

    async def ready(self) -> None:
        async with httpx2.AsyncClient(base_url=self.url, timeout=2, trust_env=False) as client:

            async def is_ready() -> bool:
                try:
                    return (await client.get("/health/ready")).status_code == httpx2.codes.OK
                except httpx2.TransportError:
                    return False

            try:
                await eventually(is_ready, within=READY_SECONDS, pause=0.2, that=f"{self.instance} is ready")
            except AssertionError as late:
                raise AssertionError(f"{late}\n{said(self._container)}") from None

    async def end(self) -> None:
        """In order: told to, it ends by itself before anybody would kill it."""
        running = self._container.get_wrapped_container()
        await asyncio.to_thread(running.kill, "SIGTERM")
        ended = await asyncio.to_thread(running.wait, timeout=GRACE_SECONDS)
        assert ended["StatusCode"] == 0, f"{self.instance}: {ended}\n{said(self._container)}"
        await self.remove()

    async def remove(self) -> None:
        await asyncio.to_thread(self._container.stop)


@dataclass
class Fleet:
    """`mongodb`: the databases' address from here."""

    folder: Path
    network: Network
    mongodb: str
    desks: ReplicaDesks
    time: Time

    def __post_init__(self) -> None:
        self._replicas: dict[str, list[Replica]] = {}
        self._made = Counter[str]()

    async def start(self, image: str, replicas: Mapping[str, int]) -> None:
        """All of them at once. `replicas`: how many of each service."""
        for service, number in replicas.items():
            self._replicas[service] = [self._new(service, image) for _ in range(number)]
        everybody = [replica for each in self._replicas.values() for replica in each]
        await asyncio.gather(*(replica.start() for replica in everybody))
        await asyncio.gather(*(self._join(replica) for replica in everybody))

    async def roll(self, service: str, place: int, image: str) -> None:
        """maxSurge 1, maxUnavailable 0: the new replica is ready before the old one is told to end."""
        new, old = self._new(service, image), self._replicas[service][place]
        self._replicas[service].append(new)
        await new.start()
        await self._join(new)
        await self.desks.leave(old.instance)
        await old.end()
        self._replicas[service][place] = self._replicas[service].pop()

    async def roll_all(self, service: str, image: str) -> None:
        """One after the other."""
        for place in range(len(self._replicas[service])):
            await self.roll(service, place, image)

    async def remove(self) -> None:
        everybody = [replica for each in self._replicas.values() for replica in each]
        await asyncio.gather(*(replica.remove() for replica in everybody))

    def _new(self, service: str, image: str) -> Replica:
        self._made[service] += 1
        return Replica(service, f"{service}-{self._made[service]}", image, self.folder, self.network)

    async def _join(self, replica: Replica) -> None:
        await replica.ready()
        self.desks.enter(replica.instance, replica.url)


@asynccontextmanager
async def fleet(image: str, replicas: Mapping[str, int], folder: Path) -> AsyncIterator[Fleet]:
    """Replicas that are ready inside the block, on Apache Kafka and MongoDB of their own, in stepped time."""
    signing_key, jwks = folder / "signing" / "development.json", folder / "keys" / "jwks.json"
    ensure_keys(signing_key, jwks)
    clock = stepped_clock(folder / "clock", MONDAY)
    for path in (jwks, clock):  # the image's user is another
        path.parent.chmod(0o755)
        path.chmod(0o644)
    with Network() as network:
        async with (
            apache_kafka(network),
            mongodb(network) as uri,
            ReplicaDesks(development_tokens(signing_key)) as desks,
        ):
            kith = Fleet(folder, network, uri, desks, Time(clock, desks, MONDAY, patience=120))
            try:
                await kith.start(image, replicas)
                yield kith
            finally:
                await kith.remove()
