"""The caseload as a query: filters, order and page position are all held in the address."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, ClassVar

from services.dashboard.domain.risk import Risk
from services.dashboard.listing import BadQuery, Question, cursor, instant, place
from services.dashboard.store import PEOPLE, Row
from services.dashboard.web.viewer import Viewer
from shared.mongo import Document, MongoDatabase

PAGE = 50
COUNTED = 500
"""Upper limit of counting for one page."""

EXPORTED = 200
"""Rows per read of an export."""


@dataclass(frozen=True)
class Order:
    """Stored fields, each ascending; an index in `store.py` starts with them."""

    fields: tuple[str, ...]
    caption: str


ORDERS: Mapping[str, Order] = {
    "risk": Order(("risk", "since", "_id"), "the riskiest first"),
    "next": Order(("next_at", "_id"), "by their next appointment"),
    "contact": Order(("last_contact", "_id"), "those seen longest ago first"),
}
INSTANTS = {name for name, field in Row.model_fields.items() if field.annotation is datetime}
FLAGS: Mapping[str, tuple[Risk, ...]] = {
    "crisis": (Risk.CRISIS_HIGH, Risk.CRISIS_MODERATE, Risk.CRISIS_LOW, Risk.CRISIS_TAKEN),
    "relapse": (Risk.RELAPSE,),
    "deteriorated": (Risk.DETERIORATION,),
    "not-improving": (Risk.NOT_IMPROVING,),
    "overdue": (Risk.MISSED, Risk.OVERDUE),
    "review": (Risk.REVIEW,),
    "waiting": (Risk.WAITING,),
    "hold": (Risk.ON_HOLD,),
    "on-course": (Risk.ON_COURSE,),
    "done": (Risk.DONE,),
}
SHOWN: Document = {"referrals": 0, "flags": 0, "alarmed_for": 0}


@dataclass(frozen=True)
class Query(Question):
    """The caseload's filters and order; an empty filter matches everything. `after` is a cursor."""

    PATH: ClassVar[str] = "/"

    clinic: str = ""
    clinician: str = ""
    phase: str = ""
    flag: str = ""
    text: str = ""
    sort: str = "risk"
    after: str = ""

    @property
    def fields(self) -> tuple[str, ...]:
        return ORDERS[self.sort].fields

    @property
    def caption(self) -> str:
        return ORDERS[self.sort].caption

    @property
    def is_filtered(self) -> bool:
        return bool(self.clinic or self.clinician or self.phase or self.flag or self.text)


@dataclass(frozen=True)
class CaseloadPage:
    rows: list[Row]
    next: str
    """The cursor after the last row; empty at the end."""
    total: int
    """Counted up to `COUNTED` + 1 at most."""


def matching(query: Query, viewer: Viewer) -> Document:
    """Translate to a MongoDB filter. Raises `BadQuery` for an unknown flag or order."""
    if query.sort not in ORDERS or (query.flag and query.flag not in FLAGS):
        raise BadQuery
    found: Document = {}
    clinic = viewer.only_clinic or query.clinic
    if clinic:
        found["clinic_id"] = clinic
    if query.clinician:
        found["clinician_id"] = query.clinician
    if query.phase:
        found["phase"] = query.phase
    if query.flag:
        found["risk"] = {"$in": [int(risk) for risk in FLAGS[query.flag]]}
    if query.text:
        found["_id"] = {"$gte": query.text, "$lt": query.text + "\uffff"}
    return found


async def page(database: MongoDatabase, query: Query, viewer: Viewer) -> CaseloadPage:
    """One page in the requested order, by default the riskiest first. Raises `BadQuery`."""
    wanted = matching(query, viewer)
    rows, total = await asyncio.gather(
        _rows(database, wanted, query, PAGE + 1),
        database[PEOPLE].count_documents(wanted, limit=COUNTED + 1),
    )
    more = len(rows) > PAGE
    return CaseloadPage(rows[:PAGE], _place_of(rows[PAGE - 1], query) if more else "", total)


async def all_rows(database: MongoDatabase, query: Query, viewer: Viewer) -> AsyncIterator[Row]:
    """Yield every matching row, reading in batches. Raises `BadQuery`.

    Ordered by id whatever order was requested: risk may change during the export, and nobody may be missed
    or listed twice.
    """
    wanted, last = matching(query, viewer), ""
    while True:
        rows = await _found(database, {"$and": [wanted, {"_id": {"$gt": last}}]}, ["_id"], EXPORTED)
        for row in rows:
            yield row
        if len(rows) < EXPORTED:
            return
        last = rows[-1].id


async def _rows(database: MongoDatabase, wanted: Document, query: Query, limit: int) -> list[Row]:
    asked = {"$and": [wanted, _after(query)]} if query.after else wanted
    return await _found(database, asked, query.fields, limit)


async def _found(database: MongoDatabase, asked: Document, order: Sequence[str], limit: int) -> list[Row]:
    sort = [(field, 1) for field in order]
    found = await database[PEOPLE].find(asked, SHOWN, sort=sort, limit=limit).to_list(None)
    return [Row.model_validate({"id": row.pop("_id"), **row}) for row in found]


def _place_of(row: Row, query: Query) -> str:
    values = [row.id if field == "_id" else getattr(row, field) for field in query.fields]
    return cursor([v.isoformat() if isinstance(v, datetime) else v for v in values])


def _after(query: Query) -> Document:
    """Match rows after the cursor: greater in the first field, or equal there and greater in the next."""
    values = _values(query)
    choices: list[Document] = []
    for number, field in enumerate(query.fields):
        equal = dict(zip(query.fields[:number], values, strict=False))
        choices.append({**equal, field: {"$gt": values[number]}})
    return {"$or": choices}


def _values(query: Query) -> list[Any]:
    values = place(query.after)
    if len(values) != len(query.fields):
        raise BadQuery
    return [
        instant(value) if field in INSTANTS else value
        for field, value in zip(query.fields, values, strict=True)
    ]


async def groups(database: MongoDatabase, query: Query, viewer: Viewer) -> dict[str, int]:
    """Count the people in each group, with the other filters applied. Raises `BadQuery`.

    Counts along the index, up to `COUNTED` + 1 at most.
    """
    wanted = [matching(replace(query, flag=flag), viewer) for flag in FLAGS]
    counts = await asyncio.gather(
        *(database[PEOPLE].count_documents(group, limit=COUNTED + 1) for group in wanted)
    )
    return dict(zip(FLAGS, counts, strict=True))
