"""The test servers as containers: Apache Kafka and MongoDB, with the images of docker-compose.yml."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import docker
from docker.errors import DockerException, ImageNotFound
from testcontainers.core.container import DockerContainer
from testcontainers.core.network import Network

from deploy.embedded.servers import NotReady, attempts, create_topics, free_ports
from shared.messaging.topics import topics
from shared.mongo import MongoDatabase, PyMongoError

KAFKA, MONGO = "apache/kafka:4.1.0", "mongo:8.0"
READY_SECONDS = 90.0

KAFKA_INSIDE = "kafka:9094"
"""The broker's address for containers on its network."""

MONGODB_INSIDE = "mongodb://mongo:27017/?directConnection=true"


def missing() -> str:
    """Why no container can be started here; empty if one can."""
    try:
        client = docker.from_env()
        for image in (KAFKA, MONGO):
            client.images.get(image)
    except ImageNotFound as absent:
        return f"an image is not here: {absent.explanation}"
    except DockerException:
        return "no Docker engine answers"
    return ""


@dataclass(frozen=True)
class ApacheKafka:
    """A broker in a container, with all declared topics and its own log."""

    address: str


@asynccontextmanager
async def apache_kafka(network: Network | None = None) -> AsyncIterator[ApacheKafka]:
    port = free_ports(1)
    address = f"127.0.0.1:{port}"
    container = _joining(network, DockerContainer(KAFKA).with_bind_ports(9092, port), "kafka")
    container.with_env("KAFKA_ADVERTISED_LISTENERS", f"PLAINTEXT://{address},INSIDE://{KAFKA_INSIDE}")
    for name, value in KAFKA_SETTINGS.items():
        container.with_env(f"KAFKA_{name}", value)
    container.with_command(["bash", "-f", "/etc/kafka/docker/run"])  # as in docker-compose.yml
    async with running(container):
        async for _ in attempts(READY_SECONDS):
            try:
                await create_topics(address, topics().values(), embedded=False)
            except ConnectionError:
                continue
            break
        else:
            raise NotReady(f"{KAFKA} did not answer within {READY_SECONDS:g} s\n{said(container)}")
        yield ApacheKafka(address)


KAFKA_SETTINGS = {
    "NODE_ID": "1",
    "PROCESS_ROLES": "broker,controller",
    "LISTENERS": "PLAINTEXT://:9092,INSIDE://:9094,CONTROLLER://:9093",
    "CONTROLLER_LISTENER_NAMES": "CONTROLLER",
    "LISTENER_SECURITY_PROTOCOL_MAP": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,INSIDE:PLAINTEXT",
    "CONTROLLER_QUORUM_VOTERS": "1@localhost:9093",
    "OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
    "TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
    "TRANSACTION_STATE_LOG_MIN_ISR": "1",
    "GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
    "AUTO_CREATE_TOPICS_ENABLE": "false",
}


@asynccontextmanager
async def mongodb(network: Network | None = None) -> AsyncIterator[str]:
    """Run MongoDB as a replica set of one; yields its URI."""
    port = free_ports(1)
    container = _joining(network, DockerContainer(MONGO).with_bind_ports(27017, port), "mongo")
    container.with_command(["--replSet", "rs0", "--setParameter", "transactionLifetimeLimitSeconds=3"])
    async with running(container):
        uri = f"mongodb://127.0.0.1:{port}/?directConnection=true"
        await _become_primary(uri, lambda: said(container))
        yield uri


def _joining(network: Network | None, container: DockerContainer, name: str) -> DockerContainer:
    """Attach the container as `name` to the network, if there is one."""
    return container if network is None else container.with_network(network).with_network_aliases(name)


async def _become_primary(uri: str, said: Callable[[], str]) -> None:
    """Initiate the set. The member's address is the container's own, so clients connect directly."""
    config = {"_id": "rs0", "members": [{"_id": 0, "host": "127.0.0.1:27017"}]}
    server = MongoDatabase(uri, "admin", timeout_ms=1000)
    try:
        async for _ in attempts(READY_SECONDS):
            try:
                hello = await server.db.command("hello")
                if hello.get("isWritablePrimary"):
                    return
                if "setName" not in hello:
                    await server.db.command({"replSetInitiate": config})
            except PyMongoError:
                continue  # still starting: try again
    finally:
        await server.close()
    raise NotReady(f"{MONGO} did not become primary within {READY_SECONDS:g} s\n{said()}")


@asynccontextmanager
async def running(container: DockerContainer) -> AsyncIterator[None]:
    """Run the container inside the block and remove it after it."""
    try:
        await asyncio.to_thread(container.start)
        yield
    finally:
        await asyncio.to_thread(container.stop)


def said(container: DockerContainer) -> str:
    """The end of the container's output."""
    return b"".join(container.get_logs()).decode(errors="replace")[-500:]
