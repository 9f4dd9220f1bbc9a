"""What engineers watch in alerts besides what they watch in every service."""

from datetime import datetime

from services.alerts.metrics import OLDEST_UNACKNOWLEDGED, UNACKNOWLEDGED
from services.alerts.store import ALERTS, LIVE
from shared.mongo import Document, MongoDatabase


async def look_at_crises(database: MongoDatabase, now: datetime) -> None:
    """Refreshes the gauges of crises that wait for an answer."""
    query: Document = {"kind": "crisis", **LIVE, "state": "open"}
    found = await database[ALERTS].find(query, {"raised_at": 1}).to_list(None)
    oldest = min((row["raised_at"] for row in found), default=now)
    UNACKNOWLEDGED.set(len(found))
    OLDEST_UNACKNOWLEDGED.set(max(0.0, (now - oldest).total_seconds()))
