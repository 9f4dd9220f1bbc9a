"""Applies the end of a delivery to its alerts."""

from collections.abc import Collection, Iterable, Mapping

from services.alerts.domain import delivery as deliveries
from services.alerts.domain import digest, escalation, telling
from services.alerts.domain.alert import Outcome
from services.alerts.domain.delivery import Delivery
from services.alerts.store import DELIVERIES, AlertsWork
from shared.mongo import Document


async def load_for(work: AlertsWork, deliveries: Iterable[Delivery]) -> None:
    """Load the alerts that these deliveries are about."""
    await work.alerts.load({alert_id for delivery in deliveries for alert_id in delivery.alert_ids})


Beside = Mapping[str, Collection[str]]
"""Alert id → the states of the other outward deliveries that name it in the same round."""


async def states_beside(work: AlertsWork, delivery: Delivery) -> Beside:
    """For each alert, the states of the other outward deliveries of its round.

    Looked up per alert, because digests led by the same alert may name different ones. Only the needed fields
    are read, so an unreadable delivery does not block this one.
    """
    of_each = [_naming(delivery, alert_id) for alert_id in delivery.alert_ids]
    others = {"$or": of_each, "channel": {"$ne": "inbox"}, "_id": {"$ne": delivery.id}}
    found = work.database[DELIVERIES].find(others, {"state": 1, "alert_ids": 1})
    beside: dict[str, set[str]] = {alert_id: set() for alert_id in delivery.alert_ids}
    async for row in found:
        for alert_id in beside.keys() & row["alert_ids"]:
            beside[alert_id].add(row.get("state", "pending"))
    return beside


def _naming(delivery: Delivery, alert_id: str) -> Document:
    """A query for deliveries that name this alert in the same round.

    Without stored `rounds` only those led by the same alert can be compared.
    """
    if alert_id in delivery.rounds:
        return {"alert_ids": alert_id, f"rounds.{alert_id}": delivery.rounds[alert_id]}
    return {"alert_ids": alert_id, "alert_ids.0": delivery.leads_with, "round": delivery.round}


def conclude(work: AlertsWork, ended: Delivery, beside: Beside) -> None:
    """Save an ended delivery, announce it for each of its alerts, and continue after a failure.

    `beside`: see `states_beside`. It is read only after a failure, and an inbox never fails.
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
    """Whether the contact counts as told. An inbox wakes nobody: it informs only those with nothing else."""
    contact = work.on_call.contact(ended.contact_id)
    return ended.channel != "inbox" or contact is None or not deliveries.outward(contact)


def _go_on(work: AlertsWork, out: Outcome, given_up: Delivery, beside: Beside) -> Outcome:
    """Try the next channel or contact. If none remains, go to the next step or the next digest."""
    if given_up.remaining:
        if out.alert.id != given_up.leads_with:
            return out
        return out.then(lambda alert: telling.fell_through(alert, given_up, work.now))
    states = beside[out.alert.id]
    if "pending" in states or "delivered" in states:  # somebody was reached or still may be
        return out
    if given_up.lane == "digest":
        return out.then(lambda alert: digest.undelivered(alert, work.on_call, work.now))
    return out.then(
        lambda alert: escalation.unreachable(alert, work.on_call, given_up.step, given_up.round, work.now)
    )
