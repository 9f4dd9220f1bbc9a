"""Runs one subscription: polls batches, commits offsets, reports lag and liveness."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from time import monotonic
from typing import Any
from zlib import crc32

import structlog
from aiokafka.errors import IllegalStateError, KafkaError
from faststream.kafka import KafkaBroker

from shared.messaging.batch import Group
from shared.messaging.consumption import Consumption
from shared.messaging.dead_letters import MessageDeadLettered
from shared.messaging.envelope import Record
from shared.messaging.flow import Flow, Place
from shared.messaging.kafka import next_offsets, subscribe
from shared.messaging.reactions import Reactions
from shared.messaging.reading import Reading
from shared.messaging.topics import topic
from shared.mongo import MongoDatabase
from shared.settings import Settings

log = structlog.get_logger()

POLL_MS = 500
SMALL_BATCH = 100
SILENT_SECONDS = 15.0
"""A consumer that is not processing and has not polled for this long counts as dead."""


@dataclass(frozen=True)
class Subscription:
    """What one consumer group of a service reads and does.

    `own_group`: every replica reads everything (crisis flags). `hold_gaps`: see `Group`. `records`: at most
    so many per transaction, for messages that each write many documents. `concurrency`: how many transactions
    run concurrently, each about different people, so that one is decided while another is stored. Use it
    only in services where two people never share a document.
    """

    name: str
    reactions: Reactions
    hold_gaps: bool = True
    own_group: bool = False
    records: int | None = None
    concurrency: int = 1
    on_dead_letter: Callable[[MessageDeadLettered, Any], Awaitable[None]] | None = None


class Consumer:
    """Built once per process; begins and ends with each epoch of the cluster."""

    def __init__(
        self,
        subscription: Subscription,
        *,
        service: str,
        settings: Settings,
        database: MongoDatabase,
        open_work: Callable[[], Any],
        flow: Flow,
    ) -> None:
        self.name = subscription.name
        self.group = f"{service}.{subscription.name}"
        self.topics = subscription.reactions.topics
        self._own_group = subscription.own_group
        self._records = min(settings.batch_records, subscription.records or settings.batch_records)
        self._concurrency = subscription.concurrency
        self._settings, self._flow, self._precedence = settings, flow, database.precedence
        self._urgent = all(topic(name).lane == "crisis" for name in self.topics)
        self._subscriber: Any = None
        self._epoch = ""
        self._has_begun = False
        self._at_work = False
        self._polled = monotonic()
        self._reading = Reading(service, lambda: flow.consumed[subscription.name])
        self._in_hand: dict[Place, int] = {}
        """The first offset of each partition in the batch being processed."""
        self._assignment = 0
        """The count of partition assignments when that batch was read."""
        self.consumption = Consumption(
            Group(
                service=service,
                name=self.group,
                database=database,
                reactions=subscription.reactions,
                open_work=open_work,
                hold_gaps=subscription.hold_gaps,
                on_dead_letter=subscription.on_dead_letter,
            )
        )

    async def begin(self, broker: KafkaBroker, epoch: str) -> None:
        """Join the group. Its name carries the epoch, because offsets restart in a new log."""
        own = f".{self._settings.instance}" if self._own_group else ""
        self._epoch, self._polled = epoch, monotonic()
        self._reading.begin()
        self._subscriber = subscribe(
            broker,
            self._settings,
            topics=self.topics,
            group=f"{self.group}{own}.{epoch[-8:]}",
            every_replica_reads_all=self._own_group,
            records=self._records * self._concurrency,
            poll=self._poll,
            take=self._take,
            assigned=lambda: self._flow.note_assigned(self.name),
        )
        await self._subscriber.start()
        self._polled, self._has_begun = monotonic(), True

    def end(self) -> None:
        self._rest()
        self._subscriber, self._has_begun = None, False

    @property
    def _kafka(self) -> Any:
        """aiokafka's consumer, or `None` while not subscribed."""
        return self._subscriber.consumer if self._subscriber is not None else None

    @property
    def assigned(self) -> bool:
        return self._kafka is not None and bool(self._kafka.assignment())

    @property
    def silent(self) -> bool:
        """Whether there was no poll for `SILENT_SECONDS` although no batch is being processed."""
        return self._has_begun and not self._at_work and monotonic() - self._polled > SILENT_SECONDS

    async def _poll(self, kafka: Any) -> tuple[Any, ...]:
        """Return records as soon as there are any, or nothing after `POLL_MS` so that a stop is noticed.

        The consumer counts as at work as soon as it has records, since their offsets count as read.
        """
        self._rest()
        self._polled = monotonic()
        records = await self._reading.poll(kafka, POLL_MS)
        if records and not self._at_work:
            self._at_work = True
            self._in_hand = {(p.topic, p.partition): rows[0].offset for p, rows in records.items()}
            self._assignment = self._flow.assignments[self.name]
            self._flow.working += 1
        return tuple(chain.from_iterable(records.values()))

    def _rest(self) -> None:
        if self._at_work:
            self._at_work = False
            self._flow.working -= 1

    async def _take(self, records: Sequence[Record]) -> None:
        """Process a batch, for as long as it takes, then commit its offsets.

        Do not commit if partitions were reassigned meanwhile: another member may have committed further, and
        reading resumes at the group's committed offsets. Records that are read twice are dropped.
        """
        kafka, assignment, offsets = self._kafka, self._assignment, next_offsets(records)
        try:
            await self._process(records)
            if self._kafka is not kafka or self._flow.assignments[self.name] != assignment:
                return
            self._flow.note_consumed(self.name, {(p.topic, p.partition): o for p, o in offsets.items()})
        finally:
            if self._kafka is kafka:
                self._rest()  # also if our task was cancelled while processing, so that silence is noticed
        try:
            await kafka.commit(offsets)
        except KafkaError as error:  # normal during a rebalance: records read again are dropped
            log.info("offsets not committed", group=self.group, error=type(error).__name__)

    async def _process(self, records: Sequence[Record]) -> None:
        epoch, parts = self._epoch, apart(records, self._concurrency)
        async with self._precedence.turn(urgent=self._urgent):
            await asyncio.gather(*(self.consumption.persist(part, epoch) for part in parts))

    @property
    def standing(self) -> int:
        """How many partitions are blocked by an unreadable record; the others continue."""
        return self._reading.standing

    def lag(self) -> int:
        """Return how many messages it is behind the log's end, as last seen by its fetches.

        Partitions in which nothing was processed yet are left out.
        """
        return self._behind(self._flow.consumed[self.name])

    async def behind(self) -> int:
        """Like `lag`, but including partitions in which nothing was processed yet."""
        return self._behind(await self.positions())

    def _behind(self, reached: Mapping[Place, int]) -> int:
        kafka = self._kafka
        assigned = kafka.assignment() if kafka is not None else ()
        return sum(
            max(0, (kafka.highwater(place) or 0) - reached[place]) for place in assigned if place in reached
        )

    async def positions(self) -> dict[Place, int]:
        """Return the next offset of each partition; for one not read yet, where reading will start.

        Empty while still connecting: partitions may be assigned by then, but have no position.
        """
        if not self._has_begun:
            return {}
        kafka, known = self._kafka, self._flow.consumed[self.name]
        reached: dict[Place, int] = {}
        for place in kafka.assignment():
            at = known.get(place, self._in_hand.get(place) if self._at_work else None)
            with suppress(IllegalStateError):  # reassigned to another member
                reached[place] = at if at is not None else await kafka.position(place)
        return reached


def apart(records: Sequence[Record], parts: int) -> list[Sequence[Record]]:
    """Split records into at most `parts` parts; each person's records stay in one part, in order.

    Up to `SMALL_BATCH` records stay together: several small transactions cost more than they save.
    """
    if parts == 1 or len(records) <= SMALL_BATCH:
        return [records]
    shares: list[list[Record]] = [[] for _ in range(parts)]
    for record in records:
        shares[crc32(record.key or b"") % parts].append(record)
    return [share for share in shares if share]
