"""Metrics of crises and notifications: codes and times, never whom they are about."""

from collections.abc import Iterable
from datetime import datetime
from typing import get_args

from prometheus_client import Counter, Gauge, Histogram

from services.alerts.domain.alert import SEVERITIES, Alert
from services.alerts.domain.delivery import Delivery
from services.alerts.domain.reasons import AttemptFailure
from services.alerts.events import AlertAcknowledged
from shared import tracing

TIME_TO_PAGE = Histogram(
    "kith_crisis_time_to_page_seconds",
    "From the moment a crisis flag was accepted until somebody was first tried, and first reached, outwardly",
    ["stage"],
    buckets=(0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900),
)
ACKNOWLEDGED = Histogram(
    "kith_acknowledgement_seconds",
    "From the raising of an alert until it was first acknowledged",
    ["kind", "severity", "in_time"],
    buckets=(30, 60, 120, 300, 600, 900, 1800, 3600, 14_400, 86_400, 604_800),
)
ATTEMPTS = Counter(
    "kith_notification_attempts", "Attempts to notify, by how they ended", ["channel", "result", "reason"]
)
UNACKNOWLEDGED = Gauge("kith_crises_unacknowledged", "Crises that nobody has taken")
ANSWER_OVERDUE = Gauge(
    "kith_crisis_answer_overdue_seconds",
    "How long the answer to a crisis that nobody has taken is overdue, the longest",
    ["severity"],
)

SYNTHETIC = "watchdog"
"""The clinic reserved for synthetic crises, which a program answers."""

REMEMBERED = 1000

# Create the series at 0: Prometheus sees no increase in the first value of a series, so the first late page
# or answer after a start would otherwise not count.
for _stage in ("attempted", "delivered"):
    TIME_TO_PAGE.labels(_stage)
for _severity in SEVERITIES:
    for _in_time in ("true", "false"):
        ACKNOWLEDGED.labels("crisis", _severity, _in_time)


def count_attempts_from_zero(channels: Iterable[str]) -> None:
    """Create the series for every way in which an attempt over these channels may end."""
    for channel in channels:
        ATTEMPTS.labels(channel, "delivered", "delivered")
        for reason in get_args(AttemptFailure):
            ATTEMPTS.labels(channel, "failed", reason)


class FirstAttempts:
    """The rounds of alerts for which this process has tried a page: each counts once."""

    def __init__(self) -> None:
        self._tried: dict[tuple[str, int], None] = {}

    def note(self, page: Delivery, now: datetime) -> None:
        about = (page.leads_with, page.round)
        if page.flagged_at is None or page.attempts or about in self._tried:
            return
        self._tried[about] = None
        if len(self._tried) > REMEMBERED:
            del self._tried[next(iter(self._tried))]
        observe_page("attempted", page, now)


def observe_page(stage: str, page: Delivery, now: datetime) -> None:
    """Observe a page that a flag caused. `stage`: `attempted` or `delivered`."""
    if page.flagged_at is not None:
        seconds = max(0.0, (now - page.flagged_at).total_seconds())
        TIME_TO_PAGE.labels(stage).observe(seconds, tracing.exemplar(page.traceparent))


def observe_answer(alert: Alert, event: AlertAcknowledged) -> None:
    """Observe the first answer to an alert. Taking it over, or taking it again later, is not counted.

    `alert`: its state after the answer.
    """
    if alert.times_taken > 1:
        return
    kind = "synthetic" if alert.clinic_id == SYNTHETIC else "crisis" if alert.kind == "crisis" else "other"
    counted = ACKNOWLEDGED.labels(kind, alert.severity, str(event.in_time).lower())
    counted.observe(max(0.0, (event.acknowledged_at - alert.raised_at).total_seconds()))
