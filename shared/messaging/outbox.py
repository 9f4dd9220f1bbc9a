"""The outbox: what is to be published, written in the transaction that made it true.

One document holds all that one transaction announces in one lane. Documents stay after they were
published: they are the truth from which a broker's lost log is refilled.
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
"""Far from what a request may take."""

PENDING: Document = {"pending": True}
WAITING: Document = {"lane": {"$in": ["crisis", "work"]}, **PENDING}
"""What is still to be published, in words that the index understands."""

INDEXES = [
    Index(COLLECTION, "lane", "_id", partial=PENDING),
    # A lost log gets its crises first: they are found without a look at years of all the rest.
    Index(COLLECTION, "_id", "lane", partial={"lane": "crisis"}),
]


class Row(NamedTuple):
    """What is still to be published of what one transaction announced in one lane."""

    id: ObjectId
    envelopes: Sequence[Envelope]
    epoch: str | None = None
    """The epoch whose empty log it was marked for, if it was published before."""
    is_readable: bool = True

    @classmethod
    def of(cls, document: Document) -> "Row":
        """Of a pending document; one that cannot be read has no messages."""
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
        """Returns the id of the document in which the envelope will stand."""
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
        """After the commit: to whoever publishes in this process, crises first."""
        for lane in LANES:
            for row in self.rows(lane):
                database.announced[lane].hand(row, len(row.envelopes))


def envelopes(document: Document) -> list[Envelope]:
    """All messages of an outbox document. Raises `Unreadable`."""
    return [Envelope.of_document(event) for event in document["events"]]


async def mark(database: MongoDatabase, rows: Sequence[Row], refused: Collection[str]) -> None:
    """Mark rows as published, and note in the others which of their messages are left.

    Only as they were read: what was marked for another epoch's log meanwhile is not in that log yet.
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
    """Let these documents be published again, all of each; how many they are. `epoch`: into its empty log."""
    fields: Document = {"pending": True, "again": now} | ({"epoch": epoch} if epoch else {})
    change = {"$set": fields, "$unset": {"left": ""}}
    return int((await database[COLLECTION].update_many(chosen, change)).matched_count)


async def replay(
    database: MongoDatabase, at: Document, *, after: ObjectId | None, now: datetime, dry_run: bool
) -> tuple[int, ObjectId | None]:
    """Let documents of a span of time be published again: those among the next `REPLAYED_AT_ONCE`.

    Returns how many they are, and after which document to go on; none: there are no more.
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
    """Since when a pending document is to be published."""
    since: datetime = document["again"] if "again" in document else document["at"]
    return since


async def announced(database: MongoDatabase, *events: type[Event]) -> dict[str, int]:
    """How many distinct events of these types were announced, by type name; all types if none is given.

    What was published again counts once. Reads the whole outbox.
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
