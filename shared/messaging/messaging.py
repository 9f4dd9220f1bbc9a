"""All Kafka traffic of one process: one epoch of the cluster at a time.

The broker is transport. When the cluster's id changes, its log was lost: subscribers, producers and
relay are built anew, with groups of the new epoch, and the relay refills the log from the outbox.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

import structlog
from aiokafka.errors import KafkaError
from faststream.kafka import KafkaBroker

from shared.messaging.batch import Group
from shared.messaging.consumption import Consumption
from shared.messaging.dead_letters import MessageDeadLettered
from shared.messaging.envelope import Record
from shared.messaging.flow import Flow
from shared.messaging.kafka import Cluster, next_offsets, producer, subscribe, within
from shared.messaging.reactions import Reactions
from shared.messaging.relay import Relay
from shared.messaging.topics import Lane, topic, topics
from shared.metrics import LAG
from shared.mongo import MongoDatabase
from shared.settings import Settings

log = structlog.get_logger()

SILENT_SECONDS = 15.0
"""A consumer that has not polled for this long, and is not at work, is taken for dead."""


@dataclass(frozen=True)
class Subscription:
    """What one consumer group of a service reads and does.

    `own_group`: every replica reads everything (crisis flags). `hold_gaps`: see `Consumption`.
    """

    name: str
    reactions: Reactions
    hold_gaps: bool = True
    own_group: bool = False
    on_dead_letter: Callable[[MessageDeadLettered, Any], Awaitable[None]] | None = None


@dataclass
class _Consumer:
    """One subscription under way."""

    subscription: Subscription
    consumption: Consumption[Any]
    subscriber: Any = None
    at_work_since: float | None = None


@dataclass
class _Epoch:
    """Everything built for one epoch."""

    cluster_id: str
    broker: KafkaBroker
    producers: dict[Lane, Any] = field(default_factory=dict)
    tasks: list["asyncio.Task[None]"] = field(default_factory=list)


class Messaging:
    """Runs until cancelled; survives a broker that is away, comes back, or comes back empty."""

    def __init__(
        self,
        service: str,
        *,
        settings: Settings,
        database: MongoDatabase,
        subscriptions: Sequence[Subscription],
        open_work: Callable[[], Any],
    ) -> None:
        self._service, self._settings, self._database = service, settings, database
        self._cluster = Cluster(settings.kafka)
        self._epoch: _Epoch | None = None
        self._reached = 0.0
        self.flow = Flow()
        self.consumers = [
            _Consumer(
                subscription,
                Consumption(
                    Group(
                        service=service,
                        name=f"{service}.{subscription.name}",
                        database=database,
                        reactions=subscription.reactions,
                        open_work=open_work,
                        hold_gaps=subscription.hold_gaps,
                        on_dead_letter=subscription.on_dead_letter,
                    )
                ),
            )
            for subscription in subscriptions
        ]

    @property
    def epoch_id(self) -> str:
        return self._epoch.cluster_id if self._epoch else ""

    @property
    def cluster_reached(self) -> bool:
        """Whether the broker answered within the last five seconds."""
        return monotonic() - self._reached < 5

    @property
    def assigned(self) -> bool:
        """Whether every subscription has its partitions."""
        return self._epoch is not None and all(
            c.subscriber is not None
            and c.subscriber.consumer is not None
            and c.subscriber.consumer.assignment()
            for c in self.consumers
        )

    @property
    def alive(self) -> bool:
        """No task ended, no consumer silent: what a supervisor asks before it restarts us."""
        if self._epoch is None:
            return True
        if any(task.done() for task in self._epoch.tasks):
            return False
        return not any(self._silent(consumer) for consumer in self.consumers)

    def _silent(self, consumer: _Consumer) -> bool:
        kafka = consumer.subscriber.consumer if consumer.subscriber is not None else None
        if kafka is None or consumer.at_work_since is not None or not self.cluster_reached:
            return False
        polled = [stamp for place in kafka.assignment() if (stamp := kafka.last_poll_timestamp(place))]
        return bool(polled) and asyncio.get_running_loop().time() - max(polled) / 1000 > SILENT_SECONDS

    async def run(self) -> None:
        try:
            while True:
                cluster_id = await self._find_cluster()
                await self._wait_for_topics()
                try:
                    await self._begin(cluster_id)
                    await self._watch(cluster_id)
                except (KafkaError, OSError, TimeoutError) as error:
                    log.warning("Kafka traffic could not start, trying again", error=type(error).__name__)
                    await asyncio.sleep(0.5)
                finally:
                    await self._end()
        finally:
            await self._cluster.close()

    async def _find_cluster(self) -> str:
        said = 0.0
        while True:
            try:
                cluster_id = await self._cluster.identity()
            except (KafkaError, OSError, TimeoutError):
                if monotonic() - said > 5:
                    said = monotonic()
                    log.warning("waiting for Kafka", bootstrap=self._settings.kafka)
                await asyncio.sleep(0.2)
            else:
                self._reached = monotonic()
                return cluster_id

    async def _wait_for_topics(self) -> None:
        """Every topic we read or write must be there with the declared number of partitions."""
        own = [t.name for t in topics().values() if t.producer == self._service]
        wanted = sorted({*own, *(name for c in self.consumers for name in c.subscription.reactions.topics)})
        said = 0.0
        while True:
            try:
                found = await self._cluster.partitions(wanted)
            except (KafkaError, OSError, TimeoutError):
                found = {}
            wrong = [name for name in wanted if found.get(name, 0) < topic(name).partitions]
            if not wrong:
                return
            if monotonic() - said > 5:
                said = monotonic()
                log.warning("waiting for topics with their partitions", topics=wrong)
            await asyncio.sleep(0.1)

    async def _begin(self, cluster_id: str) -> None:
        self.flow.begin_epoch()
        epoch = self._epoch = _Epoch(cluster_id, KafkaBroker(self._settings.kafka, logger=None))
        for lane, linger_ms in (("crisis", 0), ("work", 2)):
            epoch.producers[lane] = producer(self._settings, linger_ms=linger_ms)  # type: ignore[index]
        await asyncio.gather(*(p.start() for p in epoch.producers.values()))
        relay = Relay(
            self._database,
            service=self._service,
            instance=self._settings.instance,
            epoch=cluster_id,
            producers=epoch.producers,
            flow=self.flow,
        )
        epoch.tasks.append(asyncio.create_task(relay.run(), name="relay"))
        epoch.tasks.append(asyncio.create_task(self._sweep(), name="sweep"))
        await epoch.broker.connect()
        for consumer in self.consumers:
            consumer.subscriber = subscribe(
                epoch.broker,
                self._settings,
                topics=consumer.subscription.reactions.topics,
                group=self._group(consumer.subscription, cluster_id),
                every_replica_reads_all=consumer.subscription.own_group,
                take=lambda records, consumer=consumer: self._take(consumer, records),  # type: ignore[misc]
            )
        await asyncio.gather(*(c.subscriber.start() for c in self.consumers))
        log.info("Kafka traffic runs", epoch=cluster_id)

    def _group(self, subscription: Subscription, cluster_id: str) -> str:
        own = f".{self._settings.instance}" if subscription.own_group else ""
        return f"{self._service}.{subscription.name}{own}.{cluster_id[-8:]}"

    async def _take(self, consumer: _Consumer, records: Sequence[Record]) -> None:
        """Process a batch, for as long as it takes, then commit its offsets."""
        consumer.at_work_since, pause = monotonic(), 0.1
        self.flow.working += 1
        try:
            while True:
                try:
                    await consumer.consumption.take(records, epoch=self.epoch_id)
                    break
                except Exception as error:
                    log.warning("batch waits", group=consumer.consumption.group.name, error=type(error).__name__,
                                seconds=pause)  # fmt: skip
                    await asyncio.sleep(pause)
                    pause = min(pause * 2, 5.0)
            offsets = next_offsets(records)
            self.flow.note_consumed(
                consumer.subscription.name, {(p.topic, p.partition): o for p, o in offsets.items()}
            )
            try:
                await consumer.subscriber.consumer.commit(offsets)
            except KafkaError as error:  # normal around a rebalance: whoever reads them again drops them
                log.info(
                    "offsets not committed", group=consumer.consumption.group.name, error=type(error).__name__
                )
        finally:
            self.flow.working -= 1
            consumer.at_work_since = None

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(2.0)
            for consumer in self.consumers:
                try:
                    await consumer.consumption.sweep()
                    LAG.labels(consumer.consumption.group.name).set(self.lag(consumer))
                except Exception as error:
                    log.warning(
                        "sweep failed", group=consumer.consumption.group.name, error=type(error).__name__
                    )

    def lag(self, consumer: _Consumer) -> int:
        """Messages behind the log's end as last seen by the consumer's own fetches."""
        kafka = consumer.subscriber.consumer if consumer.subscriber is not None else None
        if kafka is None:
            return 0
        done = self.flow.consumed[consumer.subscription.name]
        return sum(
            max(0, (kafka.highwater(place) or 0) - done.get((place.topic, place.partition), 0))
            for place in kafka.assignment()
            if (place.topic, place.partition) in done
        )

    async def positions(self, consumer: _Consumer) -> dict[str, int]:
        """Next offsets by `topic/partition`; of partitions not read yet, where reading will begin."""
        kafka = consumer.subscriber.consumer if consumer.subscriber is not None else None
        done = dict(self.flow.consumed[consumer.subscription.name])
        if kafka is not None and consumer.at_work_since is None:
            for place in kafka.assignment():
                if (place.topic, place.partition) not in done:
                    done[place.topic, place.partition] = await kafka.position(place)
        return {f"{topic}/{partition}": offset for (topic, partition), offset in done.items()}

    async def _watch(self, cluster_id: str) -> None:
        """Return when another cluster answers; a broker that is merely away is waited for."""
        while True:
            await asyncio.sleep(1.0)
            try:
                found = await self._cluster.identity()
            except (KafkaError, OSError, TimeoutError):
                continue
            self._reached = monotonic()
            if found != cluster_id:
                log.warning("the cluster changed: its log is refilled from the outbox", epoch=found)
                return

    async def _end(self) -> None:
        epoch, self._epoch = self._epoch, None
        if epoch is None:
            return
        for task in epoch.tasks:
            task.cancel()
        await asyncio.gather(*epoch.tasks, return_exceptions=True)
        await within(5, epoch.broker.stop(), "subscribers")
        await asyncio.gather(*(within(3, p.stop(), "producer") for p in epoch.producers.values()))
        for consumer in self.consumers:
            consumer.subscriber = None
