"""A lease on a role that one replica at a time should hold, timed by the database server's clock."""

from datetime import UTC, datetime, timedelta

from shared.mongo import Document, DuplicateKeyError, MongoDatabase, ReturnDocument

COLLECTION = "leases"
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
FARTHEST_MS = 60_000
"""A lease that claims to run longer than this is corrupt and may be taken."""


class Lease:
    """Held by `holder` for `ttl_ms` and renewed by `take`. A successor waits until it ends."""

    def __init__(self, database: MongoDatabase, role: str, *, holder: str, ttl_ms: int = 3000) -> None:
        self._database, self._role, self._holder, self._ttl_ms = database, role, holder, ttl_ms
        self.is_wanted = False
        """Whether another replica asked for the lease in the `ttl_ms` before we last took it."""

    async def take(self) -> bool:
        """Take or renew the lease; `False` while another replica holds it."""
        free: Document = {
            "$or": [
                {"holder": self._holder},
                {"$expr": {"$lt": ["$until", "$$NOW"]}},
                {"$expr": {"$gt": ["$until", {"$add": ["$$NOW", FARTHEST_MS]}]}},
            ]
        }
        grant = [{"$set": {"holder": self._holder, "until": {"$add": ["$$NOW", self._ttl_ms]}}}]
        for _ in range(2):
            taken: Document | None = await self._database[COLLECTION].find_one_and_update(
                {"_id": self._role, **free}, grant, return_document=ReturnDocument.AFTER
            )
            if taken is not None:
                asked_before_end = taken["until"] - taken.get("asked", LONG_AGO)
                self.is_wanted = asked_before_end < timedelta(milliseconds=2 * self._ttl_ms)
                return True
            try:
                await self._database[COLLECTION].insert_one(
                    {"_id": self._role, "holder": "", "until": LONG_AGO}
                )
            except DuplicateKeyError:
                await self._ask()
                return False
        return False

    async def _ask(self) -> None:
        """Tell the holder that another replica waits for the lease."""
        await self._database[COLLECTION].update_one({"_id": self._role}, [{"$set": {"asked": "$$NOW"}}])

    async def hand_over(self) -> bool:
        """Give up the lease if another replica asked for it within `ttl_ms`. Returns whether it did."""
        waiting: Document = {"$expr": {"$gt": ["$asked", {"$subtract": ["$$NOW", self._ttl_ms]}]}}
        mine = {"_id": self._role, "holder": self._holder, **waiting}
        given = await self._database[COLLECTION].delete_one(mine)
        return bool(given.deleted_count)

    async def give_up(self) -> None:
        await self._database[COLLECTION].delete_one({"_id": self._role, "holder": self._holder})
