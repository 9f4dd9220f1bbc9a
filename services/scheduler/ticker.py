"""What the clock brings about: announcements whose moment has come, and a second look at leave."""

from collections.abc import Callable
from datetime import datetime

import structlog

from services.scheduler import leave, set_aside
from services.scheduler.domain import course, timers
from services.scheduler.share import Share
from services.scheduler.store import ROSTERS, SCHEDULES, SchedulerWork
from shared.messaging.envelope import Cause
from shared.messaging.work import Conflict
from shared.mongo import Document, MongoDatabase, is_duplicate_key, is_transient

log = structlog.get_logger()

BATCH = 500
ATTEMPTS = 10

OpenWorkAt = Callable[[datetime], SchedulerWork]


class Announcing:
    """Fires what is due, a batch of schedules in one transaction.

    Two replicas that take the same schedules cannot both commit: the second finds another version, reads
    again and finds nothing due. The cost grows with what is due, for the index holds nothing else.
    """

    name = "due"

    def __init__(self, database: MongoDatabase, open_work_at: OpenWorkAt, share: Share) -> None:
        self._database, self._open, self._share = database, open_work_at, share

    async def due(self) -> datetime | None:
        row = await self._database[SCHEDULES].find_one(
            {"waiting": True}, {"next_due": 1}, sort=[("next_due", 1)]
        )
        return row["next_due"] if row else None

    async def tick(self, now: datetime) -> int:
        """How many schedules had something due. Raises `Conflict` when others were faster ten times."""
        due = {"waiting": True, "next_due": {"$lte": now}, **await self._share.mine()}
        size = BATCH
        for _ in range(ATTEMPTS):
            try:
                return await self._announce(due, now, size)
            except Conflict:
                size = max(1, size // 2)
            except Exception as error:
                if is_duplicate_key(error):
                    continue
                if is_transient(error):
                    raise
                log.warning("batch taken apart", ticker=self.name, error=type(error).__name__)
                return await self._one_by_one(due, now)
        raise Conflict(SCHEDULES)

    async def _announce(self, query: Document, now: datetime, size: int) -> int:
        work = self._open(now)
        schedules = await work.schedules.find(query, limit=size, sort=[("next_due", 1)])
        for schedule in schedules:
            work.cause = Cause(correlation_id=schedule.story)
            work.keep(*timers.due(schedule, now))
        await self._go_on_where_run_dry(work)
        await work.commit()
        return len(schedules)

    async def _go_on_where_run_dry(self, work: SchedulerWork) -> None:
        """Courses of which only sessions are left that nobody recorded are extended."""
        dry = [schedule for schedule in work.schedules if course.has_run_dry(schedule)]
        await work.read_diaries(schedule.clinician_id for schedule in dry)
        for schedule in dry:
            work.cause = Cause(correlation_id=schedule.story)
            work.keep(*course.go_on(schedule, work.diary_of(schedule), work.now))

    async def _one_by_one(self, query: Document, now: datetime) -> int:
        """After a fault: each schedule by itself, and only the culprit set aside."""
        rows = self._database[SCHEDULES].find(query, {"_id": 1}, limit=BATCH, sort=[("next_due", 1)])
        ids = [row["_id"] async for row in rows]
        for id in ids:
            try:
                await self._announce({"_id": id, **query}, now, 1)
            except Exception as error:
                if isinstance(error, Conflict) or is_transient(error):
                    raise
                await set_aside.schedule(self._open(now), id, type(error).__name__)
        return len(ids)


class Rechecking:
    """Looks a second time at days of leave that were entered while plans were being booked."""

    name = "leave"

    def __init__(self, database: MongoDatabase, open_work_at: OpenWorkAt) -> None:
        self._database, self._open = database, open_work_at

    async def due(self) -> datetime | None:
        row = await self._database[ROSTERS].find_one(
            {"rechecking": True}, {"recheck_at": 1}, sort=[("recheck_at", 1)]
        )
        return row["recheck_at"] if row else None

    async def tick(self, now: datetime) -> int:
        work = self._open(now)
        query = {"rechecking": True, "recheck_at": {"$lte": now}}
        rosters = await work.rosters.find(query, limit=10, sort=[("recheck_at", 1)])
        for roster in rosters:
            await leave.load(work, roster.id, [entry.leave for entry in roster.leave])
            leave.make_way(work, roster.id, [entry.leave for entry in roster.leave])
            work.rosters.save(roster.model_copy(update={"recheck_at": None, "rechecking": False}))
        await work.commit()
        return len(rosters)
