"""Connections to Kafka: which cluster answers, producers, and FastStream's batch subscribers."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from faststream import AckPolicy
from faststream.kafka import KafkaBroker, KafkaMessage
from faststream.kafka import TopicPartition as Partition

from shared.messaging.connection import connection, require_not_refused, security
from shared.messaging.envelope import Record
from shared.messaging.flow import Place
from shared.messaging.topics import topic
from shared.settings import KafkaSettings, Settings

log = structlog.get_logger()

BATCH_BYTES = 256 * 1024
"""Producer batch size per partition: what one consumed batch announces is sent at once."""


class Cluster:
    """Watches which cluster answers. A changed id means that the log was lost."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._connection = connection(settings)
        self._admin: AIOKafkaAdminClient | None = None

    async def require_not_refused(self) -> None:
        """Raises `SettingRefused` when a reachable server refuses us."""
        await require_not_refused(self._connection)

    async def identity(self) -> str:
        """Return the cluster's id. Raises `KafkaError` or `OSError` when no broker answers."""
        try:
            if self._admin is None:
                self._admin = AIOKafkaAdminClient(**self._connection, request_timeout_ms=3000)
                await self._admin.start()
            async with asyncio.timeout(5):
                described = await self._admin.describe_cluster()
        except (TimeoutError, KafkaError, OSError):
            await self.close()
            raise
        return str(described["cluster_id"])

    async def partitions(self, names: Sequence[str]) -> dict[str, int]:
        """Return how many partitions each of these topics has; absent topics are left out.

        Requests all topics, because some brokers create a topic that is requested by name.
        """
        if self._admin is None:
            await self.identity()
        assert self._admin is not None  # noqa: S101 (identity made it)
        described = await self._admin.describe_topics()
        found = {row["topic"]: len(row["partitions"]) for row in described if not row["error_code"]}
        return {name: found[name] for name in names if name in found}

    async def close(self) -> None:
        admin, self._admin = self._admin, None
        if admin is not None:
            await within(5, admin.close(), "admin client")


GRACEFUL_SECONDS = 3.0
"""How long a stopping consumer waits for its current batch, which is read again if interrupted."""


async def within(seconds: float, stopping: Awaitable[Any], what: str) -> None:
    """Wait for an aiokafka client to stop, with a limit: it may hang when the broker is gone."""
    task = asyncio.ensure_future(stopping)
    done, _ = await asyncio.wait([task], timeout=seconds)
    if not done:
        task.cancel()
        log.warning("did not stop in time, left behind", what=what, seconds=seconds)
    elif task.cancelled() or task.exception() is not None:
        log.debug("stopped with an error", what=what)


def producer(settings: Settings) -> AIOKafkaProducer:
    """Build a producer that waits for all in-sync replicas and is not idempotent.

    aiokafka counts a batch it gave up on as sent, so with idempotence the broker would refuse every later
    batch. Consumers drop duplicates anyway, and each partition has one request in flight at a time.
    """
    return AIOKafkaProducer(
        **connection(settings),
        acks="all",
        max_batch_size=BATCH_BYTES,
        request_timeout_ms=5000,
        client_id=f"kith-{settings.instance}",
    )


def consumers(settings: Settings) -> KafkaBroker:
    """Build FastStream's broker, which creates the consumers."""
    return KafkaBroker(
        settings.kafka,
        security=security(settings),
        logger=None,
        consumer_only=True,
        graceful_timeout=GRACEFUL_SECONDS,
    )


async def _raw(message: tuple[Any, ...]) -> KafkaMessage:
    """Leave headers undecoded: FastStream's parser fails the whole batch on a bad one."""
    return KafkaMessage(body=b"", raw_message=message, consumer=None)  # type: ignore[arg-type]


async def _nothing(_: Any) -> None:
    return None


class _Assigned(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka is untyped
    def __init__(self, then: Callable[[], None]) -> None:
        self._then = then

    def on_partitions_revoked(self, revoked: Any) -> None:
        """Do nothing: the current batch is finished, and its effects count once."""

    def on_partitions_assigned(self, assigned: Any) -> None:
        self._then()


def subscribe(
    broker: KafkaBroker,
    settings: Settings,
    *,
    topics: Sequence[str],
    group: str,
    every_replica_reads_all: bool,
    records: int,
    poll: Callable[[AIOKafkaConsumer], Awaitable[tuple[Any, ...]]],
    take: Callable[[Sequence[Record]], Awaitable[None]],
    assigned: Callable[[], None],
) -> Any:
    """Declare a batch subscriber in which nothing is left to defaults.

    Offsets start at the earliest and are never committed by FastStream (`MANUAL`). `take` gets the raw
    records of `poll`. `assigned` is called after each rebalance. `every_replica_reads_all`: every partition
    is assigned by number without group membership, so no rebalance ever delays a crisis flag's page.
    """
    where: dict[str, Any] = {}
    if every_replica_reads_all:
        where["partitions"] = [
            Partition(name, number)
            for name in topics
            for number in range(topic(name).partitions_on(embedded=settings.embedded_broker))
        ]
    subscriber = broker.subscriber(
        *([] if every_replica_reads_all else topics),
        **where,
        batch=True,
        group_id=group,
        auto_offset_reset="earliest",
        ack_policy=AckPolicy.MANUAL,
        max_poll_records=records,
        fetch_max_wait_ms=settings.fetch_wait_ms,
        session_timeout_ms=settings.session_timeout_ms,
        heartbeat_interval_ms=settings.heartbeat_ms,
        listener=None if every_replica_reads_all else _Assigned(assigned),
        parser=_raw,
        decoder=_nothing,
        no_reply=True,
    )

    async def consume(message: KafkaMessage) -> None:
        await take(message.raw_message)

    subscriber(consume)
    subscriber.get_msg = poll  # FastStream's own sleeps after an empty poll
    return subscriber


def next_offsets(records: Sequence[Record]) -> dict[TopicPartition, int]:
    """Return the offsets to commit after these records: explicit, never FastStream's *all positions*."""
    offsets: dict[Place, int] = {}
    for record in records:
        place = record.topic, record.partition
        offsets[place] = max(offsets.get(place, 0), record.offset + 1)
    return {TopicPartition(*place): offset for place, offset in offsets.items()}
