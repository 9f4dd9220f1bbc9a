"""Reads the appointments of a time span from the read model."""

from datetime import datetime
from typing import Any

from services.dashboard.calendar.week import Entry
from services.dashboard.store import PEOPLE
from shared.mongo import Document, MongoDatabase

SHOWN = (
    "id", "number", "kind", "starts_at", "local_time", "minutes", "status", "moved", "overdue",
    "clinician_id",
)  # fmt: skip


async def appointments(
    database: MongoDatabase,
    clinic_id: str,
    since: datetime,
    until: datetime | None = None,
    *,
    clinician_id: str | None = None,
) -> list[Entry]:
    """A clinic's appointments from `since` to before `until`, cancelled ones included, ordered by start."""
    wanted: Document = {"starts_at": {"$gte": since} | ({"$lt": until} if until else {})}
    if clinician_id is not None:
        wanted["clinician_id"] = clinician_id
    return await _entries(database, {"clinic_id": clinic_id, **with_appointment(wanted)}, wanted)


def with_appointment(wanted: Document) -> Document:
    """Match people with such an appointment, in the form that lets both ends of a span bound the index."""
    return {"courses": {"$elemMatch": {"appointments": {"$elemMatch": wanted}}}}


async def _entries(database: MongoDatabase, people: Document, wanted: Document) -> list[Entry]:
    pipeline: list[Document] = [
        {"$match": people},
        {"$project": {"courses.sessions": 1, "courses.appointments": 1}},
        {"$unwind": "$courses"},
        {"$unwind": "$courses.appointments"},
        {"$match": {f"courses.appointments.{field}": value for field, value in wanted.items()}},
        {"$sort": {"courses.appointments.starts_at": 1, "courses.appointments.id": 1}},
    ]
    rows = await database.aggregate(PEOPLE, pipeline)
    return [_entry(row["_id"], row["courses"]) for row in rows]


def _entry(patient_id: str, course: dict[str, Any]) -> Entry:
    known = {name: course["appointments"].get(name) for name in SHOWN}
    local = datetime.fromisoformat(known.pop("local_time"))
    return Entry(patient_id=patient_id, sessions=course["sessions"], local=local, **known)
