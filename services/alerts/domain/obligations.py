"""What is owed because of an alert, and by when. Every obligation ends, and its outcome is kept."""

from collections.abc import Collection
from datetime import datetime

from services.alerts.domain.alert import Alert, Obligation
from services.alerts.domain.reasons import EndReason, NotifyReason
from services.alerts.domain.roster import OnCall
from services.alerts.events import ObligeReason

BREACHES: dict[ObligeReason, NotifyReason] = {
    "acknowledge": "not_acknowledged",
    "contact": "contact_overdue",
    "assess": "assessment_overdue",
}


def oblige(alert: Alert, on_call: OnCall, start: datetime, now: datetime) -> Alert:
    """Add the obligations of the severity, counted from `start` (clinical.md, Crisis, severity → response).

    High: acknowledge within 5, human contact within 60 minutes. Moderate: acknowledge within 30 minutes,
    assess the same day. Only a crisis asks for contact and assessment. An obligation that is already open
    may be brought forward but is never postponed.
    """
    ladder, hours = on_call.ladder(alert), on_call.hours(alert.clinic_id)
    spans = {"acknowledge": ladder.acknowledge}
    if alert.kind == "crisis":
        spans |= {k: s for k, s in (("contact", ladder.contact), ("assess", ladder.assess)) if s is not None}
    kinds: tuple[ObligeReason, ...] = ("acknowledge", "contact", "assess")
    for kind in kinds:
        if kind in spans:
            alert = _owe(alert, kind, spans[kind].after(start, hours), now)
    return alert


def _owe(alert: Alert, kind: ObligeReason, due_at: datetime, now: datetime) -> Alert:
    if any(o.kind == kind and o.state == "open" and o.due_at <= due_at for o in alert.obligations):
        return alert
    alert = cancel(alert, "superseded", now, kind)
    owed = Obligation(kind=kind, due_at=due_at)
    return alert.model_copy(update={"obligations": (*alert.obligations, owed)}).decided(now, "oblige", kind)


def meet(
    alert: Alert, kinds: Collection[ObligeReason], now: datetime
) -> tuple[Alert, tuple[ObligeReason, ...]]:
    """End open obligations of these kinds: as met, or as breached where they were due before `now`.

    Returns the kinds that came too late, for the caller to announce.
    """
    late = tuple(
        o.kind for o in alert.obligations if o.state == "open" and o.kind in kinds and o.due_at < now
    )
    for kind in kinds:
        state, reason = ("breached", BREACHES[kind]) if kind in late else ("met", None)
        alert = _end(alert, state, reason, now, kind)
    return alert, late


def cancel(alert: Alert, reason: EndReason | str, now: datetime, kind: ObligeReason | None = None) -> Alert:
    return _end(alert, "cancelled", reason, now, kind)


def breach(alert: Alert, now: datetime) -> tuple[Alert, tuple[ObligeReason, ...]]:
    """End overdue obligations as breached. Returns their kinds, for the caller to announce."""
    overdue = tuple(o.kind for o in alert.obligations if o.state == "open" and o.due_at <= now)
    for kind in overdue:
        alert = _end(alert, "breached", BREACHES[kind], now, kind)
    return alert, overdue


def due(alert: Alert, kind: ObligeReason) -> datetime | None:
    """When the latest obligation of this kind is or was due."""
    moments = [o.due_at for o in alert.obligations if o.kind == kind and o.state != "cancelled"]
    return moments[-1] if moments else None


def _end(alert: Alert, state: str, reason: str | None, now: datetime, kind: ObligeReason | None) -> Alert:
    ended = tuple(
        o.model_copy(update={"state": state, "reason": reason, "ended_at": now})
        if o.state == "open" and kind in (None, o.kind)
        else o
        for o in alert.obligations
    )
    return alert.model_copy(update={"obligations": ended})
