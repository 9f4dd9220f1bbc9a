"""Notify people: turn a decision into deliveries, and announce how they ended."""

from collections.abc import Callable, Sequence
from datetime import datetime

from services.alerts.domain import delivery as deliveries
from services.alerts.domain.alert import Alert, Outcome, heading
from services.alerts.domain.delivery import Delivery, Target
from services.alerts.domain.policy import Contact, Reach
from services.alerts.domain.reasons import DeliveryReason, NotifyReason
from services.alerts.events import AlertNotified


def tell(
    alert: Alert,
    contacts: Sequence[Contact],
    now: datetime,
    reason: NotifyReason,
    *,
    reach: Reach,
    step: int,
    besides: Sequence[Contact] = (),
) -> Outcome:
    """Page these contacts in a new round. If there is nobody to tell, that is recorded as a decision.

    `besides`: also told at once, whatever the reach. Nobody is told twice in a round.
    """
    at_once = contacts if reach == "all" else contacts[:1]
    besides = [contact for contact in besides if contact not in at_once]
    contacts = [contact for contact in contacts if contact not in besides]
    if not contacts and not besides:
        return Outcome(alert.decided(now, "skip", "nobody_to_tell", step=step))
    alert = alert.model_copy(update={"round": alert.round + 1})
    draft = drafting([alert], step, now)
    made = deliveries.addressed(contacts, reach, draft) + deliveries.addressed(besides, "all", draft)
    return Outcome(alert.decided(now, "notify", reason, step=step, deliveries=len(made)), (), made)


def drafting(
    alerts: Sequence[Alert], step: int, now: datetime
) -> Callable[[Target, Sequence[Target]], Delivery]:
    """A function that drafts deliveries for the present round of these alerts, led by the first one."""
    lead = alerts[0]

    def draft(target: Target, remaining: Sequence[Target]) -> Delivery:
        return Delivery(
            id=deliveries.identify(lead.id, step, lead.round, target),
            patient_id=lead.patient_id,
            clinic_id=lead.clinic_id,
            alert_ids=tuple(alert.id for alert in alerts),
            lane=lead.lane,
            severity=lead.severity,
            step=step,
            round=lead.round,
            rounds={alert.id: alert.round for alert in alerts},
            contact_id=target.contact_id,
            channel=target.channel,
            remaining=tuple(remaining),
            next_attempt=now,
            created_at=now,
        )

    return draft


def why_not(delivery: Delivery, alerts: Sequence[Alert]) -> DeliveryReason | None:
    """Why a delivery is no longer needed, checked just before sending. `None` if it still is.

    An acknowledgement silences the rounds decided before it, never later ones. An informational alert ends
    with its first reader, but the other readers of the same digest are still told.
    """
    live = [
        alert for alert in alerts if alert.live or (delivery.lane == "digest" and alert.state == "informed")
    ]
    if not live:
        return "ended"
    if delivery.lane == "page" and all(delivery.round <= alert.silenced for alert in live):
        return "acknowledged"
    return None


def notified(alert: Alert, ended: Delivery, now: datetime) -> Outcome:
    """Announce how a delivery ended; `ended` is not pending."""
    event = AlertNotified.model_validate(
        {
            **heading(alert),
            "delivery_id": ended.id,
            "step": ended.step,
            "contact_id": ended.contact_id,
            "channel": ended.channel,
            "outcome": ended.state,
            "reason": ended.reason,
            "attempts": ended.attempts,
            "at": now,
        }
    )
    return Outcome(alert, (event,))


def fell_through(alert: Alert, given_up: Delivery, now: datetime) -> Outcome:
    """Try the next channel of the contact, then the next contact of the step."""
    made = deliveries.fall_through(given_up, now)
    if not made:
        return Outcome(alert)
    decided = alert.decided(now, "notify", "fell_through", step=given_up.step, deliveries=len(made))
    return Outcome(decided, (), made)
