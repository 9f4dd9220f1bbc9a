"""How far a lost log has been filled anew from the outbox, which holds all that was ever announced."""

import asyncio
from time import monotonic

import structlog

from shared.messaging import outbox
from shared.messaging.lease import COLLECTION as LEASES
from shared.messaging.topics import Lane
from shared.mongo import Document, MongoDatabase

log = structlog.get_logger()

LOADED = monotonic()
"""When this process began."""

REFILL_AFTER = 5.0
"""Seconds after that, before the work of a new log is published: what starts beside us loads first."""


class Refill:
    """The place reached in one lane and epoch. It is kept, so that a restart goes on there."""

    def __init__(self, database: MongoDatabase, lane: Lane, epoch: str) -> None:
        self._database, self._lane, self._epoch = database, lane, epoch
        self._id = f"relay-epoch-{lane}"
        self._reached: Document = {"at": None, "done": False}
        self.is_done = False
        """As far as this process knows."""

    async def is_wanted(self) -> bool:
        """Whether there is more to publish. Reads how far we, or a replica before us, have come."""
        kept = await self._database[LEASES].find_one({"_id": self._id, "epoch": self._epoch})
        self._reached = kept or {"at": None, "done": False}
        self.is_done = self._reached["done"]
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
    def rest(self) -> Document:
        """What of the lane's outbox is still to be published, as a query."""
        at = self._reached["at"]
        return {} if at is None else {"_id": {"$gt": at}}

    async def note(self, published: list[outbox.Row]) -> None:
        """Keep how far it is after these rows of the rest; without any it is done."""
        reached = {"at": published[-1].id if published else self._reached["at"], "done": not published}
        await self._database[LEASES].update_one(
            {"_id": self._id}, {"$set": {"epoch": self._epoch, **reached}}, upsert=True
        )
        self._reached, self.is_done = reached, not published
        if self.is_done and reached["at"] is not None:
            log.info("log refilled from the outbox", lane=self._lane)
