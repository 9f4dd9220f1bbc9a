"""An alert's current state, and its texts."""

from dataclasses import dataclass, replace
from datetime import datetime

from services.dashboard.domain.alert import Alert
from services.dashboard.domain.person import UNKNOWN
from services.dashboard.pages.alerts import words
from services.dashboard.pages.alerts.detail import Detail
from services.dashboard.pages.alerts.facts import Facts


@dataclass(frozen=True)
class Standing:
    """An alert's current state, from the alerts service or, while that does not answer, from its events.

    Staff are named by their subjects. `state`: open, acknowledged, assessed or resolved.
    """

    id: str
    patient_id: str | None
    """`None` if the alert is not about a person, or it is unknown about whom."""
    clinic_id: str
    kind: str
    severity: str
    state: str
    reason: str
    raised_at: datetime
    acknowledge_by: datetime | None = None
    by: str | None = None
    at: datetime | None = None
    in_time: bool | None = None
    lease_until: datetime | None = None
    handed_to: str | None = None
    answer_by: datetime | None = None
    assessed_by: str | None = None
    assessed_at: datetime | None = None
    result: str | None = None
    contact_made: bool | None = None
    ended_by: str | None = None
    ended_at: datetime | None = None
    disposition: str | None = None
    safety_plan: bool | None = None
    next_contact: datetime | None = None
    informational: bool = False
    lapsed: bool = False
    """Acknowledged, but the lease has expired as of the moment passed to `seen`."""

    @property
    def is_crisis(self) -> bool:
        return self.kind == "crisis"

    @property
    def is_paged(self) -> bool:
        """Routine alerts are folded into digests: nobody is paged, nothing is handed over."""
        return self.severity != "routine"

    @property
    def is_resolved(self) -> bool:
        return self.state == "resolved"

    @property
    def badge(self) -> str:
        if self.is_resolved:
            return "done"
        if self.is_crisis:
            severe = self.severity if self.severity in ("high", "low") else "moderate"
            return f"crisis-{severe}" if self.state == "open" or self.lapsed else "acknowledged"
        return words.BADGES.get(self.kind, "review")

    @property
    def title(self) -> str:
        kind = words.word(words.KINDS, self.kind)
        return f"{kind}, {words.word(words.SEVERITIES, self.severity).lower()}" if self.is_crisis else kind

    def is_nobodys(self, now: datetime) -> bool:
        """True if nobody holds it: it is open, or its lease has expired."""
        return self.state == "open" or self.seen(now).lapsed

    def seen(self, now: datetime) -> "Standing":
        """The standing with `lapsed` set as of that moment."""
        over = self.lease_until is not None and self.lease_until <= now
        return replace(self, lapsed=over and self.state == "acknowledged")

    @property
    def in_words(self) -> str:
        return words.word(words.STANDINGS, "open" if self.lapsed else self.state)

    def is_offered_to(self, subject: str) -> bool:
        return self.handed_to == subject and not self.is_resolved


def _person(patient_id: str, kind: str) -> str | None:
    return None if kind == "dead_letter" or patient_id == UNKNOWN else patient_id


def of_row(alert: Alert, facts: Facts) -> Standing:
    """Build from the read model."""
    return Standing(
        id=alert.id,
        patient_id=_person(alert.patient_id, alert.kind),
        clinic_id=alert.clinic_id,
        kind=alert.kind,
        severity=alert.severity,
        state=alert.state,
        reason=alert.reason,
        raised_at=alert.raised_at,
        acknowledge_by=alert.acknowledge_by,
        by=alert.acknowledged_by,
        at=alert.acknowledged_at,
        in_time=alert.in_time,
        lease_until=alert.lease_until,
        handed_to=facts.who(alert.handed_to) if alert.handed_to else None,
        answer_by=alert.answer_by,
        assessed_by=alert.assessed_by,
        assessed_at=alert.assessed_at,
        ended_by=alert.resolved_by,
        ended_at=alert.resolved_at,
        disposition=alert.disposition,
    )


def of_detail(detail: Detail) -> Standing:
    """Build from the alerts service's answer. After a handover the lease lasts until the answer is due."""
    taken, assessed, ended = detail.acknowledgement, detail.assessment, detail.ending
    disposition = ended.disposition if ended else None
    lease = taken.lease_until if taken else None
    return Standing(
        id=detail.id,
        patient_id=_person(detail.patient_id, detail.kind),
        clinic_id=detail.clinic_id,
        kind=detail.kind,
        severity=detail.severity,
        state="resolved" if detail.state == "informed" else detail.state,
        reason=detail.reason,
        raised_at=detail.raised_at,
        acknowledge_by=detail.acknowledge_by,
        by=taken.by if taken else None,
        at=taken.at if taken else None,
        in_time=taken.in_time if taken else None,
        lease_until=lease,
        handed_to=detail.handed_to,
        answer_by=(lease or detail.next_due) if detail.handed_to else None,
        assessed_by=assessed.by if assessed else None,
        assessed_at=assessed.at if assessed else None,
        result=assessed.result if assessed else None,
        contact_made=assessed.contact_made if assessed else None,
        ended_by=ended.by if ended else None,
        ended_at=ended.at if ended else None,
        disposition=disposition.result if disposition else (ended.reason if ended else None),
        safety_plan=disposition.safety_plan if disposition else None,
        next_contact=disposition.next_contact if disposition else None,
        informational=detail.informational,
    )


def notice(done: str, standing: Standing, subject: str) -> tuple[str, str, str] | None:
    """Kind, title and text of the notice to `subject` after an action; `None` if it no longer applies."""
    title = standing.title
    if done == "taken" and (standing.state != "acknowledged" or standing.lapsed or standing.by != subject):
        return None
    said = {
        "taken": ("success", f"You have it: {title}", "Nobody else is paged while you have it."),
        "taken_before": (
            "conflict",
            f"{standing.by or 'Somebody'} was first",
            "It was taken before you pressed: theirs stands, yours changed nothing.",
        ),
        "noted": ("success", f"Noted: {title}", "It only asked to be read and is done."),
        "assessed": ("success", "Assessment recorded", "The lease has ended; it is resolved next."),
        "handed_over": ("success", f"Handed to {standing.handed_to or 'them'}", "They are told now."),
        "resolved": ("success", f"Resolved: {title}", "It stays here with its whole story."),
    }
    return said.get(done)
