"""Monitoring specific to alerts, in addition to that of every service."""

import asyncio
from datetime import datetime
from typing import get_args

import structlog

from services.alerts.domain.roster import OnCall
from services.alerts.events import Severity
from services.alerts.metrics import ANSWER_OVERDUE, UNACKNOWLEDGED
from services.alerts.store import ALERTS, LIVE
from shared.mongo import Document, MongoDatabase

log = structlog.get_logger()


async def look_at_crises(database: MongoDatabase, now: datetime) -> None:
    """Refresh the gauges of crises that wait for an answer.

    A crisis may rightly wait, until clinic hours begin or for a new answer after a lease expired. So the
    gauge measures how long the current answer is overdue, not how old the crisis is.
    """
    query: Document = {"kind": "crisis", **LIVE, "state": "open"}
    found = await database[ALERTS].find(query, {"severity": 1, "obligations": 1}).to_list(None)
    overdue = dict.fromkeys(get_args(Severity), 0.0)
    for row in found:
        owed = [o["due_at"] for o in row["obligations"] if o["kind"] == "acknowledge"]
        late = (now - owed[-1]).total_seconds() if owed else 0.0
        overdue[row["severity"]] = max(late, overdue[row["severity"]])
    UNACKNOWLEDGED.set(len(found))
    for severity, seconds in overdue.items():
        ANSWER_OVERDUE.labels(severity).set(seconds)


async def look_at_rosters(on_call: OnCall, _: asyncio.Event) -> None:
    """Log rosters without a clinic at start. Refusing to start over them would leave all clinics unpaged."""
    if on_call.strangers:
        log.error("clinics are on call that the clinics file does not have", clinics=on_call.strangers)
