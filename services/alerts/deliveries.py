"""Carry out deliveries, outside of any transaction (only inbox notices are posted within one).

A worker claims a delivery, checks that it is still needed, sends it and records the outcome: at least once,
under the same id. A page is claimed by the transaction that creates it and sent as soon as that commits.
Documents read by that transaction are reused for `FRESH_SECONDS`.
"""

import asyncio
from collections.abc import Mapping
from contextlib import nullcontext, suppress
from dataclasses import replace
from datetime import datetime
from functools import partial

import structlog

from services.alerts import unreadable
from services.alerts.channels import Channel, Message
from services.alerts.claims import Claims, Queue
from services.alerts.domain.delivery import Delivery
from services.alerts.domain.telling import why_not
from services.alerts.inbox import Inbox
from services.alerts.metrics import FirstAttempts, observe_page
from services.alerts.recording import conclude, load_for, states_beside
from services.alerts.sending import Attempted, send
from services.alerts.store import DELIVERIES, AlertsWork, next_attempt
from services.alerts.transactions import OpenWork, decided
from shared.messaging.work import Conflict
from shared.mongo import MongoDatabase, PyMongoError

log = structlog.get_logger()

SLOTS: Mapping[Queue, int] = {"page": 48, "digest": 16}
"""Maximum concurrent attempts per process and queue, so that digests never take slots from pages. Units of
work that commit at the same moment may together exceed it, because each saw the same free slots."""

FRESH_SECONDS = 0.1
"""How long documents already read are trusted before an attempt. Older ones are read again, because the
commit may have been acknowledged late or the process suspended."""


class Deliveries:
    """A ticker that runs each attempt in its own task, so that a hanging far end delays no other delivery."""

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
        self.claims = Claims(database)
        self._first_attempts = FirstAttempts()

    async def tick(self, now: datetime) -> int:
        """Start as many attempts as there are free slots, without waiting for any attempt or recording."""
        await self.claims.keep_up()
        started = 0
        for queue in self._under_way:
            for delivery_id, claim in await self.claims.take(queue, now, self._room(queue)):
                self._start(queue, delivery_id, claim, self._open_work())
                started += 1
        return started

    def reserve(self, page: Delivery, reserved: int) -> Delivery:
        """See `FirstTries`."""
        return self.claims.claimed(page) if self._room("page") > reserved else page

    def begin(self, page: Delivery, work: AlertsWork) -> None:
        """See `FirstTries`."""
        assert page.claim is not None  # noqa: S101 (reserve set it)
        self._start("page", page.id, page.claim, work)

    def _room(self, queue: Queue) -> int:
        return SLOTS[queue] - len(self._under_way[queue])

    async def due(self) -> datetime | None:
        """When the next attempt is due, inbox included. An attempt under way stays due until it has ended."""
        return await next_attempt(self._database, "inbox", *SLOTS)

    async def idle(self) -> None:
        """Wait for the attempts under way."""
        while tasks := [task for running in self._under_way.values() for task in running]:
            await asyncio.gather(*tasks)

    def _start(self, queue: Queue, delivery_id: str, claim: str, work: AlertsWork) -> None:
        """`work`: its documents are reused for the attempt unless it is older than `FRESH_SECONDS`."""
        carrying = self._carry_out(delivery_id, claim, work)
        task = asyncio.create_task(carrying, name=f"delivery-{delivery_id}")
        self._under_way[queue].add(task)
        self.claims.hold(delivery_id, claim)
        task.add_done_callback(lambda task: self._end(queue, delivery_id, claim, task))

    def _end(self, queue: Queue, delivery_id: str, claim: str, task: "asyncio.Task[None]") -> None:
        self._under_way[queue].discard(task)
        self.claims.let_go(delivery_id, claim)

    async def _carry_out(self, delivery_id: str, claim: str, work: AlertsWork) -> None:
        try:
            attempted = await self._attempt(work, delivery_id, claim)
            if attempted is not None:
                record = partial(self._record, delivery_id=delivery_id, claim=claim, attempted=attempted)
                async with self._recording:
                    await decided(self._open_work, record)
        except (Conflict, PyMongoError) as error:
            # The lease expires, and a worker tries again under the same id.
            log.warning("delivery not recorded", delivery_id=delivery_id, error=type(error).__name__)
        except Exception as error:
            await self._set_aside(delivery_id, error)

    async def _set_aside(self, delivery_id: str, error: Exception) -> None:
        now = self._open_work().now
        with suppress(Exception):  # reported again at the next attempt
            await unreadable.set_aside(self._database, self._open_work, DELIVERIES, delivery_id, error, now)

    async def _attempt(self, work: AlertsWork, delivery_id: str, claim: str) -> Attempted | None:
        """Check that it is still needed, then send. `None` if the claim was lost or the delivery ended."""
        if work.age > FRESH_SECONDS:
            if not await self.claims.extend(delivery_id, claim):
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

    async def _record(self, work: AlertsWork, *, delivery_id: str, claim: str, attempted: Attempted) -> int:
        await work.deliveries.load([delivery_id])
        delivery = work.deliveries[delivery_id]
        if delivery.claim != claim or delivery.state != "pending":
            work.note("delivery", "claim_lost")
            return 0
        await load_for(work, [delivery])
        beside = await states_beside(work, delivery)
        work.cause = replace(work.cause, traceparent=delivery.traceparent)
        after = attempted.applied(delivery, work.now)
        if after.state == "delivered" and "delivered" not in beside[delivery.leads_with]:
            work.once_committed(partial(observe_page, "delivered", after, work.now))
        if after.state == "pending":
            work.deliveries.save(after)
        else:
            conclude(work, after, beside)
        return 1

    def _message(self, delivery: Delivery) -> Message:
        path = f"alerts/{delivery.leads_with}" if len(delivery.alert_ids) == 1 else "alerts/notices"
        return Message(delivery.id, delivery.alert_ids, delivery.severity, f"{self._public_url}/{path}")
