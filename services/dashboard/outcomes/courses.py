"""Figures on courses of care: response to treatment, and time in phases.

The limits are owned by services/care_plan/protocol.json (see tests/unit/dashboard/test_limits.py).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from services.dashboard.calendar import with_appointment
from services.dashboard.outcomes.expressions import (
    DAY_MS,
    RUNS_LATE,
    counted_if,
    filtered,
    if_set,
    milliseconds,
)
from services.dashboard.outcomes.figures import Counted, Rate
from services.dashboard.store import PEOPLE
from shared.mongo import Document, MongoDatabase

JUDGED_AFTER = timedelta(weeks=12)
"""The duration of twelve weekly sessions."""

JUDGED_BY = ("started_at", "closed_at", "phases", "measures")
RESPONSE_FROM, REMISSION_BELOW, DETERIORATION_FROM = 10, 5, 5


@dataclass(frozen=True, slots=True)
class Answered:
    """Courses that ended in the window, or reached week 12 in it without having ended."""

    courses: int = 0
    running: int = 0
    measured: int = 0
    """Courses with a baseline and a complete PHQ-9."""
    judged: int = 0
    """Measured courses with a baseline of 10 or more."""
    responded: int = 0
    remitted: int = 0
    deteriorated: int = 0

    @property
    def response(self) -> Rate:
        return Rate(self.responded, self.judged)

    @property
    def remission(self) -> Rate:
        return Rate(self.remitted, self.measured)

    @property
    def deterioration(self) -> Rate:
        return Rate(self.deteriorated, self.measured)


async def answered(database: MongoDatabase, here: Document, within: Document, now: datetime) -> Answered:
    since = within["$gte"] - RUNS_LATE
    pipeline: list[Document] = [
        {"$match": {**here, **with_appointment({"starts_at": {"$gte": since}})}},
        {"$project": {f"courses.{field}": 1 for field in JUDGED_BY}},
        {"$unwind": "$courses"},
        {"$match": {"courses.started_at": {"$ne": None}}},
        {"$set": {"ended": _ended()}},
        {"$set": {"at": if_set("$ended", {"$add": ["$courses.started_at", milliseconds(JUDGED_AFTER)]})}},
        {"$match": {"at": within, "$expr": {"$lte": ["$at", now]}}},
        {"$set": {"totals": _totals_until({"$ifNull": ["$ended", now]})}},
        {"$set": {"last": {"$last": "$totals"}, "baseline": _baseline()}},
        {"$group": {"_id": None, **_answers()}},
        {"$unset": "_id"},
    ]
    rows = await database.aggregate(PEOPLE, pipeline)
    return Answered(**rows[0]) if rows else Answered()


def _ended() -> Document:
    """When acute treatment ended: at its N-th session, or an earlier closure."""
    ending = filtered("$courses.phases", {"$in": ["$$one.phase", ["ended", "closed"]]})
    return {
        "$ifNull": [
            {"$min": {"$map": {"input": ending, "as": "one", "in": "$$one.at"}}},
            "$courses.closed_at",
        ]
    }


def _totals_until(at: Document) -> Document:
    """Complete PHQ-9 totals of the acute treatment, in order."""
    complete = {
        "$and": [
            {"$eq": ["$$one.instrument", "phq9"]},
            {"$ne": ["$$one.total", None]},
            {"$lte": ["$$one.at", at]},
        ]
    }
    measures = filtered("$courses.measures", complete)
    return {"$map": {"input": measures, "as": "one", "in": "$$one.total"}}


def _baseline() -> Document:
    """The baseline that care_plan compares with, if announced, else the first total."""
    says = [{"$eq": ["$$one.instrument", "phq9"]}, {"$ne": [{"$ifNull": ["$$one.baseline", None]}, None]}]
    saying: Document = {"$first": filtered("$courses.measures", {"$and": says})}
    known = {"$let": {"vars": {"one": saying}, "in": "$$one.baseline"}}
    return {"$ifNull": [known, {"$first": "$totals"}]}


def _answers() -> Document:
    measured = {"$and": [{"$ne": [{"$ifNull": ["$last", None]}, None]}, {"$ne": ["$baseline", None]}]}
    drop = {"$subtract": ["$baseline", "$last"]}
    judged = {"$and": [measured, {"$gte": ["$baseline", RESPONSE_FROM]}]}
    half = {"$gte": [{"$multiply": [2, drop]}, "$baseline"]}
    return {
        "courses": {"$sum": 1},
        "running": counted_if({"$eq": [{"$ifNull": ["$ended", None]}, None]}),
        "measured": counted_if(measured),
        "judged": counted_if(judged),
        "responded": counted_if({"$and": [judged, half]}),
        "remitted": counted_if({"$and": [measured, {"$lt": ["$last", REMISSION_BELOW]}]}),
        "deteriorated": counted_if({"$and": [measured, {"$lte": [drop, -DETERIORATION_FROM]}]}),
    }


async def phases(database: MongoDatabase, here: Document, within: Document) -> dict[str, Counted]:
    """Days from entering a phase to entering the next, rounded, for phases left in the window."""
    entered = {
        "$concatArrays": [
            {"$cond": [{"$eq": [{"$first": "$courses.phases.phase"}, "initial"]}, [],
                       [{"phase": "initial", "at": "$courses.started_at"}]]},
            "$courses.phases",
        ]
    }  # fmt: skip
    step = {
        "phase": {"$getField": {"field": "phase", "input": {"$arrayElemAt": ["$entered", "$$n"]}}},
        "from": {"$getField": {"field": "at", "input": {"$arrayElemAt": ["$entered", "$$n"]}}},
        "left": {"$getField": {"field": "at", "input": {"$arrayElemAt": ["$entered", {"$add": ["$$n", 1]}]}}},
    }
    each = {"$range": [0, {"$subtract": [{"$size": "$entered"}, 1]}]}
    pipeline: list[Document] = [
        {"$match": {**here, **with_appointment({"starts_at": {"$gte": within["$gte"] - RUNS_LATE}})}},
        {"$project": {"courses.phases": 1, "courses.started_at": 1}},
        {"$unwind": "$courses"},
        {"$match": {"courses.started_at": {"$ne": None}}},
        {"$project": {"entered": entered}},
        {"$project": {"step": {"$map": {"input": each, "as": "n", "in": step}}}},
        {"$unwind": "$step"},
        {"$match": {"step.left": within}},
        {"$group": {
            "_id": {"phase": "$step.phase",
                    "days": {"$round": {"$divide": [{"$subtract": ["$step.left", "$step.from"]}, DAY_MS]}}},
            "count": {"$sum": 1},
        }},
    ]  # fmt: skip
    found: dict[str, dict[int, int]] = {}
    for row in await database.aggregate(PEOPLE, pipeline):
        found.setdefault(row["_id"]["phase"], {})[int(row["_id"]["days"])] = row["count"]
    return {phase: Counted(days) for phase, days in found.items()}
