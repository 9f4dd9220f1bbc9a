"""How a referral moves: recording submissions, applying the rules, and announcing the result."""

from collections.abc import Sequence
from datetime import datetime
from typing import TypeVar

from services.intake.domain import eligibility
from services.intake.domain.crisis import Assessment, Evidence, Statement, worse
from services.intake.domain.eligibility import Enrol, Missing, Review, Rules
from services.intake.domain.history import maintenance_indications
from services.intake.domain.referral import (
    Completed,
    Consent,
    Incomplete,
    InDanger,
    InReview,
    Received,
    Referral,
    Stage,
    Submission,
)
from services.intake.events import (
    CrisisFlagRaised,
    IntakeCompleted,
    IntakeReviewRequired,
    ReferralReceived,
    ScreeningIncomplete,
)
from shared.errors import Refused
from shared.messaging.event import Event

Change = tuple[Referral, list[Event]]
R = TypeVar("R", Referral, InDanger)


def receive(
    referral: Referral,
    submission: Submission,
    now: datetime,
    rules: Rules,
    by: str,
    others: Sequence[Referral] = (),
) -> Change:
    """Receive a new referral and what was submitted with it. `others`: the person's other referrals."""
    received = ReferralReceived(
        patient_id=referral.patient_id,
        clinic_id=referral.clinic_id,
        referral_id=referral.id,
        received_at=referral.received_at,
        source=referral.source,
    )
    after, events = record(referral, submission, now, rules, by, others)
    return after, [received, *events]


def record(
    referral: Referral,
    submission: Submission,
    now: datetime,
    rules: Rules,
    by: str,
    others: Sequence[Referral] = (),
) -> Change:
    """Merge a submission, flag new crisis evidence, and apply the rules again.

    The flag does not depend on the rules' outcome. After a decision, answers are still kept and flagged, and
    the decision is unchanged. Consent and clinician then belong to care_plan: changing them raises
    `Refused("already_<stage>")`.
    """
    changes_clinician = submission.clinician_id not in (None, referral.clinician_id)
    if referral.is_decided and (changes_clinician or _changes_consent(referral, submission)):
        raise Refused(f"already_{referral.stage.status}")
    after = _merged(referral, submission, now, by)
    found = after.assessment()
    after, flags = (
        flagged(after, found, now) if found.adds_to(referral.assessment()) else (after, list[Event]())
    )
    after, events = settled(after, now, rules, others)
    if changes_clinician and not events and isinstance(after.stage, InReview):
        events = [_review_required(after, after.stage)]
    return after, [*flags, *events]


def raise_flag(
    referral: Referral, found: Assessment, now: datetime, rules: Rules, others: Sequence[Referral] = ()
) -> Change:
    """Raise a crisis explicitly: always a new flag, at every stage."""
    after, flags = flagged(referral, found, now)
    after, events = settled(after, now, rules, others)
    return after, [*flags, *events]


def flagged(referral: R, found: Assessment, now: datetime) -> tuple[R, list[Event]]:
    """Raise one flag with the highest severity and all evidence (clinical.md, Crisis)."""
    if found.severity is None:
        return referral, []
    number = referral.crisis.flags + 1
    known = referral.crisis.model_copy(
        update={
            "flags": number,
            "worst": worse(referral.crisis.worst, found.severity),
            "evidence": tuple(sorted({*referral.crisis.evidence, *found.evidence})),
        }
    )
    flag = CrisisFlagRaised(
        patient_id=referral.patient_id,
        clinic_id=referral.clinic_id,
        flag_id=f"flag_{referral.id}_{number}",
        referral_id=referral.id,
        severity=found.severity,
        evidence=codes(found.evidence),
        clinician_id=referral.clinician_id,
        raised_at=now,
    )
    return referral.model_copy(update={"crisis": known}), [flag]


def codes(evidence: "set[Evidence] | frozenset[Evidence]") -> tuple[Evidence, ...]:
    return tuple(sorted(evidence))


def settled(referral: Referral, now: datetime, rules: Rules, others: Sequence[Referral] = ()) -> Change:
    """Apply the rules again; a decided referral is left unchanged."""
    if referral.is_decided:
        return referral, []
    match eligibility.decide(referral.candidate(others), rules):
        case Missing(instruments=missing):
            return _waiting(referral, Incomplete(missing=missing))
        case Review(reasons=reasons):
            return _in_review(referral, InReview(reasons=reasons, since=now))
        case Enrol(variant=variant, sessions=sessions):
            return enrolled(referral, variant, sessions, now, rules, decider=None)


def enrolled(
    referral: Referral, variant: str, sessions: int, now: datetime, rules: Rules, *, decider: str | None
) -> Change:
    """Complete the referral and announce it. `decider`: the clinician, `None` for the rules.

    Raises `Refused("screening_incomplete")` without a PHQ-9 total: a plan needs its baseline.
    """
    screening = referral.screening
    total = screening.phq9_score.total
    if total is None:
        raise Refused("screening_incomplete", missing=list(referral.missing(rules)))
    stage = Completed(
        variant=variant,
        sessions=sessions,
        phq9_total=total,
        gad7_total=screening.gad7_score.total,
        rules_version=rules.version,
        decided_by="rule" if decider is None else "clinician",
        decider=decider,
        completed_at=now,
    )
    return _at(referral, stage), [_completion(referral, stage, rules)]


def _completion(referral: Referral, stage: Completed, rules: Rules) -> IntakeCompleted:
    return IntakeCompleted(
        patient_id=referral.patient_id,
        clinic_id=referral.clinic_id,
        referral_id=referral.id,
        completed_at=stage.completed_at,
        variant=stage.variant,
        sessions=stage.sessions,
        clinician_id=referral.clinician_id,
        phq9_total=stage.phq9_total,
        gad7_total=stage.gad7_total,
        maintenance_indications=maintenance_indications(referral.history, onset_after=rules.onset_after),
        decided_by=stage.decided_by,
    )


def _waiting(referral: Referral, stage: Incomplete) -> Change:
    if not referral.screening.started and isinstance(referral.stage, Received):
        return referral, []
    if stage == referral.stage:
        return referral, []
    event = ScreeningIncomplete(
        patient_id=referral.patient_id,
        clinic_id=referral.clinic_id,
        referral_id=referral.id,
        missing=stage.missing,
    )
    return _at(referral, stage), [event]


def _in_review(referral: Referral, stage: InReview) -> Change:
    if isinstance(referral.stage, InReview) and referral.stage.reasons == stage.reasons:
        return referral, []
    return _at(referral, stage), [_review_required(referral, stage)]


def _review_required(referral: Referral, stage: InReview) -> IntakeReviewRequired:
    return IntakeReviewRequired(
        patient_id=referral.patient_id,
        clinic_id=referral.clinic_id,
        referral_id=referral.id,
        reasons=stage.reasons,
        clinician_id=referral.clinician_id,
    )


def _at(referral: Referral, stage: Stage) -> Referral:
    return referral.model_copy(update={"stage": stage})


def _merged(referral: Referral, submission: Submission, now: datetime, by: str) -> Referral:
    consent = referral.consent
    if _changes_consent(referral, submission):
        consent = Consent(given=bool(submission.consent), recorded_at=now, recorded_by=by)
    return referral.model_copy(
        update={
            "clinician_id": submission.clinician_id or referral.clinician_id,
            "consent": consent,
            "age": referral.age if submission.age is None else submission.age,
            "history": referral.history.merged(submission.history)
            if referral.history
            else submission.history,
            "screening": referral.screening.merged(submission.screening),
            "statement": _stated(referral.statement, submission.statement),
        }
    )


def _changes_consent(referral: Referral, submission: Submission) -> bool:
    known = None if referral.consent is None else referral.consent.given
    return submission.consent is not None and submission.consent != known


def _stated(before: Statement, now: Statement) -> Statement:
    """Keep a "yes"; anything else is replaced by a later statement, if there is one."""
    return before if before == "yes" or now == "not_stated" else now
