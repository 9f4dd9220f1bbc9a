"""From a batch of records to one transaction.

read → judge against the inbox → validate → load → react → commit. If anything in a batch is
troublesome, the batch is done again one message at a time, so that only the culprit is set aside.
"""

import traceback
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Generic, Literal, TypeVar

import structlog

from shared.messaging import dead_letters
from shared.messaging.envelope import Cause, Envelope, Record, Unreadable, unseal
from shared.messaging.event import Inbound
from shared.messaging.inbox import COLLECTION as INBOX
from shared.messaging.inbox import Arrival, Inbox, position_key
from shared.messaging.reactions import Reactions, Unacceptable
from shared.messaging.topics import topic
from shared.messaging.work import Conflict, Work
from shared.metrics import BATCH_SECONDS, CONSUMED, DEAD_LETTERS, NOTED
from shared.mongo import Document, Index, MongoDatabase, Txn, is_duplicate_key, is_transient

log = structlog.get_logger()

HELD = "held"
INDEXES = [Index(HELD, "stream", "sequence"), *dead_letters.INDEXES]
COLLECTIONS = [INBOX]
ATTEMPTS = 20

HOLD = timedelta(seconds=30)
"""How long a gap in one subject's sequence is waited for before people are told."""

W = TypeVar("W", bound=Work)


class _Troubled(Exception):
    """A message of a batch needs to be looked at alone."""


class Consumption(Generic[W]):
    """One group's way of taking records in.

    `hold_gaps`: wait for missing predecessors (per subject, others proceed). Crisis flags never wait:
    there, a late predecessor is still processed when it comes.
    """

    def __init__(
        self,
        *,
        service: str,
        group: str,
        database: MongoDatabase,
        reactions: Reactions,
        open_work: Callable[[], W],
        hold_gaps: bool = True,
        on_dead_letter: Callable[[dead_letters.MessageDeadLettered, W], Awaitable[None]] | None = None,
    ) -> None:
        self.service, self.group, self.reactions = service, group, reactions
        self.database, self.open_work, self.hold_gaps = database, open_work, hold_gaps
        self.on_dead_letter = on_dead_letter

    async def take(self, records: Sequence[Record], *, epoch: str = "") -> None:
        """Process a batch. Returns when every record's effect, or its dead letter, is committed.

        Raises the transient error when MongoDB cannot be reached; nothing was committed then and the
        records must come again.
        """
        try:
            await self._attempt(records, epoch, alone=False)
        except _Troubled:
            for record in records:
                await self._alone(record, epoch)

    async def _alone(self, record: Record, epoch: str) -> None:
        """One record by itself: whatever it breaks, only it is set aside."""
        try:
            await self._attempt([record], epoch, alone=True)
        except Exception as error:
            if is_transient(error) or isinstance(error, Conflict):
                raise
            batch = _Batch(self, epoch, alone=True)
            await batch.set_aside(record, None, f"failed_{type(error).__name__}")
            await batch.commit()

    async def replay(self, letter: Document) -> str:
        """Try a dead letter again. Returns `processed`, `duplicate` or `dead_lettered`.

        The letter is closed in the transaction of its effect: two replays make one effect.
        """
        batch = await self._attempt([dead_letters.read(letter)], letter["epoch"], alone=True, letter=letter)
        return batch.outcome

    async def sweep(self) -> None:
        """Release held messages whose gap was filled; tell people of gaps older than `HOLD`."""
        streams = await self.database[HELD].distinct("stream", {"group": self.group})
        for stream in streams:
            await self._release(stream)
        overdue = {"group": self.group, "announced": False, "since": {"$lte": datetime.now(UTC) - HOLD}}
        async for row in self.database[HELD].find(overdue, limit=100):
            await self._announce_gap(row)

    async def _attempt(
        self,
        records: Sequence[Record],
        epoch: str,
        *,
        alone: bool,
        letter: Document | None = None,
        held: Document | None = None,
    ) -> "_Batch[W]":
        """Process records in one transaction, again when another replica was faster."""
        for attempt in range(ATTEMPTS):
            batch = _Batch(self, epoch, alone=alone, letter=letter, held=held)
            try:
                await batch.process(records)
            except Conflict:
                log.debug("conflict", group=self.group, attempt=attempt)
            except Exception as error:
                if is_duplicate_key(error):
                    log.debug("conflict", group=self.group, attempt=attempt)
                    continue
                if alone or is_transient(error):
                    raise
                log.warning(
                    "batch taken apart", group=self.group, records=len(records), error=type(error).__name__
                )
                raise _Troubled from None
            else:
                if held is None:
                    for stream in batch.inbox.unblocked():
                        await self._release(stream)
                return batch
        if alone:
            raise Conflict(self.group)
        raise _Troubled

    async def _release(self, stream: str) -> None:
        """Process this stream's held messages, as far as they now follow without a gap."""
        async for row in self.database[HELD].find({"stream": stream}).sort("sequence", 1):
            batch = await self._attempt([dead_letters.read(row)], row["epoch"], alone=True, held=row)
            if batch.outcome == "held":
                break

    async def _announce_gap(self, row: Document) -> None:
        record = dead_letters.read(row)
        envelope = unseal(record)
        batch = _Batch(self, row["epoch"], alone=True)
        await batch.inbox.load([envelope])
        await batch.set_aside(record, envelope, "sequence_gap")
        batch.gap_told = row["_id"]
        await batch.commit()


class _Batch(Generic[W]):
    """One attempt at one batch. `letter`: a replay; `held`: a release. Both are batches of one."""

    def __init__(
        self,
        consumption: Consumption[W],
        epoch: str,
        *,
        alone: bool,
        letter: Document | None = None,
        held: Document | None = None,
    ) -> None:
        self.c = consumption
        self.epoch, self.alone, self.letter, self.held = epoch, alone, letter, held
        self.work = consumption.open_work()
        self.inbox = Inbox(consumption.database)
        self.letters: list[Document] = []
        self.holding: list[Document] = []
        self.gap_told: str | None = None
        self.outcome: Literal["processed", "duplicate", "held", "dead_lettered"] = "processed"

    async def process(self, records: Sequence[Record]) -> None:
        with BATCH_SECONDS.labels(self.c.group).time():
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
        CONSUMED.labels(self.c.group).inc(len(records))
        for decision, reason in self.work.notes:
            NOTED.labels(self.c.service, decision, reason).inc()

    async def _accept(self, record: Record, envelope: Envelope) -> Inbound | None:
        """The fact to react to; or `None`, with everything noted that has to be."""
        position = self.inbox.position(envelope)
        arrival = position.judge(envelope, replay=self.letter is not None)
        if arrival is Arrival.EARLY and not self.c.hold_gaps:
            arrival = Arrival.FRESH
        match arrival:
            case Arrival.DUPLICATE:
                self.outcome = "duplicate"
                return None
            case Arrival.ALTERED:
                await self.set_aside(record, envelope, "same_id_other_content")
                return None
            case Arrival.EARLY:
                self._hold(record, envelope)
                return None
        try:
            fact = self.c.reactions.fact(envelope)
        except Unacceptable as error:
            await self.set_aside(record, envelope, error.reason)
            position.advance(envelope, effect=False)
            return None
        position.advance(envelope)
        return fact

    def _hold(self, record: Record, envelope: Envelope) -> None:
        self.outcome = "held"
        if self.held is not None:
            return
        self.holding.append(
            {
                "_id": f"{envelope.topic}|{envelope.subject}|{envelope.sequence}",
                "stream": position_key(envelope),
                "sequence": envelope.sequence,
                "group": self.c.group,
                "epoch": self.epoch,
                "since": datetime.now(UTC),
                "announced": False,
                **dead_letters.raw(record),
            }
        )
        position = self.inbox.position(envelope)
        position.waiting = True
        position.changed = True

    async def _react(self, record: Record, envelope: Envelope, fact: Inbound) -> None:
        self.work.cause = Cause.of(envelope)
        try:
            self.c.reactions.reaction(envelope)(fact, self.work)
        except Exception as error:
            if not self.alone:
                raise _Troubled from None
            frame = traceback.extract_tb(error.__traceback__)[-1]
            log.error("reaction failed", group=self.c.group, type=envelope.type, message_id=envelope.id,
                      error=type(error).__name__, where=f"{frame.filename}:{frame.lineno}")  # fmt: skip
            self.work = self.c.open_work()
            self.inbox = Inbox(self.c.database)
            await self.inbox.load([envelope])
            await self.set_aside(record, envelope, f"failed_{type(error).__name__}")
            self.inbox.position(envelope).advance(envelope, effect=False)

    async def set_aside(self, record: Record, envelope: Envelope | None, reason: str) -> None:
        """Keep the record as a dead letter and announce it (once: its id is where it came from)."""
        self.outcome = "dead_lettered"
        if self.letter is not None:
            return
        letter = dead_letters.MessageDeadLettered(
            patient_id=envelope.key if envelope else "unknown",
            clinic_id="unknown",
            dead_letter_id=dead_letters.id_of(record, self.c.group, self.epoch),
            service=self.c.service,
            group=self.c.group,
            origin=record.topic,
            partition=record.partition,
            offset=record.offset,
            reason=reason,
            type=envelope.type if envelope else None,
            crisis=topic(record.topic).lane == "crisis",
            set_aside_at=self.work.now,
        )
        self.letters.append(dead_letters.document(letter, record, envelope, self.epoch))
        DEAD_LETTERS.labels(self.c.group, reason).inc()
        log.error(
            "message dead-lettered",
            group=self.c.group,
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            reason=reason,
            message_id=envelope.id if envelope else None,
        )
        if envelope is not None:
            self.work.cause = Cause.of(envelope)
        if self.c.on_dead_letter is not None:
            await self.c.on_dead_letter(letter, self.work)
        own = dead_letters.topic_of(self.c.service)
        if not dead_letters.is_dead_letter_topic(record.topic):  # a letter about a letter is kept, not told
            self.work.announce(letter, subject=letter.dead_letter_id, sequence=1, topic=own)

    async def commit(self) -> None:
        if self.letter is not None and self.outcome == "dead_lettered":
            return
        if self.letters or self.holding or self.held or self.letter or self.gap_told or self.inbox.changed:
            self.work.also(self._write)
        await self.work.commit()

    async def _write(self, txn: Txn) -> None:
        database = self.c.database
        if not await self.inbox.flush(txn):
            raise Conflict(INBOX)
        for letter in self.letters:
            await database[dead_letters.COLLECTION].update_one(
                {"_id": letter["_id"]}, {"$setOnInsert": letter}, upsert=True, session=txn
            )
        if self.holding:
            await database[HELD].insert_many(self.holding, session=txn)
        if self.gap_told is not None:
            await database[HELD].update_one(
                {"_id": self.gap_told}, {"$set": {"announced": True}}, session=txn
            )
        if self.held is not None and self.outcome != "held":
            await database[HELD].delete_one({"_id": self.held["_id"]}, session=txn)
            await dead_letters.close(
                database, txn, dead_letters.id_of(dead_letters.read(self.held), self.c.group, self.epoch)
            )
        if self.letter is not None and not await dead_letters.close(database, txn, self.letter["_id"]):
            raise Conflict(dead_letters.COLLECTION)


def _in_sequence(messages: list[tuple[Record, Envelope]]) -> list[tuple[Record, Envelope]]:
    """Subjects in order of appearance, each subject's messages by sequence.

    A producer that retries one of several messages may put them into the log out of order.
    """
    first: dict[str, int] = {}
    for index, (_, envelope) in enumerate(messages):
        first.setdefault(position_key(envelope), index)
    return sorted(messages, key=lambda message: (first[position_key(message[1])], message[1].sequence))
