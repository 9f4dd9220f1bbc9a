"""Figures on alerts: how soon crises were paged and acknowledged, and how alerts were resolved."""

from dataclasses import dataclass
from datetime import datetime

from services.dashboard.outcomes.figures import Counted, Rate
from services.dashboard.store import ALERTS
from shared.mongo import Document, MongoDatabase

SEVERITIES = ("high", "moderate", "low")
LIMITS = {"high": "5 minutes", "moderate": "30 minutes", "low": "the next working day"}
"""Time limits for acknowledgement in words, owned by deploy/config/on_call.json (see
tests/unit/dashboard/test_limits.py).

Display only: the figures use the limit stored with each alert.
"""

MINUTE_MS = 60_000


@dataclass(frozen=True, slots=True)
class Crisis:
    """Crisis alerts of one severity: that of the first acknowledgement, else the current one.

    Minutes count from when the alert was raised, rounded up.
    """

    severity: str
    raised: int
    paged: Counted
    """Minutes until the first message was delivered by a channel other than the inbox."""
    unpaged: int
    acknowledged: Counted
    in_time: int
    late: int
    """Acknowledged after the limit, or not acknowledged although it has passed."""

    @property
    def limit(self) -> str:
        return LIMITS.get(self.severity, "its limit")

    @property
    def kept(self) -> Rate:
        return Rate(self.in_time, self.in_time + self.late)


FIRST_TAKEN: Document = {"$ifNull": ["$first_acknowledged_at", "$acknowledged_at", None]}
"""Alerts stored by older releases have only the latest acknowledgement, not the first."""


def severest_first(severity: str) -> tuple[int, str]:
    """A sort key; unknown severities come last."""
    return (SEVERITIES.index(severity) if severity in SEVERITIES else len(SEVERITIES), severity)


async def crises(database: MongoDatabase, here: Document, within: Document, now: datetime) -> list[Crisis]:
    """Figures by severity on crisis alerts raised in the window.

    An unacknowledged alert whose limit has not passed yet is neither in time nor late.
    """
    reached = {
        "$filter": {
            "input": "$told",
            "as": "one",
            "cond": {"$and": [{"$eq": ["$$one.outcome", "delivered"]}, {"$ne": ["$$one.channel", "inbox"]}]},
        }
    }
    first = {"$min": {"$map": {"input": reached, "as": "one", "in": "$$one.at"}}}
    pipeline: list[Document] = [
        {"$match": {**here, "kind": "crisis", "raised_at": within}},
        {"$group": {
            "_id": {
                "severity": {"$ifNull": ["$first_severity", "$severity"]},
                "paged": _minutes(first),
                "acknowledged": _minutes(FIRST_TAKEN),
                "kept": _kept(now),
            },
            "count": {"$sum": 1},
        }},
    ]  # fmt: skip
    rows = await database.aggregate(ALERTS, pipeline)
    found = sorted({row["_id"]["severity"] for row in rows}, key=severest_first)
    return [_crisis(severity, [r for r in rows if r["_id"]["severity"] == severity]) for severity in found]


def _minutes(at: str | Document) -> Document:
    """Minutes since the alert was raised, rounded up; null without an instant."""
    passed = {"$ceil": {"$divide": [{"$subtract": [at, "$raised_at"]}, MINUTE_MS]}}
    return {"$cond": [{"$eq": [{"$ifNull": [at, None]}, None]}, None, {"$max": [0, passed]}]}


def _kept(now: datetime) -> Document:
    """`in_time`, `late`, or `open` if it is not decided yet, by the limit at the first acknowledgement."""
    limit: Document = {"$ifNull": ["$first_limit", "$acknowledge_by", None]}
    return {
        "$switch": {
            "branches": [
                {"case": {"$eq": [limit, None]}, "then": "open"},
                {
                    "case": {"$and": [{"$ne": [FIRST_TAKEN, None]}, {"$lte": [FIRST_TAKEN, limit]}]},
                    "then": "in_time",
                },
                {"case": {"$ne": [FIRST_TAKEN, None]}, "then": "late"},
                {"case": {"$lt": [limit, now]}, "then": "late"},
            ],
            "default": "open",
        }
    }


def _crisis(severity: str, rows: list[Document]) -> Crisis:
    paged: dict[int, int] = {}
    acknowledged: dict[int, int] = {}
    kept = {"in_time": 0, "late": 0, "open": 0}
    for row in rows:
        known, count = row["_id"], row["count"]
        kept[known["kept"]] += count
        for times, minutes in ((paged, known["paged"]), (acknowledged, known["acknowledged"])):
            if minutes is not None:
                times[int(minutes)] = times.get(int(minutes), 0) + count
    raised = sum(row["count"] for row in rows)
    unpaged = raised - sum(paged.values())
    return Crisis(
        severity, raised, Counted(paged), unpaged, Counted(acknowledged), kept["in_time"], kept["late"]
    )


async def escalated(database: MongoDatabase, here: Document, within: Document) -> dict[str, int]:
    """Escalation steps of alerts raised in the window, by reason, the most frequent first."""
    pipeline: list[Document] = [
        {"$match": {**here, "raised_at": within, "climbed.0": {"$exists": True}}},
        {"$unwind": "$climbed"},
        {"$group": {"_id": "$climbed.reason", "count": {"$sum": 1}}},
        {"$sort": {"count": -1, "_id": 1}},
    ]
    return {row["_id"]: row["count"] for row in await database.aggregate(ALERTS, pipeline)}


async def resolved(
    database: MongoDatabase, here: Document, within: Document
) -> tuple[list[tuple[str, str, int]], int]:
    """Resolved alerts that were raised in the window: by humans with disposition, and the count by rule."""
    by_rule = {"$eq": ["$resolved_by", "rule"]}
    pipeline: list[Document] = [
        {"$match": {**here, "raised_at": within, "state": "resolved"}},
        {"$group": {
            "_id": {"kind": "$kind", "disposition": "$disposition", "rule": by_rule},
            "count": {"$sum": 1},
        }},
        {"$sort": {"count": -1, "_id.kind": 1, "_id.disposition": 1}},
    ]  # fmt: skip
    rows = await database.aggregate(ALERTS, pipeline)
    by_humans = [
        (row["_id"]["kind"], row["_id"]["disposition"] or "", row["count"])
        for row in rows
        if not row["_id"]["rule"]
    ]
    return by_humans, sum(row["count"] for row in rows if row["_id"]["rule"])


async def raised(database: MongoDatabase, here: Document, within: Document) -> int:
    return int(await database[ALERTS].count_documents({**here, "raised_at": within}))
