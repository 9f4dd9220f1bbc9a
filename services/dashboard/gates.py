"""Gates that every writer of the read model passes, so that nobody writes while it is replaced.

Times are the database server's. The closer has to renew the closure; without renewal the gates open by
themselves. Bolted gates stay closed until they are opened explicitly.
"""

from datetime import UTC, datetime

from shared.messaging.work import Conflict
from shared.mongo import Document, MongoDatabase, Txn

GATES = "gates"
GATE_COUNT = 16
"""Replicas pass through different gates, so that they do not block one another."""

CLOSED_MS = 30_000
FOR_GOOD = datetime(9999, 1, 1, tzinfo=UTC)
CLOSED: Document = {"$expr": {"$gt": ["$closed_until", "$$NOW"]}}


async def pass_through(database: MongoDatabase, gate: int, txn: Txn) -> None:
    """Raises `Conflict` if the gate is closed. Closing it waits until this transaction has ended."""
    passed: Document = {"$inc": {"passed": 1}}
    found = await database[GATES].update_one({"_id": gate}, passed, upsert=True, session=txn)
    if found.matched_count and await database[GATES].find_one({"_id": gate, **CLOSED}, session=txn):
        raise Conflict(GATES)


async def close(database: MongoDatabase, by: str) -> None:
    """Let nobody pass until `open_again`, or until the closure was not renewed for `CLOSED_MS`."""
    for gate in range(GATE_COUNT):
        await database[GATES].update_one({"_id": gate}, _closing(by), upsert=True)


async def keep_closed(database: MongoDatabase, by: str) -> bool:
    """Renew the closure; `False` if a gate was open in between, so that somebody may have passed."""
    found = await database[GATES].update_many({"closed_by": by, **CLOSED}, _closing(by))
    return int(found.matched_count) == GATE_COUNT


async def bolt(database: MongoDatabase, by: str) -> bool:
    """Keep them closed until `open_again`, even if this process dies; `False` as for `keep_closed`."""
    bolted: Document = {"$set": {"closed_until": FOR_GOOD}}
    found = await database[GATES].update_many({"closed_by": by, **CLOSED}, bolted)
    return int(found.matched_count) == GATE_COUNT


async def open_again(database: MongoDatabase, by: str) -> None:
    """Open the gates closed by `by`; gates that others have closed since stay closed."""
    change: Document = {"$unset": {"closed_until": "", "closed_by": ""}}
    await database[GATES].update_many({"closed_by": by}, change)


def _closing(by: str) -> list[Document]:
    """Never shorten a closure: a renewal that arrives after `bolt` does not undo it."""
    until: Document = {"$max": ["$closed_until", {"$add": ["$$NOW", CLOSED_MS]}]}
    return [{"$set": {"closed_until": until, "closed_by": {"$literal": by}}}]
