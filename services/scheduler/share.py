"""Which schedules this replica's ticker handles, so that replicas share the work.

Each replica registers itself, and shards are assigned round-robin by name. Correctness does not depend on
it: the version check keeps a schedule from announcing anything twice, whichever replica ticks.
"""

from time import monotonic

from services.scheduler.domain.schedule import SHARDS
from services.scheduler.store import REPLICAS
from shared.mongo import Document, MongoDatabase

REFRESH_SECONDS = 2.0
GONE_AFTER_MS = 6_000


class Share:
    def __init__(self, database: MongoDatabase, instance: str) -> None:
        self._database, self._instance = database, instance
        self._asked = float("-inf")
        self._mine: Document = {}

    async def mine(self) -> Document:
        """The part of a query that selects this replica's schedules; empty if it is alone."""
        if monotonic() - self._asked >= REFRESH_SECONDS:
            self._mine = await self._ask()
            self._asked = monotonic()
        return self._mine

    async def _ask(self) -> Document:
        """Register this replica, by the database server's time, and look for the others."""
        replicas = self._database[REPLICAS]
        await replicas.update_one({"_id": self._instance}, [{"$set": {"seen": "$$NOW"}}], upsert=True)
        alive = {"$expr": {"$gt": ["$seen", {"$subtract": ["$$NOW", GONE_AFTER_MS]}]}}
        names = sorted([row["_id"] async for row in replicas.find(alive, {"_id": 1})])
        if len(names) < 2 or self._instance not in names:
            return {}
        place = names.index(self._instance)
        return {"shard": {"$in": [shard for shard in range(SHARDS) if shard % len(names) == place]}}
