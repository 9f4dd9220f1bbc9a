"""Display texts for alerts: what they are about, why somebody was notified or not, how they ended.

Codes are those of the alerts service. A code without a text is shown as it is, never hidden.
"""

from collections.abc import Mapping

from services.dashboard.web.words import said

Words = Mapping[str, str]

KINDS: Words = {
    "crisis": "Crisis",
    "relapse_signal": "Relapse signal",
    "deterioration": "Deteriorated",
    "not_improving": "Not improving",
    "missed_session": "Missed session",
    "session_unrecorded": "Session not recorded",
    "phase_overdue": "Phase overdue",
    "case_review": "Case review",
    "hold_review": "Hold review",
    "maintenance_review": "Maintenance review",
    "intake_review": "Referral to decide",
    "termination_phase": "Termination phase",
    "maintenance": "Maintenance",
    "dead_letter": "Unreadable messages",
}
BADGES: Words = {
    "relapse_signal": "relapse",
    "deterioration": "deteriorated",
    "not_improving": "not-improving",
    "missed_session": "overdue",
    "session_unrecorded": "overdue",
    "phase_overdue": "overdue",
    "dead_letter": "deteriorated",
    "termination_phase": "on-course",
    "maintenance": "on-course",
}
"""Badges by kind; any other kind gets `review`, and a crisis the badge of its severity."""

SEVERITIES: Words = {"high": "High", "moderate": "Moderate", "low": "Low", "routine": "Routine"}

RAISED: Words = {
    "crisis_flag": "Somebody may be in danger",
    "crisis_message_unreadable": "A message that may be about a crisis could not be read",
    "termination_phase_near": "The termination phase is near",
    "termination_phase_entered": "The termination phase began",
    "treatment_ended": "The acute treatment ended",
    "maintenance_started": "Maintenance began",
    "maintenance_contracted": "Maintenance was agreed",
    "maintenance_discussed": "Maintenance was discussed",
    "maintenance_session_due": "A maintenance session is due",
    "maintenance_review_due": "Maintenance is to be reviewed",
    "relapse_signalled": "The score rose again in maintenance",
    "phase_overdue": "Work of the phase is missing",
    "session_missed": "A session was missed",
    "session_missed_in_crisis": "A session was missed during an open crisis",
    "session_missed_after_crisis": "A session was missed within 90 days of a crisis",
    "sessions_missed_in_a_row": "Sessions were missed in a row",
    "session_unrecorded": "Nobody recorded what happened in a session",
    "not_improving": "The score is not improving",
    "deteriorated": "The score rose over the baseline",
    "case_review_due": "A case review is due",
    "hold_review_due": "The hold is to be reviewed",
    "intake_review_required": "A clinician has to decide about a referral",
    "screening_incomplete": "The screening is not complete",
    "message_dead_lettered": "A service set a message aside because it could not process it",
    "alert_unreadable": "An alert could not be read",
    "delivery_unreadable": "A notification of an alert could not be read, and may not go out",
}
EVIDENCE: Words = {
    "explicit": "Somebody said outright that it is a crisis",
    "phq9_item9": "PHQ-9 item 9 was answered above 0",
    "cssrs_high": "C-SSRS screener: high risk",
    "cssrs_moderate": "C-SSRS screener: moderate risk",
    "cssrs_low": "C-SSRS screener: low risk",
    "unassessable": "The risk answers could not be read",
}
SOURCES: Words = {
    "flag": "crisis flag",
    "dead_letter": "message that was set aside",
    "fact": "announced by a service",
}
TOLD: Words = {
    "page_at_once": "it is paged at once",
    "clinic_hours_began": "clinic hours began",
    "not_acknowledged": "nobody had acknowledged it",
    "lease_expired": "the lease ran out without an assessment",
    "severity_raised": "it became more severe",
    "new_evidence": "new evidence came in",
    "contact_overdue": "nobody had spoken with the person in time",
    "assessment_overdue": "it was not assessed in time",
    "step_unreachable": "nobody of the step before could be reached",
    "step_empty": "nobody has this role",
    "handed_over": "it was handed over",
    "unresolved_after_assessment": "it was assessed and is not resolved",
    "digest_due": "it was time for the digest",
    "fell_through": "another channel or contact had failed",
    "outside_clinic_hours": "it waits for clinic hours",
    "waits_for_digest": "it waits for the next digest",
    "joined_open_alert": "it joined an alert that is open already",
    "known_evidence": "this evidence was known already",
    "nobody_to_tell": "there is nobody to tell",
}
"""Why it was escalated, or why somebody was notified or not; follows “because”."""

OVERDUE: Words = {
    "acknowledge": "nobody took it within the time allowed",
    "contact": "nobody spoke with the person within the time allowed",
    "assess": "nobody assessed it within the time allowed",
}
"""What came too late."""

ENDED: Words = {
    "resolved": "Resolved by a person",
    "informed": "Everybody concerned was told",
    "session_attended": "The person came to a session",
    "session_recorded": "The session was recorded",
    "phase_entered": "The next phase began",
    "plan_resumed": "The plan was resumed",
    "plan_closed": "The plan was closed",
    "maintenance_contracted": "Maintenance was agreed",
    "intake_decided": "The referral was decided",
    "superseded": "Something else took its place",
}
DISPOSITIONS: Words = {
    "no_current_risk": "No current risk",
    "managed_with_safety_plan": "Managed with a safety plan",
    "emergency_services": "Emergency services were called",
    "hospitalised": "Hospitalised",
    "referred_on": "Referred on",
    "false_alarm": "False alarm",
    "contacted": "The person was contacted",
    "reviewed": "Reviewed",
    "recorded": "Recorded",
    "replayed": "The messages were replayed",
    "no_action_needed": "No action needed",
}
OF_A_CRISIS = tuple(DISPOSITIONS)[:6]
OF_DEAD_LETTERS = ("replayed", "reviewed", "no_action_needed")
OF_OTHERS = ("contacted", "reviewed", "recorded", "referred_on", "no_action_needed")

OWED: Words = {
    "acknowledge": "Somebody takes it",
    "contact": "A human speaks with the person",
    "assess": "An assessment is recorded",
}
STANDINGS: Words = {
    "open": "in nobody’s hands",
    "acknowledged": "in hand",
    "assessed": "assessed",
    "resolved": "resolved",
}
DECIDED: Words = {
    "notify": "Told",
    "wait": "Waited",
    "skip": "Nobody was told",
    "oblige": "Owed from now",
    "end": "Ended",
}
CHANNELS: Words = {"inbox": "inbox here", "email": "e-mail", "webhook": "pager", "apprise": "push message"}
OUTCOMES: Words = {
    "delivered": "Reached",
    "failed": "Not reached",
    "skipped": "Not sent",
    "pending": "On its way",
}
MARKS: Words = {"delivered": "done", "failed": "deteriorated", "skipped": "hold", "pending": "review"}
IN_THE_INBOX, IN_THE_INBOX_MARK = "In the inbox", "information"
"""A delivery to the inbox only lies there: it is unknown whether anybody has read it."""

WHY: Words = {
    "delivered": "",
    "acknowledged": "somebody had taken it by then",
    "ended": "it had ended by then",
    "contact_unknown": "the contact is not on the roster any more",
    "channel_unavailable": "the channel is not set up",
    "timed_out": "no answer in time",
    "connection_failed": "no connection",
    "address_unresolvable": "the address leads nowhere",
    "address_private": "the address is not allowed",
    "address_invalid": "the address is not valid",
    "redirected": "the receiver sent it elsewhere",
    "gone": "the address is gone",
    "answered_client_error": "the receiver refused it",
    "answered_server_error": "the receiver failed",
    "credentials_refused": "the mail server did not accept our credentials",
    "recipient_refused": "the mailbox refused it",
    "deferred": "the mail server put it off",
    "unexpected_error": "an unexpected error",
}
"""Why a delivery, or its last attempt, ended as it did."""

ROLES: Words = {
    "treating_clinician": "treating clinician",
    "on_call": "on call",
    "backup": "backup",
    "supervisor": "supervisor",
    "coordinator": "coordinator",
    "engineer": "engineer",
    "everyone": "everyone",
}
REFUSALS: Mapping[str, tuple[str, str]] = {
    "alert_resolved": ("it is resolved already", "Look at what came of it; a new sign opens a new alert."),
    "not_acknowledged": (
        "nobody has taken it",
        "An alert is handed over by whoever has it: acknowledge it first.",
    ),
    "not_paged": (
        "a routine alert has no on-call ladder",
        "Nobody was paged for it, so there is nobody to hand it to.",
    ),
    "contact_elsewhere": ("this contact is not on the clinic's roster", "Choose somebody of this clinic."),
    "contact_unknown": ("this contact is not on the roster any more", "Choose somebody else."),
    "not_assessed": (
        "no assessment was recorded",
        "A crisis is closed by an assessment and a disposition: record the assessment first.",
    ),
    "disposition_incomplete": (
        "the disposition is not complete",
        "A crisis ends with its result, whether there is a safety plan, and the next contact.",
    ),
    "next_contact_past": (
        "the next contact is in the past",
        "Enter when the person is seen next: a day and a time that are still to come.",
    ),
    "next_contact_too_far": (
        "the next contact is more than a year away",
        "Enter a day within a year.",
    ),
    "not_a_crisis_result": ("this is no result of a crisis assessment", "Choose one of the six results."),
    "role_required": ("your role does not cover it", "Ask somebody who may."),
}
"""Reason codes of refusals: the reason in words, and what to do about it."""


def word(words: Words, code: str | None) -> str:
    return words.get(code, said(code)) if code else "–"


def came_of(outcome: str, channel: str) -> str:
    """The outcome of a delivery in words; `channel` is the code."""
    return IN_THE_INBOX if _lies_there(outcome, channel) else word(OUTCOMES, outcome)


def mark_of(outcome: str, channel: str) -> str:
    return IN_THE_INBOX_MARK if _lies_there(outcome, channel) else MARKS.get(outcome, "review")


def _lies_there(outcome: str, channel: str) -> bool:
    return (outcome, channel) == ("delivered", "inbox")


def roles(joined: str) -> str:
    """`treating_clinician+on_call` → treating clinician, on call."""
    return ", ".join(word(ROLES, role) for role in joined.split("+"))


def evidence(code: str) -> str:
    return EVIDENCE.get(code) or said(code)


def refusal(problem: Mapping[str, object]) -> dict[str, str]:
    """A problem document in the form that `refused` (parts/states.html) takes."""
    reason = str(problem.get("reason", ""))
    if reason in REFUSALS:
        short, long = REFUSALS[reason]
        return {"reason": short, "detail": long}
    return {
        "reason": reason,
        "detail": str(problem.get("detail", "")),
        "title": str(problem.get("title", "")),
    }


def results_for(kind: str) -> tuple[tuple[str, str], ...]:
    """The results that an assessment or a disposition of this kind may have."""
    chosen = {"crisis": OF_A_CRISIS, "dead_letter": OF_DEAD_LETTERS}.get(kind, OF_OTHERS)
    return tuple((code, DISPOSITIONS[code]) for code in chosen)
