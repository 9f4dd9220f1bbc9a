"""Figures from the people of the read model: treatment answered, waiting, sessions kept, time in phases.

Numbers: clinical.md, The course of care and Measures.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from services.dashboard.outcomes_figures import Counted, Rate
from services.dashboard.store import PEOPLE
from shared.mongo import Document, MongoDatabase

JUDGED_AFTER = timedelta(weeks=12)
RESPONSE_FROM, REMISSION_BELOW, DETERIORATION_FROM = 10, 5, 5
FIRST_WITHIN_HOURS = 48
RUNS_LATE = timedelta(days=366)
"""A course that ends in a window has a session planned in it, or at most so long before."""

HOUR_MS, DAY_MS = 3_600_000, 86_400_000
APPOINTMENTS = "courses.appointments"


@dataclass(frozen=True, slots=True)
class Answered:
    """Courses that ended, or reached week 12 and still run."""

    courses: int = 0
    running: int = 0
    measured: int = 0
    """Of them, with a baseline and a later complete PHQ-9."""
    judged: int = 0
    """Of those, with a baseline of 10 or more."""
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


@dataclass(frozen=True, slots=True)
class Waited:
    """Referrals received: how many hours until their first appointment, for those that have one."""

    hours: Counted
    undecided: int = 0
    declined: int = 0
    unbooked: int = 0
    """Completed, and no appointment stands."""

    @property
    def referrals(self) -> int:
        return self.hours.total + self.undecided + self.declined + self.unbooked

    @property
    def in_time(self) -> Rate:
        return self.hours.share_within(FIRST_WITHIN_HOURS)


@dataclass(frozen=True, slots=True)
class Attendance:
    """Sessions whose time has come."""

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


async def answered(database: MongoDatabase, here: Document, within: Document, now: datetime) -> Answered:
    since = within["$gte"] - RUNS_LATE
    pipeline: list[Document] = [
        {"$match": {**here, **_with_appointment({"$gte": since})}},
        {"$project": {"courses": 1}},
        {"$unwind": "$courses"},
        {"$match": {"courses.started_at": {"$ne": None}}},
        {"$set": {"ended": _ended()}},
        {"$set": {"at": _if_set("$ended", {"$add": ["$courses.started_at", _ms(JUDGED_AFTER)]})}},
        {"$match": {"at": within, "$expr": {"$lte": ["$at", now]}}},
        {"$set": {"totals": _totals_until({"$ifNull": ["$ended", now]})}},
        {"$set": {"last": {"$last": "$totals"}, "baseline": _baseline()}},
        {"$group": {"_id": None, **_answers()}},
        {"$unset": "_id"},
    ]
    rows = await database.aggregate(PEOPLE, pipeline)
    return Answered(**rows[0]) if rows else Answered()


def _ended() -> Document:
    """When acute treatment ended: its N-th session, or an earlier closure."""
    ending = _filtered("$courses.phases", {"$in": ["$$one.phase", ["ended", "closed"]]})
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
    measures = _filtered("$courses.measures", complete)
    return {"$map": {"input": measures, "as": "one", "in": "$$one.total"}}


def _baseline() -> Document:
    """What care_plan's rules judged by, where one of their findings names it; else the first total."""
    named = _filtered("$courses.marks.inputs.baseline", {"$ne": ["$$one", None]})
    return {"$ifNull": [{"$first": named}, {"$first": "$totals"}]}


def _answers() -> Document:
    measured = {"$and": [{"$ne": [{"$ifNull": ["$last", None]}, None]}, {"$ne": ["$baseline", None]}]}
    drop = {"$subtract": ["$baseline", "$last"]}
    judged = {"$and": [measured, {"$gte": ["$baseline", RESPONSE_FROM]}]}
    half = {"$gte": [{"$multiply": [2, drop]}, "$baseline"]}
    return {
        "courses": {"$sum": 1},
        "running": _counted_if({"$eq": [{"$ifNull": ["$ended", None]}, None]}),
        "measured": _counted_if(measured),
        "judged": _counted_if(judged),
        "responded": _counted_if({"$and": [judged, half]}),
        "remitted": _counted_if({"$and": [measured, {"$lt": ["$last", REMISSION_BELOW]}]}),
        "deteriorated": _counted_if({"$and": [measured, {"$lte": [drop, -DETERIORATION_FROM]}]}),
    }


async def waited(database: MongoDatabase, here: Document, within: Document) -> Waited:
    """Of referrals received in the window."""
    of_it = _filtered("$courses", {"$eq": ["$$one.referral_id", "$referrals.id"]})
    pipeline: list[Document] = [
        {"$match": {**here, "referrals": {"$elemMatch": {"received_at": within}}}},
        {"$project": {"referrals": 1, "courses.referral_id": 1, APPOINTMENTS: 1}},
        {"$unwind": "$referrals"},
        {"$match": {"referrals.received_at": within}},
        {"$set": {"course": {"$first": of_it}}},
        {"$set": {"first": _first_appointment()}},
        {"$group": {
            "_id": {
                "hours": _rounded_up({"$subtract": ["$first", "$referrals.received_at"]}, HOUR_MS),
                "state": "$referrals.state",
            },
            "count": {"$sum": 1},
        }},
    ]  # fmt: skip
    return _waits(await database.aggregate(PEOPLE, pipeline))


def _first_appointment() -> Document:
    """The earliest acute one that the scheduler did not take off, whatever came of it."""
    standing = {
        "$and": [
            {"$eq": ["$$one.kind", "acute"]},
            {"$eq": ["$$one.withdrawn", None]},
            {"$ne": ["$$one.starts_at", None]},
        ]
    }
    kept = _filtered({"$ifNull": ["$course.appointments", []]}, standing)
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
    """Of sessions that stood in the window, up to now. Those the scheduler took off are not counted."""
    come: Document = {"$gte": within["$gte"], "$lt": min(within["$lt"], now)}
    pipeline: list[Document] = [
        {"$match": {**here, **_with_appointment(come)}},
        {"$project": {f"{APPOINTMENTS}.{field}": 1 for field in ("starts_at", "outcome", "withdrawn")}},
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


async def phases(database: MongoDatabase, here: Document, within: Document) -> dict[str, Counted]:
    """Whole days from entering a phase to entering the next, of phases left in the window."""
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
        {"$match": {**here, **_with_appointment({"$gte": within["$gte"] - RUNS_LATE})}},
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


def _with_appointment(starts_at: Document) -> Document:
    """People with an appointment then, found along the index."""
    return {"courses": {"$elemMatch": {"appointments": {"$elemMatch": {"starts_at": starts_at}}}}}


def _filtered(of: str | Document, kept: Document) -> Document:
    return {"$filter": {"input": of, "as": "one", "cond": kept}}


def _counted_if(condition: Document) -> Document:
    return {"$sum": {"$cond": [condition, 1, 0]}}


def _if_set(value: str, otherwise: Document) -> Document:
    return {"$ifNull": [value, otherwise]}


def _rounded_up(milliseconds: Document, unit: int) -> Document:
    """Begun units, at least 0; nothing where an instant is missing."""
    known = {"$ne": [{"$ifNull": [milliseconds, None]}, None]}
    return {"$cond": [known, {"$max": [0, {"$ceil": {"$divide": [milliseconds, unit]}}]}, None]}


def _ms(span: timedelta) -> int:
    return int(span.total_seconds() * 1000)
