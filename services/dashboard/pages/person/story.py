"""A person's story as it was announced: newest first, in pages, each entry with its cause."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from services.dashboard.pages.person.tales import details, mark, tale
from services.dashboard.store import STORY
from shared.mongo import Document, MongoDatabase

PAGE = 50


@dataclass(frozen=True)
class Entry:
    """One announcement. `cause` and `cause_href`: text of and link to the entry that caused it."""

    id: str
    at: datetime
    type: str
    source: str
    said: Mapping[str, Any]
    place: tuple[str, int] = ("", 0)
    """Topic and sequence: the order in which one service announced it."""
    cause_id: str | None = None
    cause: str = ""
    cause_href: str = ""

    @property
    def anchor(self) -> str:
        return anchor(self.id)

    @property
    def words(self) -> str:
        return tale(self.type, self.said)

    @property
    def mark(self) -> str:
        return mark(self.type, self.said)

    def details(self, zone: str) -> list[tuple[str, str]]:
        return details(self.said, zone)


@dataclass(frozen=True)
class StoryPage:
    """`lines`: entries of the same type, moment and cause are grouped."""

    lines: list[list[Entry]]
    older: str | None
    """The entry that the next page begins with; `None` on the last page."""


def anchor(id: str) -> str:
    return "e-" + id.replace("/", "-")


async def page(database: MongoDatabase, patient_id: str, begin: str = "") -> StoryPage:
    """One page of the story from the entry `begin` down, or from the newest if there is no such entry."""
    wanted: Document = {"patient_id": patient_id}
    first = await database[STORY].find_one({"_id": begin, "patient_id": patient_id}) if begin else None
    if first is not None:
        earlier = [{"at": {"$lt": first["at"]}}, {"at": first["at"], "_id": {"$lte": first["_id"]}}]
        wanted = {**wanted, "$or": earlier}
    order = [("at", -1), ("_id", -1)]
    rows = await database[STORY].find(wanted, sort=order, limit=PAGE + 1).to_list(None)
    entries = await _with_causes(database, patient_id, rows[:PAGE])
    return StoryPage(gathered(latest_first(entries)), rows[PAGE]["_id"] if len(rows) > PAGE else None)


async def _with_causes(database: MongoDatabase, patient_id: str, rows: Sequence[Document]) -> list[Entry]:
    wanted = {row["caused_by"] for row in rows if row["caused_by"]}
    query: Document = {"patient_id": patient_id, "message_id": {"$in": sorted(wanted)}}
    found = await database[STORY].find(query).to_list(None) if wanted else []
    causes = {row["message_id"]: row for row in found}
    here = {row["_id"] for row in rows}
    return [_entry(row, causes.get(row["caused_by"] or ""), patient_id, here) for row in rows]


def _entry(row: Document, cause: Document | None, patient_id: str, here: set[str]) -> Entry:
    known = Entry(
        row["_id"], row["at"], row["type"], row["source"], row["said"], (row["topic"], row["sequence"])
    )
    if cause is None:
        return known
    page = "" if cause["_id"] in here else f"/people/{patient_id}?story={cause['_id']}"
    return Entry(
        **known.__dict__
        | {
            "cause_id": cause["_id"],
            "cause": tale(cause["type"], cause["said"]),
            "cause_href": f"{page}#{anchor(cause['_id'])}",
        }
    )


def latest_first(entries: Iterable[Entry]) -> list[Entry]:
    """Newest first; an effect at the same moment as its cause comes above the cause."""
    known = list(entries)
    by_id = {entry.id: entry for entry in known}
    return sorted(known, key=lambda e: (e.at, _depth(e, by_id), e.place, e.id), reverse=True)


def _depth(entry: Entry, by_id: Mapping[str, Entry]) -> int:
    depth, seen = 0, {entry.id}
    while (cause := by_id.get(entry.cause_id or "")) is not None and cause.id not in seen:
        seen.add(cause.id)
        depth, entry = depth + 1, cause
    return depth


def gathered(entries: Iterable[Entry]) -> list[list[Entry]]:
    """Group neighbours of the same type, moment and cause, such as the sessions scheduled for one plan."""
    return [list(group) for _, group in groupby(entries, key=lambda e: (e.at, e.type, e.cause_id or e.id))]
