"""The outbox: messages to publish, written in the transaction of the state that they announce.

One document holds what one transaction announces in one lane, up to `EVENTS_PER_DOCUMENT`. Documents are
kept after publication: a broker's lost log is refilled from them.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from shared.messaging.envelope import Envelope, Unreadable
from shared.messaging.event import Event
from shared.messaging.topics import LANES, Lane, topic
from shared.mongo import Document, Index, MongoDatabase, ObjectId, Txn, UpdateOne

COLLECTION = "outbox"
EVENTS_PER_DOCUMENT = 500
REPLAYED_AT_ONCE = 10_000
"""Documents per replay request: few enough to finish well within its time limits."""

PENDING: Document = {"pending": True}
WAITING: Document = {"lane": {"$in": ["crisis", "work"]}, **PENDING}
"""Query for unpublished documents, phrased so that the index on `lane` serves it."""

INDEXES = [
    Index(COLLECTION, "lane", "_id", partial=PENDING),
    # After a lost log crises are refilled first: this finds them without scanning years of other rows.
    Index(COLLECTION, "_id", "lane", partial={"lane": "crisis"}),
]


class Row(NamedTuple):
    """The unpublished messages of one outbox document."""

    id: ObjectId
    envelopes: Sequence[Envelope]
    epoch: str | None = None
    """The epoch whose empty log it was marked for, if any."""
    is_readable: bool = True

    @classmethod
    def of(cls, document: Document) -> "Row":
        """Build from a pending document; an unreadable one has no messages."""
        id, epoch, left = document["_id"], document.get("epoch"), document.get("left")
        try:
            found = envelopes(document)
        except Unreadable:
            return cls(id, [], epoch, is_readable=False)
        return cls(id, found if left is None else [e for e in found if e.id in left], epoch)

    def has_any(self, ids: Collection[str]) -> bool:
        return bool(ids) and any(envelope.id in ids for envelope in self.envelopes)


class Outbox:
    """The announcements of one unit of work, by lane."""

    def __init__(self) -> None:
        self.lanes: dict[Lane, list[Envelope]] = {}
        self._ids: dict[tuple[Lane, int], Any] = {}

    def add(self, envelope: Envelope) -> Any:
        """Add an envelope. Returns the id of the document that will hold it."""
        lane = topic(envelope.topic).lane
        envelopes = self.lanes.setdefault(lane, [])
        chunk = len(envelopes) // EVENTS_PER_DOCUMENT
        envelopes.append(envelope)
        return self._id(lane, chunk)

    def _id(self, lane: Lane, chunk: int) -> Any:
        if (lane, chunk) not in self._ids:
            self._ids[lane, chunk] = ObjectId()
        return self._ids[lane, chunk]

    def rows(self, lane: Lane) -> Iterator[Row]:
        envelopes = self.lanes.get(lane, [])
        for chunk, start in enumerate(range(0, len(envelopes), EVENTS_PER_DOCUMENT)):
            yield Row(self._id(lane, chunk), envelopes[start : start + EVENTS_PER_DOCUMENT])

    async def flush(self, database: MongoDatabase, txn: Txn, *, now: Any) -> None:
        rows = [
            {
                "_id": row.id,
                "lane": lane,
                "pending": True,
                "at": now,
                "events": [envelope.to_document() for envelope in row.envelopes],
            }
            for lane in self.lanes
            for row in self.rows(lane)
        ]
        if rows:
            await database[COLLECTION].insert_many(rows, session=txn)

    def hand_over(self, database: MongoDatabase) -> None:
        """After the commit, hand the rows to this process's relay, crises first."""
        for lane in LANES:
            for row in self.rows(lane):
                database.announced[lane].hand(row, len(row.envelopes))


def envelopes(document: Document) -> list[Envelope]:
    """Parse all messages of an outbox document. Raises `Unreadable`."""
    return [Envelope.of_document(event) for event in document["events"]]


async def mark(database: MongoDatabase, rows: Sequence[Row], refused: Collection[str]) -> None:
    """Mark rows as published, and record in the others which of their messages are left.

    Skips rows that were marked for another epoch since they were read: that epoch's log lacks them.
    """
    published: defaultdict[str | None, list[ObjectId]] = defaultdict(list)
    parts: list[UpdateOne] = []
    for row in rows:
        left = [e.id for e in row.envelopes if e.id in refused] if refused else []
        if row.is_readable and not left:
            published[row.epoch].append(row.id)
        elif len(left) < len(row.envelopes):
            parts.append(UpdateOne({"_id": row.id, "epoch": row.epoch}, {"$set": {"left": left}}))
    for epoch, ids in published.items():
        chosen = {"_id": {"$in": ids}, "epoch": epoch}
        await database[COLLECTION].update_many(chosen, {"$unset": {"pending": "", "left": ""}})
    if parts:
        await database[COLLECTION].bulk_write(parts, ordered=False)


async def mark_again(
    database: MongoDatabase, chosen: Document, now: datetime, *, epoch: str | None = None
) -> int:
    """Mark documents for republishing in full; returns how many. `epoch`: into its empty log."""
    fields: Document = {"pending": True, "again": now} | ({"epoch": epoch} if epoch else {})
    change = {"$set": fields, "$unset": {"left": ""}}
    return int((await database[COLLECTION].update_many(chosen, change)).matched_count)


async def replay(
    database: MongoDatabase, at: Document, *, after: ObjectId | None, now: datetime, dry_run: bool
) -> tuple[int, ObjectId | None]:
    """Mark documents of a time span to be republished: those among the next `REPLAYED_AT_ONCE` documents.

    Returns how many they are and the id to continue after, or `None` if there are no more.
    """
    rows = database[COLLECTION]
    place: Document = {} if after is None else {"$gt": after}
    last = await rows.find_one(
        {"_id": place} if place else {}, {"_id": 1}, sort=[("_id", 1)], skip=REPLAYED_AT_ONCE - 1
    )
    if last is not None:
        place["$lte"] = last["_id"]
    chosen = {"at": at} | ({"_id": place} if place else {})
    if dry_run:
        count = await rows.count_documents(chosen)
    else:
        count = await mark_again(database, chosen, now)
    return count, None if last is None else last["_id"]


def waits_since(document: Document) -> datetime:
    """Return since when a pending document waits to be published."""
    since: datetime = document["again"] if "again" in document else document["at"]
    return since


async def announced(database: MongoDatabase, *events: type[Event]) -> dict[str, int]:
    """Count the distinct events announced, by type name; all types if none is given.

    Events published again count once. Reads the whole outbox.
    """
    names = [event.__name__ for event in events]
    chosen: Document = {"events.type": {"$in": names}} if names else {}
    rows = await database.aggregate(
        COLLECTION,
        [
            {"$match": chosen},
            {"$project": {"events.type": 1, "events.id": 1}},
            {"$unwind": "$events"},
            {"$match": chosen},
            {"$group": {"_id": {"type": "$events.type", "id": "$events.id"}}},
            {"$sortByCount": "$_id.type"},
        ],
    )
    return dict.fromkeys(names, 0) | {row["_id"]: row["count"] for row in rows}
