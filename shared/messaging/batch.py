"""One attempt at one batch: accept or set aside each message, then commit all in one transaction."""

import traceback
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from time import time
from typing import Generic, Literal, TypeVar

import structlog

from shared import tracing
from shared.messaging import dead_letters
from shared.messaging.envelope import Cause, Envelope, Record, Unreadable, patient_of, unseal
from shared.messaging.event import Inbound
from shared.messaging.inbox import COLLECTION as INBOX
from shared.messaging.inbox import Arrival, Inbox, digest, position_key
from shared.messaging.reactions import Reactions, Unacceptable
from shared.messaging.topics import topic
from shared.messaging.work import Conflict, Work
from shared.metrics import BATCH_SECONDS, CONSUMED, DEAD_LETTERS, MESSAGE_SECONDS, NOTED
from shared.mongo import Document, MongoDatabase, Txn

log = structlog.get_logger()

HELD = "held"
GAP = "sequence_gap"

W = TypeVar("W", bound=Work)


class BatchFailed(Exception):
    """The batch failed and must be processed one message at a time."""


@dataclass(frozen=True)
class Group(Generic[W]):
    """A consumer group: its reactions and what they need.

    `hold_gaps`: hold messages until missing predecessors arrive (per subject, others proceed). Crisis flags
    never wait: a late predecessor is still processed when it arrives.
    """

    service: str
    name: str
    database: MongoDatabase
    reactions: Reactions
    open_work: Callable[[], W]
    hold_gaps: bool = True
    on_dead_letter: Callable[[dead_letters.MessageDeadLettered, W], Awaitable[None]] | None = None


class Batch(Generic[W]):
    """One attempt at one batch. `letter`: a replayed dead letter; `held`: a released message.

    Both of these are batches of one.
    """

    def __init__(
        self,
        group: Group[W],
        epoch: str,
        *,
        alone: bool,
        letter: Document | None = None,
        held: Document | None = None,
    ) -> None:
        self.group = group
        self.epoch, self.alone, self.letter, self.held = epoch, alone, letter, held
        self.work = group.open_work()
        self.inbox = Inbox(group.database)
        self.letters: list[Document] = []
        self.holding: list[Document] = []
        self.gap_told: str | None = None
        self.spans: list[tracing.Span] = []
        """Spans of messages whose trace is recorded; they end when the effects are committed."""
        self.outcome: Literal["processed", "duplicate", "held", "dead_lettered"] = "processed"

    async def process(self, records: Sequence[Record]) -> None:
        with BATCH_SECONDS.labels(self.group.name).time():
            readable: list[tuple[Record, Envelope]] = []
            for record in records:
                try:
                    readable.append((record, unseal(record)))
                except Unreadable as error:
                    await self.set_aside(record, None, error.reason)
            await self.inbox.load(envelope for _, envelope in readable)
            accepted = [
                (record, envelope, fact)
                for record, envelope in _in_sequence(readable)
                if (fact := await self._accept(record, envelope)) is not None
            ]
            await self.work.prefetch([fact for _, _, fact in accepted])
            for record, envelope, fact in accepted:
                await self._react(record, envelope, fact)
            await self.commit()
        self._measure(records)

    def _measure(self, records: Sequence[Record]) -> None:
        """Update metrics and end spans once the batch is committed."""
        CONSUMED.labels(self.group.name).inc(len(records))
        if self.letter is None and self.held is None:
            MESSAGE_SECONDS.labels(self.group.name).observe(max(0.0, time() - records[0].timestamp / 1000))
        for decision, reason in self.work.notes:
            NOTED.labels(self.group.service, decision, reason).inc()
        for span in self.spans:
            span.end()

    async def _accept(self, record: Record, envelope: Envelope) -> Inbound | None:
        """Return the fact to react to, or `None` after recording why there is none."""
        position = self.inbox.position(envelope)
        arrival = position.judge(envelope, replay=self.letter is not None)
        if arrival is Arrival.EARLY and not self.group.hold_gaps:
            arrival = Arrival.FRESH
        match arrival:
            case Arrival.DUPLICATE:
                self.outcome = "duplicate"
                position.count(envelope, effect=True)
                return None
            case Arrival.ALTERED:
                await self.set_aside(record, envelope, "same_id_other_content")
                position.count(envelope, effect=False)
                return None
            case Arrival.EARLY:
                await self._hold(record, envelope)
                return None
        try:
            fact = self.group.reactions.fact(envelope)
        except Unacceptable as error:
            await self.set_aside(record, envelope, error.reason)
            position.advance(envelope, effect=False)
            return None
        position.advance(envelope)
        return fact

    async def _hold(self, record: Record, envelope: Envelope) -> None:
        self.outcome = "held"
        if self.held is not None:
            return
        id = f"{position_key(envelope)}|{envelope.sequence}"
        if await self._is_other(id, envelope):
            await self.set_aside(record, envelope, "same_id_other_content")
            return
        self.holding.append(
            {
                "_id": id,
                "stream": position_key(envelope),
                "sequence": envelope.sequence,
                "group": self.group.name,
                "epoch": self.epoch,
                "since": datetime.now(UTC),
                "announced": False,
                **dead_letters.raw(record),
            }
        )
        position = self.inbox.position(envelope)
        position.waiting = True
        position.changed = True

    async def _is_other(self, id: str, envelope: Envelope) -> bool:
        """Whether a different message is already held under this sequence."""
        waiting = next((row for row in self.holding if row["_id"] == id), None)
        waiting = waiting or await self.group.database[HELD].find_one({"_id": id})
        if waiting is None:
            return False
        first = unseal(dead_letters.StoredRecord.of(waiting))
        return (first.id, digest(first)) != (envelope.id, digest(envelope))

    async def _react(self, record: Record, envelope: Envelope, fact: Inbound) -> None:
        self.work.cause, self.work.message = Cause.of(envelope), envelope
        if envelope.traceparent is not None:
            self._trace(envelope)
        try:
            self.group.reactions.reaction(envelope)(fact, self.work)
        except Exception as error:
            if not self.alone:
                raise BatchFailed from None
            frame = traceback.extract_tb(error.__traceback__)[-1]
            for span in self.spans:
                span.fail(type(error).__name__)
            log.error("reaction failed", group=self.group.name, type=envelope.type, message_id=envelope.id,
                      correlation_id=envelope.correlation_id, error=type(error).__name__,
                      where=f"{frame.filename}:{frame.lineno}")  # fmt: skip
            self.work = self.group.open_work()
            self.inbox = Inbox(self.group.database)
            await self.give_up(record, f"failed_{type(error).__name__}")

    def _trace(self, envelope: Envelope) -> None:
        """Make events that the reaction announces children of the span of this message's effect."""
        span = tracing.effect(envelope, self.group.name)
        if span is not None:
            self.spans.append(span)
            self.work.cause = replace(self.work.cause, traceparent=span.traceparent)

    async def set_aside(
        self, record: Record, envelope: Envelope | None, reason: str, *, anonymous: bool = False
    ) -> None:
        """Keep the record as a dead letter and announce it once: its id is derived from its origin.

        `anonymous`: ignore even the record's key.
        """
        self.outcome = "dead_lettered"
        if self.letter is not None:
            return
        id, is_kept = await dead_letters.look_up(self.group.database, record, self.group.name, self.epoch)
        if is_kept:
            return
        is_of_crises = topic(record.topic).lane == "crisis"
        key = patient_of(record) if is_of_crises and not anonymous else None
        letter = dead_letters.MessageDeadLettered(
            patient_id=envelope.key if envelope else key or "unknown",
            clinic_id="unknown",
            dead_letter_id=id,
            service=self.group.service,
            group=self.group.name,
            origin=record.topic,
            partition=record.partition,
            offset=record.offset,
            reason=reason,
            type=envelope.type if envelope else None,
            crisis=is_of_crises and reason != GAP,  # paging never waits for a gap
            set_aside_at=self.work.now,
        )
        self.letters.append(dead_letters.document(letter, record, envelope, self.epoch))
        DEAD_LETTERS.labels(self.group.name, reason).inc()
        log.error(
            "message dead-lettered",
            group=self.group.name,
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            reason=reason,
            message_id=envelope.id if envelope else None,
            correlation_id=envelope.correlation_id if envelope else None,
        )
        if envelope is not None:
            self.work.cause = Cause.of(envelope)
        if self.group.on_dead_letter is not None:
            await self.group.on_dead_letter(letter, self.work)
        own = dead_letters.topic_of(self.group.service)
        if not dead_letters.is_dead_letter_topic(record.topic):  # else kept, not announced
            self.work.announce(letter, subject=letter.dead_letter_id, sequence=1, topic=own)

    async def give_up(self, record: Record, reason: str) -> None:
        """Set aside a record whose reaction or commit failed, so that its subject continues."""
        try:
            envelope = unseal(record)
        except Unreadable:
            return await self.set_aside(record, None, reason)
        await self.inbox.load([envelope])
        position = self.inbox.position(envelope)
        arrival = position.judge(envelope, replay=self.letter is not None)
        if arrival is Arrival.DUPLICATE:  # meanwhile another replica processed it or set it aside
            self.outcome = "duplicate"
            position.count(envelope, effect=True)
            return None
        await self.set_aside(record, envelope, reason)
        if arrival is not Arrival.EARLY or not self.group.hold_gaps:
            position.count(envelope, effect=False)
        return None

    async def commit(self) -> None:
        if self.letter is not None and self.outcome in ("dead_lettered", "held"):
            return
        if self.letters or self.holding or self.held or self.letter or self.gap_told or self.inbox.changed:
            self.work.also(self._write)
        await self.work.commit()

    async def _write(self, txn: Txn) -> None:
        """Write inbox positions, dead letters and held messages, and settle the replay or release."""
        if not await self.inbox.flush(txn):
            raise Conflict(INBOX)
        for letter in self.letters:
            await self._keep(letter, txn)
        for row in self.holding:  # one may be held already if it was read twice
            await self.group.database[HELD].update_one(
                {"_id": row["_id"]}, {"$setOnInsert": row}, upsert=True, session=txn
            )
        if self.gap_told is not None:
            await self._note_told(self.gap_told, txn)
        if self.held is not None and self.outcome != "held":
            await self._settle_held(self.held, txn)
        if self.letter is not None and not await dead_letters.close(
            self.group.database, txn, self.letter["_id"]
        ):
            raise Conflict(dead_letters.COLLECTION)

    async def _keep(self, letter: Document, txn: Txn) -> None:
        """Store the letter. Only the replica whose insert succeeds announces it; others get `Conflict`."""
        kept = await self.group.database[dead_letters.COLLECTION].update_one(
            {"_id": letter["_id"]}, {"$setOnInsert": letter}, upsert=True, session=txn
        )
        if kept.upserted_id is None:
            raise Conflict(dead_letters.COLLECTION)

    async def _note_told(self, id: str, txn: Txn) -> None:
        told = await self.group.database[HELD].update_one(
            {"_id": id, "announced": False}, {"$set": {"announced": True}}, session=txn
        )
        if not told.matched_count:
            raise Conflict(HELD)

    async def _settle_held(self, row: Document, txn: Txn) -> None:
        """Delete the released row. Close the dead letter about its gap unless the message failed again."""
        await self.group.database[HELD].delete_one({"_id": row["_id"]}, session=txn)
        if self.outcome != "dead_lettered":
            told = dead_letters.StoredRecord.of(row)
            own, _ = await dead_letters.look_up(self.group.database, told, self.group.name, self.epoch)
            await dead_letters.close(self.group.database, txn, own)


def _in_sequence(messages: list[tuple[Record, Envelope]]) -> list[tuple[Record, Envelope]]:
    """Sort by sequence within each subject; subjects stay in order of appearance.

    A producer that retries one of several messages may append them to the log out of order.
    """
    first: dict[str, int] = {}
    for index, (_, envelope) in enumerate(messages):
        first.setdefault(position_key(envelope), index)
    return sorted(messages, key=lambda message: (first[position_key(message[1])], message[1].sequence))
