"""The closed list of reasons why somebody was told, or not. Kept on the alert for later reading."""

from typing import Literal

from services.alerts.events import ObligeReason

RaiseReason = Literal[
    "crisis_flag",
    "crisis_message_unreadable",
    "termination_phase_near",
    "termination_phase_entered",
    "treatment_ended",
    "maintenance_started",
    "maintenance_contracted",
    "maintenance_discussed",
    "maintenance_session_due",
    "maintenance_review_due",
    "relapse_signalled",
    "phase_overdue",
    "session_missed",
    "session_missed_in_crisis",
    "session_missed_after_crisis",
    "sessions_missed_in_a_row",
    "session_unrecorded",
    "not_improving",
    "deteriorated",
    "case_review_due",
    "hold_review_due",
    "intake_review_required",
    "screening_incomplete",
    "message_dead_lettered",
    "alert_unreadable",
    "delivery_unreadable",
]

NotifyReason = Literal[
    "page_at_once",
    "clinic_hours_began",
    "not_acknowledged",
    "lease_expired",
    "severity_raised",
    "new_evidence",
    "contact_overdue",
    "assessment_overdue",
    "step_unreachable",
    "handed_over",
    "unresolved_after_assessment",
    "digest_due",
    "fell_through",
]

SilenceReason = Literal[
    "outside_clinic_hours",
    "waits_for_digest",
    "step_empty",
    "joined_open_alert",
    "known_evidence",
    "nobody_to_tell",
]

EndReason = Literal[
    "resolved",
    "informed",
    "session_attended",
    "session_recorded",
    "phase_entered",
    "plan_resumed",
    "plan_closed",
    "maintenance_contracted",
    "intake_decided",
    "superseded",
]

Reason = RaiseReason | NotifyReason | SilenceReason | EndReason | ObligeReason

AttemptFailure = Literal[
    "timed_out",
    "connection_failed",
    "address_unresolvable",
    "address_private",
    "address_invalid",
    "redirected",
    "gone",
    "answered_client_error",
    "answered_server_error",
    "credentials_refused",
    "recipient_refused",
    "deferred",
    "unexpected_error",
]
"""How an attempt over a channel may fail."""

DeliveryReason = Literal[
    "delivered",
    "acknowledged",
    "ended",
    "contact_unknown",
    "channel_unavailable",
    AttemptFailure,
]
"""How one delivery, or one attempt at it, ended."""
