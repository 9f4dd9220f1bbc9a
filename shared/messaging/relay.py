"""From the outbox to Kafka: at least once, in order per subject.

The outbox document is the truth: it is `pending` until its messages are acknowledged by the broker.
What wakes the relay is the commit itself, which hands over what it wrote (`handover.py`), or a change
stream where another replica committed; without other replicas there is no stream, for which MongoDB would
look at every write there is. One replica relays at a time (a lease); a second one that believes it does,
after a pause, publishes duplicates, which every consumer drops.

A partition that takes nothing holds up nothing but its own messages. Their rows stay pending, and a look
goes on past them to the end; the next one begins with the oldest again.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from math import ceil
from time import monotonic

import structlog

from shared import tracing
from shared.messaging import outbox
from shared.messaging.envelope import Envelope
from shared.messaging.flow import Flow
from shared.messaging.handover import Published
from shared.messaging.lease import Lease
from shared.messaging.outbox import Row
from shared.messaging.publishing import Publisher
from shared.messaging.refill import Refill
from shared.messaging.topics import LANES, Lane
from shared.metrics import PUBLISHED, RETRIES
from shared.mongo import Document, MongoDatabase, ObjectId, PyMongoError
from shared.pulse import Handover

log = structlog.get_logger()

EVENTS_AT_ONCE = 1000
ROWS_AT_FIRST = 20
SWEEP_SECONDS = 0.5
"""How often the outbox is looked at without being woken."""

STUCK_SECONDS = 10.0
"""How long publishing may fail before another replica that waits for the lease gets it."""

NEVER = float("-inf")
STEP_BACK_SECONDS = 3.0
"""How long whoever handed over does not ask for it again."""

REFUSED_SECONDS = 0.2
"""The pause after a look of which nothing was taken, or at the end of one that left something behind."""

PARTS_REMEMBERED = 10_000
"""Of so many rows it is remembered what of them was acknowledged; of others all is published again."""


class Refused(Exception):
    """Kafka did not take what was to be published, or a part of it."""


class Relay:
    """Publishes one service's outbox into one epoch of the cluster, a lane at a time in a task each."""

    def __init__(
        self,
        database: MongoDatabase,
        *,
        service: str,
        instance: str,
        epoch: str,
        publishers: dict[Lane, Publisher],
        flow: Flow,
    ) -> None:
        self._database, self._service = database, service
        self._publishers, self._flow = publishers, flow
        self._lease = Lease(database, "relay", holder=instance)
        self._woken: dict[Lane, Handover[Row]] = {lane: database.announced[lane] for lane in LANES}
        self._published = {lane: Published() for lane in LANES}
        self._caught_up = dict.fromkeys(LANES, NEVER)
        """When each lane last looked into the outbox, if it found all there was."""
        self._rows_at_once = dict.fromkeys(LANES, ROWS_AT_FIRST)
        """Rows to ask for next: as many as hold about `EVENTS_AT_ONCE` messages, judged by the last read."""
        self._refills = {lane: Refill(database, lane, epoch) for lane in LANES}
        self._publishing: dict[Lane, float] = {}
        """Since when each lane has tried to publish what it has in hand."""
        self._passed: dict[Lane, ObjectId] = {}
        """Where a lane left rows behind: the last of them. The look goes on after it."""
        self._left: dict[tuple[ObjectId, datetime | None], set[tuple[str, str, int]]] = {}
        """What is still to be published of rows of which a part was acknowledged, until they are replayed."""
        self._emptied: dict[Lane, int] = {}
        """Per lane, the beat count taken before the latest look that left nothing to publish."""
        self.leads = False
        self._has_company = asyncio.Event()
        """Whether we lead, and other replicas commit what only we publish."""

    @property
    def has_published_all(self) -> bool:
        """Whether nothing that this process announced waits; `False` also where that is not known."""
        return self.leads and all(self._emptied.get(lane) == self._woken[lane].beats for lane in LANES)

    async def run(self) -> None:
        """Relay until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._keep_lease())
            tasks.create_task(self._listen())
            for lane in LANES:
                tasks.create_task(self._relay(lane))

    async def _keep_lease(self) -> None:
        try:
            while True:
                led = self.leads
                try:
                    if self._is_stuck() and await self._lease.hand_over():
                        log.warning("relay handed over: publishing fails here", seconds=STUCK_SECONDS)
                        self.leads = False
                        self._note_company()
                        await asyncio.sleep(STEP_BACK_SECONDS)
                    self.leads = await self._lease.take()
                    if not self.leads:
                        self._publishing.clear()
                except PyMongoError as error:
                    self.leads = False
                    log.warning("relay lease unreachable", error=type(error).__name__)
                self._note_company()
                if self.leads != led:
                    self._wake_all()
                await asyncio.sleep(1.0)
        finally:
            with suppress(PyMongoError):
                await self._lease.give_up()

    def _is_stuck(self) -> bool:
        """Whether another replica should try: its way to Kafka may be open."""
        return any(monotonic() - since > STUCK_SECONDS for since in self._publishing.values())

    def _note_company(self) -> None:
        if self.leads and self._lease.is_wanted:
            self._has_company.set()
        else:
            self._has_company.clear()

    async def _listen(self) -> None:
        """Let what other replicas put into the outbox wake its lane."""
        while True:
            await self._has_company.wait()
            try:
                async with self._database.watch(outbox.COLLECTION, "insert", fields=["lane"]) as stream:
                    self._wake_all()
                    while stream.alive and self._has_company.is_set():
                        inserted = await stream.try_next()
                        if inserted is not None and made_by(inserted["documentKey"]["_id"]) != OURS:
                            self._woken[inserted["fullDocument"]["lane"]].beat()
            except PyMongoError as error:
                log.warning("change stream lost, the sweep goes on", error=type(error).__name__)
                await asyncio.sleep(1.0)

    def _wake_all(self) -> None:
        for pulse in self._woken.values():
            pulse.beat()

    async def _relay(self, lane: Lane) -> None:
        pause, woken = 0.1, self._woken[lane]
        while True:
            seen = woken.beats
            try:
                more = self.leads and await self._move(lane)
            except Refused as error:  # the publisher has said what refuses
                self._caught_up[lane] = NEVER
                RETRIES.labels(self._service, "publication", type(error).__name__).inc()
                await asyncio.sleep(REFUSED_SECONDS)
                continue
            except Exception as error:  # whatever it is, the outbox still has it
                self._caught_up[lane] = NEVER
                RETRIES.labels(self._service, "publication", type(error).__name__).inc()
                log.warning("relay waits", lane=lane, error=type(error).__name__, seconds=pause)
                await asyncio.sleep(pause)
                pause = min(pause * 2, 2.0)
                continue
            pause = 0.1
            if not more:
                if self.leads:
                    self._emptied[lane] = seen
                else:
                    woken.take()  # whoever leads publishes it
                    self._passed.pop(lane, None)
                await woken.wait(seen, SWEEP_SECONDS)

    async def _move(self, lane: Lane) -> bool:
        """Publish one batch, crises first; `True` if there may be more.

        Raises `Refused` when nothing of it was taken, and at the end when something was left behind.
        """
        async with self._database.precedence.turn(urgent=lane == "crisis"):
            if self._publishers[lane].readmit():
                self._passed.pop(lane, None)
            if not self._refills[lane].is_done:
                return await self._refill(lane)
            if rows := self._handed_over(lane):
                if await self._publish(lane, rows):
                    self._caught_up[lane] = NEVER
                return True  # the outbox may have what nobody handed over
            looked = monotonic()
            after = self._passed.get(lane)
            rows, more = await self._some(
                lane, outbox.PENDING if after is None else {**outbox.PENDING, "_id": {"$gt": after}}
            )
            self._caught_up[lane] = NEVER if more else looked
            left = await self._publish(lane, rows)
            if left:
                self._passed[lane] = rows[-1].id
            nothing_taken = bool(left) and len(left) == len(rows)
            if nothing_taken or (lane in self._passed and not more):
                if not more:
                    del self._passed[lane]
                raise Refused
            if not rows:
                self._publishing.pop(lane, None)  # what failed here was published by somebody else
            return more

    def _handed_over(self, lane: Lane) -> list[Row]:
        """What was committed in this process, if it can be published without reading the outbox.

        Only if the outbox was read recently: rows of other replicas, and of our own commits whose answer was
        lost, are found only there.
        """
        published, rows = self._published[lane], self._woken[lane].take()
        if monotonic() - self._caught_up[lane] > 2 * SWEEP_SECONDS:
            return []
        rows = published.rest(rows)
        return rows if published.is_followed_by(messages_of(rows)) else []

    async def _some(self, lane: Lane, query: Document) -> tuple[list[Row], bool]:
        """Rows until they hold about `EVENTS_AT_ONCE` messages, and whether there may be more.

        Reads with majority concern: a published message cannot be taken back if an election undoes its row.
        `limit` and `batch_size`: the server would otherwise send up to 16 MB of a backlog each time.
        """
        limit = self._rows_at_once[lane]
        asked = {"lane": lane, **query}
        cursor = self._database.majority(outbox.COLLECTION).find(
            asked, sort=[("_id", 1)], limit=limit, batch_size=limit
        )
        rows, events = list[Row](), 0
        async for document in cursor:
            rows.append(self._rest(Row.of(document)))
            events += len(document["events"])
            if events >= EVENTS_AT_ONCE:
                break
        if rows:
            self._rows_at_once[lane] = min(EVENTS_AT_ONCE, ceil(EVENTS_AT_ONCE * len(rows) / events))
        return rows, events >= EVENTS_AT_ONCE or len(rows) == limit

    def _rest(self, row: Row) -> Row:
        """What is still to be published of a row."""
        left = self._left.get((row.id, row.again))
        return row if left is None else row._replace(envelopes=[m for m in row.envelopes if _name(m) in left])

    async def _publish(self, lane: Lane, rows: list[Row]) -> set[ObjectId]:
        """Publish, and mark what was acknowledged; returns the rows of which something was refused."""
        if not rows:
            return set()
        messages = messages_of(rows)
        since = tracing.now_ns()
        self._publishing.setdefault(lane, monotonic())
        reached, refused = await self._publishers[lane].publish(messages)
        left = set[ObjectId]()
        if refused or self._left:
            names = {_name(message) for message in refused}
            left = self._keep(rows, names)
            messages = [message for message in messages if _name(message) not in names]
        if not left and lane not in self._passed:
            self._publishing.pop(lane, None)
        for place, offset in reached.items():
            self._flow.note_published(place, offset)
        self._published[lane].note(messages)
        PUBLISHED.labels(self._service, lane).inc(len(messages))
        if tracing.is_on():
            tracing.published(messages, since)
        await self._mark([row.id for row in rows if row.is_pending and row.id not in left])
        return left

    def _keep(self, rows: list[Row], refused: set[tuple[str, str, int]]) -> set[ObjectId]:
        """Returns the rows that are left, and remembers what of them, where the rest was acknowledged."""
        left = set[ObjectId]()
        for row in rows:
            names = {_name(message) for message in row.envelopes}
            was_part = self._left.pop((row.id, row.again), None) is not None
            if names & refused:
                left.add(row.id)
                if (was_part or names - refused) and len(self._left) < PARTS_REMEMBERED:
                    self._left[row.id, row.again] = names & refused
        return left

    async def _mark(self, ids: list[ObjectId]) -> None:
        if ids:
            await self._database[outbox.COLLECTION].update_many(
                {"_id": {"$in": ids}}, {"$unset": {"pending": ""}}
            )

    async def _refill(self, lane: Lane) -> bool:
        """Publish the next part of the whole outbox into this epoch's log, which began empty.

        It goes past nothing: what is not pending is found by nobody else. Raises `Refused`.
        """
        refill = self._refills[lane]
        if await refill.is_wanted() and not await refill.had_to_wait():
            rows, _ = await self._some(lane, refill.rest)
            if await self._publish(lane, rows):
                raise Refused
            await refill.note(rows)
        return True


def made_by(id: ObjectId) -> bytes:
    """The five bytes of an ObjectId that say which process made it."""
    return id.binary[4:9]


OURS = made_by(ObjectId())


def messages_of(rows: Sequence[Row]) -> list[Envelope]:
    return in_sequence([envelope for row in rows for envelope in row.envelopes])


def in_sequence(messages: list[Envelope]) -> list[Envelope]:
    """Put each subject's messages in the order of their sequence, at the places the subject has.

    Two replicas make outbox ids independently, so within a second their order says nothing.
    """
    places: dict[tuple[str, str], list[int]] = {}
    for index, message in enumerate(messages):
        places.setdefault((message.topic, message.subject), []).append(index)
    ordered = list(messages)
    for indices in places.values():
        if len(indices) > 1:
            for index, message in zip(
                indices, sorted((messages[i] for i in indices), key=_sequence), strict=True
            ):
                ordered[index] = message
    return ordered


def _sequence(message: Envelope) -> int:
    return message.sequence


def _name(message: Envelope) -> tuple[str, str, int]:
    return message.topic, message.subject, message.sequence
