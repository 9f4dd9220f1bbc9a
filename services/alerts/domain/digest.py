"""Routine alerts, announced calmly: grouped per contact at the next digest time of a working day."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from services.alerts.domain import delivery as deliveries
from services.alerts.domain.alert import Alert, Ending, Outcome, heading
from services.alerts.domain.policy import Contact
from services.alerts.domain.roster import OnCall
from services.alerts.domain.telling import drafting
from services.alerts.events import AlertResolved


def queued(alert: Alert, on_call: OnCall, now: datetime, *, earliest: datetime | None = None) -> Outcome:
    """Wait for the next digest (transitions and maintenance reach people calmly)."""
    at = _next(alert, on_call, earliest or now)
    return Outcome(alert.model_copy(update={"step_due": at}).decided(now, "wait", "waits_for_digest"))


def _next(alert: Alert, on_call: OnCall, instant: datetime) -> datetime:
    return on_call.hours(alert.clinic_id).next_of(on_call.policy.digest.times, instant)


def when_due(alerts: Iterable[Alert], on_call: OnCall, now: datetime) -> list[Outcome]:
    """Mention each alert once to each of its contacts: one delivery per contact, naming all their alerts."""
    outcomes: dict[str, Outcome] = {}
    folded: dict[str, tuple[Contact, list[str]]] = {}
    for alert in alerts:
        if not alert.live or alert.lane != "digest":
            continue
        outcomes[alert.id] = Outcome(_mentioned(alert, on_call, now))
        for contact in readers(alert, on_call):
            folded.setdefault(contact.id, (contact, []))[1].append(alert.id)
    for contact, ids in folded.values():
        lead = outcomes[ids[0]]
        named = [outcomes[alert_id].alert for alert_id in ids]
        made = deliveries.addressed([contact], "first", drafting(named, 0, now))
        outcomes[ids[0]] = Outcome(lead.alert, (), (*lead.deliveries, *made))
    return [_kept(outcome, now) for outcome in outcomes.values()]


def readers(alert: Alert, on_call: OnCall) -> tuple[Contact, ...]:
    """Contacts for this kind of alert. If there are none, the whole roster: it must reach somebody."""
    roles = on_call.policy.digest.roles_for(alert.kind)
    return on_call.contacts(alert, roles) or on_call.roster(alert)


def _mentioned(alert: Alert, on_call: OnCall, now: datetime) -> Alert:
    """Start a new round and drop an expired acknowledgement. Only an informational alert is not repeated."""
    remind = on_call.policy.digest.remind.after(now, on_call.hours(alert.clinic_id))
    back = None if alert.informational else _next(alert, on_call, remind)
    return alert.model_copy(
        update={
            "round": alert.round + 1,
            "state": "assessed" if alert.state == "assessed" else "open",
            "acknowledgement": None,
            "step": 0,
            "step_due": back,
        }
    )


def _kept(outcome: Outcome, now: datetime) -> Outcome:
    """Record the decision. A delivery that names several alerts counts for the first only."""
    count = len(outcome.deliveries)
    alert = outcome.alert.decided(now, "notify", "digest_due", deliveries=count)
    return Outcome(alert, outcome.events, outcome.deliveries)


def informed(alert: Alert, now: datetime) -> Outcome:
    """End an informational alert, because somebody was told."""
    if not (alert.live and alert.informational):
        return Outcome(alert)
    ending = Ending(by="rule", at=now, reason="informed")
    done = alert.model_copy(update={"state": "informed", "ending": ending, "step_due": None})
    event = AlertResolved(**heading(alert), by="rule", disposition="informed", resolved_at=now)
    return Outcome(done.decided(now, "end", "informed"), (event,))


def undelivered(alert: Alert, on_call: OnCall, now: datetime) -> Outcome:
    """Nobody could be told: queue an open alert for the next digest.

    Earliest in a minute, since a failure right at a digest time would otherwise repeat at that same time.
    """
    if alert.state != "open" or alert.lane != "digest":
        return Outcome(alert)
    return queued(alert, on_call, now, earliest=now + timedelta(minutes=1))
