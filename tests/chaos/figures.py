"""The figures of one window: what was asked, what became of it, how long effects and pages took."""

from collections import Counter
from dataclasses import dataclass, field

from tests.chaos.checks.crises import AT_ONCE
from tests.chaos.checks.violation import Violation
from tests.chaos.desks import request_id
from tests.chaos.history import History


@dataclass
class WindowResult:
    """Seconds. `effect`: from an acknowledgement to the first thing that it set going being in a topic;
    `page`: from a crisis flag's acknowledgement to the first telephone ringing about it. Worst of each.
    """

    number: int
    faults: tuple[str, ...]
    clock: str
    took: float = 0.0
    played: float = 0.0
    """Of `took`, until the stack had come to rest; the checker has the rest of it."""
    struck: float | None = None
    hits: int = 0
    """How many of its faults took effect."""
    missed: int = 0
    """How many took none: could not be done, or never came to their point."""
    ready: float | None = None
    is_ready: bool = True
    effect: float | None = None
    page: float | None = None
    acknowledged: int = 0
    refused: int = 0
    unknown: int = 0
    """Attempts without an answer; each was asked again."""
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
        """Whether one of its faults took no effect."""
        return self.missed > 0


def measure(result: WindowResult, history: History) -> None:
    """Fill in what the window's ledger, topics and pages say."""
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
    """Of flags that must be paged at once."""
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
