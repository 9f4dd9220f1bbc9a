"""What intake announces. No name, no contact and no free text ever stands here."""

from datetime import datetime
from typing import ClassVar, Literal

from shared.messaging.event import Event

ReviewReason = Literal[
    "minimal_symptoms",
    "moderately_severe",
    "severe",
    "crisis_unassessed",
    "crisis_open",
    "consent_missing",
    "outside_age_range",
    "exclusion_reported",
    "referred_already",
    "no_exact_variant",
]
Instrument = Literal["phq9", "gad7", "cssrs", "consent"]
DeclineReason = Literal[
    "other_treatment", "declined_by_patient", "not_reachable", "not_indicated", "duplicate"
]


class ReferralReceived(Event):
    """A person was referred. The same referral twice is one referral."""

    topic: ClassVar[str] = "intake.referrals"

    referral_id: str
    received_at: datetime
    source: Literal["form", "import"]


class ScreeningIncomplete(Event):
    """Answers are missing; the referral waits for completion and is never treated as a zero."""

    topic: ClassVar[str] = "intake.referrals"

    referral_id: str
    missing: tuple[Instrument, ...]


class IntakeReviewRequired(Event):
    """A clinician must decide; never silently enrolled, never silently turned away."""

    topic: ClassVar[str] = "intake.referrals"

    referral_id: str
    reasons: tuple[ReviewReason, ...]
    clinician_id: str | None


class IntakeCompleted(Event):
    """Screening is complete and treatment is indicated: a care plan may start."""

    topic: ClassVar[str] = "intake.referrals"

    referral_id: str
    completed_at: datetime
    variant: str
    """A key of the protocol file: ipt-16, ipt-12, ipt-13 … ipt-15, ipt-a, ipt-b, group-ipt."""
    sessions: int
    """The contracted number of sessions, N."""
    clinician_id: str
    phq9_total: int
    gad7_total: int | None
    maintenance_indications: tuple[str, ...]
    """Codes of history that indicate maintenance (ICSI/APA 2010)."""
    decided_by: Literal["rule", "clinician"]


class IntakeDeclined(Event):
    """A clinician decided against IPT here, with a reason and where the person was pointed to."""

    topic: ClassVar[str] = "intake.referrals"

    referral_id: str
    reason: DeclineReason
    alternative_offered: bool


class CrisisFlagRaised(Event):
    """Someone may be in danger. Read by alerts in a lane of its own."""

    topic: ClassVar[str] = "intake.crisis-flags"

    flag_id: str
    referral_id: str
    """The referral; for a form that could not be accepted, the id under which it was set aside."""
    severity: Literal["high", "moderate", "low"]
    evidence: tuple[str, ...]
    """Codes: phq9_item9, cssrs_high, cssrs_moderate, cssrs_low, explicit, unassessable."""
    clinician_id: str | None
    raised_at: datetime
