"""Publishes one lane of the outbox to Kafka: at least once, in order per subject.

A partition that refuses messages delays only its own. Their rows stay pending and are left behind. The lane
continues after them, and returns to the oldest row when that partition accepts messages again.
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from math import ceil
from time import monotonic

import structlog

from shared import tracing
from shared.messaging import outbox
from shared.messaging.envelope import Envelope
from shared.messaging.flow import Flow
from shared.messaging.handover import Published
from shared.messaging.outbox import Row
from shared.messaging.publishing import Publisher
from shared.messaging.refill import Refill
from shared.messaging.topics import Lane
from shared.metrics import PUBLISHED, RETRIES
from shared.mongo import Document, MongoDatabase, ObjectId
from shared.pulse import Handover

log = structlog.get_logger()

EVENTS_AT_ONCE = 1000
ROWS_AT_FIRST = 20
SWEEP_SECONDS = 0.5
"""Interval of reading the outbox when nothing wakes the relay."""

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 2.0

RETURN_SECONDS = 5.0
"""Minimum pause at the end of a pass that left rows behind, before the next one from the oldest row."""

RETURN_SHARE = 10
"""That pause also lasts at least so many times as long as the pass took."""

NEVER = float("-inf")


class LaneRelay:
    """Publishes the rows of one lane into one epoch of the cluster, while its replica leads."""

    def __init__(
        self,
        lane: Lane,
        *,
        database: MongoDatabase,
        service: str,
        epoch: str,
        publisher: Publisher,
        flow: Flow,
        now: Callable[[], datetime],
    ) -> None:
        self.lane: Lane = lane
        self.woken: Handover[Row] = database.announced[lane]
        self._database, self._service = database, service
        self._publisher, self._flow = publisher, flow
        self._refill = Refill(database, lane, epoch, now)
        self._published = Published()
        self._caught_up = NEVER
        """When the outbox was last read; `NEVER` if that read may have left rows unread."""
        self._rows_at_once = ROWS_AT_FIRST
        """Rows to read next: enough for about `EVENTS_AT_ONCE` messages, estimated from the last read."""
        self._after: ObjectId | None = None
        """Read after this row: every pending row up to it has refused messages or is unreadable."""
        self._began = NEVER
        """When the current pass from the oldest row began."""
        self._return_at: float | None = None
        """When the next such pass begins; `None` until this one reaches the end."""
        self._failing_since: float | None = None
        self._emptied = -1
        """`woken.beats` before the latest read that left nothing to publish."""

    @property
    def is_empty(self) -> bool:
        """True only if everything this process announced is known to be published."""
        return self._emptied == self.woken.beats

    def fails_for(self) -> float:
        """Return for how many seconds nothing at all could be published; 0 while something can."""
        return 0.0 if self._failing_since is None else monotonic() - self._failing_since

    async def run(self, leads: Callable[[], bool]) -> None:
        """Publish until cancelled, whenever this replica leads."""
        pause = FIRST_PAUSE
        while True:
            seen = self.woken.beats
            try:
                more = leads() and await self._move()
            except (Exception, asyncio.CancelledError) as error:
                if isinstance(error, asyncio.CancelledError) and is_cancelled():
                    raise
                self._caught_up = NEVER
                RETRIES.labels(self._service, "publication", type(error).__name__).inc()
                log.warning("relay waits", lane=self.lane, error=type(error).__name__, seconds=pause)
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE)
                continue
            pause = FIRST_PAUSE
            if more:
                continue
            if not leads():
                self._step_down()
            elif self._after is None:
                self._emptied = seen
            await self.woken.wait(seen, SWEEP_SECONDS)

    def _step_down(self) -> None:
        """Drop state that is valid only for the leader: another replica publishes now."""
        self.woken.take()
        self._publisher.forget_refusals()
        self._begin_with_the_oldest()
        self._failing_since = None

    def _begin_with_the_oldest(self) -> None:
        self._after, self._return_at, self._caught_up = None, None, NEVER

    async def _move(self) -> bool:
        """Publish one batch, after any crisis under way. Returns whether there may be more."""
        async with self._database.precedence.turn(urgent=self.lane == "crisis"):
            if self._publisher.readmit():
                self._begin_with_the_oldest()
            if not self._refill.is_done:
                return await self._fill_anew()
            if rows := self._handed_over():
                await self._publish(rows)
                return True  # the outbox may have rows that were not handed over
            return await self._publish_pending()

    async def _fill_anew(self) -> bool:
        """Republish the whole outbox part by part, because the log of this epoch began empty."""
        if not await self._refill.is_wanted() or await self._refill.had_to_wait():
            return True
        if not await self._publish_pending(self._refill.marked):
            await self._refill.mark_next()
        return True

    def _handed_over(self) -> list[Row]:
        """Return rows committed in this process, if they can be published without reading the outbox.

        Requires a recent read of the outbox: only that finds the rows of other replicas, and of our own
        commits whose reply was lost.
        """
        rows = self.woken.take()
        if monotonic() - self._caught_up > 2 * SWEEP_SECONDS:
            return []
        rows = self._published.rest(rows)
        return rows if self._published.is_followed_by(messages_of(rows)) else []

    async def _publish_pending(self, among: Document | None = None) -> bool:
        """Read and publish pending rows. Returns whether there may be more. `among`: a condition on `_id`."""
        if self._return_at is not None and monotonic() > self._return_at:
            self._begin_with_the_oldest()
        looked = monotonic()
        if self._after is None:
            self._began = looked
        rows, more = await self._read(among or {})
        self._caught_up = NEVER if more or among else looked
        if await self._publish(rows):
            self._after = rows[-1].id
        elif not rows and self._after is None:
            self._failing_since = None  # another replica published what failed here
        if not more and self._after is not None and self._return_at is None:
            took = monotonic() - self._began
            self._return_at = monotonic() + max(RETURN_SECONDS, RETURN_SHARE * took)
        return more

    async def _read(self, among: Document) -> tuple[list[Row], bool]:
        """Read pending rows with about `EVENTS_AT_ONCE` messages. Also returns whether there may be more.

        Reads with majority concern: a published message cannot be undone if an election rolls back its row.
        Without `limit` and `batch_size` the server would send up to 16 MB of a backlog each time.
        """
        limit = self._rows_at_once
        place = among if self._after is None else {**among, "$gt": self._after}
        query = {"lane": self.lane, **outbox.PENDING} | ({"_id": place} if place else {})
        cursor = self._database.majority(outbox.COLLECTION).find(
            query, sort=[("_id", 1)], limit=limit, batch_size=limit
        )
        rows, events = list[Row](), 0
        async for document in cursor:
            rows.append(row := Row.of(document))
            events += len(row.envelopes)
            if not row.is_readable:
                log.error("outbox document unreadable", lane=self.lane, id=str(row.id))
            if events >= EVENTS_AT_ONCE:
                break
        if events:
            self._rows_at_once = min(EVENTS_AT_ONCE, ceil(EVENTS_AT_ONCE * len(rows) / events))
        return rows, events >= EVENTS_AT_ONCE or len(rows) == limit

    async def _publish(self, rows: list[Row]) -> bool:
        """Publish rows and mark what was acknowledged. Returns whether any were left behind."""
        messages = messages_of(rows)
        refused = await self._send(messages) if messages else set[str]()
        await outbox.mark(self._database, rows, refused)
        return any(not row.is_readable or row.has_any(refused) for row in rows)

    async def _send(self, messages: Sequence[Envelope]) -> set[str]:
        """Send messages to Kafka. Returns the ids of those that were refused."""
        since = tracing.now_ns()
        if self._failing_since is None:
            self._failing_since = monotonic()
        reached, left = await self._publisher.publish(messages)
        if reached:
            self._failing_since = None
        refused = {message.id for message in left}
        if refused:
            RETRIES.labels(self._service, "publication", "Refused").inc()
            messages = [message for message in messages if message.id not in refused]
        for place, offset in reached.items():
            self._flow.note_published(place, offset)
        self._published.note(messages)
        PUBLISHED.labels(self._service, self.lane).inc(len(messages))
        if tracing.is_on():
            tracing.published(messages, since)
        return refused


def is_cancelled() -> bool:
    """Whether cancellation of the current task was requested; a stray `CancelledError` does not count."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def messages_of(rows: Sequence[Row]) -> list[Envelope]:
    return in_sequence([envelope for row in rows for envelope in row.envelopes])


def in_sequence(messages: list[Envelope]) -> list[Envelope]:
    """Sort each subject's messages by sequence, within the positions the subject occupies.

    Replicas generate outbox ids independently, so within a second the order of ids means nothing.
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
