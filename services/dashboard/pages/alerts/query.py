"""The list of alerts as a query: filters in the address, crises first, keyset pagination."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from services.dashboard.attention import open_at, sees, taken_at, visible
from services.dashboard.domain.alert import Alert
from services.dashboard.listing import BadQuery, Question, cursor, instant, place
from services.dashboard.pages.alerts.words import KINDS, SEVERITIES
from services.dashboard.store import ALERTS
from services.dashboard.web.viewer import Viewer
from shared.mongo import Document, MongoDatabase

PAGE = 50
COUNTED = 1_000
"""Upper limit of counting for one page."""

STATES = ("open", "taken", "resolved")
UNRESOLVED: Document = {"state": {"$in": ["open", "acknowledged", "assessed"]}}


@dataclass(frozen=True)
class Query(Question):
    """An empty filter matches everything, except that an empty state matches unresolved alerts only."""

    PATH: ClassVar[str] = "/alerts"

    state: str = ""
    kind: str = ""
    severity: str = ""
    mine: str = ""
    clinic: str = ""
    after: str = ""

    @property
    def is_filtered(self) -> bool:
        return bool(self.kind or self.severity or self.mine or self.clinic)

    def check(self) -> None:
        """Raises `BadQuery` for an unknown filter value."""
        known = (self.state in ("", *STATES), self.kind in ("", *KINDS), self.severity in ("", *SEVERITIES))
        if not all(known) or self.mine not in ("", "yes"):
            raise BadQuery


@dataclass(frozen=True)
class Asker:
    """The viewer, the time, the ids of the configured clinics, and the viewer's contact ids."""

    viewer: Viewer
    now: datetime
    known: Collection[str]
    contacts: Sequence[str] = ()


@dataclass(frozen=True)
class AlertPage:
    alerts: list[Alert]
    next: str
    """The cursor after the last alert; empty at the end."""


def bands(query: Query, now: datetime) -> list[Document]:
    """Filters in the order of display: crises nobody holds, crises somebody holds, the rest by severity.

    Each band is ordered by age. An unknown severity goes with the moderate crises, or last among the others,
    so that no alert is left out.
    """
    if query.state == "resolved":
        plain = {"kind": query.kind, "severity": query.severity}
        return [{"state": "resolved", **{name: value for name, value in plain.items() if value}}]
    found: list[Document] = []
    if query.kind in ("", "crisis"):
        found += _crises(query, now)
    if query.kind != "crisis":
        found += _others(query, now)
    return found


def _crises(query: Query, now: datetime) -> list[Document]:
    severities: list[Any] = ["high", {"$nin": ["high", "low", "routine"]}, "low", "routine"]
    if query.severity:
        severities = [query.severity]
    found = [{**open_at(now), "kind": "crisis", "severity": severity} for severity in severities]
    in_hand: Document = {**taken_at(now), "kind": "crisis"}
    if query.severity:
        in_hand["severity"] = query.severity
    return {"": [*found, in_hand], "open": found, "taken": [in_hand]}[query.state]


def _others(query: Query, now: datetime) -> list[Document]:
    severities: list[Any] = ["high", "moderate", "low", {"$nin": ["high", "moderate", "low"]}]
    if query.severity:
        severities = [query.severity]
    state = {"": UNRESOLVED, "open": open_at(now), "taken": taken_at(now)}[query.state]
    kind = query.kind or {"$ne": "crisis"}
    return [{**state, "kind": kind, "severity": severity} for severity in severities]


def within(query: Query, asker: Asker) -> Document:
    """The viewer's visibility, clinic and own-alerts filters, independent of state, kind and severity."""
    conditions: list[Document] = [visible(asker.viewer, asker.known)]
    if query.clinic:
        conditions.append({"clinic_id": query.clinic})
    if query.mine:
        contacts, subject = list(asker.contacts), asker.viewer.subject
        taken = [{"acknowledged_by": subject}, {"assessed_by": subject}]
        told = [{"handed_to": {"$in": contacts}}, {"told.contact_id": {"$in": contacts}}]
        conditions.append({"$or": [*taken, *told]})
    return {"$and": conditions}


async def page(database: MongoDatabase, query: Query, asker: Asker) -> AlertPage:
    """One page, the most urgent first; resolved alerts latest first. Raises `BadQuery`."""
    query.check()
    begin = _place(query)
    order = -1 if query.state == "resolved" else 1
    found: list[tuple[int, Alert]] = []
    for number, band in enumerate(bands(query, asker.now)):
        if begin is not None and number < begin[0]:
            continue
        wanted = [within(query, asker), band]
        if begin is not None and number == begin[0]:
            wanted.append(_behind(begin, order))
        rows = database[ALERTS].find({"$and": wanted}, sort=[("raised_at", order), ("_id", order)])
        found += [(number, _alert(row)) for row in await rows.to_list(PAGE + 1 - len(found))]
        if len(found) > PAGE:
            break
    alerts = [alert for _, alert in found[:PAGE]]
    return AlertPage(alerts, _cursor(*found[PAGE - 1]) if len(found) > PAGE else "")


async def counts(database: MongoDatabase, query: Query, asker: Asker) -> dict[str, int]:
    """Count the alerts in each state, with the other filters applied, up to `COUNTED` + 1 at most."""
    states = {"": UNRESOLVED, "open": open_at(asker.now), "taken": taken_at(asker.now)}
    counted: dict[str, int] = {}
    for name, state in {**states, "resolved": {"state": "resolved"}}.items():
        filters = {k: v for k, v in {"kind": query.kind, "severity": query.severity}.items() if v}
        wanted = {"$and": [within(query, asker), state, filters]}
        counted[name] = int(await database[ALERTS].count_documents(wanted, limit=COUNTED + 1))
    return counted


async def one(database: MongoDatabase, viewer: Viewer, id: str, known: Collection[str]) -> Alert | None:
    """The alert, if the read model has it and the viewer may see it."""
    row = await database[ALERTS].find_one({"_id": id})
    alert = _alert(row) if row else None
    return alert if alert is not None and sees(viewer, alert, known) else None


async def several(
    database: MongoDatabase, viewer: Viewer, ids: Sequence[str], known: Collection[str]
) -> dict[str, Alert]:
    wanted = {"$and": [{"_id": {"$in": list(ids)}}, visible(viewer, known)]}
    return {row["_id"]: _alert(row) for row in await database[ALERTS].find(wanted).to_list(None)}


def _alert(row: Document) -> Alert:
    return Alert.model_validate({"id": row["_id"], **row})


def _cursor(band: int, last: Alert) -> str:
    return cursor([band, last.raised_at.isoformat(), last.id])


def _place(query: Query) -> tuple[int, datetime, str] | None:
    if not query.after:
        return None
    try:
        band, raised_at, id = place(query.after)
        return int(band), instant(raised_at), str(id)
    except (ValueError, TypeError):
        raise BadQuery from None


def _behind(begin: tuple[int, datetime, str], order: int) -> Document:
    """Match rows after the last one of the previous page, within its band."""
    _, raised_at, id = begin
    later = "$gt" if order == 1 else "$lt"
    return {"$or": [{"raised_at": {later: raised_at}}, {"raised_at": raised_at, "_id": {later: id}}]}
