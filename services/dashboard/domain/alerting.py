"""An alert's story: raised, told, climbed, taken, resolved."""

from services.dashboard import inbound
from services.dashboard.domain.alert import Alert, Climbed, Told
from services.dashboard.domain.parts import put, without
from services.dashboard.domain.person import UNKNOWN, Person


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
    """What a fact makes of an alert. A later fact carries the severity in force."""
    alert = alert.model_copy(update={"severity": fact.severity, "kind": fact.kind})
    match fact:
        case inbound.AlertJoined():
            update = {"joined": alert.joined + 1, "state": _asked_anew(alert)}
        case inbound.AlertNotified():
            told = Told.model_validate(fact.model_dump(include=set(Told.model_fields)))
            update = {"told": (*alert.told, told)}
        case inbound.AlertEscalated():
            update = _climbed(alert, fact)
        case inbound.AlertAcknowledged():
            update = _taken(alert, fact)
        case inbound.AlertHandedOver():
            update = {"handed_to": fact.contact_id, "answer_by": fact.answer_by}
        case inbound.AlertAssessed():
            update = {"state": "assessed", "assessed_by": fact.by, "assessed_at": fact.assessed_at,
                      "lease_until": None}  # fmt: skip
        case inbound.AlertResolved():
            update = {"state": "resolved", "resolved_by": fact.by, "resolved_at": fact.resolved_at,
                      "disposition": fact.disposition, "lease_until": None}  # fmt: skip
        case _:
            update = {}
    return alert.model_copy(update=update)


def _asked_anew(alert: Alert) -> str:
    """New evidence asks for a new assessment (clinical.md, Crisis)."""
    return "open" if alert.kind == "crisis" and alert.state == "assessed" else alert.state


def _climbed(alert: Alert, fact: inbound.AlertEscalated) -> dict[str, object]:
    """A lease that ran out is nobody's any more."""
    climbed = Climbed(step=fact.step, role=fact.role, reason=fact.reason, at=fact.escalated_at)
    update: dict[str, object] = {"climbed": (*alert.climbed, climbed)}
    if fact.reason in ("lease_expired", "severity_raised", "new_evidence"):
        update |= {"state": "open", "lease_until": None, "handed_to": None, "answer_by": None}
    return update


def _taken(alert: Alert, fact: inbound.AlertAcknowledged) -> dict[str, object]:
    """Whoever takes over what was assessed already takes it to its end."""
    return {
        "state": "assessed" if alert.state == "assessed" else "acknowledged",
        "acknowledged_by": fact.by,
        "acknowledged_at": fact.acknowledged_at,
        "first_acknowledged_at": alert.first_acknowledged_at or fact.acknowledged_at,
        "in_time": fact.in_time,
        "lease_until": fact.lease_until,
        "handed_to": None,
        "answer_by": None,
    }


def shown_with(person: Person, alert: Alert) -> Person:
    """The person with this alert among the live ones, or without it once it is resolved."""
    alerts = without(person.alerts, alert.id)
    if alert.state != "resolved":
        alerts = put(alerts, alert.in_short())
    shown: Person = person.but(alerts=alerts)
    return shown


def is_about_a_person(fact: inbound.AlertFact) -> bool:
    """Dead letters concern engineers, whatever they carried."""
    return fact.kind != "dead_letter" and fact.patient_id != UNKNOWN
