"""One notification to one contact over one channel, tried until it is delivered, skipped or given up.

Retries and falling through are [proposed] (reliability.md, R9): 0, 2, 5 and 10 seconds, then the next
channel of the contact, then the next contact of the step.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID, uuid5

from pydantic import BaseModel, ConfigDict, computed_field

from services.alerts.domain.policy import ChannelKind, Contact, Reach
from services.alerts.domain.reasons import DeliveryReason
from services.alerts.events import Severity

NAMESPACE = UUID("7d1c3f6e-1b64-4c0a-9a55-b6d8f3a9e6c1")
DELAYS = tuple(timedelta(seconds=seconds) for seconds in (0, 2, 5, 10))
"""The wait before each attempt."""


class Target(BaseModel):
    model_config = ConfigDict(frozen=True)

    contact_id: str
    channel: ChannelKind


class Delivery(BaseModel):
    """`id` is the same on every attempt, so recipients can detect duplicates. A digest names many alerts."""

    model_config = ConfigDict(frozen=True)

    id: str
    patient_id: str
    clinic_id: str
    alert_ids: tuple[str, ...]
    lane: Literal["page", "digest"]
    severity: Severity
    step: int
    round: int
    """The round of the alert it leads with that this delivery belongs to."""
    rounds: dict[str, int] = {}
    """The round of every alert it names; empty on deliveries stored before this was kept."""
    contact_id: str
    channel: ChannelKind
    remaining: tuple[Target, ...] = ()
    """Targets to try next, in order."""
    state: Literal["pending", "delivered", "failed", "skipped"] = "pending"
    reason: DeliveryReason | None = None
    """How the last attempt ended."""
    attempts: int = 0
    next_attempt: datetime | None
    created_at: datetime
    ended_at: datetime | None = None
    claim: str | None = None
    """Fencing token of the worker that tries it now."""
    leased_until: datetime | None = None
    """By the database server's clock."""
    flagged_at: datetime | None = None
    """When the crisis flag behind this page was accepted; `None` if the clock caused the page."""
    traceparent: str | None = None
    """Trace context of the decision, if recorded."""

    @computed_field  # type: ignore[prop-decorator]
    @property
    def waiting(self) -> bool:
        return self.state == "pending"

    @computed_field  # type: ignore[prop-decorator]
    @property
    def queue(self) -> Literal["inbox", "page", "digest"]:
        return "inbox" if self.channel == "inbox" else self.lane

    @property
    def leads_with(self) -> str:
        """The alert a page is about, or the first alert of a digest."""
        return self.alert_ids[0]


Draft = Callable[[Target, Sequence[Target]], Delivery]
"""Makes the delivery to a target, given the targets to try after it."""


def identify(alert_id: str, step: int, round: int, target: Target) -> str:
    name = f"{alert_id}/{step}/{round}/{target.contact_id}/{target.channel}"
    return "dlv_" + uuid5(NAMESPACE, name).hex


def addressed(contacts: Sequence[Contact], reach: Reach, draft: Draft) -> tuple[Delivery, ...]:
    """The first deliveries to these contacts: always to the inbox, and outward over the first channel.

    `first`: only to the first contact, keeping the others to try later. `all`: to everyone at once.
    """
    made: list[Delivery] = []
    if reach == "all":
        for contact in contacts:
            made += _to_contact(outward(contact), contact.id, draft)
    elif contacts:
        chain = [target for contact in contacts for target in outward(contact) or [inbox(contact.id)]]
        made += _to_contact(chain, contacts[0].id, draft)
    return tuple(made)


def outward(contact: Contact) -> list[Target]:
    return [Target(contact_id=contact.id, channel=address.kind) for address in contact.channels]


def inbox(contact_id: str) -> Target:
    return Target(contact_id=contact_id, channel="inbox")


def _to_contact(chain: Sequence[Target], contact_id: str, draft: Draft) -> list[Delivery]:
    made = [draft(inbox(contact_id), ())]
    if chain and chain[0] != inbox(contact_id):
        made.append(draft(chain[0], chain[1:]))
    return made


def delivered(delivery: Delivery, now: datetime) -> Delivery:
    return _ended(delivery, "delivered", "delivered", now, attempts=delivery.attempts + 1)


def skipped(delivery: Delivery, reason: DeliveryReason, now: datetime) -> Delivery:
    return _ended(delivery, "skipped", reason, now, attempts=delivery.attempts)


def failed(delivery: Delivery, reason: DeliveryReason, now: datetime, *, for_good: bool) -> Delivery:
    """Record a failed attempt: schedule a retry, or give up."""
    attempts = delivery.attempts + 1
    if for_good or attempts >= len(DELAYS):
        return _ended(delivery, "failed", reason, now, attempts=attempts)
    return delivery.model_copy(
        update={
            "attempts": attempts,
            "reason": reason,
            "next_attempt": now + DELAYS[attempts],
            "claim": None,
            "leased_until": None,
        }
    )


def _ended(
    delivery: Delivery,
    state: Literal["delivered", "failed", "skipped"],
    reason: DeliveryReason,
    now: datetime,
    *,
    attempts: int,
) -> Delivery:
    return delivery.model_copy(
        update={
            "state": state,
            "reason": reason,
            "attempts": attempts,
            "next_attempt": None,
            "ended_at": now,
            "claim": None,
            "leased_until": None,
        }
    )


def fall_through(given_up: Delivery, now: datetime) -> tuple[Delivery, ...]:
    """The deliveries that replace one that was given up; none if no target remains."""
    if not given_up.remaining:
        return ()
    target, rest = given_up.remaining[0], given_up.remaining[1:]

    def draft(target: Target, remaining: Sequence[Target]) -> Delivery:
        return redirected(given_up, target, remaining, now)

    if target.contact_id == given_up.contact_id:
        return (draft(target, rest),)
    return tuple(_to_contact(given_up.remaining, target.contact_id, draft))


def redirected(delivery: Delivery, target: Target, remaining: Sequence[Target], now: datetime) -> Delivery:
    """The same message to another target."""
    return Delivery(
        id=identify(delivery.leads_with, delivery.step, delivery.round, target),
        patient_id=delivery.patient_id,
        clinic_id=delivery.clinic_id,
        alert_ids=delivery.alert_ids,
        lane=delivery.lane,
        severity=delivery.severity,
        step=delivery.step,
        round=delivery.round,
        rounds=delivery.rounds,
        contact_id=target.contact_id,
        channel=target.channel,
        remaining=tuple(remaining),
        next_attempt=now,
        created_at=now,
        flagged_at=delivery.flagged_at,
        traceparent=delivery.traceparent,
    )
