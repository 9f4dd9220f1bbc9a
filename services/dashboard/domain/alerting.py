"""Folds an alert's facts: raised, notified, escalated, acknowledged, resolved."""

from datetime import datetime

from services.dashboard import inbound
from services.dashboard.domain.alert import Alert, Climbed, Told
from services.dashboard.domain.parts import put, without
from services.dashboard.domain.person import UNKNOWN, Person

Update = dict[str, object]

SEVERITIES = ("routine", "low", "moderate", "high")
IN_NOBODYS_HANDS: Update = {"state": "open", "lease_until": None, "handed_to": None, "answer_by": None}
WHILE_IN_HAND = ("contact_overdue", "assessment_overdue")
"""Reasons to escalate that leave an alert with its holder; any other reason means that nobody holds it."""


def raised(fact: inbound.AlertRaised) -> Alert:
    return Alert(
        id=fact.alert_id,
        patient_id=fact.patient_id,
        clinic_id=fact.clinic_id,
        kind=fact.kind,
        severity=fact.severity,
        reason=fact.reason,
        raised_at=fact.raised_at,
        acknowledge_by=fact.acknowledge_by,
    )


def changed(alert: Alert, fact: inbound.AlertFact) -> Alert:
    """Apply a fact to an alert. Every fact carries the severity in force, and may know the clinic."""
    before = alert
    alert = alert.model_copy(update=_in_force(fact))
    match fact:
        case inbound.AlertJoined():
            update = _joined(before, fact)
        case inbound.AlertNotified():
            update = _told(alert, fact)
        case inbound.AlertEscalated():
            update = _climbed(alert, fact)
        case inbound.AlertAcknowledged():
            update = _taken(alert, fact)
        case inbound.AlertHandedOver():
            update = _handed_over(alert, fact)
        case inbound.AlertAssessed():
            update = {"state": "assessed", "assessed_by": fact.by, "assessed_at": fact.assessed_at,
                      "lease_until": None}  # fmt: skip
        case inbound.AlertResolved():
            update = {"state": "resolved", "resolved_by": fact.by, "resolved_at": fact.resolved_at,
                      "disposition": fact.disposition, "lease_until": None}  # fmt: skip
        case _:
            update = {}
    return alert.model_copy(update=update)


def _in_force(fact: inbound.AlertFact) -> Update:
    known: Update = {"severity": fact.severity, "kind": fact.kind}
    if fact.clinic_id != UNKNOWN:
        known["clinic_id"] = fact.clinic_id
    return known


def _joined(before: Alert, fact: inbound.AlertJoined) -> Update:
    """Reopen the alert when evidence joins an assessed crisis or raises the severity (clinical.md, Crisis).

    Derived here as well, because facts of an older version lack `reopened`.
    """
    update: Update = {"joined": before.joined + 1, "joined_for": fact.reason, **_limit(before, fact)}
    evidence = before.kind == "crisis" and before.state == "assessed"
    reopened = fact.reopened or evidence or _rank(fact.severity) > _rank(before.severity)
    return {**update, **IN_NOBODYS_HANDS} if reopened else update


def _rank(severity: str) -> int:
    """An unknown severity ranks above all others: fail towards alarm."""
    return SEVERITIES.index(severity) if severity in SEVERITIES else len(SEVERITIES)


def _limit(alert: Alert, fact: inbound.AlertJoined | inbound.AlertEscalated) -> Update:
    """Keep the known limit if the fact has none: facts of an older version lack `acknowledge_by`."""
    return {"acknowledge_by": fact.acknowledge_by or alert.acknowledge_by}


def _told(alert: Alert, fact: inbound.AlertNotified) -> Update:
    """A notification after the lease expired may be the only announced sign that it did."""
    told = Told.model_validate(fact.model_dump(include=set(Told.model_fields)))
    update: Update = {"told": (*alert.told, told)}
    lapsed = alert.state == "acknowledged" and _is_before(alert.lease_until, fact.at)
    return {**update, **IN_NOBODYS_HANDS} if lapsed else update


def _is_before(moment: datetime | None, other: datetime) -> bool:
    return moment is not None and moment < other


def _climbed(alert: Alert, fact: inbound.AlertEscalated) -> Update:
    """Nobody holds an escalated alert, except for `WHILE_IN_HAND`; its lease may have expired long before."""
    climbed = Climbed(step=fact.step, role=fact.role, reason=fact.reason, at=fact.escalated_at)
    update: Update = {"climbed": (*alert.climbed, climbed), **_limit(alert, fact)}
    return update if fact.reason in WHILE_IN_HAND else {**update, **IN_NOBODYS_HANDS}


def _handed_over(alert: Alert, fact: inbound.AlertHandedOver) -> Update:
    """The person handing over keeps the alert until the answer is due."""
    update: Update = {"handed_to": fact.contact_id, "answer_by": fact.answer_by}
    return {**update, "lease_until": fact.answer_by} if alert.state == "acknowledged" else update


def _taken(alert: Alert, fact: inbound.AlertAcknowledged) -> Update:
    """An assessed alert stays assessed when somebody takes it over."""
    update: Update = {
        "state": "assessed" if alert.state == "assessed" else "acknowledged",
        "acknowledged_by": fact.by,
        "acknowledged_at": fact.acknowledged_at,
        "in_time": fact.in_time,
        "lease_until": fact.lease_until,
        "handed_to": None,
        "answer_by": None,
    }
    return {**update, **_first_taken(alert, fact)}


def _first_taken(alert: Alert, fact: inbound.AlertAcknowledged) -> Update:
    """Keep severity and limit of the first acknowledgement. Alerts stored earlier know only its time."""
    if alert.first_acknowledged_at is not None:
        return {}
    if alert.acknowledged_at is not None:
        return {"first_acknowledged_at": alert.acknowledged_at}
    return {"first_acknowledged_at": fact.acknowledged_at, "first_severity": alert.severity,
            "first_limit": alert.acknowledge_by}  # fmt: skip


def shown_with(person: Person, alert: Alert) -> Person:
    """The person with this alert among the live ones, or without it once it is resolved."""
    alerts = without(person.alerts, alert.id)
    if alert.state != "resolved":
        alerts = put(alerts, alert.in_short())
    shown: Person = person.but(alerts=alerts)
    return shown


def heard(person: Person, fact: inbound.AlertFact, cause: str | None) -> Person:
    """Record when a crisis was last raised or joined, and by which messages (see `Person.unheard_flags`)."""
    match fact:
        case inbound.AlertRaised():
            at = fact.raised_at
        case inbound.AlertJoined():
            at = fact.joined_at
        case _:
            return person
    if fact.kind != "crisis":
        return person
    causes = {*person.alarmed_for, cause} if cause else person.alarmed_for
    heard: Person = person.but(alarmed_at=max(person.alarmed_at or at, at), alarmed_for=tuple(sorted(causes)))
    return heard


def is_about_a_person(fact: inbound.AlertFact) -> bool:
    """Dead letters are for engineers, even if the message was about a person."""
    return fact.kind != "dead_letter" and fact.patient_id != UNKNOWN
