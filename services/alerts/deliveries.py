"""Carrying deliveries out, outside of any transaction (the inbox alone is posted to within one).

A worker claims a delivery with a fencing token, asks once more whether anybody still needs it, sends it,
and records how it went; whoever lost the claim meanwhile records nothing. A worker that dies leaves the
delivery to the next one: at least once, under the same id. A page is claimed by the transaction that makes
it, and sent the moment that is committed: what was read for that transaction is not read again within
`FRESH_SECONDS`.
"""

import asyncio
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from time import monotonic
from typing import Literal
from uuid import uuid4

import structlog

from services.alerts.channels import Channel, Message
from services.alerts.domain.delivery import Delivery
from services.alerts.domain.telling import why_not
from services.alerts.inbox import Inbox
from services.alerts.metrics import FirstAttempts, observe_page
from services.alerts.recording import conclude, load_for, load_round
from services.alerts.sending import Attempted, send
from services.alerts.store import DELIVERIES, WAITING, AlertsWork, next_attempt
from services.alerts.transactions import OpenWork, decided
from shared.mongo import Document, MongoDatabase

log = structlog.get_logger()

Queue = Literal["page", "digest"]
SLOTS: Mapping[Queue, int] = {"page": 48, "digest": 16}
"""Attempts under way at once, per process: digests never take the place of pages. Units of work that are
committed at the same moment may each fill what room they saw."""

LEASE_MS = 5_000
"""Renewed while the attempt is under way: a worker that died holds up its pages for no longer."""

RENEW_SECONDS = 1.0
FARTHEST_MS = 60_000
"""A lease that claims to run longer than this is broken."""

FRESH_SECONDS = 0.1
"""How long what a unit of work has read is believed: a commit may be answered late, a process be stopped."""

SET_CLOCK_SECONDS = 60.0
SKEW_SECONDS = 2.0
"""Further apart than this, our clock and the database server's are worth a word in the log."""

FREE: Document = {
    "$or": [
        {"leased_until": None},
        {"$expr": {"$lt": ["$leased_until", "$$NOW"]}},
        {"$expr": {"$gt": ["$leased_until", {"$add": ["$$NOW", FARTHEST_MS]}]}},
    ]
}
"""Not being tried by anybody, by the database server's clock; a lease too far ahead is broken."""

LEASED: Document = {"leased_until": {"$add": ["$$NOW", LEASE_MS]}}


class Deliveries:
    """A ticker that hands attempts to tasks, so that a far end that hangs holds up nobody else."""

    name = "deliveries"

    def __init__(
        self,
        *,
        database: MongoDatabase,
        open_work: OpenWork,
        channels: Mapping[str, Channel],
        public_url: str,
    ) -> None:
        self._database, self._open_work = database, open_work
        self._channels, self._public_url = channels, public_url.rstrip("/")
        self._recording = asyncio.Lock()
        self.inbox = Inbox(database, open_work, self._recording)
        self._under_way: dict[Queue, set[asyncio.Task[None]]] = {queue: set() for queue in SLOTS}
        self._claims: dict[str, str] = {}
        """Fencing tokens of the deliveries under way, by delivery id."""
        self._renewed = self._clock_set = float("-inf")
        self._ahead = timedelta()
        """How far the database server's clock is ahead of ours: leases are by its clock."""
        self._first_attempts = FirstAttempts()

    async def tick(self, now: datetime) -> int:
        """Start as many attempts as there is room for. It waits for no attempt and no recording."""
        await self._set_clock()
        await self._renew()
        started = 0
        for queue in self._under_way:
            for delivery_id, claim in await self._claim(queue, now):
                self._start(queue, delivery_id, claim, self._open_work())
                started += 1
        return started

    def reserve(self, page: Delivery, reserved: int) -> Delivery:
        """See `FirstTries`."""
        if len(self._under_way["page"]) + reserved >= SLOTS["page"]:
            return page
        leased_until = datetime.now(UTC) + self._ahead + timedelta(milliseconds=LEASE_MS)
        return page.model_copy(update={"claim": uuid4().hex, "leased_until": leased_until})

    def begin(self, page: Delivery, work: AlertsWork) -> None:
        """See `FirstTries`."""
        assert page.claim is not None  # noqa: S101 (reserve set it)
        self._start("page", page.id, page.claim, work)

    async def _set_clock(self) -> None:
        if monotonic() - self._clock_set < SET_CLOCK_SECONDS:
            return
        self._clock_set, asked = monotonic(), datetime.now(UTC)
        told = await self._database.server_time()
        self._ahead = told - (asked + (datetime.now(UTC) - asked) / 2)
        if abs(self._ahead).total_seconds() > SKEW_SECONDS:
            log.warning("clock differs from MongoDB's", seconds=round(self._ahead.total_seconds(), 1))

    async def _renew(self) -> None:
        if not self._claims or monotonic() - self._renewed < RENEW_SECONDS:
            return
        ours = {"_id": {"$in": list(self._claims)}, "claim": {"$in": list(set(self._claims.values()))}}
        await self._database[DELIVERIES].update_many(ours, [{"$set": LEASED}])
        self._renewed = monotonic()

    async def due(self) -> datetime | None:
        """The next attempt, an inbox's as well; one under way is due until it has ended."""
        return await next_attempt(self._database, "inbox", *SLOTS)

    async def idle(self) -> None:
        """Wait for the attempts under way."""
        while tasks := [task for running in self._under_way.values() for task in running]:
            await asyncio.gather(*tasks)

    async def _claim(self, queue: Queue, now: datetime) -> list[tuple[str, str]]:
        """(delivery id, fencing token) of deliveries that are now ours to try."""
        room = SLOTS[queue] - len(self._under_way[queue])
        query: Document = {**WAITING, "queue": queue, "next_attempt": {"$lte": now}, **FREE}
        query["_id"] = {"$nin": list(self._claims)}
        collection = self._database[DELIVERIES]
        if room <= 0:
            return []
        cursor = collection.find(query, {"_id": 1}, limit=room, sort=[("next_attempt", 1)])
        ids = [row["_id"] async for row in cursor]
        if not ids:
            return []
        token = uuid4().hex
        lease = {"claim": token, **LEASED}
        await collection.update_many(
            {"_id": {"$in": ids}, **WAITING, **FREE},
            [{"$set": {**lease, "version": {"$add": ["$version", 1]}}}],
        )
        won = collection.find({"_id": {"$in": ids}, "claim": token}, {"_id": 1})
        return [(row["_id"], token) async for row in won]

    def _start(self, queue: Queue, delivery_id: str, claim: str, work: AlertsWork) -> None:
        """`work`: what it has in hand is not read again before the attempt, unless that was a while ago."""
        carrying = self._carry_out(delivery_id, claim, work)
        task = asyncio.create_task(carrying, name=f"delivery-{delivery_id}")
        self._under_way[queue].add(task)
        self._claims[delivery_id] = claim
        task.add_done_callback(lambda task: self._end(queue, delivery_id, claim, task))

    def _end(self, queue: Queue, delivery_id: str, claim: str, task: "asyncio.Task[None]") -> None:
        self._under_way[queue].discard(task)
        if self._claims.get(delivery_id) == claim:
            del self._claims[delivery_id]

    async def _carry_out(self, delivery_id: str, claim: str, work: AlertsWork) -> None:
        try:
            attempted = await self._attempt(work, delivery_id, claim)
            if attempted is not None:
                record = partial(self._record, delivery_id=delivery_id, claim=claim, attempted=attempted)
                async with self._recording:
                    await decided(self._open_work, record)
        except Exception as error:  # the lease runs out and somebody tries again, under the same id
            log.warning("delivery not recorded", delivery_id=delivery_id, error=type(error).__name__)

    async def _attempt(self, work: AlertsWork, delivery_id: str, claim: str) -> Attempted | None:
        """Ask once more, then send; `None` if the claim was lost."""
        if work.age > FRESH_SECONDS:
            if not await self._keep_claim(delivery_id, claim):
                return None
            work = self._open_work()
        await work.deliveries.load([delivery_id])
        delivery = work.deliveries[delivery_id]
        if delivery.claim != claim or delivery.state != "pending":
            return None
        contact = work.on_call.contact(delivery.contact_id)
        address = None if contact is None else contact.address(delivery.channel)
        channel = self._channels.get(delivery.channel)
        await load_for(work, [delivery])
        reason = why_not(delivery, [work.alerts[id] for id in delivery.alert_ids])
        if reason is not None:
            return Attempted("skipped", reason)
        if address is None:
            return Attempted("failed", "contact_unknown", for_good=True)
        if channel is None:
            return Attempted("failed", "channel_unavailable", for_good=True)
        self._first_attempts.note(delivery, self._open_work().now)
        going_first = self._database.precedence.urgent if delivery.queue == "page" else nullcontext
        with going_first():
            return await send(channel, address, delivery, self._message(delivery))

    async def _keep_claim(self, delivery_id: str, claim: str) -> bool:
        """Begin the lease anew; `False` if somebody else has the delivery by now."""
        ours = {"_id": delivery_id, "claim": claim, **WAITING}
        return bool((await self._database[DELIVERIES].update_one(ours, [{"$set": LEASED}])).matched_count)

    async def _record(self, work: AlertsWork, *, delivery_id: str, claim: str, attempted: Attempted) -> int:
        await work.deliveries.load([delivery_id])
        delivery = work.deliveries[delivery_id]
        if delivery.claim != claim or delivery.state != "pending":
            work.note("delivery", "claim_lost")
            return 0
        await load_for(work, [delivery])
        await load_round(work, delivery)
        work.cause = replace(work.cause, traceparent=delivery.traceparent)
        after = attempted.applied(delivery, work.now)
        if after.state == "delivered" and not _was_reached(work, delivery):
            work.once_committed(partial(observe_page, "delivered", after, work.now))
        if after.state == "pending":
            work.deliveries.save(after)
        else:
            conclude(work, after)
        return 1

    def _message(self, delivery: Delivery) -> Message:
        path = f"alerts/{delivery.leads_with}" if len(delivery.alert_ids) == 1 else "alerts/notices"
        return Message(delivery.id, delivery.alert_ids, delivery.severity, f"{self._public_url}/{path}")


def _was_reached(work: AlertsWork, page: Delivery) -> bool:
    """Whether another page of the same round has reached somebody, outwardly."""
    return any(
        other.state == "delivered" and other.channel != "inbox" and other.id != page.id
        for other in work.deliveries
        if (other.leads_with, other.round) == (page.leads_with, page.round)
    )
