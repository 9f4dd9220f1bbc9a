"""Which alerts a viewer may see, which of them nobody holds, and the crises among those.

`known`: the ids of the configured clinics. For any other clinic everybody on call is paged, so its alerts
concern every carer.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.dashboard.domain.alert import Alert
from services.dashboard.domain.risk import Risk
from services.dashboard.store import ALERTS, PEOPLE
from services.dashboard.web.viewer import Viewer
from shared.mongo import Document, MongoDatabase

MOST = 100
"""Crises listed individually; further ones are only counted."""

COUNTED = 1_000
HEARD_WITHIN = timedelta(seconds=10)
"""How long a flag may be on its way to its alert before it is an alarm itself."""

FLAGGED = {Risk.CRISIS_HIGH: "high", Risk.CRISIS_MODERATE: "moderate", Risk.CRISIS_LOW: "low"}
SEVERITIES = {"high": 0, "moderate": 1, "low": 2, "routine": 3}
"""The most urgent first; an unknown severity ranks as moderate."""

URGENCY: Document = {
    "$switch": {
        "branches": [
            {"case": {"$eq": ["$severity", name]}, "then": urgency} for name, urgency in SEVERITIES.items()
        ],
        "default": SEVERITIES["moderate"],
    }
}
"""The same ranking as a MongoDB expression, to select the crises that are listed."""


def visible(viewer: Viewer, known: Collection[str]) -> Document:
    """Query for the same rule as the alerts service: engineers see dead letters only, carers the other
    alerts that concern them."""
    groups: list[Document] = []
    if "engineer" in viewer.roles:
        groups.append({"kind": "dead_letter"})
    if viewer.cares:
        groups.append({"kind": {"$ne": "dead_letter"}} | _concerning(viewer, known))
    return groups[0] if len(groups) == 1 else {"$or": groups}


def sees(viewer: Viewer, alert: Alert, known: Collection[str]) -> bool:
    """Apply the rule of `visible` to one alert."""
    if alert.kind == "dead_letter":
        return "engineer" in viewer.roles
    return viewer.cares and concerns(viewer, alert.clinic_id, known)


def concerns(viewer: Viewer, clinic_id: str, known: Collection[str]) -> bool:
    """True for the carer's own clinic and for any clinic that is not configured."""
    return viewer.sees(clinic_id) or clinic_id not in known


def _concerning(viewer: Viewer, known: Collection[str]) -> Document:
    """The rule of `concerns` as a query."""
    if viewer.only_clinic is None:
        return {}
    return {"clinic_id": {"$nin": sorted({*known} - {viewer.only_clinic})}}


def open_at(now: datetime) -> Document:
    """Query for alerts nobody holds: never taken, or with an expired lease that is not announced yet."""
    return {"$or": [{"state": "open"}, {"state": "acknowledged", "lease_until": {"$lte": now}}]}


def taken_at(now: datetime) -> Document:
    held: Document = {"$or": [{"lease_until": None}, {"lease_until": {"$gt": now}}]}
    return {"$or": [{"state": "assessed"}, {"state": "acknowledged", **held}]}


@dataclass(frozen=True, slots=True)
class Alarm:
    """A crisis that nobody holds: an alert, or a flag without a known alert.

    `key` changes when it escalates or its severity changes, so that the alarm sounds again.
    """

    address: str
    """The page where it can be acknowledged."""
    what: str
    severity: str
    raised_at: datetime
    key: str


@dataclass(frozen=True, slots=True)
class Crises:
    """Crises nobody holds, the most severe first; `count` may exceed the number listed."""

    alarms: Sequence[Alarm] = ()
    count: int = 0
    are_known: bool = True


NOT_KNOWN = Crises(are_known=False)
"""Used while the read model cannot be read."""


async def crises(
    database: MongoDatabase, viewer: Viewer, now: datetime, known: Collection[str]
) -> Crises | None:
    """The crises that alarm this carer; `None` for roles without patients."""
    if not viewer.cares:
        return None
    alerts: Document = {"kind": "crisis", "$and": [visible(viewer, known), open_at(now)]}
    found = await database.aggregate(
        ALERTS,
        [
            {"$match": alerts},
            {"$project": {"severity": 1, "raised_at": 1, "climbed.step": 1, "urgency": URGENCY}},
            {"$sort": {"urgency": 1, "raised_at": -1}},
            {"$limit": MOST},
        ],
    )
    unheard, shown = unheard_at(now) | _concerning(viewer, known), {"risk": 1, "since": 1}
    flags = await database[PEOPLE].find(unheard, shown, sort=[("risk", 1)], limit=MOST).to_list(None)
    alarms = [*map(_of_alert, found), *map(_of_flag, flags)]
    alarms.sort(key=lambda alarm: SEVERITIES.get(alarm.severity, SEVERITIES["moderate"]))
    count = len(alarms)
    if max(len(found), len(flags)) == MOST:
        count = await database[ALERTS].count_documents(alerts, limit=COUNTED)
        count += await database[PEOPLE].count_documents(unheard, limit=COUNTED)
    return Crises(alarms[:MOST], count)


def unheard_at(now: datetime) -> Document:
    """Query for people whose crisis flag still has no known alert after `HEARD_WITHIN`."""
    risks = [int(risk) for risk in FLAGGED]
    return {"risk": {"$in": risks}, "action": "answer_flag", "since": {"$lte": now - HEARD_WITHIN}}


def lapsed_at(now: datetime) -> Document:
    """Query for crises with an expired lease that is not announced yet."""
    return {"kind": "crisis", "state": "acknowledged", "lease_until": {"$lte": now}}


def _of_alert(row: Document) -> Alarm:
    key = f"{row['_id']}.{row['severity']}.{len(row.get('climbed', ()))}"
    return Alarm(f"/alerts/{row['_id']}", "crisis alert", row["severity"], row["raised_at"], key)


def _of_flag(row: Document) -> Alarm:
    severity = FLAGGED[Risk(row["risk"])]
    key = f"{row['_id']}.{severity}.{row['since'].isoformat()}"
    return Alarm(
        f"/people/{row['_id']}", "crisis flag, and no alert is known of it", severity, row["since"], key
    )
