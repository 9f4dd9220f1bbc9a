"""All Kafka traffic of one process: one epoch of the cluster at a time.

The broker is only transport. A changed cluster id means that its log was lost. Subscribers, producers and
relay are then rebuilt, with consumer groups of the new epoch, and the relay refills the log from the outbox.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from time import monotonic
from typing import Any

import structlog
from aiokafka.errors import KafkaError
from faststream.kafka import KafkaBroker

from shared.errors import SettingRefused
from shared.messaging import outbox
from shared.messaging.consumer import Consumer, Subscription
from shared.messaging.flow import Flow
from shared.messaging.kafka import Cluster, consumers, producer, within
from shared.messaging.publishing import Publisher
from shared.messaging.relay import Relay
from shared.messaging.topics import LANES, Lane, topic, topics
from shared.mongo import MongoDatabase
from shared.settings import Settings

log = structlog.get_logger()

AWAY = (KafkaError, OSError, TimeoutError)
"""Errors raised when no broker can be reached."""

SAY_AGAIN_SECONDS = 5.0
BEGIN_SECONDS = 120.0
"""A consumer that has not joined its group by then counts as stuck, and everything is rebuilt."""


@dataclass
class _Epoch:
    """Everything built for one epoch."""

    cluster_id: str
    broker: KafkaBroker
    publishers: dict[Lane, Publisher] = field(default_factory=dict)
    relay: Relay | None = None
    tasks: list["asyncio.Task[None]"] = field(default_factory=list)


class _Complaint:
    """Logs a warning at once, then at most every `SAY_AGAIN_SECONDS`."""

    def __init__(self) -> None:
        self._said = -SAY_AGAIN_SECONDS

    def say(self, message: str, **facts: Any) -> None:
        if monotonic() - self._said >= SAY_AGAIN_SECONDS:
            self._said = monotonic()
            log.warning(message, **facts)


class Messaging:
    """Runs until cancelled. Survives a broker that is unreachable, returns, or returns with an empty log."""

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
        self._cluster = Cluster(settings)
        self._now: Callable[[], datetime] = lambda: open_work().now
        self._epoch: _Epoch | None = None
        self._reached = float("-inf")
        self.flow = Flow()
        self.consumers = [
            Consumer(
                subscription,
                service=service,
                settings=settings,
                database=database,
                open_work=open_work,
                flow=self.flow,
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
        """Whether every subscription has partitions assigned."""
        return self._epoch is not None and all(consumer.assigned for consumer in self.consumers)

    @property
    def leads(self) -> bool:
        """Whether this replica holds the relay lease."""
        relay = self._epoch.relay if self._epoch is not None else None
        return relay is not None and relay.leads

    @property
    def is_current(self) -> bool:
        """Whether the broker answers, partitions are assigned and no consumer lags."""
        return self.cluster_reached and self.assigned and not any(c.lag() for c in self.consumers)

    async def has_something_to_publish(self) -> bool:
        """Query the database only if the relay cannot tell."""
        relay = self._epoch.relay if self._epoch is not None else None
        if relay is not None and relay.has_published_all:
            return False
        return bool(await self._database[outbox.COLLECTION].count_documents(outbox.WAITING, limit=1))

    @property
    def alive(self) -> bool:
        """Liveness for a supervisor: no task ended, and no consumer is silent while the broker answers."""
        if self._epoch is None:
            return True
        if any(task.done() for task in self._epoch.tasks):
            return False
        return not (self.cluster_reached and any(consumer.silent for consumer in self.consumers))

    async def run(self) -> None:
        try:
            while True:
                try:
                    cluster_id = await self._find_cluster()
                    await self._wait_for_topics()
                    async with asyncio.timeout(BEGIN_SECONDS):
                        await self._begin(cluster_id)
                    await self._watch(cluster_id)
                except SettingRefused:
                    raise
                except Exception as error:
                    log.warning("Kafka traffic begins again", error=type(error).__name__)
                    await asyncio.sleep(0.5)
                finally:
                    await self._end()
        finally:
            await self._cluster.close()

    async def _find_cluster(self) -> str:
        complaint = _Complaint()
        while True:
            try:
                cluster_id = await self._cluster.identity()
            except AWAY:
                await self._give_up_if_refused()
                complaint.say("waiting for Kafka", bootstrap=self._settings.kafka)
                await asyncio.sleep(0.2)
            else:
                self._reached = monotonic()
                return cluster_id

    async def _give_up_if_refused(self) -> None:
        """Raises `SettingRefused`, but not after a broker has answered: then a refusal may be a restart."""
        if self._reached == float("-inf"):
            await self._cluster.require_not_refused()

    async def _wait_for_topics(self) -> None:
        """Wait until every topic we read or write exists with exactly the declared number of partitions.

        Crisis partitions are assigned by number, so an additional one would never be read.
        """
        own = [t.name for t in topics().values() if t.producer == self._service]
        wanted = sorted({*own, *(name for consumer in self.consumers for name in consumer.topics)})
        embedded = self._settings.embedded_broker
        needed = {name: topic(name).partitions_on(embedded=embedded) for name in wanted}
        complaint = _Complaint()
        while True:
            try:
                found = await self._cluster.partitions(wanted)
            except AWAY:
                found = {}
            wrong = [name for name in wanted if found.get(name) != needed[name]]
            if not wrong:
                return
            complaint.say("waiting for topics with their partitions", topics=wrong)
            await asyncio.sleep(0.1)

    async def _begin(self, cluster_id: str) -> None:
        self.flow.begin_epoch()
        epoch = self._epoch = _Epoch(cluster_id, consumers(self._settings))
        for lane in LANES:
            epoch.publishers[lane] = Publisher(producer(self._settings), self._database.announced[lane].beat)
        await asyncio.gather(*(p.start() for p in epoch.publishers.values()))
        epoch.relay = Relay(
            self._database,
            service=self._service,
            instance=self._settings.instance,
            epoch=cluster_id,
            publishers=epoch.publishers,
            flow=self.flow,
            now=self._now,
        )
        epoch.tasks.append(asyncio.create_task(epoch.relay.run(), name="relay"))
        epoch.tasks.append(asyncio.create_task(self._sweep(), name="sweep"))
        await epoch.broker.connect()
        await asyncio.gather(*(consumer.begin(epoch.broker, cluster_id) for consumer in self.consumers))
        log.info("Kafka traffic runs", epoch=cluster_id)

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(2.0)
            for consumer in self.consumers:
                try:
                    await consumer.consumption.sweep()
                except Exception as error:
                    log.warning("sweep failed", group=consumer.group, error=type(error).__name__)

    async def _watch(self, cluster_id: str) -> None:
        """Return when another cluster answers, one of our tasks ended or a consumer stopped polling.

        The caller then rebuilds everything. An unreachable broker is waited for. Silence counts only while
        the broker answers, and only in two checks in a row: a process resumed after a stop finds its
        consumers silent once, then they poll again.
        """
        silent = False
        while True:
            await asyncio.sleep(1.0)
            if self._epoch is not None and any(task.done() for task in self._epoch.tasks):
                log.error("a task of the Kafka traffic ended")
                return
            was_silent = silent
            silent = self.cluster_reached and any(consumer.silent for consumer in self.consumers)
            if was_silent and silent:
                log.error("a consumer reads no more")
                return
            try:
                found = await self._cluster.identity()
            except AWAY:
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
        await within(10, asyncio.gather(*epoch.tasks, return_exceptions=True), "relay and sweep")
        await within(5, epoch.broker.stop(), "subscribers")
        await asyncio.gather(*(within(3, p.stop(), "producer") for p in epoch.publishers.values()))
        for consumer in self.consumers:
            consumer.end()
