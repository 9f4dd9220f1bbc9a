"""Stored alerts and deliveries that cannot be read or decided on.

Each is postponed for a minute, so that it holds up nothing else, and reported. Engineers get one alert. If
they resolve it without repairing the document, they get another on the next day.
"""

from datetime import datetime, timedelta
from functools import partial

import structlog

from services.alerts.domain import concerns
from services.alerts.domain.alert import identify
from services.alerts.domain.concerns import Concern, Origin
from services.alerts.domain.reasons import RaiseReason
from services.alerts.store import ALERTS, DELIVERIES, WAITING, AlertsWork
from services.alerts.transactions import OpenWork, decided
from shared.mongo import MongoDatabase

log = structlog.get_logger()

AGAIN = timedelta(minutes=1)

REASONS: dict[str, RaiseReason] = {ALERTS: "alert_unreadable", DELIVERIES: "delivery_unreadable"}
DUE = {ALERTS: "next_due", DELIVERIES: "next_attempt"}


async def set_aside(
    database: MongoDatabase, open_work: OpenWork, collection: str, id: str, error: Exception, now: datetime
) -> None:
    """Postpone an alert or a delivery by a minute, and alert engineers."""
    log.error("set aside for a minute", collection=collection, id=id, error=type(error).__name__)
    await database[collection].update_one({"_id": id, **WAITING}, {"$set": {DUE[collection]: now + AGAIN}})
    await decided(open_work, partial(_alert_engineers, reason=REASONS[collection], id=id))


async def _alert_engineers(work: AlertsWork, reason: RaiseReason, id: str) -> int:
    about = concerns.dead_letters("alerts", reason)
    concern = Concern("dead_letter", "high", reason, about)
    origin = concerns.origin_of_dead_letter(f"{id}@{work.now.date()}")
    await work.load_dead_letters({about})
    alert = work.live("dead_letter", about)
    if alert is None and await _was_told(work, concern, origin):
        return 0
    work.keep(concerns.raise_or_join(alert, concern, origin, work.on_call, work.now))
    return 1


async def _was_told(work: AlertsWork, concern: Concern, origin: Origin) -> bool:
    """Whether this origin has already raised an alert, which has ended since."""
    id = identify(concern.kind, concern.about, origin.message_id)
    await work.alerts.load([id])
    return work.alerts.get(id) is not None
