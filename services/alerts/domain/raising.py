"""Raise an alert, or join evidence to a live one."""

from datetime import datetime
from functools import partial

from services.alerts.domain import digest, escalation
from services.alerts.domain.alert import NOT_PAGED, Alert, Evidence, Outcome, heading, rank
from services.alerts.domain.obligations import due
from services.alerts.domain.reasons import NotifyReason
from services.alerts.domain.roster import OnCall
from services.alerts.domain.telling import tell
from services.alerts.events import AlertJoined, AlertRaised

KEPT_EVIDENCE = 100
"""How many of its latest evidence items an alert keeps. A crisis keeps all. `evidence_count` counts all."""


def raised(alert: Alert, on_call: OnCall, now: datetime) -> Outcome:
    """Raise a new alert: page at once or in clinic hours, or wait for the next digest."""
    out = (
        digest.queued(alert, on_call, now)
        if alert.lane == "digest"
        else escalation.start(alert, on_call, now, "page_at_once")
    )
    announced = AlertRaised(
        **heading(out.alert),
        reason=alert.reason,
        evidence_id=alert.evidence[-1].id,
        raised_at=alert.raised_at,
        acknowledge_by=due(out.alert, "acknowledge"),
    )
    return Outcome(out.alert, (announced, *out.events), out.deliveries)


def joined(alert: Alert, evidence: Evidence, on_call: OnCall, now: datetime) -> Outcome:
    """Join new evidence to a live alert. It may raise the severity, but never lowers it.

    clinical.md, Crisis: one crisis episode per patient at a time; new evidence joins it, raises severity
    and pages again. For other kinds, people are told again if the severity rises, if a paged alert is taken
    (`_is_taken`) or, in a digest, if the reason is new or the alert was already assessed.
    """
    previous, was_taken = alert.severity, alert.state != "open"
    is_news = alert.state == "assessed" or all(known.reason != evidence.reason for known in alert.evidence)
    alert = with_evidence(alert, evidence)
    if rank(evidence.severity) > rank(previous):
        out = _severity_raised(alert, evidence, on_call, now)
    elif alert.kind == "crisis" or _is_taken(alert):
        out = _again(alert, evidence, on_call, now)
    elif alert.lane == "digest" and is_news:
        out = digest.queued(_untaken(alert), on_call, now)
    else:
        out = Outcome(alert.decided(now, "skip", "joined_open_alert"))
    told = AlertJoined(
        **heading(out.alert),
        reason=evidence.reason,
        evidence_id=evidence.id,
        previous_severity=previous,
        joined_at=now,
        acknowledge_by=due(out.alert, "acknowledge"),
        reopened=was_taken and out.alert.state == "open",
    )
    return Outcome(out.alert, (told, *out.events), out.deliveries)


def with_evidence(alert: Alert, evidence: Evidence) -> Alert:
    kept = (*alert.evidence, evidence)
    if alert.kind != "crisis":
        kept = kept[-KEPT_EVIDENCE:]
    return alert.model_copy(update={"evidence": kept, "evidence_count": alert.evidence_count + 1})


def _severity_raised(alert: Alert, evidence: Evidence, on_call: OnCall, now: datetime) -> Outcome:
    """Unassign and page again: the holder of the lesser alert has not taken this one.

    A taken or routine alert starts at the first step. An open one pages its present step again.
    """
    taken = alert.state != "open" or alert.lane == "digest"
    step = NOT_PAGED if taken else max(NOT_PAGED, alert.step - 1)
    alert = alert.model_copy(update={"severity": evidence.severity, "step": step, "informational": False})
    start = partial(escalation.start, on_call=on_call, now=now, reason="severity_raised")
    return _passed_steps_too(_untaken(alert), on_call, now).then(start)


def _passed_steps_too(alert: Alert, on_call: OnCall, now: datetime) -> Outcome:
    """Page people whom only the new severity's ladder names on the steps already passed."""
    out, ladder = Outcome(alert), on_call.ladder(alert)
    if ladder.when != "at_once":
        return out
    following = ladder.steps[min(alert.step + 1, len(ladder.steps) - 1)]
    paged = on_call.contacts(alert, following.roles)
    for index, step in enumerate(ladder.steps[: alert.step + 1]):
        if contacts := [c for c in on_call.contacts(alert, step.roles) if c not in paged]:
            again = partial(
                tell,
                contacts=contacts,
                now=now,
                reason="severity_raised",
                reach=on_call.reach(alert, step),
                step=index,
            )
            out = out.then(again)
    return out


def _is_taken(alert: Alert) -> bool:
    """Whether a holder must hear of new evidence. Another dead letter of the same kind is no news."""
    return alert.lane == "page" and alert.state != "open" and alert.kind != "dead_letter"


def _again(alert: Alert, evidence: Evidence, on_call: OnCall, now: datetime) -> Outcome:
    """Page again. An alert assessed before this evidence has to be assessed again."""
    if alert.state == "assessed":
        alert = _untaken(alert).model_copy(update={"step": NOT_PAGED})
        return escalation.start(alert, on_call, now, "new_evidence")
    if alert.state == "open" and alert.step == NOT_PAGED:  # its first page is due when clinic hours begin
        return Outcome(alert.decided(now, "wait", "outside_clinic_hours"))
    if alert.state == "open" and evidence.source == "dead_letter":
        return Outcome(alert.decided(now, "skip", "joined_open_alert"))
    return _present_step_again(alert, on_call, now, "new_evidence")


def _present_step_again(alert: Alert, on_call: OnCall, now: datetime, reason: NotifyReason) -> Outcome:
    """Page the present step and the holders again.

    Uses the first step if the alert was taken before anybody was paged, the last if the ladder got shorter.
    """
    steps = on_call.ladder(alert).steps
    index = min(max(alert.step, 0), len(steps) - 1)
    step = steps[index]
    contacts = on_call.contacts(alert, step.roles)
    holders = on_call.members(alert, alert.holders)
    return tell(alert, contacts, now, reason, reach=on_call.reach(alert, step), step=index, besides=holders)


def _untaken(alert: Alert) -> Alert:
    """Unassign. Former holders are kept in `had_by`, so that they are told."""
    update = {"state": "open", "acknowledgement": None, "assessment": None, "handed_to": None}
    had_by = alert.holders or alert.had_by
    return alert.model_copy(update={**update, "answer_by": None, "had_by": had_by})
