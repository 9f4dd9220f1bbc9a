"""At the start of a process: clinics read, and schedules brought in line with what changed meanwhile.

A new release of the time zone database or a new zone of a clinic moves instants, not wall times; new hours,
slots or holidays, and leave that was added to the configuration, move what stands in their way.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import structlog
from pydantic import BaseModel, ConfigDict

from services.scheduler import leave
from services.scheduler.domain import moving
from services.scheduler.domain.clinics import Clinic, Clinics, Leave
from services.scheduler.domain.wall_time import zones_version
from services.scheduler.store import SCHEDULES, SchedulerWork
from shared.messaging.work import Conflict
from shared.mongo import MongoDatabase

log = structlog.get_logger()

OpenWork = Callable[[], SchedulerWork]
PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 1.0, 60.0


class _File(BaseModel):
    model_config = ConfigDict(frozen=True)

    version: str
    clinics: tuple[Clinic, ...]


def read_clinics(path: Path) -> Clinics:
    """Raises pydantic's `ValidationError` naming the field that is wrong, or `OSError`."""
    file = _File.model_validate_json(path.read_bytes())
    return Clinics.of(file.version, file.clinics)


class Alignment:
    """Runs once per process, and again after a fault until it is through."""

    def __init__(self, database: MongoDatabase, clinics: Clinics, open_work: OpenWork) -> None:
        self._database, self._clinics, self._open = database, clinics, open_work

    async def run(self, stopping: asyncio.Event) -> None:
        pause = PAUSE_SECONDS
        while not stopping.is_set():
            try:
                await self.keep_wall_times()
                await self.keep_to_hours()
                await self.make_way_for_leave()
            except Exception as error:
                log.warning("schedules not yet in line", error=type(error).__name__, seconds=pause)
                with suppress(TimeoutError):
                    await asyncio.wait_for(stopping.wait(), pause)
                pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
            else:
                return

    async def keep_wall_times(self) -> int:
        """How many schedules were reckoned anew: one clinician at a time, in one transaction each.

        One clinician's sessions change places among themselves, so they move together.
        """
        outdated = {
            "waiting": True,
            "clinic_id": {"$in": list(self._clinics.by_id)},
            "$or": [{"zones_version": {"$ne": zones_version()}}, *self._rezoned()],
        }
        done = 0
        for clinician_id in await self._database[SCHEDULES].distinct("clinician_id", outdated):
            query = {**outdated, "clinician_id": clinician_id}
            done += await self._again_on_conflict(partial(_keep_wall_times, query=query))
        return done

    def _rezoned(self) -> list[dict[str, Any]]:
        """Schedules with a booked appointment in another zone than their clinic's."""
        return [
            {
                "clinic_id": clinic.id,
                "appointments": {"$elemMatch": {"state": "booked", "zone": {"$ne": clinic.zone}}},
            }
            for clinic in self._clinics.by_id.values()
        ]

    async def keep_to_hours(self) -> int:
        """How many schedules were looked at since their clinic has other hours, slots or holidays."""
        outdated = {
            "waiting": True,
            "$or": [
                {"clinic_id": clinic.id, "hours_version": {"$ne": clinic.hours_version}}
                for clinic in self._clinics.by_id.values()
            ],
        }
        clinicians = await self._database[SCHEDULES].distinct("clinician_id", outdated)
        ways = {id: partial(_keep_to_hours, query={**outdated, "clinician_id": id}) for id in clinicians}
        return await self._for_each(ways)

    async def make_way_for_leave(self) -> int:
        """How many appointments stood in the way of configured leave."""
        away = [c for clinic in self._clinics.by_id.values() for c in clinic.clinicians if c.leave]
        return await self._for_each({c.id: partial(_make_way, clinician_id=c.id, days=c.leave) for c in away})

    async def _for_each(self, ways: Mapping[str, Callable[[SchedulerWork], Awaitable[int]]]) -> int:
        """Where one clinician has no slot left, way is made for the others before that is raised."""
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

    async def _again_on_conflict(self, do: Callable[[SchedulerWork], Awaitable[int]]) -> int:
        while True:
            try:
                return await do(self._open())
            except Conflict:
                await asyncio.sleep(0)


async def _keep_wall_times(work: SchedulerWork, *, query: dict[str, Any]) -> int:
    found = await work.schedules.find(query)
    for schedule in found:
        work.keep(*moving.keep_wall_time(schedule, work.clinic_of(schedule), work.now))
    await work.commit()
    return len(found)


async def _keep_to_hours(work: SchedulerWork, *, query: dict[str, Any]) -> int:
    found = await work.schedules.find(query)
    await work.read_diaries({schedule.clinician_id for schedule in found})
    for schedule in found:
        work.keep(*moving.fit_hours(schedule, work.diary_of(schedule), work.now))
    await work.commit()
    return len(found)


async def _make_way(work: SchedulerWork, *, clinician_id: str, days: Sequence[Leave]) -> int:
    to_come = [away for away in days if away.last >= work.now.date()]
    await leave.load(work, clinician_id, to_come)
    moved = leave.make_way(work, clinician_id, to_come)
    await work.commit()
    return len(moved)
