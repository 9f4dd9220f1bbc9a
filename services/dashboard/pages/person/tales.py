"""Each announcement as a sentence. A type without a sentence is shown by its name, never left out."""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from services.dashboard.pages.alerts.words import CHANNELS, WHY, came_of, word
from services.dashboard.web.words import local, moment, said

Facts = Mapping[str, Any]

HIDDEN = {"patient_id", "clinic_id", "plan_id", "referral_id", "alert_id", "delivery_id", "flag_id"}
"""Ids that the page shows elsewhere or that mean nothing to a reader."""


def _codes(values: Any) -> str:
    return ", ".join(said(str(value)) for value in values or ()) or "none"


def _on(facts: Facts, name: str) -> str:
    return f"{datetime.fromisoformat(facts[name]):%d %b %Y}"


def _measure(facts: Facts) -> str:
    name, total = said(facts["instrument"]), facts["total"]
    taken, recorded = facts.get("taken_at"), facts.get("recorded_at")
    late = f", of {_on(facts, 'taken_at')}" if taken and recorded and taken[:10] != recorded[:10] else ""
    if total is None:
        return f"{name} taken without a total: an answer is missing{late}"
    change = facts.get("change")
    return f"{name} {total}" + (f", {change:+d} since baseline" if change else "") + late


def _attended(facts: Facts) -> str:
    of = f" of {facts['sessions']}" if facts.get("sessions") else ""
    return f"Session {facts['attended']}{of} attended"


def _alert(what: str) -> Callable[[Facts], str]:
    """A sentence about an alert; ids are kept as they are, codes are put into words."""
    kept = ("by", "contact_id")
    return lambda facts: what.format_map(
        {name: value if name in kept else said(str(value)).lower() for name, value in facts.items()}
        | {"kind": said(facts["kind"])}
    )


def _notified(facts: Facts) -> str:
    """The outcome of a notification, in the words of the alerts pages."""
    why = word(WHY, facts["reason"]) if facts.get("reason") else ""
    channel = facts["channel"]
    told = f"{came_of(facts['outcome'], channel)}: {facts['contact_id']}, {word(CHANNELS, channel)}"
    return f"{told} ({why})" if why else told


PHASES = {"ended": "The treatment ended", "closed": "The course is over"}
TALES: dict[str, Callable[[Facts], str]] = {
    "ReferralReceived": lambda f: f"Referred by {f['source']}",
    "ScreeningIncomplete": lambda f: f"Screening incomplete: {_codes(f['missing'])}",
    "IntakeReviewRequired": lambda f: f"A clinician has to decide about the referral: {_codes(f['reasons'])}",
    "IntakeCompleted": lambda f: f"Intake completed: {f['variant']}, {f['sessions']} sessions",
    "IntakeDeclined": lambda f: f"Referral declined: {said(f['reason'])}",
    "CrisisFlagRaised": lambda f: f"Crisis flag raised, {f['severity']}: {_codes(f['evidence'])}",
    "CarePlanStarted": lambda f: f"Care plan started: episode {f['episode']}, {f['sessions']} sessions",
    "PhaseEntered": lambda f: PHASES.get(f["phase"], f"{said(f['phase'])} began"),
    "PhaseOverdue": lambda f: f"{said(f['phase'])} overdue, missing: {_codes(f['missing'])}",
    "FocusSelected": lambda f: f"Focus selected: {_codes(f['problem_areas'])}",
    "ContractRevised": lambda f: (
        f"Contract revised from {f['previous_sessions']} to {f['sessions']} sessions"
    ),
    "SessionAttended": _attended,
    "SessionMissed": lambda f: f"Session missed, {f['consecutive']} in a row",
    "SessionCancelled": lambda f: f"Session called off by {f['cancelled_by']}: {said(f['reason'])}",
    "MeasureRecorded": _measure,
    "ResponseReached": lambda f: f"Response: PHQ-9 from {f['baseline']} to {f['total']}",
    "RemissionReached": lambda f: f"Remission: PHQ-9 {f['total']}",
    "NotImproving": lambda f: f"Not improving by week {f['week']}",
    "DeteriorationDetected": lambda f: f"Deteriorated: PHQ-9 up by {f['rise']} to {f['total']}",
    "RelapseSignalled": lambda f: f"Relapse signal: PHQ-9 {f['total']}",
    "MaintenanceDiscussed": lambda f: "Maintenance discussed, " + _indicated(f),
    "MaintenanceContracted": lambda f: f"Maintenance contracted: {said(f['frequency'])}",
    "CarePlanHeld": lambda f: f"Put on hold: {said(f['reason'])}, review on {_on(f, 'review_on')}",
    "CarePlanResumed": lambda _: "The course goes on",
    "CarePlanClosed": lambda f: f"Plan closed: {said(f['outcome'])}, {said(f['reason'])}",
    "SessionScheduled": lambda f: f"Appointment {f['number']} scheduled for {local(f['local_time'])}",
    "SessionMoved": lambda f: (
        f"Appointment {f['number']} moved to {local(f['local_time'])}: {said(f['reason'])}"
    ),
    "AppointmentCancelled": lambda f: f"Appointment {f['number']} cancelled: {said(f['reason'])}",
    "WeeklySessionDue": lambda f: f"Appointment {f['number']} is due today",
    "MaintenanceSessionDue": lambda f: f"Maintenance appointment {f['number']} is due today",
    "SessionReminderDue": lambda f: f"Reminder of appointment {f['number']} is due",
    "SessionOverdue": lambda f: f"Nobody recorded what became of appointment {f['number']}",
    "TerminationPhaseDue": lambda _: "Time to raise the ending",
    "CaseReviewDue": lambda f: f"Case review due, week {f['week']}",
    "MaintenanceReviewDue": lambda _: "Maintenance review due",
    "HoldReviewDue": lambda _: "Review of the hold due",
    "AnnouncementSkipped": lambda f: f"Not announced: {_spoken(f['skipped'])}, {said(f['reason'])}",
    "AnnouncementSettled": lambda f: f"Not due any more: {_spoken(f['settled'])}, {said(f['reason'])}",
    "AlertRaised": _alert("Alert: {kind}, {severity}"),
    "AlertJoined": _alert("New evidence joined the alert: {kind}, {severity}"),
    "AlertNotified": _notified,
    "AlertEscalated": _alert("Alert escalated to {role}: {reason}"),
    "AlertAcknowledged": _alert("Alert taken by {by}: {kind}"),
    "AlertHandedOver": _alert("Alert handed over to {contact_id}"),
    "AlertAssessed": _alert("Assessed by {by}: {kind}"),
    "AlertResolved": _alert("Alert resolved: {kind}, {disposition}"),
}
GOOD = {"SessionAttended", "ResponseReached", "RemissionReached", "AlertResolved", "IntakeCompleted"}
AHEAD = {
    "SessionScheduled",
    "SessionMoved",
    "WeeklySessionDue",
    "SessionReminderDue",
    "MaintenanceSessionDue",
}


def _indicated(facts: Facts) -> str:
    return f"indicated: {_codes(facts['indications'])}" if facts["indicated"] else "not indicated"


def _spoken(type: str) -> str:
    """`HoldReviewDue` → Hold review due."""
    return re.sub(r"(?<!^)([A-Z])", r" \1", type).capitalize()


def tale(type: str, facts: Facts) -> str:
    """One sentence from codes and numbers alone; the type's name if an older version lacks a field."""
    try:
        return TALES[type](facts)
    except (KeyError, TypeError, ValueError):
        return _spoken(type)


def mark(type: str, facts: Facts) -> str:
    """CSS class of its dot in the timeline."""
    if type == "CrisisFlagRaised" or (type == "AlertRaised" and facts.get("kind") == "crisis"):
        return "dot-crisis"
    if type in GOOD:
        return "dot-done"
    return "dot-planned" if type in AHEAD else ""


def details(facts: Facts, zone: str) -> list[tuple[str, str]]:
    """All fields of the event as pairs of name and value, with instants in the clinic's zone."""
    known = [
        (name, value) for name, value in facts.items() if name not in HIDDEN and value not in (None, [], "")
    ]
    return [(said(name), _shown(value, zone)) for name, value in known]


def _shown(value: Any, zone: str) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return _codes(value)
    instant = _instant(value)
    return moment(instant, zone) if instant else str(value)


def _instant(value: Any) -> datetime | None:
    """Parse an instant; `None` for anything else, including dates and wall-clock times without a zone."""
    try:
        at = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return at if at and at.tzinfo else None
