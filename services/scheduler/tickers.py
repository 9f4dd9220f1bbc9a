"""Time-driven work: announcements that are due, and a second check of leave."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime

import structlog

from services.scheduler import leave, set_aside
from services.scheduler.domain import course, timers
from services.scheduler.share import Share
from services.scheduler.store import ROSTERS, SCHEDULES, SchedulerWork
from shared.adaptive_size import AdaptiveSize
from shared.messaging.envelope import Cause
from shared.messaging.work import Conflict, is_retryable
from shared.mongo import Document, MongoDatabase, is_duplicate_key, is_transient

log = structlog.get_logger()

BATCH = 500
ATTEMPTS = 10
HALVES: list[Document] = [{"shard": {"$mod": [2, remainder]}} for remainder in (0, 1)]

OpenWorkAt = Callable[[datetime], SchedulerWork]


class Announcing:
    """Fires what is due, with one transaction per batch of schedules.

    Two replicas that take the same schedules cannot both commit: the second meets a changed version, reloads
    and finds nothing due. The cost grows only with what is due, because the query uses the index `next_due`.
    """

    name = "due"

    def __init__(self, database: MongoDatabase, open_work_at: OpenWorkAt, share: Share) -> None:
        self._database, self._open, self._share = database, open_work_at, share
        self._behind, self._size = False, AdaptiveSize(BATCH)

    async def due(self) -> datetime | None:
        row = await self._database[SCHEDULES].find_one(
            {"waiting": True}, {"next_due": 1}, sort=[("next_due", 1)]
        )
        return row["next_due"] if row else None

    async def tick(self, now: datetime) -> int:
        """Returns how many schedules had something due. Raises `Conflict` after ten attempts.

        With a backlog larger than a batch, two batches run at once: one decides while the other is stored.
        """
        due = {"waiting": True, "next_due": {"$lte": now}, **await self._share.mine()}
        queries = [{"$and": [due, half]} for half in HALVES] if self._behind else [due]
        took = await asyncio.gather(*(self._take(query, now) for query in queries), return_exceptions=True)
        counts = [count for count in took if not isinstance(count, BaseException)]
        self._behind = any(count == BATCH for count in counts)
        for error in took:
            if isinstance(error, BaseException):
                raise error
        return sum(counts)

    async def _take(self, query: Document, now: datetime) -> int:
        """Process a batch, half as large after each conflict."""
        smaller = BATCH
        for _ in range(ATTEMPTS):
            try:
                with self._size.taken() as size:
                    return await self._announce(query, now, min(size, smaller))
            except Conflict:
                smaller = max(1, smaller // 2)
            except Exception as error:
                if is_duplicate_key(error):
                    continue
                if is_transient(error):
                    raise
                log.warning("batch taken apart", ticker=self.name, error=type(error).__name__)
                return await self._one_by_one(query, now)
        raise Conflict(SCHEDULES)

    async def _announce(self, query: Document, now: datetime, size: int) -> int:
        work = self._open(now)
        parts = await work.due_parts.find(query, limit=size, sort=[("next_due", 1)])
        overdue = [part.id for part in parts if timers.session_overdue(part, now)]
        for part in parts:
            if part.id not in overdue:
                work.cause = Cause(correlation_id=part.story)
                work.due_parts.save(*timers.due(part, now))
        await self._announce_overdue(work, overdue)
        await work.commit()
        return len(parts)

    async def _announce_overdue(self, work: SchedulerWork, ids: Sequence[str]) -> None:
        """Announce unrecorded sessions. If a course has only such sessions left, extend it."""
        await work.schedules.load(ids)
        for schedule in list(work.schedules):
            work.cause = Cause(correlation_id=schedule.story)
            work.keep(*timers.due(schedule, work.now))
        dry = [schedule for schedule in work.schedules if course.has_run_dry(schedule)]
        await work.read_diaries(schedule.clinician_id for schedule in dry)
        for schedule in dry:
            work.cause = Cause(correlation_id=schedule.story)
            work.keep(*course.go_on(schedule, work.diary_of(schedule), work.now))

    async def _one_by_one(self, query: Document, now: datetime) -> int:
        """After an error, process each schedule by itself and set aside only those that fail."""
        rows = self._database[SCHEDULES].find(query, {"_id": 1}, limit=BATCH, sort=[("next_due", 1)])
        ids = [row["_id"] async for row in rows]
        for id in ids:
            try:
                await self._announce({"_id": id, **query}, now, 1)
            except Exception as error:
                if is_retryable(error):
                    raise
                await set_aside.schedule(self._open(now), id, set_aside.reason_of(error))
        return len(ids)


class Rechecking:
    """Checks leave a second time, because plans may have been booked while it was entered."""

    name = "leave"

    def __init__(self, database: MongoDatabase, open_work_at: OpenWorkAt) -> None:
        self._database, self._open = database, open_work_at

    async def due(self) -> datetime | None:
        row = await self._database[ROSTERS].find_one(
            {"rechecking": True}, {"recheck_at": 1}, sort=[("recheck_at", 1)]
        )
        return row["recheck_at"] if row else None

    async def tick(self, now: datetime) -> int:
        """Returns how many clinicians were checked. One whose check fails is set aside."""
        query = {"rechecking": True, "recheck_at": {"$lte": now}}
        rows = self._database[ROSTERS].find(query, {"_id": 1}, limit=10, sort=[("recheck_at", 1)])
        ids = [row["_id"] async for row in rows]
        for id in ids:
            try:
                await self._recheck(id, now)
            except Exception as error:
                if is_retryable(error):
                    raise
                await set_aside.roster(self._open(now), id, set_aside.reason_of(error))
        return len(ids)

    async def _recheck(self, clinician_id: str, now: datetime) -> None:
        work = self._open(now)
        await work.rosters.load([clinician_id])
        roster = work.rosters[clinician_id]
        days = [entry.leave for entry in roster.leave]
        await leave.load(work, clinician_id, days)
        leave.make_way(work, clinician_id, days)
        work.rosters.save(roster.model_copy(update={"recheck_at": None, "rechecking": False}))
        await work.commit()
