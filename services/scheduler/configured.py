"""At process start: read the clinics, and align schedules with what has changed since they were stored.

A new release of the time zone database or a new zone of a clinic moves instants, not wall times. New hours,
slots or holidays, and leave added to the configuration, move the appointments that conflict with them.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path

import structlog
from pydantic import BaseModel, ConfigDict

from services.scheduler import leave
from services.scheduler.domain import moving
from services.scheduler.domain.clinics import Clinic, Clinician, Clinics
from services.scheduler.domain.wall_time import local_of, zones_version
from services.scheduler.store import SCHEDULES, SchedulerWork
from shared.messaging.work import Conflict
from shared.mongo import Document, MongoDatabase

log = structlog.get_logger()

OpenWork = Callable[[], SchedulerWork]
Way = Callable[[SchedulerWork], Awaitable[int]]

PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 1.0, 60.0
ATTEMPTS, PAUSE_AFTER_CONFLICT_SECONDS = 10, 0.05
AGAIN_SECONDS = 600.0
"""By then a roll-out has removed the replica that this one replaces."""


class _File(BaseModel):
    model_config = ConfigDict(frozen=True)

    version: str
    clinics: tuple[Clinic, ...]


def read_clinics(path: Path) -> Clinics:
    """Raises pydantic's `ValidationError` naming the field that is wrong, or `OSError`."""
    file = _File.model_validate_json(path.read_bytes())
    return Clinics.of(file.version, file.clinics)


class Alignment:
    """Aligns schedules when a process starts, and again when the replicas that it replaces are gone."""

    def __init__(self, database: MongoDatabase, clinics: Clinics, open_work: OpenWork) -> None:
        self._database, self._clinics, self._open = database, clinics, open_work

    async def run(self, stopping: asyncio.Event) -> None:
        """Align now and again later: an outgoing replica still books by its own configuration for a while."""
        await self._until_through(stopping)
        await _pause(stopping, AGAIN_SECONDS)
        await self._until_through(stopping)

    async def _until_through(self, stopping: asyncio.Event) -> None:
        pause = PAUSE_SECONDS
        while not stopping.is_set():
            failed = [error for error in [await self._tried(step) for step in self._steps()] if error]
            if not failed:
                return
            log.warning("schedules not yet in line", error=type(failed[0]).__name__, seconds=pause)
            await _pause(stopping, pause)
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    def _steps(self) -> tuple[Callable[[], Awaitable[int]], ...]:
        return (self.keep_wall_times, self.keep_to_hours, self.make_way_for_leave)

    async def _tried(self, step: Callable[[], Awaitable[int]]) -> Exception | None:
        """Run a step. Returns its error, which must not stop the following steps."""
        try:
            await step()
        except Exception as error:
            return error
        return None

    async def keep_wall_times(self) -> int:
        """Move sessions to the instants that their wall times mean now. Returns how many schedules changed.

        One transaction per clinician, because a clinician's sessions may take one another's slots.
        """
        outdated = {
            "waiting": True,
            "clinic_id": {"$in": list(self._clinics.by_id)},
            "$or": [{"zones_version": {"$ne": zones_version()}}, *self._rezoned()],
        }
        return await self._for_each_clinician(_keep_wall_times, outdated)

    def _rezoned(self) -> list[Document]:
        """Schedules with a booked appointment in another zone than their clinic's."""
        return [
            {
                "clinic_id": clinic.id,
                "appointments": {"$elemMatch": {"state": "booked", "zone": {"$ne": clinic.zone}}},
            }
            for clinic in self._clinics.by_id.values()
        ]

    async def keep_to_hours(self) -> int:
        """Fit schedules to new hours, slots or holidays of their clinic. Returns how many were checked."""
        outdated = {
            "waiting": True,
            "$or": [
                {"clinic_id": clinic.id, "hours_version": {"$ne": clinic.hours_version}}
                for clinic in self._clinics.by_id.values()
            ],
        }
        return await self._for_each_clinician(_keep_to_hours, outdated)

    async def make_way_for_leave(self) -> int:
        """Move appointments that conflict with configured leave. Returns how many were moved."""
        away = [(clinic, c) for clinic in self._clinics.by_id.values() for c in clinic.clinicians if c.leave]
        return await self._for_each(
            {c.id: partial(_make_way, clinic=clinic, clinician=c) for clinic, c in away}
        )

    async def _for_each_clinician(self, way: Callable[..., Awaitable[int]], outdated: Document) -> int:
        """Run `way` on the outdated schedules of each clinician who has some."""
        clinicians = await self._database[SCHEDULES].distinct("clinician_id", outdated)
        return await self._for_each(
            {id: partial(way, query={**outdated, "clinician_id": id}) for id in clinicians}
        )

    async def _for_each(self, ways: Mapping[str, Way]) -> int:
        """Run one `way` per clinician. A failure does not stop the others; the first is raised at the end."""
        done, failed = 0, list[Exception]()
        for clinician_id, way in ways.items():
            try:
                done += await self._again_on_conflict(way)
            except Exception as error:
                log.error("sessions cannot be moved", clinician_id=clinician_id, error=type(error).__name__)
                failed.append(error)
        if failed:
            raise failed[0]
        return done

    async def _again_on_conflict(self, way: Way) -> int:
        """Retry after a `Conflict`, since others book concurrently.

        Raises it if it persists for `ATTEMPTS`: contention alone does not explain that.
        """
        for attempt in range(1, ATTEMPTS):
            try:
                return await way(self._open())
            except Conflict:
                log.info("decided again", attempt=attempt)
                await asyncio.sleep(attempt * PAUSE_AFTER_CONFLICT_SECONDS)
        return await way(self._open())


async def _pause(stopping: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(stopping.wait(), seconds)


async def _keep_wall_times(work: SchedulerWork, *, query: Document) -> int:
    """A session that has begun keeps its old zone until it is recorded. Until then the query still finds its
    schedule, which stays unchanged.
    """
    found = await work.schedules.find(query)
    await work.read_diaries({schedule.clinician_id for schedule in found})
    done = 0
    for clinic_id in {schedule.clinic_id for schedule in found}:
        own = [schedule for schedule in found if schedule.clinic_id == clinic_id]
        decisions = moving.keep_wall_times(own, work.diary_of(own[0]), work.now)
        changed = [made for before, made in zip(own, decisions, strict=True) if made[0] != before]
        for after, events in changed:
            work.keep(after, events)
        done += len(changed)
    await work.commit()
    return done


async def _keep_to_hours(work: SchedulerWork, *, query: Document) -> int:
    found = await work.schedules.find(query)
    await work.read_diaries({schedule.clinician_id for schedule in found})
    for schedule in found:
        work.keep(*moving.fit_hours(schedule, work.diary_of(schedule), work.now))
    await work.commit()
    return len(found)


async def _make_way(work: SchedulerWork, *, clinic: Clinic, clinician: Clinician) -> int:
    today = local_of(work.now, clinic.zone).date()
    to_come = [away for away in clinician.leave if away.last >= today]
    await leave.load(work, clinician.id, to_come)
    moved = leave.make_way(work, clinician.id, to_come)
    await work.commit()
    return len(moved)
