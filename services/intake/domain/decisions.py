"""A clinician's decision about a referral: enrol, or decline with a reason."""

from collections.abc import Sequence
from datetime import datetime

from services.intake.domain.crisis import reaches
from services.intake.domain.cssrs import triage
from services.intake.domain.eligibility import Rules, Variant
from services.intake.domain.intake import Change, enrolled
from services.intake.domain.referral import Declined, Referral
from services.intake.events import DeclineReason, IntakeDeclined
from shared.errors import Refused


def enrol(
    referral: Referral,
    variant: str,
    sessions: int,
    now: datetime,
    rules: Rules,
    *,
    by: str,
    crisis_assessed: bool,
    others: Sequence[Referral] = (),
) -> Change:
    """Enrol by a clinician's decision. `crisis_assessed`: they state that the crisis evidence was assessed.

    Evidence in the person's other undecided referrals (`others`) counts too, as it does for the rules.

    Raises `Refused` with the first guard that does not hold (clinical.md, referred → initial: measures
    complete, no unassessed crisis, variant confirmed).
    """
    _require_undecided(referral)
    if missing := referral.missing(rules):
        raise Refused("screening_incomplete", missing=list(missing))
    if referral.consent is None or not referral.consent.given:
        raise Refused("consent_missing")
    for evidence in (referral, *(other for other in others if not other.is_decided)):
        _require_crisis_assessed(evidence, rules, crisis_assessed)
    _require_variant_fits(referral, rules, variant, sessions)
    return enrolled(referral, variant, sessions, now, rules, decider=by)


def decline(
    referral: Referral,
    reason: DeclineReason,
    now: datetime,
    rules: Rules,
    *,
    by: str,
    alternative_offered: bool,
    crisis_assessed: bool,
) -> Change:
    """Decline by a clinician's decision, at any undecided stage; a crisis must be assessed first."""
    _require_undecided(referral)
    _require_crisis_assessed(referral, rules, crisis_assessed)
    stage = Declined(reason=reason, alternative_offered=alternative_offered, decider=by, declined_at=now)
    event = IntakeDeclined(
        patient_id=referral.patient_id,
        clinic_id=referral.clinic_id,
        referral_id=referral.id,
        reason=reason,
        alternative_offered=alternative_offered,
    )
    return referral.model_copy(update={"stage": stage}), [event]


def _require_undecided(referral: Referral) -> None:
    if referral.is_decided:
        raise Refused(f"already_{referral.stage.status}")


def _require_crisis_assessed(referral: Referral, rules: Rules, crisis_assessed: bool) -> None:
    """An unresolved crisis blocks closure and automatic change (clinical.md, parallel region)."""
    unassessable = triage(referral.screening.cssrs).status == "unassessable"
    if (unassessable or reaches(referral.crisis.worst, rules.crisis_review_from)) and not crisis_assessed:
        raise Refused("crisis_unassessed")


def _require_variant_fits(referral: Referral, rules: Rules, name: str, sessions: int) -> None:
    variant = rules.variants.get(name)
    if variant is None:
        raise Refused("unknown_variant", variants=sorted(rules.variants))
    if sessions != variant.sessions:
        raise Refused("sessions_not_of_variant", sessions=variant.sessions)
    if referral.age is None:
        raise Refused("age_unknown")
    if not variant.fits_age(referral.age):
        raise Refused("age_outside_variant", youngest=variant.youngest, oldest=variant.oldest)
    if excluded := _excluded(referral, variant):
        raise Refused("excluded_from_variant", conditions=excluded)


def _excluded(referral: Referral, variant: Variant) -> list[str]:
    """IPT-A is not for bipolar, psychotic or acutely suicidal adolescents (Columbia)."""
    reported = set(referral.history.conditions) if referral.history else set()
    return sorted(reported & set(variant.excluded))
