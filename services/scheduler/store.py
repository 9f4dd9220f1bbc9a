"""Documents, indexes and queries of the scheduler."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any

from pydantic import AwareDatetime

from services.scheduler import bookings
from services.scheduler.bookings import Bookings
from services.scheduler.domain import course
from services.scheduler.domain.clinics import ONE_DAY, Clinic, Clinics, Frozen, Leave
from services.scheduler.domain.diary import Diary
from services.scheduler.domain.schedule import Schedule
from services.scheduler.domain.wall_time import MIDNIGHT, at
from services.scheduler.events import ScheduleEvent
from services.scheduler.excerpts import DuePart, due_part
from services.scheduler.inbound import CarePlanStarted, PlanFact
from shared.messaging.work import Work
from shared.mongo import Document, Index, MongoDatabase

SCHEDULES = "schedules"
ROSTERS = "rosters"

REPLICAS = "replicas"

COLLECTIONS = [SCHEDULES, ROSTERS, REPLICAS, bookings.COLLECTION]
INDEXES = [
    Index(SCHEDULES, "next_due", partial={"waiting": True}),
    Index(ROSTERS, "recheck_at", partial={"rechecking": True}),
    *bookings.INDEXES,
]


class GivenLeave(Frozen):
    """Leave entered by a coordinator."""

    id: str
    leave: Leave
    given_at: AwareDatetime


class Roster(Frozen):
    """One clinician's leave in addition to the configured leave. `id` is the clinician's.

    `recheck_at`: until then a plan that started concurrently may have booked into the leave.
    """

    id: str
    clinic_id: str
    leave: tuple[GivenLeave, ...] = ()
    recheck_at: AwareDatetime | None = None
    rechecking: bool = False


class SchedulerWork(Work):
    """One unit of work: schedules, rosters and the slots of diaries."""

    def __init__(self, database: MongoDatabase, clinics: Clinics, *, now: datetime) -> None:
        super().__init__(database, service="scheduler", now=now)
        self.clinics = clinics
        self.schedules = self.documents(SCHEDULES, Schedule, due="next_due")
        self.due_parts = self.documents(SCHEDULES, DuePart, due="next_due", excerpt=due_part(now))
        self.rosters = self.documents(ROSTERS, Roster, due="recheck_at")
        self.bookings = Bookings(database)
        self._booking = False

    async def prefetch(self, facts: Sequence[PlanFact]) -> None:
        """Load the schedules of all plans concerned, and the diaries of those that may book.

        A fact processed alone always gets its diary, so that nothing depends on that guess.
        """
        await self.schedules.load(fact.plan_id for fact in facts)
        clinicians: set[str] = set()
        alone = len(facts) == 1
        for fact in facts:
            schedule = self.schedules.get(fact.plan_id)
            if isinstance(fact, CarePlanStarted):
                clinicians.add(fact.clinician_id)
            elif schedule is not None and (alone or course.may_book(schedule, fact)):
                clinicians.add(schedule.clinician_id)
        await self.read_diaries(clinicians)

    async def read_diaries(self, clinician_ids: Iterable[str]) -> None:
        """Load the leave of these clinicians and their taken slots from now on."""
        clinicians = set(clinician_ids)
        if clinicians:
            await self.rosters.load(clinicians)
            await self.bookings.load(clinicians, since=self.now)

    def diary(self, clinic_id: str, clinician_id: str) -> Diary:
        """Raises `Refused("unknown_clinic")`."""
        clinic = self.clinics[clinic_id]
        return Diary(clinic, self.leave_of(clinic, clinician_id), self.bookings.taken(clinician_id))

    def diary_of(self, schedule: Schedule) -> Diary:
        return self.diary(schedule.clinic_id, schedule.clinician_id)

    def clinic_of(self, schedule: Schedule) -> Clinic:
        return self.clinics[schedule.clinic_id]

    def leave_of(self, clinic: Clinic, clinician_id: str) -> tuple[Leave, ...]:
        """Leave from the configuration and from coordinators."""
        roster = self.rosters.get(clinician_id)
        given = tuple(entry.leave for entry in roster.leave) if roster else ()
        return (*clinic.leave_of(clinician_id), *given)

    def keep(self, after: Schedule, events: Iterable[ScheduleEvent] = ()) -> None:
        """Save a schedule together with the slots that it takes and frees."""
        before = self.schedules.get(after.id)
        self.bookings.change(before, after)
        if self.bookings.changed and not self._booking:
            self._booking = True
            self.also(self.bookings.flush)
        self.schedules.save(after, events)


async def plans_booked(work: SchedulerWork, clinician_id: str, since: datetime, until: datetime) -> list[str]:
    """Ids of the plans with a booking in a clinician's diary within a time span."""
    span = {
        "_id": {
            "$gte": bookings.booking_id(clinician_id, since),
            "$lt": bookings.booking_id(clinician_id, until),
        }
    }
    found = work.database[bookings.COLLECTION].find(span, {"plan_id": 1})
    return sorted({row["plan_id"] async for row in found})


def calendar_query(
    clinic_ids: Sequence[str],
    since: datetime,
    until: datetime,
    *,
    clinician_id: str | None = None,
    patient_id: str | None = None,
    after: tuple[datetime, str] | None = None,
) -> Document:
    """A query for bookings of some clinics in a time span. `after`: only those beyond (starts_at, _id)."""
    earliest = max(since, after[0]) if after else since
    conditions: list[Document] = [
        {"clinic_id": {"$in": list(clinic_ids)}, "starts_at": {"$gte": earliest, "$lt": until}}
    ]
    if clinician_id is not None:
        conditions.append({"_id": {"$gte": f"{clinician_id}|", "$lt": f"{clinician_id}|~"}})
    if patient_id is not None:
        conditions.append({"patient_id": patient_id})
    if after is not None:
        conditions.append({"$or": [{"starts_at": {"$gt": after[0]}}, {"_id": {"$gt": after[1]}}]})
    return {"$and": conditions}


async def calendar(database: MongoDatabase, query: Document, limit: int) -> list[dict[str, Any]]:
    cursor = database[bookings.COLLECTION].find(query, limit=limit, sort=[("starts_at", 1), ("_id", 1)])
    return [row async for row in cursor]


def day_span(first: date, last: date, clinic: Clinic) -> tuple[datetime, datetime]:
    """The instants at which the first local day begins and the last one ends."""
    return at(first, MIDNIGHT, clinic.zone), at(last + ONE_DAY, MIDNIGHT, clinic.zone)
