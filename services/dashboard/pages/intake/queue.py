"""Referrals that wait for somebody, the oldest first, and those decided recently."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from services.dashboard.domain.person import Referral
from services.dashboard.domain.risk import Risk
from services.dashboard.pages.intake.words import DECLINES, MISSING, REASONS, worded
from services.dashboard.store import NEVER_YET, PEOPLE
from services.dashboard.web.viewer import Viewer
from services.dashboard.web.words import RISKS
from shared.mongo import Document, MongoDatabase

PAGE = 50
COUNTED = 1_000
"""Upper limit of counting for one page."""

RECENT = timedelta(days=14)
TABS = {"review": "Needs a decision", "incomplete": "Incomplete", "recent": "Decided lately"}
STATES = {
    "review": ("review",),
    "incomplete": ("incomplete", "received"),
    "recent": ("completed", "declined"),
}
CODES = {"review": REASONS, "incomplete": MISSING, "declined": DECLINES}
CRISES = (Risk.CRISIS_HIGH, Risk.CRISIS_MODERATE, Risk.CRISIS_LOW, Risk.CRISIS_TAKEN)


class BadPlace(ValueError):
    """A place in the queue that none of the dashboard's links names."""


@dataclass(frozen=True)
class Line:
    """A referral as shown in the queue. `said`: why it waits, or why it was declined, in words."""

    patient_id: str
    clinic_id: str
    referral: Referral
    said: list[str]
    crisis: tuple[str, str] | None
    """Badge and label of the person's open crisis."""

    @property
    def since(self) -> datetime | None:
        return self.referral.received_at

    def waits(self, now: datetime) -> str:
        """The time since it was received, in words."""
        hours = (now - (self.since or now)) // timedelta(hours=1)
        if hours < 1:
            return "less than an hour"
        count, unit = (hours, "hour") if hours < 48 else (hours // 24, "day")
        return f"{count} {unit}" + ("" if count == 1 else "s")


@dataclass(frozen=True)
class QueuePage:
    lines: list[Line]
    next: str
    """The place after the last line; empty at the end."""


async def page(database: MongoDatabase, viewer: Viewer, tab: str, after: str, now: datetime) -> QueuePage:
    """One page of a tab. Raises `BadPlace`."""
    rows = await database.aggregate(PEOPLE, _pipeline(viewer, tab, after, now))
    lines = [_line(row) for row in rows[:PAGE]]
    return QueuePage(lines, _place(lines[-1], tab) if len(rows) > PAGE else "")


async def counts(database: MongoDatabase, viewer: Viewer) -> dict[str, int]:
    """Count waiting referrals by tab, up to `COUNTED` + 1 at most."""
    found: dict[str, int] = {}
    for tab in ("review", "incomplete"):
        stages = [*_waiting(viewer, tab), {"$limit": COUNTED + 1}, {"$count": "count"}]
        found[tab] = sum(row["count"] for row in await database.aggregate(PEOPLE, stages))
    return found


def _waiting(viewer: Viewer, tab: str) -> list[Document]:
    """Every referral in the tab's states, not only a person's latest."""
    states: Document = {"referrals.state": {"$in": list(STATES[tab])}}
    within: Document = {} if viewer.only_clinic is None else {"clinic_id": viewer.only_clinic}
    return [
        {"$match": within | states},
        {"$project": {"clinic_id": 1, "risk": 1, "referrals": 1}},
        {"$unwind": "$referrals"},
        {"$match": states},
    ]


def _pipeline(viewer: Viewer, tab: str, after: str, now: datetime) -> list[Document]:
    key, way = ("referrals.decided_at", -1) if tab == "recent" else ("referrals.received_at", 1)
    stages = _waiting(viewer, tab)
    if tab == "recent":
        stages[0]["$match"][key] = {"$gte": now - RECENT}
        stages.append({"$match": {key: {"$gte": now - RECENT}}})
    stages.append({"$set": {key: {"$ifNull": [f"${key}", NEVER_YET]}}})
    if after:
        stages.append({"$match": _behind(after, key, "$lt" if way < 0 else "$gt")})
    return [*stages, {"$sort": {key: way, "referrals.id": 1}}, {"$limit": PAGE + 1}]


def _behind(after: str, key: str, later: str) -> Document:
    millis, _, id = after.partition(".")
    try:
        at = datetime.fromtimestamp(int(millis) / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        raise BadPlace from None
    return {"$or": [{key: {later: at}}, {key: at, "referrals.id": {"$gt": id}}]}


def _place(line: Line, tab: str) -> str:
    at = (line.referral.decided_at if tab == "recent" else line.since) or NEVER_YET
    return f"{round(at.timestamp() * 1000)}.{line.referral.id}"


def _line(row: dict[str, Any]) -> Line:
    referral = Referral.model_validate(row["referrals"])
    if referral.received_at == NEVER_YET:
        referral = referral.but(received_at=None)
    risk = RISKS[row["risk"]] if row["risk"] in CRISES else None
    said = worded(referral.codes, CODES.get(referral.state, {}))
    return Line(row["_id"], row["clinic_id"], referral, said, risk)
