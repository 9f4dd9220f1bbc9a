"""The books of the scheduler: sessions promised, announcements owed, and their outcomes.

Expected and outcome are counted in different places. Sessions are expected according to the outbox and end
according to the schedules, or to care_plan's records. Announcements are expected according to the schedules
and end according to the outbox. Anything lost between the two leaves them unequal.
"""

from datetime import datetime
from typing import Any

from services.scheduler.events import DUE, AnnouncementSkipped, SessionOverdue, SessionScheduled
from services.scheduler.store import SCHEDULES
from shared.messaging import outbox
from shared.mongo import Document, MongoDatabase
from shared.service import BookEntry

ANNOUNCED_OF_A_SESSION = 3
"""Announcements owed for each session, including sessions booked by an earlier release."""


async def books(database: MongoDatabase, now: datetime) -> list[BookEntry]:
    announced = await outbox.announced(database, SessionScheduled, AnnouncementSkipped, *DUE)
    sessions = await _sessions(database)
    timers = await _timers(database, now)
    expected = sum(timers.values()) + await _missing_timers(database)
    return [
        BookEntry("session", "expected", announced[SessionScheduled.__name__]),
        BookEntry("session", "cancelled", sessions.get("cancelled", 0)),
        BookEntry("session", "breached", sessions.get("breached", 0)),
        BookEntry("session", "open", sessions.get("open", 0)),
        BookEntry("announcement", "expected", expected),
        BookEntry("announcement", "done", sum(announced[event.__name__] for event in DUE)),
        BookEntry(
            "announcement",
            "cancelled",
            announced[AnnouncementSkipped.__name__] + timers.get("withdrawn", 0),
        ),
        BookEntry("announcement", "open", timers.get("armed", 0)),
    ]


async def _sessions(database: MongoDatabase) -> dict[str, int]:
    """Appointments: cancelled, breached (announced as overdue, still unrecorded), open, or recorded."""
    overdue = {
        "$anyElementTrue": [
            {
                "$map": {
                    "input": "$appointments.timers",
                    "as": "timer",
                    "in": {
                        "$and": [
                            {"$eq": ["$$timer.kind", SessionOverdue.__name__]},
                            {"$eq": ["$$timer.state", "fired"]},
                            {"$eq": ["$$timer.session_at", "$appointments.starts_at"]},
                        ]
                    },
                }
            }
        ]
    }
    booked = {"$cond": [overdue, "breached", "open"]}
    state = {"$cond": [{"$eq": ["$appointments.state", "booked"]}, booked, "$appointments.state"]}
    return await _counts(database, SCHEDULES, [{"$unwind": "$appointments"}, {"$sortByCount": state}])


async def _timers(database: MongoDatabase, now: datetime) -> dict[str, int]:
    """Timers by state: all that ended, and those still armed although they are due."""
    of_sessions = {
        "$reduce": {
            "input": "$appointments.timers",
            "initialValue": [],
            "in": {"$concatArrays": ["$$value", "$$this"]},
        }
    }
    return await _counts(
        database,
        SCHEDULES,
        [
            {"$project": {"timers": {"$concatArrays": ["$timers", of_sessions]}}},
            {"$unwind": "$timers"},
            {"$match": {"$or": [{"timers.state": {"$ne": "armed"}}, {"timers.due_at": {"$lte": now}}]}},
            {"$sortByCount": "$timers.state"},
        ],
    )


async def _missing_timers(database: MongoDatabase) -> int:
    """Announcements owed for appointments that have no timer. If it is not 0, a timer was lost."""
    kinds = {
        "$setUnion": [
            {
                "$map": {
                    "input": {
                        "$filter": {
                            "input": "$appointments.timers",
                            "as": "timer",
                            "cond": {"$eq": ["$$timer.session_at", "$appointments.starts_at"]},
                        }
                    },
                    "as": "timer",
                    "in": "$$timer.kind",
                }
            }
        ]
    }
    rows = await database.aggregate(
        SCHEDULES,
        [
            {"$unwind": "$appointments"},
            {
                "$group": {
                    "_id": None,
                    "missing": {"$sum": {"$subtract": [ANNOUNCED_OF_A_SESSION, {"$size": kinds}]}},
                }
            },
        ],
    )
    return int(rows[0]["missing"]) if rows else 0


async def _counts(database: MongoDatabase, collection: str, pipeline: list[Document]) -> dict[Any, int]:
    return {row["_id"]: row["count"] for row in await database.aggregate(collection, pipeline)}
