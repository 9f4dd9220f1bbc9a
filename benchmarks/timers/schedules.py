"""Schedules as the scheduler stores them, created by its own domain code."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any
from zlib import crc32

from deploy.embedded.plan import ROOT
from services.scheduler.configured import read_clinics
from services.scheduler.domain import course, timers
from services.scheduler.domain.diary import Diary
from services.scheduler.domain.schedule import SHARDS, Schedule, appointment_id
from services.scheduler.inbound import CarePlanStarted
from services.scheduler.store import INDEXES, SCHEDULES
from shared.mongo import Document, MongoDatabase

STARTED = datetime(2027, 1, 4, 14, 0, tzinfo=UTC)
CLINIC, CLINICIAN = "riverside", "cln_r01"
AT_ONCE = 1000


@dataclass(frozen=True)
class Course:
    """A whole course on its first day. `due` is when its first announcement is due."""

    schedule: Schedule
    document: Document
    due: datetime

    def announcement(self) -> dict[str, Any]:
        """The body of its first announcement."""
        _, (event,) = timers.due(self.schedule, self.due)
        return event.model_dump(mode="json")


@cache
def first_day() -> Course:
    """One schedule, booked in an empty diary."""
    clinic = read_clinics(ROOT / "deploy" / "config" / "clinics.json")[CLINIC]
    fact = CarePlanStarted(
        patient_id="pat",
        clinic_id=CLINIC,
        plan_id="pln",
        clinician_id=CLINICIAN,
        sessions=16,
        termination_sessions=3,
        started_at=STARTED,
    )
    schedule, events = course.start(fact, Diary(clinic, (), frozenset()), STARTED, "req_bench")
    due = schedule.next_due
    if due is None:
        raise LookupError("a new course has nothing to announce")
    row = schedule.model_dump(exclude={"id"})
    row |= {"version": 1, "announced": {events[0].topic: len(events)}, "trail": []}
    return Course(schedule, row, due)


def document(number: int) -> Document:
    """The stored schedule of plan `number`: the same course with its own ids."""
    id, row = f"pln_{number:032x}", first_day().document
    appointments = [
        {**appointment, "id": appointment_id(id, appointment["kind"], appointment["number"])}
        for appointment in row["appointments"]
    ]
    return row | {
        "_id": id,
        "patient_id": f"pat_{number:032x}",
        "appointments": appointments,
        "shard": crc32(id.encode()) % SHARDS,
    }


def documents(count: int) -> Iterator[list[Document]]:
    """The documents in batches of one insert."""
    for start in range(1, count + 1, AT_ONCE):
        yield [document(number) for number in range(start, min(start + AT_ONCE, count + 1))]


async def fill(database: MongoDatabase, count: int) -> None:
    """Store `count` schedules with the scheduler's indexes."""
    await database.ensure_indexes(INDEXES)
    for part in documents(count):
        await database[SCHEDULES].insert_many(part, ordered=False)
    await database.client.admin.command("fsync")
