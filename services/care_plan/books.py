"""Entries of care_plan in the books: plans, sessions with a known outcome, and crisis flags."""

from services.care_plan.events import CrisisFlagRaised
from services.care_plan.store import PLANS
from shared.messaging import outbox
from shared.mongo import Document, MongoDatabase
from shared.service import BookEntry, Column

KNOWN = ["attended", "missed"]


async def books(database: MongoDatabase) -> list[BookEntry]:
    """Count plans, sessions and flags. Intake expects a plan per completed intake; a relapse's plan is
    expected here.

    A session is done once it is recorded as attended or missed. The scheduler counts sessions expected,
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
