"""Turns a batch of records into one transaction.

read → judge against the inbox → validate → load → react → commit. If anything in a batch fails, the
batch is processed again one message at a time, so that only the message at fault is set aside.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Generic, TypeVar

import structlog

from shared.messaging import dead_letters
from shared.messaging.batch import GAP, HELD, Batch, BatchFailed, Group
from shared.messaging.envelope import Record, unseal
from shared.messaging.inbox import COLLECTION as INBOX
from shared.messaging.work import Conflict, Work, is_retryable
from shared.metrics import RETRIES
from shared.mongo import Document, Index, is_duplicate_key, is_transient

log = structlog.get_logger()

INDEXES = [Index(HELD, "stream", "sequence"), *dead_letters.INDEXES]
COLLECTIONS = [INBOX, HELD]
ATTEMPTS = 20
"""How often one batch is attempted while it conflicts with other replicas."""

WHOLE_ATTEMPTS = 3
"""After so many failures a batch is halved: it may exceed the lifetime of a transaction."""

HOLD = timedelta(seconds=30)
"""How long a gap in one subject's sequence may last before it is announced."""

W = TypeVar("W", bound=Work)


class Consumption(Generic[W]):
    """Processes the records of one consumer group."""

    def __init__(self, group: Group[W]) -> None:
        self.group = group
        self._held = group.database[HELD]

    async def persist(self, records: Sequence[Record], epoch: str) -> None:
        """Like `take`, but retry with back-off until it succeeds."""
        pause = 0.1
        for attempt in count(1):
            try:
                return await self.take(records, epoch=epoch)
            except Exception as error:
                RETRIES.labels(self.group.service, "batch", type(error).__name__).inc()
                log.warning("batch waits", group=self.group.name, error=type(error).__name__, seconds=pause)
                await asyncio.sleep(pause)
                pause = min(pause * 2, 5.0)
            if attempt >= WHOLE_ATTEMPTS and (half := len(records) // 2):
                await self.persist(records[:half], epoch)
                records = records[half:]
        return None

    async def take(self, records: Sequence[Record], *, epoch: str = "") -> None:
        """Process a batch. Return once every record's effect, or its dead letter, is committed.

        Raises the transient error when MongoDB cannot be reached. Some records may be committed by then, and
        repeating all of them is safe.
        """
        try:
            await self._attempt(records, epoch, alone=False)
        except BatchFailed:
            for record in records:
                await self._alone(record, epoch)

    async def _alone(self, record: Record, epoch: str, held: Document | None = None) -> Batch[W]:
        """Process one record by itself, so that only this record is set aside if it fails."""
        try:
            return await self._attempt([record], epoch, alone=True, held=held)
        except Exception as error:
            if is_retryable(error):
                raise
            return await self._give_up(record, epoch, held, f"failed_{type(error).__name__}")

    async def _give_up(self, record: Record, epoch: str, held: Document | None, reason: str) -> Batch[W]:
        """Set the record aside with its envelope, or without it if that cannot be stored."""
        try:
            batch = Batch(self.group, epoch, alone=True, held=held)
            await batch.give_up(record, reason)
            await batch.commit()
        except Exception as error:
            if is_retryable(error):
                raise
            batch = Batch(self.group, epoch, alone=True, held=held)
            await batch.set_aside(record, None, reason, anonymous=True)
            await batch.commit()
        return batch

    async def replay(self, letter: Document) -> str:
        """Process a dead letter again. Returns `processed`, `duplicate`, `dead_lettered` or `held`.

        `held`: a predecessor is still missing, so it stays a letter. The letter is closed in the transaction
        of its effect, so two replays have one effect.
        """
        record = dead_letters.StoredRecord.of(letter)
        try:
            batch = await self._attempt([record], letter["epoch"], alone=True, letter=letter)
        except Exception as error:
            if is_duplicate_key(error):
                return "dead_lettered"
            raise
        return batch.outcome

    async def sweep(self) -> None:
        """Release held messages whose gap was filled, and announce gaps older than `HOLD`."""
        streams = await self._held.distinct("stream", {"group": self.group.name})
        for stream in streams:
            await self._release(stream)
        overdue = {"group": self.group.name, "announced": False, "since": {"$lte": datetime.now(UTC) - HOLD}}
        async for row in self._held.find(overdue, limit=100):
            await self._announce_gap(row)

    async def _attempt(
        self,
        records: Sequence[Record],
        epoch: str,
        *,
        alone: bool,
        letter: Document | None = None,
        held: Document | None = None,
    ) -> Batch[W]:
        """Process records in one transaction. Retry after a conflict: another replica may have been faster.

        If a single record meets a duplicate key in all `ATTEMPTS`, that error is raised: concurrency alone
        does not explain it.
        """
        doubled: list[Exception] = []
        for attempt in range(ATTEMPTS):
            batch = Batch(self.group, epoch, alone=alone, letter=letter, held=held)
            try:
                await batch.process(records)
            except Conflict:
                log.debug("conflict", group=self.group.name, attempt=attempt)
            except Exception as error:
                if is_duplicate_key(error):
                    doubled.append(error)
                    log.debug("conflict", group=self.group.name, attempt=attempt)
                    continue
                if alone or is_transient(error):
                    raise
                log.warning(
                    "batch taken apart",
                    group=self.group.name,
                    records=len(records),
                    error=type(error).__name__,
                )
                raise BatchFailed from None
            else:
                if held is None and (streams := batch.inbox.unblocked()):
                    for stream in await self._held.distinct("stream", {"stream": {"$in": streams}}):
                        await self._release(stream)
                return batch
        if alone:
            raise doubled[-1] if len(doubled) == ATTEMPTS else Conflict(self.group.name)
        raise BatchFailed

    async def _release(self, stream: str) -> None:
        """Process this stream's held messages up to the next gap."""
        async for row in self._held.find({"stream": stream}).sort("sequence", 1):
            batch = await self._alone(dead_letters.StoredRecord.of(row), row["epoch"], held=row)
            if batch.outcome == "held":
                break

    async def _announce_gap(self, row: Document) -> None:
        """Announce the gap before a held message, unless it was released or announced meanwhile."""
        record = dead_letters.StoredRecord.of(row)
        envelope = unseal(record)
        batch = Batch(self.group, row["epoch"], alone=True)
        await batch.inbox.load([envelope])
        await batch.set_aside(record, envelope, GAP)
        batch.gap_told = row["_id"]
        with suppress(Conflict):
            await batch.commit()
