"""Which alerts a viewer may see, which of them nobody has, and the crises among those."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from services.dashboard.domain.alert import Alert
from services.dashboard.domain.person import UNKNOWN
from services.dashboard.store import ALERTS
from services.dashboard.web.viewer import Viewer
from shared.mongo import Document, MongoDatabase

MOST = 100
"""Crises told by name; more are only counted."""

COUNTED = 1_000
SEVERITIES = {"high": 0, "moderate": 1, "low": 2, "routine": 3}
"""The most urgent first; what has no name here stands with the moderate ones."""


def visible(viewer: Viewer) -> Document:
    """As the alerts service has it: engineers see dead letters alone, carers the rest of their clinic,
    and what came from a clinic that is not known."""
    groups: list[Document] = []
    if "engineer" in viewer.roles:
        groups.append({"kind": "dead_letter"})
    if viewer.cares:
        carers: Document = {"kind": {"$ne": "dead_letter"}}
        if viewer.only_clinic is not None:
            carers["clinic_id"] = {"$in": [viewer.only_clinic, UNKNOWN]}
        groups.append(carers)
    return groups[0] if len(groups) == 1 else {"$or": groups}


def sees(viewer: Viewer, alert: Alert) -> bool:
    """The same of one alert."""
    if alert.kind == "dead_letter":
        return "engineer" in viewer.roles
    return viewer.cares and (alert.clinic_id == UNKNOWN or viewer.sees(alert.clinic_id))


def open_at(now: datetime) -> Document:
    """Nobody has it: never taken, or the lease ran out and nobody said so yet."""
    return {"$or": [{"state": "open"}, {"state": "acknowledged", "lease_until": {"$lte": now}}]}


def taken_at(now: datetime) -> Document:
    held: Document = {"$or": [{"lease_until": None}, {"lease_until": {"$gt": now}}]}
    return {"$or": [{"state": "assessed"}, {"state": "acknowledged", **held}]}


@dataclass(frozen=True, slots=True)
class Alarm:
    """A crisis that nobody has. `key` changes when it climbs or becomes more severe: heard anew."""

    alert_id: str
    severity: str
    raised_at: datetime
    key: str


@dataclass(frozen=True, slots=True)
class Crises:
    """Those in nobody's hands, the most severe first; `count` may be more than are told."""

    alarms: Sequence[Alarm] = ()
    count: int = 0


async def crises(database: MongoDatabase, viewer: Viewer, now: datetime) -> Crises | None:
    """What a carer is alarmed of; `None` for roles without patients."""
    if not viewer.cares:
        return None
    wanted: Document = {"kind": "crisis", "$and": [visible(viewer), open_at(now)]}
    shown = {"severity": 1, "raised_at": 1, "climbed.step": 1}
    found = database[ALERTS].find(wanted, shown, sort=[("raised_at", -1)], limit=MOST)
    alarms = [_alarm(row) for row in await found.to_list(None)]
    alarms.sort(key=lambda alarm: SEVERITIES.get(alarm.severity, 1))
    count = len(alarms)
    if count == MOST:
        count = int(await database[ALERTS].count_documents(wanted, limit=COUNTED))
    return Crises(alarms, count)


def _alarm(row: Document) -> Alarm:
    key = f"{row['_id']}.{row['severity']}.{len(row.get('climbed', ()))}"
    return Alarm(row["_id"], row["severity"], row["raised_at"], key)
