"""What happens to alerts by the clock: escalations, leases, overdue obligations, digests."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Literal

import structlog

from services.alerts.domain import concerns, digest, escalation
from services.alerts.domain.alert import Alert, Outcome
from services.alerts.domain.concerns import Concern
from services.alerts.domain.roster import OnCall
from services.alerts.store import ALERTS, WAITING, AlertsWork
from services.alerts.transactions import OpenWork, decided
from shared.messaging.work import Conflict
from shared.mongo import Document, MongoDatabase, is_transient

log = structlog.get_logger()

Lane = Literal["page", "digest"]
Rule = Callable[[Sequence[Alert], OnCall, datetime], list[Outcome]]
"""What becomes of alerts that are due."""

AGAIN = timedelta(minutes=1)
"""How soon an alert that could not be dealt with is tried again."""


def escalated(alerts: Sequence[Alert], on_call: OnCall, now: datetime) -> list[Outcome]:
    return [escalation.when_due(alert, on_call, now) for alert in alerts]


class DueAlerts:
    """Claims due alerts of one lane in batches: whoever commits first has them, the other looks again."""

    def __init__(
        self, lane: Lane, rule: Rule, *, database: MongoDatabase, open_work: OpenWork, batch: int = 200
    ) -> None:
        self.name = "escalations" if lane == "page" else "digests"
        self._lane, self._rule = lane, rule
        self._database, self._open_work, self._batch = database, open_work, batch

    async def tick(self, now: datetime) -> int:
        try:
            return await decided(self._open_work, partial(self._fire, now=now))
        except Exception as error:
            if isinstance(error, Conflict) or is_transient(error):
                raise
            return await self._one_by_one(now)

    async def due(self) -> datetime | None:
        query: Document = {**WAITING, "lane": self._lane}
        row = await self._database[ALERTS].find_one(query, {"next_due": 1}, sort=[("next_due", 1)])
        return None if row is None else row["next_due"]

    async def _fire(self, work: AlertsWork, now: datetime) -> int:
        found = await work.alerts.find(self._due_by(now), limit=self._batch, sort=[("next_due", 1)])
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

    async def _one_by_one(self, now: datetime) -> int:
        """One alert that cannot be read or decided must not hold up the others."""
        cursor = self._database[ALERTS].find(self._due_by(now), {"_id": 1}, limit=self._batch)
        done = 0
        for alert_id in [row["_id"] async for row in cursor]:
            try:
                done += await decided(self._open_work, partial(self._fire_one, alert_id=alert_id))
            except Exception as error:
                if isinstance(error, Conflict) or is_transient(error):
                    raise
                log.error("alert set aside for a minute", alert_id=alert_id, error=type(error).__name__)
                await self._set_aside(alert_id, now)
        return done

    async def _fire_one(self, work: AlertsWork, alert_id: str) -> int:
        await work.alerts.load([alert_id])
        return self._keep(work, [work.alerts[alert_id]])

    async def _set_aside(self, alert_id: str, now: datetime) -> None:
        """Try it again in a minute, and let engineers know."""
        await self._database[ALERTS].update_one({"_id": alert_id}, {"$set": {"next_due": now + AGAIN}})
        await decided(self._open_work, partial(_alert_engineers, alert_id=alert_id))


async def _alert_engineers(work: AlertsWork, alert_id: str) -> int:
    about = concerns.dead_letters("alerts", "alert_unreadable")
    await work.load_about({about})
    concern = Concern("dead_letter", "high", "alert_unreadable", about)
    origin = concerns.origin_of_dead_letter(alert_id)
    work.keep(
        concerns.raise_or_join(work.live("dead_letter", about), concern, origin, work.on_call, work.now)
    )
    return 1


def due_alerts(database: MongoDatabase, open_work: OpenWork) -> tuple[DueAlerts, DueAlerts]:
    """Escalations and digests."""
    return (
        DueAlerts("page", escalated, database=database, open_work=open_work),
        DueAlerts("digest", digest.when_due, database=database, open_work=open_work, batch=500),
    )
