"""Publishing all of the outbox again, into a log that began empty.

The outbox holds all that was ever announced. It is marked as pending part by part, and the lane publishes
each part as it publishes everything else before the next one is marked.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime
from time import monotonic

import structlog

from shared.messaging import outbox
from shared.messaging.lease import COLLECTION as LEASES
from shared.messaging.topics import Lane
from shared.mongo import Document, MongoDatabase, ObjectId

log = structlog.get_logger()

LOADED = monotonic()
"""When this process began."""

REFILL_AFTER = 5.0
"""Seconds after that, before the work of a new log is published: what starts beside us loads first."""

MARKED_AT_ONCE = 2000
BEGINNING = ObjectId(b"\0" * 12)
"""Smaller than the id of any row."""


class Refill:
    """How far one lane and epoch is marked. It is kept, so that a restart goes on from there."""

    def __init__(self, database: MongoDatabase, lane: Lane, epoch: str, now: Callable[[], datetime]) -> None:
        self._database, self._lane, self._epoch, self._now = database, lane, epoch, now
        self._id = f"relay-epoch-{lane}"
        self._at = BEGINNING
        """The last row that was marked."""
        self.is_done = False
        """As far as this process knows."""

    async def is_wanted(self) -> bool:
        """Whether there is more to mark. Reads how far we, or a replica before us, have come."""
        kept = await self._database[LEASES].find_one({"_id": self._id, "epoch": self._epoch})
        self._at = (kept and kept["at"]) or BEGINNING
        self.is_done = kept is not None and kept["done"]
        return not self.is_done

    async def had_to_wait(self) -> bool:
        """If there is something to refill, wait until `REFILL_AFTER` is over; whether that was necessary.

        Another replica may lead by then, so the caller looks again. Crises never wait.
        """
        early = LOADED + REFILL_AFTER - monotonic()
        if self._lane == "crisis" or early <= 0:
            return False
        if await self._database[outbox.COLLECTION].find_one({"lane": self._lane}, {"_id": 1}) is None:
            return False
        await asyncio.sleep(early)
        return True

    @property
    def marked(self) -> Document:
        """The rows that were marked so far, as a condition on `_id`."""
        return {"$lte": self._at}

    async def mark_next(self) -> None:
        """Mark the next part as pending; the last one is everything that is left."""
        rest: Document = {"$gt": self._at}
        last = await self._database[outbox.COLLECTION].find_one(
            {"lane": self._lane, "_id": rest}, {"_id": 1}, sort=[("_id", 1)], skip=MARKED_AT_ONCE - 1
        )
        if last is not None:
            rest["$lte"] = last["_id"]
        marked = await outbox.mark_again(
            self._database, {"lane": self._lane, "_id": rest}, self._now(), epoch=self._epoch
        )
        at, done = self._at if last is None else last["_id"], last is None
        await self._database[LEASES].update_one(
            {"_id": self._id}, {"$set": {"epoch": self._epoch, "at": at, "done": done}}, upsert=True
        )
        self._at, self.is_done = at, done
        if done and (marked or at != BEGINNING):
            log.info("log refilled from the outbox", lane=self._lane)
