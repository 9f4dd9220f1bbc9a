"""Climb the on-call ladder until a human takes the alert. Escalation never ends by itself.

clinical.md, Crisis: page at once, backup at 5, supervisor at 10, everyone at 15 minutes for high; after
the last step everyone is paged again at an interval. The numbers are the on-call policy's.
"""

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Literal

from services.alerts.domain.alert import NOT_PAGED, Alert, Outcome, heading
from services.alerts.domain.obligations import BREACHES, breach, due, oblige
from services.alerts.domain.policy import Contact
from services.alerts.domain.reasons import NotifyReason
from services.alerts.domain.roster import OnCall
from services.alerts.domain.telling import tell
from services.alerts.events import AlertEscalated

FIRST_PAGE: frozenset[NotifyReason] = frozenset({"page_at_once", "clinic_hours_began"})


def start(alert: Alert, on_call: OnCall, now: datetime, reason: NotifyReason) -> Outcome:
    """Oblige an answer and page the next step. Low severity waits for clinic hours."""
    ladder = on_call.ladder(alert)
    begins = now if ladder.when == "at_once" else on_call.hours(alert.clinic_id).next_open(now)
    alert = oblige(alert, on_call, begins, now).model_copy(update={"state": "open", "step_due": begins})
    if begins > now:
        return Outcome(alert.decided(now, "wait", "outside_clinic_hours"))
    return climb(alert, on_call, now, reason)


def climb(
    alert: Alert, on_call: OnCall, now: datetime, reason: NotifyReason, *, planned: datetime | None = None
) -> Outcome:
    """Page the next step, or everyone again after the last. An empty step is skipped, which is announced.

    `planned`: when it was due, if not now. The wait for the following step counts from then, so that
    delays do not add up.
    """
    ladder, hours = on_call.ladder(alert), on_call.hours(alert.clinic_id)
    last = len(ladder.steps) - 1
    index = min(alert.step + 1, last)
    step = ladder.steps[index]
    contacts = on_call.contacts(alert, step.roles)
    if not contacts and index < last:
        empty = escalated(alert, index, step.role, "step_empty", now)
        skipped = alert.model_copy(update={"step": index}).decided(now, "skip", "step_empty")
        onward = partial(climb, on_call=on_call, now=now, reason=reason, planned=planned)
        return Outcome(skipped, (empty,)).then(onward)
    following = ladder.steps[index + 1].wait.after(planned or now, hours) if index < last else None
    besides = on_call.members(alert, alert.had_by)
    step_due = following or ladder.repeat.after(now, hours)
    alert = alert.model_copy(update={"step": index, "step_due": step_due, "had_by": ()})
    reach = on_call.reach(alert, step)
    told = tell(alert, contacts, now, reason, reach=reach, step=index, besides=besides)
    if reason in FIRST_PAGE:
        return told
    return told.announcing([escalated(told.alert, index, step.role, reason, now)])


def escalated(
    alert: Alert, step: int, role: str, reason: NotifyReason | Literal["step_empty"], now: datetime
) -> AlertEscalated:
    about = {**heading(alert), "acknowledge_by": due(alert, "acknowledge")}
    return AlertEscalated.model_validate(
        {**about, "step": step, "role": role, "reason": reason, "escalated_at": now}
    )


def when_due(alert: Alert, on_call: OnCall, now: datetime) -> Outcome:
    """Do everything about a paged alert that is due by `now`, however late this runs."""
    if not alert.live or alert.lane != "page":
        return Outcome(alert)
    alert, breached = breach(alert, now)
    out = Outcome(alert)
    match alert.state:
        case "open":
            out = _climb_what_is_due(alert, on_call, now)
            is_told = any(isinstance(event, AlertEscalated) for event in out.events)
            if "acknowledge" in breached and not is_told:  # a breach is always announced
                out = climb(out.alert, on_call, now, "not_acknowledged")
        case "acknowledged" if _lease_is_over(alert, now):
            out = _lapse(alert, on_call, now)
        case "assessed" if alert.step_due is not None and alert.step_due <= now:
            out = _remind(alert, on_call, now)
    for kind in breached:
        if kind != "acknowledge":
            out = out.then(partial(_page_everyone, on_call=on_call, now=now, reason=BREACHES[kind]))
    return out


def _climb_what_is_due(alert: Alert, on_call: OnCall, now: datetime) -> Outcome:
    out = Outcome(alert)
    while (planned := out.alert.step_due) is not None and planned <= now:
        waited = any(d.reason == "outside_clinic_hours" for d in out.alert.decisions)
        reason: NotifyReason = "not_acknowledged"
        if out.alert.step == NOT_PAGED:
            reason = "clinic_hours_began" if waited else "page_at_once"
        out = out.then(partial(climb, on_call=on_call, now=now, reason=reason, planned=planned))
    return out


def _lease_is_over(alert: Alert, now: datetime) -> bool:
    taken = alert.acknowledgement
    return taken is not None and taken.lease_until is not None and taken.lease_until <= now


def _lapse(alert: Alert, on_call: OnCall, now: datetime) -> Outcome:
    """The acknowledgement expired without an assessment: escalate again, one step further."""
    return start(_let_go(alert), on_call, now, "lease_expired")


def _let_go(alert: Alert) -> Alert:
    return alert.model_copy(update={"acknowledgement": None, "handed_to": None, "answer_by": None})


def _remind(alert: Alert, on_call: OnCall, now: datetime) -> Outcome:
    """Remind the first step and the holders of an alert that was assessed but not resolved."""
    again = on_call.ladder(alert).unresolved.after(now, on_call.hours(alert.clinic_id))
    alert = alert.model_copy(update={"step_due": again})
    holders = on_call.members(alert, alert.holders)
    return _mention(alert, on_call, now, "unresolved_after_assessment", first=0, besides=holders)


def _mention(
    alert: Alert,
    on_call: OnCall,
    now: datetime,
    reason: NotifyReason,
    *,
    first: int,
    besides: Sequence[Contact] = (),
) -> Outcome:
    """Tell the first step from `first` on that has people. The alert stays with its holder."""
    steps = list(enumerate(on_call.ladder(alert).steps))[first:]
    found = ((index, on_call.contacts(alert, step.roles)) for index, step in steps)
    index, people = next(((index, people) for index, people in found if people), (first, ()))
    return tell(alert, people, now, reason, reach="all", step=index, besides=besides)


def _page_everyone(alert: Alert, on_call: OnCall, now: datetime, reason: NotifyReason) -> Outcome:
    """Human contact or the assessment is overdue: page everyone, whether the alert is taken or not."""
    ladder, hours = on_call.ladder(alert), on_call.hours(alert.clinic_id)
    last = len(ladder.steps) - 1
    if alert.state == "open":
        alert = alert.model_copy(update={"step": last, "step_due": ladder.repeat.after(now, hours)})
    step = ladder.steps[last]
    told = tell(alert, on_call.contacts(alert, step.roles), now, reason, reach="all", step=last)
    return told.announcing([escalated(told.alert, last, step.role, reason, now)])


def unreachable(alert: Alert, on_call: OnCall, step: int, round: int, now: datetime) -> Outcome:
    """Nobody of this round could be reached, so page the next step now.

    An acknowledged alert is reopened, because its holder, or the person asked to take it over, did not hear
    the news. An assessed one keeps its holder, and only the reminder goes to the next step.
    """
    last = len(on_call.ladder(alert).steps) - 1
    if alert.round != round or round <= alert.silenced:
        return Outcome(alert)
    match alert.state:
        case "open" if alert.step == step and step < last:
            return climb(alert, on_call, now, "step_unreachable")
        case "acknowledged":
            again = oblige(_let_go(alert), on_call, now, now).model_copy(update={"state": "open"})
            return climb(again, on_call, now, "step_unreachable")
        case "assessed" if step < last:
            return _mention(alert, on_call, now, "step_unreachable", first=step + 1)
    return Outcome(alert)
