"""What people do with an alert: take it, assess, hand it over, resolve it.

clinical.md, Crisis: an acknowledgement is a lease; closing needs a disposition.
"""

from datetime import datetime, timedelta
from functools import partial

from services.alerts.domain import digest
from services.alerts.domain.alert import (
    Acknowledgement,
    Alert,
    Assessment,
    Disposition,
    Ending,
    Outcome,
    heading,
)
from services.alerts.domain.obligations import breach, cancel, due, meet
from services.alerts.domain.policy import Contact
from services.alerts.domain.reasons import EndReason
from services.alerts.domain.roster import OnCall
from services.alerts.domain.telling import tell
from services.alerts.events import (
    AlertAcknowledged,
    AlertAssessed,
    AlertHandedOver,
    AlertResolved,
    DispositionResult,
)
from shared.errors import Refused

CRISIS_RESULTS: frozenset[DispositionResult] = frozenset(
    {
        "no_current_risk",
        "managed_with_safety_plan",
        "emergency_services",
        "hospitalised",
        "referred_on",
        "false_alarm",
    }
)

CONTACT_TYPED_FOR = timedelta(minutes=15)
"""How far in the past a next contact may be: it was still in the future when it was typed."""

CONTACT_WITHIN = timedelta(days=366)


def acknowledge(alert: Alert, by: str, on_call: OnCall, now: datetime) -> Outcome:
    """Take the alert. An earlier acknowledgement is kept, unless the alert was handed to this person.

    Silences every page decided so far. Raises `Refused("alert_resolved")`.
    """
    is_handed_over = alert.handed_to == by
    match alert.state:
        case "resolved":
            raise Refused("alert_resolved")
        case "open" if alert.informational:
            return _acknowledged(alert, by, None, now).then(partial(digest.informed, now=now))
        case "open":
            return _leased(alert, by, on_call, now)
        case "acknowledged" if is_handed_over:
            return _leased(alert, by, on_call, now)
        case "assessed" if is_handed_over:
            later = on_call.ladder(alert).unresolved.after(now, on_call.hours(alert.clinic_id))
            return _acknowledged(alert.model_copy(update={"step_due": later}), by, None, now)
        case _:
            return Outcome(alert)


def _leased(alert: Alert, by: str, on_call: OnCall, now: datetime) -> Outcome:
    lease = on_call.ladder(alert).lease if alert.lane == "page" else on_call.policy.digest.lease
    taken = alert.model_copy(update={"state": "acknowledged", "step_due": None})
    return _acknowledged(taken, by, lease.after(now, on_call.hours(alert.clinic_id)), now)


def _acknowledged(alert: Alert, by: str, lease_until: datetime | None, now: datetime) -> Outcome:
    limit = alert.answer_by or due(alert, "acknowledge")
    in_time = limit is None or now <= limit
    taken = Acknowledgement(by=by, at=now, in_time=in_time, lease_until=lease_until)
    met, _ = meet(alert, ["acknowledge"], now)
    alert = met.model_copy(
        update={
            "acknowledgement": taken,
            "times_taken": alert.times_taken + 1,
            "silenced": alert.round,
            "handed_to": None,
            "answer_by": None,
            "had_by": (),
        }
    )
    event = AlertAcknowledged(
        **heading(alert), by=by, acknowledged_at=now, lease_until=lease_until, in_time=in_time
    )
    return Outcome(alert, (event,))


def assess(alert: Alert, assessment: Assessment, on_call: OnCall, now: datetime) -> Outcome:
    """Record an assessment, which ends the lease. If nobody has taken the alert, the assessor takes it.

    It can be recorded again. Raises `Refused`: `alert_resolved`, `not_a_crisis_result`.
    """
    _require_live(alert)
    _require_result(alert, assessment.result)
    if alert.state == "open":
        taken = acknowledge(alert, assessment.by, on_call, now)
        return taken.then(lambda a: assess(a, assessment, on_call, now)) if taken.alert.live else taken
    alert, overdue = meet(alert, ["assess", "contact"] if assessment.contact_made else ["assess"], now)
    assessed = alert.model_copy(
        update={
            "state": "assessed",
            "assessment": assessment,
            "acknowledgement": _without_lease(alert),
            "step_due": _review(alert, on_call, now),
        }
    )
    event = AlertAssessed(**heading(alert), by=assessment.by, assessed_at=now, overdue=overdue)
    return Outcome(assessed, (event,))


def _without_lease(alert: Alert) -> Acknowledgement | None:
    taken = alert.acknowledgement
    return None if taken is None else taken.model_copy(update={"lease_until": None})


def _review(alert: Alert, on_call: OnCall, now: datetime) -> datetime:
    """When to remind people that the alert was assessed but not resolved."""
    hours = on_call.hours(alert.clinic_id)
    if alert.lane == "page":
        return on_call.ladder(alert).unresolved.after(now, hours)
    return hours.next_of(on_call.policy.digest.times, on_call.policy.digest.remind.after(now, hours))


def hand_over(alert: Alert, by: str, to: Contact, on_call: OnCall, now: datetime) -> Outcome:
    """Ask somebody else to take it within the time allowed for a first answer, else it escalates again.

    Raises `Refused`: `alert_resolved`, `not_acknowledged`, `contact_elsewhere`, `not_paged` (routine).
    """
    _require_live(alert)
    if alert.state == "open":
        raise Refused("not_acknowledged")
    if alert.lane != "page":
        raise Refused("not_paged")
    if to not in on_call.roster(alert):
        raise Refused("contact_elsewhere")
    answer_by = on_call.ladder(alert).acknowledge.after(now, on_call.hours(alert.clinic_id))
    told = tell(_awaiting(alert, to, answer_by), [to], now, "handed_over", reach="all", step=alert.step)
    return told.announcing(
        [AlertHandedOver(**heading(alert), by=by, contact_id=to.id, handed_over_at=now, answer_by=answer_by)]
    )


def _awaiting(alert: Alert, to: Contact, answer_by: datetime) -> Alert:
    update: dict[str, object] = {"handed_to": to.subject, "answer_by": answer_by}
    if alert.state == "assessed":
        update["step_due"] = answer_by
    elif alert.acknowledgement is not None:
        update["acknowledgement"] = alert.acknowledgement.model_copy(update={"lease_until": answer_by})
    return alert.model_copy(update=update)


def resolve(alert: Alert, by: str, disposition: Disposition, now: datetime) -> Outcome:
    """End the alert. If it has already ended, the first disposition is kept.

    Raises `Refused`: a crisis needs an assessment (`not_assessed`) and a complete disposition
    (`disposition_incomplete`, `not_a_crisis_result`) whose next contact lies ahead, within a year
    (`next_contact_past`, `next_contact_too_far`).
    """
    if not alert.live:
        return Outcome(alert)
    _require_result(alert, disposition.result)
    if alert.kind == "crisis":
        if alert.state != "assessed":
            raise Refused("not_assessed")
        if disposition.safety_plan is None or disposition.next_contact is None:
            raise Refused("disposition_incomplete")
        _require_to_come(disposition.next_contact, now)
    ending = Ending(by=by, at=now, reason="resolved", disposition=disposition)
    return _ended(alert, ending, disposition.result, now)


def settle(alert: Alert, reason: EndReason, now: datetime) -> Outcome:
    """Resolve an alert by rule, with the reason, because its cause was settled. Never a crisis."""
    if not alert.live or alert.kind == "crisis":
        return Outcome(alert)
    return _ended(alert, Ending(by="rule", at=now, reason=reason), reason, now)


def _ended(alert: Alert, ending: Ending, disposition: str, now: datetime) -> Outcome:
    alert, overdue = breach(alert, now)
    done = cancel(alert, ending.reason, now).model_copy(
        update={"state": "resolved", "ending": ending, "step_due": None}
    )
    event = AlertResolved(
        **heading(alert), by=ending.by, disposition=disposition, resolved_at=now, overdue=overdue
    )
    return Outcome(done.decided(now, "end", ending.reason), (event,))


def _require_live(alert: Alert) -> None:
    if not alert.live:
        raise Refused("alert_resolved")


def _require_to_come(contact: datetime, now: datetime) -> None:
    if contact < now - CONTACT_TYPED_FOR:
        raise Refused("next_contact_past")
    if contact > now + CONTACT_WITHIN:
        raise Refused("next_contact_too_far")


def _require_result(alert: Alert, result: DispositionResult) -> None:
    if alert.kind == "crisis" and result not in CRISIS_RESULTS:
        raise Refused("not_a_crisis_result")
