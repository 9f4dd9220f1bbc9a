"""What becomes of alerts when a delivery ends."""

from collections.abc import Iterable

from services.alerts.domain import delivery as deliveries
from services.alerts.domain import digest, escalation, telling
from services.alerts.domain.alert import Outcome
from services.alerts.domain.delivery import Delivery
from services.alerts.store import AlertsWork


async def load_for(work: AlertsWork, deliveries: Iterable[Delivery]) -> None:
    """Load the alerts that these deliveries are about."""
    await work.alerts.load({alert_id for delivery in deliveries for alert_id in delivery.alert_ids})


async def load_round(work: AlertsWork, delivery: Delivery) -> None:
    """Load the other deliveries of the same page."""
    await work.deliveries.find({"alert_ids": delivery.leads_with, "round": delivery.round})


def conclude(work: AlertsWork, ended: Delivery) -> None:
    """Keep an ended delivery, announce it on each of its alerts, and go on where it failed."""
    work.deliveries.save(ended)
    for alert_id in ended.alert_ids:
        out = telling.notified(work.alerts[alert_id], ended, work.now)
        if ended.state == "delivered" and ended.lane == "digest" and _informs(work, ended):
            out = out.then(lambda alert: digest.informed(alert, work.now))
        if ended.state == "failed":
            out = _go_on(work, out, ended)
        work.keep(out)


def _informs(work: AlertsWork, ended: Delivery) -> bool:
    """An inbox wakes nobody: what is put there informs those alone who have no other channel."""
    contact = work.on_call.contact(ended.contact_id)
    return ended.channel != "inbox" or contact is None or not deliveries.outward(contact)


def _go_on(work: AlertsWork, out: Outcome, given_up: Delivery) -> Outcome:
    """The next channel or contact; when nobody remains, the next step or the next digest."""
    if given_up.remaining:
        if out.alert.id != given_up.leads_with:
            return out
        return out.then(lambda alert: telling.fell_through(alert, given_up, work.now))
    if _somebody_was_reached(work, given_up):
        return out
    if given_up.lane == "digest":
        return out.then(lambda alert: digest.undelivered(alert, work.on_call, work.now))
    return out.then(
        lambda alert: escalation.unreachable(alert, work.on_call, given_up.step, given_up.round, work.now)
    )


def _somebody_was_reached(work: AlertsWork, given_up: Delivery) -> bool:
    """By another outward channel of the same page, or perhaps yet: then the step is not lost."""
    return any(
        other.state in ("pending", "delivered")
        for other in work.deliveries
        if other.leads_with == given_up.leads_with
        and other.round == given_up.round
        and other.channel != "inbox"
        and other.id != given_up.id
    )
