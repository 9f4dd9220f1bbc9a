"""Time-driven changes to alerts: escalations, leases, overdue obligations, digests."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Literal

from services.alerts import unreadable
from services.alerts.domain import digest, escalation
from services.alerts.domain.alert import Alert, Outcome
from services.alerts.domain.roster import OnCall
from services.alerts.store import ALERTS, WAITING, AlertsWork
from services.alerts.transactions import OpenWork, decided
from shared.adaptive_size import AdaptiveSize
from shared.messaging.work import is_retryable
from shared.mongo import Document, MongoDatabase

Lane = Literal["page", "digest"]
Rule = Callable[[Sequence[Alert], OnCall, datetime], list[Outcome]]
"""Computes the outcomes of alerts that are due."""


def escalated(alerts: Sequence[Alert], on_call: OnCall, now: datetime) -> list[Outcome]:
    return [escalation.when_due(alert, on_call, now) for alert in alerts]


class DueAlerts:
    """Processes due alerts of one lane in batches. The first replica to commit wins, and others retry."""

    def __init__(
        self, lane: Lane, rule: Rule, *, database: MongoDatabase, open_work: OpenWork, batch: int = 200
    ) -> None:
        self.name = "escalations" if lane == "page" else "digests"
        self._lane, self._rule = lane, rule
        self._database, self._open_work, self._size = database, open_work, AdaptiveSize(batch)

    async def tick(self, now: datetime) -> int:
        for otherwise in (self._weigh, self._fire_alone):
            try:
                with self._size.taken() as size:
                    return await decided(self._open_work, partial(self._fire, now=now, limit=size))
            except Exception as error:
                if is_retryable(error):
                    raise
            if done := await self._each(otherwise, now):
                return done
        return 0

    async def due(self) -> datetime | None:
        query: Document = {**WAITING, "lane": self._lane}
        row = await self._database[ALERTS].find_one(query, {"next_due": 1}, sort=[("next_due", 1)])
        return None if row is None else row["next_due"]

    async def _fire(self, work: AlertsWork, now: datetime, limit: int) -> int:
        found = await work.alerts.find(self._due_by(now), limit=limit, sort=[("next_due", 1)])
        return self._keep(work, found)

    def _keep(self, work: AlertsWork, found: Sequence[Alert]) -> int:
        before = {alert.id: alert for alert in found}
        outcomes = self._rule(found, work.on_call, work.now)
        changed = [outcome for outcome in outcomes if outcome.alert != before[outcome.alert.id]]
        for outcome in changed:
            work.keep(outcome)
        return len(changed)

    def _due_by(self, now: datetime) -> Document:
        return {**WAITING, "lane": self._lane, "next_due": {"$lte": now}}

    async def _each(self, attempt: Callable[[str, datetime], Awaitable[int]], now: datetime) -> int:
        """Set aside each alert that cannot be read or decided, so that it does not hold up the others."""
        due, size = self._due_by(now), self._size.size
        rows = self._database[ALERTS].find(due, {"_id": 1}, limit=size, sort=[("next_due", 1)])
        done = 0
        for alert_id in [row["_id"] async for row in rows]:
            try:
                done += await attempt(alert_id, now)
            except Exception as error:
                if is_retryable(error):
                    raise
                await unreadable.set_aside(self._database, self._open_work, ALERTS, alert_id, error, now)
                done += 1
        return done

    async def _weigh(self, alert_id: str, now: datetime) -> int:
        """Check that it can be read and decided. Saves nothing, so that the good ones remain one batch."""
        await self._fire_one(self._open_work(), alert_id, now)
        return 0

    async def _fire_alone(self, alert_id: str, now: datetime) -> int:
        return await decided(self._open_work, partial(self._fire_one, alert_id=alert_id, now=now))

    async def _fire_one(self, work: AlertsWork, alert_id: str, now: datetime) -> int:
        """Process one alert, unless another replica already has."""
        return self._keep(work, await work.alerts.find({"_id": alert_id, **self._due_by(now)}))


def due_alerts(database: MongoDatabase, open_work: OpenWork) -> tuple[DueAlerts, DueAlerts]:
    """The tickers for escalations and digests."""
    return (
        DueAlerts("page", escalated, database=database, open_work=open_work),
        DueAlerts("digest", digest.when_due, database=database, open_work=open_work, batch=500),
    )
