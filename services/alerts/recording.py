"""What becomes of alerts when a delivery ends."""

from collections.abc import Collection, Iterable

from services.alerts.domain import delivery as deliveries
from services.alerts.domain import digest, escalation, telling
from services.alerts.domain.alert import Outcome
from services.alerts.domain.delivery import Delivery
from services.alerts.store import DELIVERIES, AlertsWork


async def load_for(work: AlertsWork, deliveries: Iterable[Delivery]) -> None:
    """Load the alerts that these deliveries are about."""
    await work.alerts.load({alert_id for delivery in deliveries for alert_id in delivery.alert_ids})


async def states_beside(work: AlertsWork, delivery: Delivery) -> list[str]:
    """How far the same page's other outward deliveries are.

    No more is read of them: one that nobody can read keeps no other from being recorded.
    """
    page = {"alert_ids": delivery.leads_with, "alert_ids.0": delivery.leads_with, "round": delivery.round}
    others = {**page, "channel": {"$ne": "inbox"}, "_id": {"$ne": delivery.id}}
    return [row.get("state", "pending") async for row in work.database[DELIVERIES].find(others, {"state": 1})]


def conclude(work: AlertsWork, ended: Delivery, beside: Collection[str]) -> None:
    """Keep an ended delivery, announce it on each of its alerts, and go on where it failed.

    `beside`: see `states_beside`. Only a failure asks for it; an inbox never fails.
    """
    work.deliveries.save(ended)
    for alert_id in ended.alert_ids:
        out = telling.notified(work.alerts[alert_id], ended, work.now)
        if ended.state == "delivered" and ended.lane == "digest" and _informs(work, ended):
            out = out.then(lambda alert: digest.informed(alert, work.now))
        if ended.state == "failed":
            out = _go_on(work, out, ended, beside)
        work.keep(out)


def _informs(work: AlertsWork, ended: Delivery) -> bool:
    """An inbox wakes nobody: what is put there informs those alone who have no other channel."""
    contact = work.on_call.contact(ended.contact_id)
    return ended.channel != "inbox" or contact is None or not deliveries.outward(contact)


def _go_on(work: AlertsWork, out: Outcome, given_up: Delivery, beside: Collection[str]) -> Outcome:
    """The next channel or contact; when nobody remains, the next step or the next digest."""
    if given_up.remaining:
        if out.alert.id != given_up.leads_with:
            return out
        return out.then(lambda alert: telling.fell_through(alert, given_up, work.now))
    if "pending" in beside or "delivered" in beside:  # somebody was reached, or perhaps yet
        return out
    if given_up.lane == "digest":
        return out.then(lambda alert: digest.undelivered(alert, work.on_call, work.now))
    return out.then(
        lambda alert: escalation.unreachable(alert, work.on_call, given_up.step, given_up.round, work.now)
    )
