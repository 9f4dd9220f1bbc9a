"""The figures of one window: requests, their outcomes, and the delays of effects and pages."""

from collections import Counter
from dataclasses import dataclass, field

from tests.chaos.checks.crises import AT_ONCE
from tests.chaos.checks.violation import Violation
from tests.chaos.desks import request_id
from tests.chaos.history import History


@dataclass
class WindowResult:
    """In seconds. `effect`: from an acknowledgement to its first message in a topic. `page`: from a crisis
    flag's acknowledgement to the first page about it. The worst of each is kept.
    """

    number: int
    faults: tuple[str, ...]
    clock: str
    took: float = 0.0
    played: float = 0.0
    """The part of `took` until the stack was at rest; the checker takes the rest."""
    struck: float | None = None
    hits: int = 0
    """Number of its faults that took effect."""
    missed: int = 0
    """Number of faults without effect: impossible, or never at their point."""
    ready: float | None = None
    is_ready: bool = True
    effect: float | None = None
    page: float | None = None
    acknowledged: int = 0
    refused: int = 0
    unknown: int = 0
    """Attempts without a conclusive answer; each was retried."""
    notes: list[str] = field(default_factory=list)
    violations: list[Violation] = field(default_factory=list)

    @property
    def name(self) -> str:
        return " + ".join(self.faults) or "none"

    @property
    def is_stuck(self) -> bool:
        return any(violation.kind == "stuck" for violation in self.violations)

    @property
    def struck_nothing(self) -> bool:
        """Whether any of its faults had no effect."""
        return self.missed > 0


def measure(result: WindowResult, history: History) -> None:
    """Fill in the figures from the window's ledger, topics and pages."""
    counts = Counter(entry.outcome for entry in history.entries if entry.window == result.number)
    result.acknowledged, result.refused = counts["acknowledged"], counts["refused"]
    result.unknown = counts["unknown"]
    acknowledged = {
        request_id(key): entry.at
        for key, entry in history.known.acknowledged.items()
        if entry.window == result.number
    }
    result.effect = max(_effects(history, acknowledged), default=None)
    result.page = max(_pages(history, acknowledged), default=None)


def _effects(history: History, acknowledged: dict[str, float]) -> list[float]:
    seen: dict[str, float] = {}
    for record in history.published:
        if record.correlation in acknowledged:
            seen.setdefault(record.correlation, record.seen)
    return [max(0.0, at - acknowledged[story]) for story, at in seen.items()]


def _pages(history: History, acknowledged: dict[str, float]) -> list[float]:
    """Delays of pages about flags that must be paged at once."""
    alert_of = {
        evidence["id"]: alert["_id"]
        for alert in history.rows("alerts.alerts")
        for evidence in alert.get("evidence", ())
    }
    delays = []
    for flag in history.of_type("CrisisFlagRaised"):
        since = acknowledged.get(flag.correlation)
        alert = alert_of.get(flag.body["flag_id"])
        if since is not None and alert is not None and flag.body["severity"] in AT_ONCE:
            rang = [p.at for p in history.pages if alert in p.alert_ids and p.at >= since - 10]
            delays += [max(0.0, min(rang) - since)] if rang else []
    return delays
