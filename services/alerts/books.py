"""The books of alerts: announcements and decisions, against the states they ended in."""

from typing import Any

from services.alerts.events import AlertRaised
from services.alerts.store import ALERTS, DELIVERIES
from shared.messaging import dead_letters, outbox
from shared.mongo import MongoDatabase
from shared.service import BookEntry, Column

ALERT_COLUMNS: dict[str, Column] = {
    "open": "open",
    "acknowledged": "open",
    "assessed": "open",
    "resolved": "done",
    "informed": "done",
}
OBLIGATION_COLUMNS: dict[str, Column] = {
    "open": "open",
    "met": "done",
    "cancelled": "cancelled",
    "breached": "breached",
}
LETTER_COLUMNS: dict[str, Column] = {"open": "breached", "discarded": "cancelled"}
DELIVERY_COLUMNS: dict[str, Column] = {
    "pending": "open",
    "delivered": "done",
    "skipped": "cancelled",
    "failed": "breached",
}


async def books(database: MongoDatabase) -> list[BookEntry]:
    """`crisis_flag` has no expectation here: intake and care_plan announce what is expected."""
    flags: list[dict[str, Any]] = [
        {"$match": {"kind": "crisis"}},
        {"$unwind": "$evidence"},
        {"$match": {"evidence.source": "flag"}},
    ]
    raised = await outbox.announced(database, AlertRaised)
    return [
        *await _outcomes(database, "crisis_flag", ALERTS, [*flags, _by("state")], ALERT_COLUMNS),
        *await _flags_set_aside(database),
        BookEntry("alert", "expected", raised[AlertRaised.__name__]),
        *await _outcomes(database, "alert", ALERTS, [_by("state")], ALERT_COLUMNS),
        BookEntry("obligation", "expected", await _decided(database, "oblige", "times")),
        *await _outcomes(
            database,
            "obligation",
            ALERTS,
            [{"$unwind": "$obligations"}, _by("obligations.state")],
            OBLIGATION_COLUMNS,
        ),
        BookEntry("notification", "expected", await _decided(database, "notify", "deliveries")),
        *await _outcomes(database, "notification", DELIVERIES, [_by("state")], DELIVERY_COLUMNS),
    ]


def _by(field: str) -> dict[str, Any]:
    return {"$sortByCount": f"${field}"}


async def _outcomes(
    database: MongoDatabase,
    kind: str,
    collection: str,
    pipeline: list[dict[str, Any]],
    columns: dict[str, Column],
) -> list[BookEntry]:
    counts: dict[Column, int] = dict.fromkeys(columns.values(), 0)
    for row in await database.aggregate(collection, pipeline):
        if row["_id"] in columns:  # an unknown state is not counted, so the books do not balance
            counts[columns[row["_id"]]] += row["count"]
    return [BookEntry(kind, column, count) for column, count in counts.items()]


async def _decided(database: MongoDatabase, what: str, counted: str) -> int:
    """Sum a count over all decisions of one kind that are recorded on alerts."""
    rows = await database.aggregate(
        ALERTS,
        [
            {"$project": {"decisions.what": 1, f"decisions.{counted}": 1}},
            {"$unwind": "$decisions"},
            {"$match": {"decisions.what": what}},
            {"$group": {"_id": None, "count": {"$sum": f"$decisions.{counted}"}}},
        ],
    )
    return int(rows[0]["count"]) if rows else 0


async def _flags_set_aside(database: MongoDatabase) -> list[BookEntry]:
    """Announced flags that became dead letters here: people were paged by ids instead.

    A flag whose dead letter an engineer discarded, with a reason, counts as cancelled.
    """
    flags: list[dict[str, Any]] = [
        {
            "$match": {
                "state": {"$in": list(LETTER_COLUMNS)},
                "crisis": True,
                "about.type": "CrisisFlagRaised",
                "reason": {"$ne": "same_id_other_content"},
            }
        },
        {"$group": {"_id": "$about.id", "state": {"$max": "$state"}}},
        _by("state"),
    ]
    return await _outcomes(database, "crisis_flag", dead_letters.COLLECTION, flags, LETTER_COLUMNS)
