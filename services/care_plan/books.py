"""What care_plan puts into the books: plans, and sessions whose outcome is known."""

from services.care_plan.events import CrisisFlagRaised
from services.care_plan.store import PLANS
from shared.messaging import outbox
from shared.mongo import Document, MongoDatabase
from shared.service import BookEntry, Column

KNOWN = ["attended", "missed"]


async def books(database: MongoDatabase) -> list[BookEntry]:
    """Intake expects a plan per completed intake; one that a relapse opens is expected here.

    A session is done once it is known to be attended or missed; the scheduler counts what was expected,
    cancelled or never recorded.
    """
    closed = {"$eq": ["$phase.name", "closed"]}
    completed = {"$eq": ["$phase.outcome", "completed"]}
    known: Document = {"$filter": {"input": "$sessions", "as": "s", "cond": {"$in": ["$$s.outcome", KNOWN]}}}
    counted = await database.aggregate(
        PLANS,
        [
            {
                "$group": {
                    "_id": None,
                    "expected": _count({"$eq": ["$origin", "relapse"]}),
                    "done": _count({"$and": [closed, completed]}),
                    "cancelled": _count({"$and": [closed, {"$not": [completed]}]}),
                    "open": _count({"$not": [closed]}),
                    "sessions": {"$sum": {"$size": known}},
                }
            }
        ],
    )
    found: Document = counted[0] if counted else {}
    columns: tuple[Column, ...] = ("expected", "done", "cancelled", "open")
    plans = [BookEntry("care_plan", column, found.get(column, 0)) for column in columns]
    flags = await outbox.announced(database, CrisisFlagRaised)
    return [
        *plans,
        BookEntry("session", "done", found.get("sessions", 0)),
        BookEntry("crisis_flag", "expected", flags[CrisisFlagRaised.__name__]),
    ]


def _count(holds: Document) -> Document:
    return {"$sum": {"$cond": [holds, 1, 0]}}
