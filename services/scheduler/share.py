"""Which schedules this replica's ticker looks after, so that replicas share the work.

Only a division of labour: each says that it is there, and the shards go round by name. Nothing depends
on it being right, for a schedule announces nothing twice whoever ticks (its version is checked).
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
        """The part of a query that selects this replica's schedules; empty when it is alone."""
        if monotonic() - self._asked >= REFRESH_SECONDS:
            self._mine = await self._ask()
            self._asked = monotonic()
        return self._mine

    async def _ask(self) -> Document:
        """Say that we are here, by the database server's time, and see who else is."""
        replicas = self._database[REPLICAS]
        await replicas.update_one({"_id": self._instance}, [{"$set": {"seen": "$$NOW"}}], upsert=True)
        alive = {"$expr": {"$gt": ["$seen", {"$subtract": ["$$NOW", GONE_AFTER_MS]}]}}
        names = sorted([row["_id"] async for row in replicas.find(alive, {"_id": 1})])
        if len(names) < 2 or self._instance not in names:
            return {}
        place = names.index(self._instance)
        return {"shard": {"$in": [shard for shard in range(SHARDS) if shard % len(names) == place]}}
