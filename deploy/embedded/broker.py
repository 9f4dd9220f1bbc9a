"""The stack's Kafka-compatible broker on loopback. It keeps its log in memory: outboxes refill it.

Every start gets a new cluster id, which tells services that the log is a new one.
"""

import os
import signal
import uuid
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deploy.embedded.binaries import broker_binary
from deploy.embedded.ports import LOOPBACK
from deploy.embedded.probing import NotReady, attempts, listens
from deploy.embedded.processes import Process, last_lines, spawn, stop
from shared.messaging.topics import Topic, topics

CREATED, EXISTS = 0, 36


class TopicsRefused(Exception):
    """The broker refused to create topics; `refused` maps names to Kafka's error codes."""

    def __init__(self, refused: dict[str, int]) -> None:
        super().__init__(f"the broker refused topics: {refused}")
        self.refused = refused


@dataclass
class Broker:
    """`folder` is its working directory; keep it empty, because the broker loads a `.env` from it."""

    folder: Path
    port: int
    log: Path
    cluster_id: str = ""
    process: Process | None = field(default=None, repr=False)

    name = "kafka"

    @property
    def address(self) -> str:
        return f"{LOOPBACK}:{self.port}"

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def start(self) -> None:
        """Start it with an empty log and a new cluster id. Raises `MissingBinary`."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.cluster_id = f"kith-{uuid.uuid4().hex}"
        url = f"tcp://{self.address}"
        command = [
            *(str(broker_binary()), "broker", "--listener-url", url, "--advertised-listener-url", url),
            *("--storage-engine", "memory://kith/", "--cluster-id", self.cluster_id),
        ]
        # It also takes options from the environment, so it gets none of ours.
        environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        self.process = spawn(command, folder=self.folder, log=self.log.resolve(), environment=environment)

    async def ready(self, within: float = 30.0, declared: Iterable[Topic] | None = None) -> None:
        """Wait until it answers with its own cluster id, then create the topics.

        Raises `NotReady`, `TopicsRefused`. Soon after a kill its port may still be taken, and it ends: it is
        started again.
        """
        pause = 0.0
        async for left in attempts(within):
            if not self.is_running:
                async for _ in attempts(min(pause, left)):
                    pass
                pause = min(pause * 2 + 0.1, 2.0)
                self.start()
            with suppress(ConnectionError):
                if await listens(self.port) and await cluster_id(self.address) == self.cluster_id:
                    await self._make(list(topics().values() if declared is None else declared))
                    return
        raise NotReady(
            f"the broker did not answer on {self.address} within {within:g} s; see {self.log}\n"
            f"{last_lines(self.log, 2)}"
        )

    async def _make(self, declared: list[Topic]) -> None:
        """Create the topics with their declared partitions, even while clients ask for them.

        This broker auto-creates a topic named in a request, with four partitions, and clients from before a
        restart send such requests. Consumers would never read partitions beyond the declared ones.
        """
        while True:
            await create_topics(self.address, declared)
            wrong = await misshapen_topics(self.address, declared)
            if not wrong:
                return
            await delete_topics(self.address, wrong)

    def stop(self, within: float = 0.0) -> bool:
        """Kill it: it has nothing to save, and a graceful stop takes five seconds."""
        self.kill()
        return True

    def kill(self) -> None:
        if self.process is not None:
            stop(self.process, within=10.0, how=signal.SIGKILL)


@asynccontextmanager
async def _admin(address: str) -> AsyncIterator[Any]:
    """Raises `ConnectionError` when the broker does not answer."""
    from aiokafka.admin import AIOKafkaAdminClient  # noqa: PLC0415  (while servers start, not before)
    from aiokafka.errors import KafkaError  # noqa: PLC0415

    client = AIOKafkaAdminClient(bootstrap_servers=address, request_timeout_ms=5000)
    try:
        await client.start()
        yield client
    except KafkaError as error:
        raise ConnectionError(f"no answer from the broker at {address}: {type(error).__name__}") from error
    finally:
        await client.close()


async def cluster_id(address: str) -> str:
    """The cluster id of the broker at `address`, which identifies its log. Raises `ConnectionError`."""
    async with _admin(address) as admin:
        return str((await admin.describe_cluster())["cluster_id"])


async def create_topics(address: str, declared: Iterable[Topic], *, embedded: bool = True) -> list[str]:
    """Create the missing topics with replication 1; return the names of those created.

    Raises `ConnectionError`, `TopicsRefused`.
    """
    from aiokafka.admin import NewTopic  # noqa: PLC0415

    new = [NewTopic(t.name, t.partitions_on(embedded=embedded), 1) for t in declared]
    async with _admin(address) as admin:
        reply = await admin.create_topics(new)
    outcome = {name: code for name, code, *_ in reply.topic_errors}
    refused = {name: code for name, code in outcome.items() if code not in (CREATED, EXISTS)}
    if refused:
        raise TopicsRefused(refused)
    return [name for name, code in outcome.items() if code == CREATED]


async def misshapen_topics(address: str, declared: Iterable[Topic]) -> list[str]:
    """Topics missing or with a wrong number of partitions. Raises `ConnectionError`."""
    async with _admin(address) as admin:
        found = {row["topic"]: len(row["partitions"]) for row in await admin.describe_topics()}
    return [t.name for t in declared if found.get(t.name) != t.partitions_on(embedded=True)]


async def delete_topics(address: str, names: list[str]) -> None:
    """Raises `ConnectionError`."""
    async with _admin(address) as admin:
        await admin.delete_topics(names)
