"""Who the rules may enrol, in which variant; for everyone else a clinician decides, with reasons given."""

from typing import Self

from pydantic import BaseModel, ConfigDict, model_validator

from services.intake.domain.crisis import Severity, reaches
from services.intake.domain.cssrs import triage
from services.intake.domain.history import Condition, History
from services.intake.domain.measures import Band
from services.intake.domain.screening import Screening
from services.intake.events import Instrument, ReviewReason


class Variant(BaseModel):
    """A form of IPT: its contracted N, the ages it suits (years, inclusive) and its excluded conditions."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sessions: int
    youngest: int
    oldest: int | None
    excluded: tuple[Condition, ...]
    needs_history: bool

    def fits_age(self, age: int) -> bool:
        return self.youngest <= age and (self.oldest is None or age <= self.oldest)


class Choice(BaseModel):
    """Conditions for choosing a variant; the first choice that fits is taken."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    variant: str
    bands: tuple[Band, ...]
    episodes_from: int


class Rules(BaseModel):
    """The versioned eligibility file: clinical defaults, marked for sign-off."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: str
    sign_off: str
    required: tuple[Instrument, ...]
    band_reviews: dict[Band, ReviewReason]
    crisis_review_from: Severity
    youngest: int
    onset_after: int
    variants: dict[str, Variant]
    choice: tuple[Choice, ...]

    @model_validator(mode="after")
    def _choices_exist(self) -> Self:
        unknown = {choice.variant for choice in self.choice} - self.variants.keys()
        if unknown:
            raise ValueError(f"choice names unknown variants: {sorted(unknown)}")
        return self


class Candidate(BaseModel):
    """Input of the eligibility rules. `consented`: `None` until it is recorded."""

    model_config = ConfigDict(frozen=True)

    age: int | None
    consented: bool | None
    history: History | None
    screening: Screening
    crisis: Severity | None
    crisis_unknown: bool = False
    """An explicit crisis statement was null or unreadable."""
    referred_already: bool = False
    """Another referral of the person was not declined; nobody gets two plans."""


class Missing(BaseModel):
    instruments: tuple[Instrument, ...]


class Review(BaseModel):
    reasons: tuple[ReviewReason, ...]


class Enrol(BaseModel):
    variant: str
    sessions: int


Verdict = Missing | Review | Enrol


def decide(candidate: Candidate, rules: Rules) -> Verdict:
    """Wait for missing answers; enrol mild to moderate; else ask a clinician (clinical.md, Measures)."""
    if missing := missing_instruments(candidate, rules):
        return Missing(instruments=missing)
    variant = chosen_variant(candidate, rules)
    reasons = review_reasons(candidate, rules, variant)
    if reasons or variant is None:
        return Review(reasons=reasons)
    return Enrol(variant=variant, sessions=rules.variants[variant].sessions)


def missing_instruments(candidate: Candidate, rules: Rules) -> tuple[Instrument, ...]:
    """A missing item makes its instrument missing. An unassessable C-SSRS is not missing: it is reviewed."""
    screening = candidate.screening
    there: dict[Instrument, bool] = {
        "phq9": screening.phq9_score.total is not None,
        "gad7": screening.gad7_score.total is not None,
        "cssrs": triage(screening.cssrs).status in ("assessed", "unassessable"),
        "consent": candidate.consented is not None,
    }
    return tuple(instrument for instrument in rules.required if not there[instrument])


def review_reasons(candidate: Candidate, rules: Rules, variant: str | None) -> tuple[ReviewReason, ...]:
    """Every reason why a clinician must decide, most urgent first; empty if the rules may enrol."""
    band = candidate.screening.phq9_score.band
    unassessed = triage(candidate.screening.cssrs).status == "unassessable" or candidate.crisis_unknown
    held: dict[ReviewReason, bool] = {
        "crisis_open": reaches(candidate.crisis, rules.crisis_review_from),
        "crisis_unassessed": unassessed,
        "consent_missing": candidate.consented is False,
        "exclusion_reported": bool(candidate.history and candidate.history.conditions),
        "referred_already": candidate.referred_already,
        "outside_age_range": candidate.age is not None and candidate.age < rules.youngest,
    }
    reasons = [reason for reason, holds in held.items() if holds]
    if band in rules.band_reviews:
        reasons.append(rules.band_reviews[band])
    elif variant is None and "outside_age_range" not in reasons:
        reasons.append("no_exact_variant")
    return tuple(reasons)


def chosen_variant(candidate: Candidate, rules: Rules) -> str | None:
    """Variant by age, band and history: the first choice that fits, `None` if none does."""
    band = candidate.screening.phq9_score.band
    if candidate.age is None:
        return None
    episodes = (candidate.history.episodes if candidate.history else None) or 0
    for choice in rules.choice:
        variant = rules.variants[choice.variant]
        knows_enough = candidate.history is not None or not variant.needs_history
        fits = variant.fits_age(candidate.age) and band in choice.bands and episodes >= choice.episodes_from
        if fits and knows_enough:
            return choice.variant
    return None
