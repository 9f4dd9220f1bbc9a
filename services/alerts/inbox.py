"""The inbox channel. It is in this database: notice and outcome commit in one transaction, exactly once."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from functools import partial

from services.alerts import unreadable
from services.alerts.domain.delivery import Delivery, delivered, skipped
from services.alerts.domain.telling import why_not
from services.alerts.recording import conclude, load_for
from services.alerts.store import DELIVERIES, WAITING, AlertsWork, Notice, next_attempt
from services.alerts.transactions import OpenWork, decided
from shared.messaging.work import is_retryable
from shared.mongo import Document, MongoDatabase

AT_ONCE = 200


class Inbox:
    """A ticker. `recording`: a lock held while the end of a delivery is recorded. Several often end at once
    for the same alert, and would conflict if they were not recorded one after the other."""

    name = "inbox"

    def __init__(self, database: MongoDatabase, open_work: OpenWork, recording: asyncio.Lock) -> None:
        self._database, self._open_work, self._recording = database, open_work, recording

    async def tick(self, now: datetime) -> int:
        """Post due notices, after pages because an inbox wakes nobody. Returns how many deliveries ended."""
        await self._database.precedence.give_way()
        async with self._recording:
            return await self._post(now)

    async def due(self) -> datetime | None:
        return await next_attempt(self._database, "inbox")

    async def _post(self, now: datetime) -> int:
        query: Document = {**WAITING, "queue": "inbox", "next_attempt": {"$lte": now}}
        try:
            return await decided(self._open_work, partial(_post, query=query))
        except Exception as error:
            if is_retryable(error):
                raise
            return await self._one_by_one(query, now)

    async def _one_by_one(self, query: Document, now: datetime) -> int:
        """Post deliveries one at a time, so that an unreadable one does not hold up the others."""
        done = 0
        found = self._database[DELIVERIES].find(query, {"_id": 1}, limit=AT_ONCE)
        for delivery_id in [row["_id"] async for row in found]:
            one: Document = {"_id": delivery_id, **WAITING}
            try:
                done += await decided(self._open_work, partial(_post, query=one))
            except Exception as error:
                if is_retryable(error):
                    raise
                await unreadable.set_aside(
                    self._database, self._open_work, DELIVERIES, delivery_id, error, now
                )
        return done


async def _post(work: AlertsWork, query: Document) -> int:
    found: Sequence[Delivery] = await work.deliveries.find(query, limit=AT_ONCE, sort=[("next_attempt", 1)])
    await load_for(work, found)
    for delivery in found:
        reason = why_not(delivery, [work.alerts[alert_id] for alert_id in delivery.alert_ids])
        if reason is not None:
            conclude(work, skipped(delivery, reason, work.now), {})
            continue
        work.notices.save(_notice(delivery, work.now))
        conclude(work, delivered(delivery, work.now), {})
    return len(found)


def _notice(delivery: Delivery, now: datetime) -> Notice:
    latest_first = 10**14 - int(now.timestamp() * 1000)
    return Notice(
        id=delivery.id,
        patient_id=delivery.patient_id,
        clinic_id=delivery.clinic_id,
        contact_id=delivery.contact_id,
        alert_ids=delivery.alert_ids,
        severity=delivery.severity,
        at=now,
        position=f"{latest_first:015d}{delivery.id}",
    )
