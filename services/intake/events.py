"""Events that intake announces. They never contain a name, a contact or free text."""

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
    """A clinic received a new referral for a person."""

    topic: ClassVar[str] = "intake.referrals"

    referral_id: str
    received_at: datetime
    source: Literal["form", "import"]


class ScreeningIncomplete(Event):
    """A referral waits for screening answers or consent; what is missing never counts as 0."""

    topic: ClassVar[str] = "intake.referrals"

    referral_id: str
    missing: tuple[Instrument, ...]


class IntakeReviewRequired(Event):
    """The rules cannot enrol the person: a clinician must decide, for the reasons given."""

    topic: ClassVar[str] = "intake.referrals"

    referral_id: str
    reasons: tuple[ReviewReason, ...]
    clinician_id: str | None


class IntakeCompleted(Event):
    """The rules or a clinician enrolled the person for treatment under a variant of IPT."""

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
    """A clinician decided against treatment here, with a reason and perhaps an alternative offered."""

    topic: ClassVar[str] = "intake.referrals"

    referral_id: str
    reason: DeclineReason
    alternative_offered: bool


class CrisisFlagRaised(Event):
    """An answer, a statement or a refused form at intake indicates that someone may be in danger."""

    topic: ClassVar[str] = "intake.crisis-flags"

    flag_id: str
    referral_id: str
    """The referral; for a form that could not be accepted, the id under which it was set aside."""
    severity: Literal["high", "moderate", "low"]
    evidence: tuple[str, ...]
    """Codes: phq9_item9, cssrs_high, cssrs_moderate, cssrs_low, explicit, unassessable."""
    clinician_id: str | None
    raised_at: datetime
