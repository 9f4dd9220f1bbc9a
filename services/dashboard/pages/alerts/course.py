"""The course of an alert: raised, escalated, acknowledged, assessed, resolved, each with its reason."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.dashboard.domain.alert import Alert
from services.dashboard.pages.alerts import words
from services.dashboard.pages.alerts.facts import Facts
from services.dashboard.pages.alerts.times import Times
from services.dashboard.store import STORY
from shared.mongo import Document, MongoDatabase

Said = Mapping[str, Any]
"""An event of the alerts service as it was announced."""


@dataclass(frozen=True)
class Entry:
    at: datetime
    what: str
    why: str = ""
    dot: str = ""
    """CSS class of the timeline's mark: `dot-crisis`, `dot-done` or none."""


async def announced(database: MongoDatabase, alert: Alert) -> list[tuple[str, Said]]:
    """Every event about an alert, in order; derived from its state if no story has any."""
    wanted: Document = {"patient_id": alert.patient_id, "said.alert_id": alert.id}
    rows = await database[STORY].find(wanted, sort=[("at", 1), ("sequence", 1)]).to_list(None)
    return [(row["type"], row["said"]) for row in rows] or list(remembered(alert))


def remembered(alert: Alert) -> Iterable[tuple[str, Said]]:
    """The events that can be derived from an alert's own state."""
    common = {"kind": alert.kind, "severity": alert.severity}
    yield "AlertRaised", {**common, "reason": alert.reason, "raised_at": alert.raised_at}
    for step in alert.climbed:
        yield "AlertEscalated", {**step.model_dump(), "escalated_at": step.at}
    if alert.acknowledged_at:
        yield "AlertAcknowledged", {"by": alert.acknowledged_by, "acknowledged_at": alert.acknowledged_at,
                                    "in_time": alert.in_time, "lease_until": alert.lease_until}  # fmt: skip
    if alert.assessed_at:
        yield "AlertAssessed", {"by": alert.assessed_by, "assessed_at": alert.assessed_at}
    if alert.resolved_at:
        yield "AlertResolved", {"by": alert.resolved_by, "disposition": alert.disposition,
                                "resolved_at": alert.resolved_at}  # fmt: skip


def course(events: Iterable[tuple[str, Said]], facts: Facts, times: Times) -> list[Entry]:
    """The events in words. Individual notifications are shown elsewhere."""
    return [entry for type, said in events if (entry := _entry(type, said, facts, times)) is not None]


def _entry(type: str, said: Said, facts: Facts, times: Times) -> Entry | None:
    match type:
        case "AlertRaised":
            dot = "dot-crisis" if said["kind"] == "crisis" else ""
            severity = words.word(words.SEVERITIES, said["severity"]).lower()
            reason = words.word(words.RAISED, said["reason"])
            return Entry(_at(said["raised_at"]), f"Raised, {severity}", reason, dot)
        case "AlertJoined":
            return _joined(said)
        case "AlertEscalated":
            return _climbed(said)
        case "AlertAcknowledged":
            return _taken(said, times)
        case "AlertHandedOver":
            what = f"{said['by']} handed it to {facts.who(said['contact_id'])}"
            asked = f"an answer was asked for by {times.at(_at(said['answer_by']))}"
            return Entry(_at(said["handed_over_at"]), what, asked)
        case "AlertAssessed":
            what = f"{said['by']} recorded an assessment"
            return Entry(_at(said["assessed_at"]), what, _overdue(said), dot="dot-done")
        case "AlertResolved":
            return _ended(said)
        case _:
            return None


def _joined(said: Said) -> Entry:
    severity, before = said["severity"], said.get("previous_severity", said["severity"])
    rose = f", now {words.word(words.SEVERITIES, severity).lower()}" if severity != before else ""
    return Entry(_at(said["joined_at"]), f"New evidence joined it{rose}",
                 words.word(words.RAISED, said["reason"]), "dot-crisis")  # fmt: skip


def _climbed(said: Said) -> Entry:
    step, roles = int(said["step"]) + 1, words.roles(said["role"])
    what = f"Step {step} was left out: {roles}" if said["reason"] == "step_empty" else f"Step {step}: {roles}"
    return Entry(_at(said["escalated_at"]), what, f"because {words.word(words.TOLD, said['reason'])}")


def _taken(said: Said, times: Times) -> Entry:
    timely = "in time" if said["in_time"] else "after the time allowed"
    lease = f", to be assessed by {times.at(_at(said['lease_until']))}" if said["lease_until"] else ""
    return Entry(_at(said["acknowledged_at"]), f"{said['by']} took it", timely + lease, "dot-done")


def _ended(said: Said) -> Entry:
    if said["by"] == "rule":
        what, why = "Ended by rule", words.word(words.ENDED, said["disposition"])
    else:
        what, why = f"{said['by']} resolved it", words.word(words.DISPOSITIONS, said["disposition"])
    return Entry(_at(said["resolved_at"]), what, "; ".join(filter(None, (why, _overdue(said)))), "dot-done")


def _overdue(said: Said) -> str:
    """What came too late, in words. Events of an older version do not say it."""
    return "; ".join(words.word(words.OVERDUE, kind) for kind in said.get("overdue", ()))


def _at(value: datetime | str) -> datetime:
    return value if isinstance(value, datetime) else datetime.fromisoformat(value)
