"""Messages that could not be processed: kept whole in the consuming service's own database.

The record's raw bytes never leave that database; the event about it carries only ids and codes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b

from shared.messaging.envelope import Envelope, Record
from shared.messaging.event import Event
from shared.mongo import Document, Index, MongoDatabase, Txn

COLLECTION = "dead_letters"
INDEXES = [Index(COLLECTION, "state", "at", "_id")]


class MessageDeadLettered(Event):
    """A message, or a stored document, could not be processed and was set aside for a human."""

    dead_letter_id: str
    service: str
    group: str
    origin: str
    partition: int
    offset: int
    reason: str
    type: str | None
    crisis: bool
    set_aside_at: datetime


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """A record read back from the store, with the attributes of the consumer's record."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]

    @classmethod
    def of(cls, document: Document) -> "StoredRecord":
        return cls(
            topic=document["topic"],
            partition=document["partition"],
            offset=document["offset"],
            timestamp=document["timestamp"],
            key=document["key"],
            value=document["value"],
            headers=[(name, value) for name, value in document["headers"]],
        )


def raw(record: Record) -> Document:
    """Convert a record to a document, byte for byte."""
    return {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "timestamp": record.timestamp,
        "key": record.key,
        "value": record.value,
        "headers": [[name, value] for name, value in record.headers],
    }


def topic_of(service: str) -> str:
    return f"{service.replace('_', '-')}.dead-letters"


def is_dead_letter_topic(name: str) -> bool:
    return name.endswith(".dead-letters")


async def page(
    database: MongoDatabase, state: str, *, after: str | None, limit: int
) -> tuple[list[Document], str | None]:
    """Return letters in the order they were set aside, without their content, and where to continue.

    Pass the latter as `after` for the next page; it is `None` on the last page. Raises `ValueError` for an
    `after` that is malformed.
    """
    query: Document = {"state": state}
    if after is not None:
        moment, _, id = after.partition("|")
        at = datetime.fromisoformat(moment)
        query["$or"] = [{"at": {"$gt": at}}, {"at": at, "_id": {"$gt": id}}]
    found = database[COLLECTION].find(query, {"value": 0, "headers": 0}).sort([("at", 1), ("_id", 1)])
    rows: list[Document] = await found.limit(limit + 1).to_list(None)
    if len(rows) <= limit:
        return rows, None
    last = rows[limit - 1]
    return rows[:limit], f"{last['at'].isoformat()}|{last['_id']}"


async def look_up(database: MongoDatabase, record: Record, group: str, epoch: str) -> tuple[str, bool]:
    """Return the id of this record's letter, and whether that letter exists.

    The id names the record's origin, with the epoch, because offsets restart in each epoch. If a topic was
    recreated within an epoch, a different record may own that id; then a digest of the content is appended.
    """
    place = f"{group}:{record.topic}:{record.partition}:{record.offset}:{epoch[-8:]}"
    found = await database[COLLECTION].find_one({"_id": place}, {"key": 1, "value": 1, "timestamp": 1})
    if found is None:
        return place, False
    if (found["key"], found["value"], found["timestamp"]) == (record.key, record.value, record.timestamp):
        return place, True
    content = f"{record.timestamp}|{record.key!r}|{record.value!r}".encode()
    id = f"{place}:{blake2b(content, digest_size=8).hexdigest()}"
    return id, await database[COLLECTION].find_one({"_id": id}, {"_id": 1}) is not None


def document(letter: MessageDeadLettered, record: Record, envelope: Envelope | None, epoch: str) -> Document:
    """Build the stored form: the announced facts, envelope fields if readable, the record byte for byte."""
    about = (
        {}
        if envelope is None
        else {name: getattr(envelope, name) for name in ("id", "type", "key", "subject", "sequence")}
    )
    return {
        "_id": letter.dead_letter_id,
        "state": "open",
        "group": letter.group,
        "reason": letter.reason,
        "crisis": letter.crisis,
        "at": letter.set_aside_at,
        "epoch": epoch,
        "about": about,
        **raw(record),
    }


async def close(database: MongoDatabase, txn: Txn, id: str) -> bool:
    """Mark an open letter as replayed; `False` if it is not open."""
    result = await database[COLLECTION].update_one(
        {"_id": id, "state": "open"}, {"$set": {"state": "replayed"}}, session=txn
    )
    return bool(result.matched_count)


async def discard(database: MongoDatabase, id: str, *, reason: str, by: str, now: datetime) -> bool:
    """Discard an open letter with a reason; `False` if it is not open. The record is kept."""
    discarded = {"reason": reason, "by": by, "at": now}
    result = await database[COLLECTION].update_one(
        {"_id": id, "state": "open"}, {"$set": {"state": "discarded", "discarded": discarded}}
    )
    return bool(result.matched_count)
