"""Events that alerts announces: who was told what and when, and how it ended."""

from datetime import datetime
from typing import ClassVar, Literal

from shared.messaging.event import Event

Severity = Literal["high", "moderate", "low", "routine"]
AlertKind = Literal[
    "crisis",
    "termination_phase",
    "maintenance",
    "missed_session",
    "session_unrecorded",
    "deterioration",
    "not_improving",
    "relapse_signal",
    "phase_overdue",
    "case_review",
    "hold_review",
    "maintenance_review",
    "intake_review",
    "dead_letter",
]

DispositionResult = Literal[
    "no_current_risk",
    "managed_with_safety_plan",
    "emergency_services",
    "hospitalised",
    "referred_on",
    "false_alarm",
    "contacted",
    "reviewed",
    "recorded",
    "replayed",
    "no_action_needed",
]
"""How an alert was resolved. The first six are results of a crisis assessment."""

ObligeReason = Literal["acknowledge", "contact", "assess"]
"""What an alert may ask for by a deadline."""


class AlertEvent(Event):
    topic: ClassVar[str] = "alerts.alerts"

    alert_id: str
    kind: AlertKind
    severity: Severity


class AlertRaised(AlertEvent):
    """An alert was opened: a human has to act on something or be told of it."""

    reason: str
    """The named reason of the decision to alert."""
    evidence_id: str
    """The flag, fact or dead letter that led to it."""
    raised_at: datetime
    acknowledge_by: datetime | None


class AlertJoined(AlertEvent):
    """New evidence joined a live alert; it may raise the severity, never lower it."""

    reason: str
    evidence_id: str
    """The flag, fact or dead letter that joined."""
    previous_severity: Severity
    joined_at: datetime
    acknowledge_by: datetime | None = None
    """The current deadline for an answer. A raised severity may change it."""
    reopened: bool = False
    """True if somebody had taken it and it is now unassigned."""


class AlertNotified(AlertEvent):
    """One delivery ended: it reached a channel's far end, was given up, or was no longer needed."""

    delivery_id: str
    step: int
    contact_id: str
    channel: str
    outcome: Literal["delivered", "failed", "skipped"]
    reason: str
    attempts: int
    at: datetime


class AlertEscalated(AlertEvent):
    """The alert went to a step of the on-call ladder, or past an empty one, for the reason given."""

    step: int
    role: str
    """The roles of the step, joined by `+`."""
    reason: Literal[
        "not_acknowledged",
        "lease_expired",
        "step_empty",
        "step_unreachable",
        "severity_raised",
        "new_evidence",
        "contact_overdue",
        "assessment_overdue",
    ]
    escalated_at: datetime
    acknowledge_by: datetime | None = None
    """The current deadline for an answer. An expired lease sets a new one."""


class AlertAcknowledged(AlertEvent):
    """Somebody took the alert, in time or late."""

    by: str
    acknowledged_at: datetime
    lease_until: datetime | None
    in_time: bool


class AlertHandedOver(AlertEvent):
    """Somebody else was asked to take the alert; unless they do by `answer_by`, people are paged again."""

    by: str
    contact_id: str
    handed_over_at: datetime
    answer_by: datetime


class AlertAssessed(AlertEvent):
    """Somebody assessed what the alert is about, for the first time or again."""

    by: str
    assessed_at: datetime
    overdue: tuple[ObligeReason, ...] = ()
    """What the assessment ended after it was due, before the ladder could announce it."""


class AlertResolved(AlertEvent):
    """The alert was ended by a human with a disposition, or by rule because people know or it became moot."""

    by: str
    """A human's subject, or `rule`."""
    disposition: str
    """A `DispositionResult`; by rule, the reason: informed, session_attended, session_recorded …"""
    resolved_at: datetime
    overdue: tuple[ObligeReason, ...] = ()
    """What was still owed and already due, before the ladder could announce it."""
