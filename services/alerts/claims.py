"""Delivery ownership: a fencing token and a lease, by the database server's clock.

When a worker dies, another takes over its deliveries once the lease expires. A worker that has lost its
claim records nothing.
"""

from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Literal
from uuid import uuid4

import structlog

from services.alerts.domain.delivery import Delivery
from services.alerts.store import DELIVERIES, WAITING
from shared.mongo import Document, MongoDatabase

log = structlog.get_logger()

Queue = Literal["page", "digest"]
"""The outward queues. Inbox notices are posted in a transaction of this database (`Inbox`)."""

LEASE_MS = 5_000
"""Renewed while the attempt is under way. A dead worker holds up its pages for no longer than this."""

RENEW_SECONDS = 1.0
FARTHEST_MS = 60_000
"""A lease that ends further ahead than this is treated as corrupt."""

SET_CLOCK_SECONDS = 60.0
SKEW_SECONDS = 2.0
"""A larger difference between the local clock and the database server's is logged."""

FREE: Document = {
    "$or": [
        {"leased_until": None},
        {"$expr": {"$lt": ["$leased_until", "$$NOW"]}},
        {"$expr": {"$gt": ["$leased_until", {"$add": ["$$NOW", FARTHEST_MS]}]}},
    ]
}
"""Matches unclaimed deliveries: no lease, an expired one, or a corrupt one too far ahead."""

LEASED: Document = {"leased_until": {"$add": ["$$NOW", LEASE_MS]}}


class Claims:
    """The deliveries that this process has claimed and not ended yet."""

    def __init__(self, database: MongoDatabase) -> None:
        self._database, self._collection = database, database[DELIVERIES]
        self._tokens: dict[str, str] = {}
        self._renewed = self._clock_set = float("-inf")
        self._ahead = timedelta()
        """How far the database server's clock is ahead of the local one."""

    async def keep_up(self) -> None:
        """Renew this process's leases and check the server's clock, each when due."""
        await self._set_clock()
        if self._tokens and monotonic() - self._renewed >= RENEW_SECONDS:
            ours = {"_id": {"$in": list(self._tokens)}, "claim": {"$in": list(set(self._tokens.values()))}}
            await self._collection.update_many(ours, [{"$set": LEASED}])
            self._renewed = monotonic()

    async def _set_clock(self) -> None:
        if monotonic() - self._clock_set < SET_CLOCK_SECONDS:
            return
        self._clock_set, asked = monotonic(), datetime.now(UTC)
        told = await self._database.server_time()
        self._ahead = told - (asked + (datetime.now(UTC) - asked) / 2)
        if abs(self._ahead).total_seconds() > SKEW_SECONDS:
            log.warning("clock differs from MongoDB's", seconds=round(self._ahead.total_seconds(), 1))

    async def take(self, queue: Queue, now: datetime, room: int) -> list[tuple[str, str]]:
        """Claim what is due and free: (delivery id, fencing token) of at most `room` deliveries."""
        if room <= 0:
            return []
        query: Document = {**WAITING, "queue": queue, "next_attempt": {"$lte": now}, **FREE}
        query["_id"] = {"$nin": list(self._tokens)}
        cursor = self._collection.find(query, {"_id": 1}, limit=room, sort=[("next_attempt", 1)])
        ids = [row["_id"] async for row in cursor]
        if not ids:
            return []
        token = uuid4().hex
        lease = {"claim": token, **LEASED}
        await self._collection.update_many(
            {"_id": {"$in": ids}, **WAITING, **FREE},
            [{"$set": {**lease, "version": {"$add": ["$version", 1]}}}],
        )
        won = self._collection.find({"_id": {"$in": ids}, "claim": token}, {"_id": 1})
        return [(row["_id"], token) async for row in won]

    def claimed(self, delivery: Delivery) -> Delivery:
        """Claim a delivery for this process before it is first stored."""
        leased_until = datetime.now(UTC) + self._ahead + timedelta(milliseconds=LEASE_MS)
        return delivery.model_copy(update={"claim": uuid4().hex, "leased_until": leased_until})

    async def extend(self, delivery_id: str, token: str) -> bool:
        """Restart the lease. `False` if another worker has claimed the delivery or it has ended."""
        ours = {"_id": delivery_id, "claim": token, **WAITING}
        return bool((await self._collection.update_one(ours, [{"$set": LEASED}])).matched_count)

    def hold(self, delivery_id: str, token: str) -> None:
        """Renew this lease from now on."""
        self._tokens[delivery_id] = token

    def let_go(self, delivery_id: str, token: str) -> None:
        """Stop renewing this lease, unless the delivery has been claimed again under another token."""
        if self._tokens.get(delivery_id) == token:
            del self._tokens[delivery_id]
