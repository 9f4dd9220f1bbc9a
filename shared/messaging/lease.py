"""A lease on a role that one replica at a time should have; time is the database server's."""

from datetime import UTC, datetime, timedelta

from shared.mongo import Document, DuplicateKeyError, MongoDatabase, ReturnDocument

COLLECTION = "leases"
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
FARTHEST_MS = 60_000
"""A lease that claims to run longer than this is broken and may be taken."""


class Lease:
    """Held by `holder` for `ttl_ms`, renewed by asking again. A successor waits until it ran out."""

    def __init__(self, database: MongoDatabase, role: str, *, holder: str, ttl_ms: int = 3000) -> None:
        self._database, self._role, self._holder, self._ttl_ms = database, role, holder, ttl_ms
        self.is_wanted = False
        """Whether, when we took it last, somebody waited for it within the last `ttl_ms`."""

    async def take(self) -> bool:
        """Take or renew; `False` while somebody else has it."""
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
        """Let whoever has it know that somebody waits."""
        await self._database[COLLECTION].update_one({"_id": self._role}, [{"$set": {"asked": "$$NOW"}}])

    async def hand_over(self) -> bool:
        """Give it up if somebody else asked for it within the last `ttl_ms`; whether that was so."""
        waiting: Document = {"$expr": {"$gt": ["$asked", {"$subtract": ["$$NOW", self._ttl_ms]}]}}
        mine = {"_id": self._role, "holder": self._holder, **waiting}
        given = await self._database[COLLECTION].delete_one(mine)
        return bool(given.deleted_count)

    async def give_up(self) -> None:
        await self._database[COLLECTION].delete_one({"_id": self._role, "holder": self._holder})
