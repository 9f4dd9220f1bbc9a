"""Republishes the whole outbox into a log that began empty.

The outbox holds everything ever announced. It is marked as pending part by part. The lane publishes each
part, like any other pending rows, before the next one is marked.
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
"""Seconds after `LOADED` before a new log gets its work lane, so that other starting processes load first."""

MARKED_AT_ONCE = 2000
BEGINNING = ObjectId(b"\0" * 12)
"""Smaller than the id of any row."""


class Refill:
    """Tracks how far one lane is marked in one epoch. Stored, so that a restart continues from there."""

    def __init__(self, database: MongoDatabase, lane: Lane, epoch: str, now: Callable[[], datetime]) -> None:
        self._database, self._lane, self._epoch, self._now = database, lane, epoch, now
        self._id = f"relay-epoch-{lane}"
        self._at = BEGINNING
        """Id of the last row that was marked."""
        self.is_done = False
        """Whether everything is marked, as far as this process knows."""

    async def is_wanted(self) -> bool:
        """Whether there is more to mark. Reads the progress stored by this or an earlier leader."""
        kept = await self._database[LEASES].find_one({"_id": self._id, "epoch": self._epoch})
        self._at = (kept and kept["at"]) or BEGINNING
        self.is_done = kept is not None and kept["done"]
        return not self.is_done

    async def had_to_wait(self) -> bool:
        """Wait until `REFILL_AFTER` has passed if there is something to refill. Returns whether it waited.

        Another replica may lead by then, so the caller checks again. Crises never wait.
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
        """Condition on `_id` that matches the rows marked so far."""
        return {"$lte": self._at}

    async def mark_next(self) -> None:
        """Mark the next part as pending; the last part is everything that is left."""
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
