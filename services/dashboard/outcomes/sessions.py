"""Figures on referrals and appointments: waiting times and attendance.

Definitions: clinical.md, The course of care.
"""

from dataclasses import dataclass
from datetime import datetime

from services.dashboard.calendar import with_appointment
from services.dashboard.outcomes.expressions import HOUR_MS, filtered, rounded_up
from services.dashboard.outcomes.figures import Counted, Rate
from services.dashboard.store import PEOPLE
from shared.mongo import Document, MongoDatabase

FIRST_WITHIN_HOURS = 48
"""Owned by services/scheduler/course.json (see tests/unit/dashboard/test_limits.py)."""

APPOINTMENTS = "courses.appointments"


@dataclass(frozen=True, slots=True)
class Waited:
    """Referrals received: hours until the first appointment, and counts of those without one."""

    hours: Counted
    undecided: int = 0
    declined: int = 0
    unbooked: int = 0
    """Completed, but without an appointment."""

    @property
    def referrals(self) -> int:
        return self.hours.total + self.undecided + self.declined + self.unbooked

    @property
    def in_time(self) -> Rate:
        return self.hours.share_within(FIRST_WITHIN_HOURS)


@dataclass(frozen=True, slots=True)
class Attendance:
    """Sessions whose time is past, by outcome."""

    attended: int = 0
    missed: int = 0
    cancelled: int = 0
    unrecorded: int = 0

    @property
    def all(self) -> int:
        return self.attended + self.missed + self.cancelled + self.unrecorded

    @property
    def no_show(self) -> Rate:
        return Rate(self.missed, self.attended + self.missed)


async def waited(database: MongoDatabase, here: Document, within: Document) -> Waited:
    """Waiting times of referrals received in the window.

    A relapse's plan has the same referral, so only the first plan counts.
    """
    of_it = {"$sortArray": {
        "input": filtered("$courses", {"$eq": ["$$one.referral_id", "$referrals.id"]}),
        "sortBy": {"episode": 1},
    }}  # fmt: skip
    pipeline: list[Document] = [
        {"$match": {**here, "referrals": {"$elemMatch": {"received_at": within}}}},
        {"$project": {"referrals": 1, "courses.referral_id": 1, "courses.episode": 1}
                     | _fields("kind", "withdrawn", "starts_at")},
        {"$unwind": "$referrals"},
        {"$match": {"referrals.received_at": within}},
        {"$set": {"course": {"$first": of_it}}},
        {"$set": {"first": _first_appointment()}},
        {"$group": {
            "_id": {
                "hours": rounded_up({"$subtract": ["$first", "$referrals.received_at"]}, HOUR_MS),
                "state": "$referrals.state",
            },
            "count": {"$sum": 1},
        }},
    ]  # fmt: skip
    return _waits(await database.aggregate(PEOPLE, pipeline))


def _fields(*names: str) -> Document:
    return {f"{APPOINTMENTS}.{name}": 1 for name in names}


def _first_appointment() -> Document:
    """The start of the earliest acute appointment that the scheduler did not cancel, whatever its outcome."""
    standing = {
        "$and": [
            {"$eq": ["$$one.kind", "acute"]},
            {"$eq": ["$$one.withdrawn", None]},
            {"$ne": ["$$one.starts_at", None]},
        ]
    }
    kept = filtered({"$ifNull": ["$course.appointments", []]}, standing)
    return {"$min": {"$map": {"input": kept, "as": "one", "in": "$$one.starts_at"}}}


def _waits(rows: list[Document]) -> Waited:
    hours: dict[int, int] = {}
    without = {"completed": 0, "declined": 0}
    undecided = 0
    for row in rows:
        wait, state, count = row["_id"].get("hours"), row["_id"]["state"], row["count"]
        if wait is not None:
            hours[int(wait)] = hours.get(int(wait), 0) + count
        elif state in without:
            without[state] += count
        else:
            undecided += count
    return Waited(Counted(hours), undecided, without["declined"], without["completed"])


async def attendance(database: MongoDatabase, here: Document, within: Document, now: datetime) -> Attendance:
    """Attendance of sessions planned in the window up to now.

    Appointments that the scheduler cancelled count only if an outcome was recorded.
    """
    come: Document = {"$gte": within["$gte"], "$lt": min(within["$lt"], now)}
    pipeline: list[Document] = [
        {"$match": {**here, **with_appointment({"starts_at": come})}},
        {"$project": _fields("starts_at", "outcome", "withdrawn")},
        {"$unwind": "$courses"},
        {"$unwind": f"${APPOINTMENTS}"},
        {"$match": {f"{APPOINTMENTS}.starts_at": come}},
        {
            "$match": {
                "$or": [{f"{APPOINTMENTS}.withdrawn": None}, {f"{APPOINTMENTS}.outcome": {"$ne": None}}]
            }
        },
        {"$group": {"_id": {"$ifNull": [f"${APPOINTMENTS}.outcome", "unrecorded"]}, "count": {"$sum": 1}}},
    ]
    rows = await database.aggregate(PEOPLE, pipeline)
    return Attendance(**{row["_id"]: row["count"] for row in rows})
