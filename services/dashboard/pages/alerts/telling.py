"""Who was notified of an alert, by which channel and when, or why not."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from services.dashboard.domain.alert import Alert, Told
from services.dashboard.pages.alerts import words
from services.dashboard.pages.alerts.detail import Delivery, Detail
from services.dashboard.pages.alerts.facts import Facts


@dataclass(frozen=True)
class Telling:
    """One notification: to whom, how, when, its outcome and why."""

    contact: str
    roles: tuple[str, ...]
    channel: str
    at: datetime
    outcome: str
    mark: str
    came_of_it: str
    why: str
    attempts: int
    step: int


def told_by_row(alert: Alert, facts: Facts) -> list[Telling]:
    """From the read model: deliveries that have ended, as they were announced."""
    return [_telling(facts, t.contact_id, t.channel, t.outcome, t.reason, t, t.at) for t in alert.told]


def told_by_detail(detail: Detail, facts: Facts) -> list[Telling]:
    """From the alerts service: includes pending deliveries, which are not announced."""
    return [
        _telling(facts, d.contact_id, d.channel, d.state, d.reason, d, d.ended_at or d.created_at)
        for d in detail.deliveries
    ]


def _telling(
    facts: Facts,
    contact_id: str,
    channel: str,
    outcome: str,
    reason: str | None,
    counted: Told | Delivery,
    at: datetime,
) -> Telling:
    why = words.word(words.WHY, reason) if reason else ""
    return Telling(
        contact=facts.who(contact_id),
        roles=tuple(words.word(words.ROLES, role) for role in facts.roles_of(contact_id)),
        channel=words.word(words.CHANNELS, channel),
        at=at,
        outcome=outcome,
        mark=words.mark_of(outcome, channel),
        came_of_it=words.came_of(outcome, channel),
        why=f"to be tried again: {why}" if outcome == "pending" and why else why,
        attempts=counted.attempts,
        step=counted.step,
    )


def reached(told: Iterable[Telling]) -> list[str]:
    """Everybody who was reached, once each, in order of the deliveries."""
    return list(dict.fromkeys(telling.contact for telling in told if telling.outcome == "delivered"))


def missed(told: Iterable[Telling]) -> list[str]:
    """Everybody with a failed delivery whom no channel reached."""
    found = list(told)
    those = set(reached(found))
    return list(dict.fromkeys(t.contact for t in found if t.outcome == "failed" and t.contact not in those))
