"""A clinician decides; a decision that may not be taken is refused with the reason."""

from typing import Any

import pytest

from services.intake.domain import decisions
from services.intake.domain.history import History
from services.intake.domain.intake import Change
from services.intake.domain.referral import Completed, Declined, Referral, Submission
from services.intake.events import IntakeCompleted, IntakeDeclined
from shared.errors import Refused
from tests.unit.intake.samples import (
    KNOWN_HISTORY,
    MINIMAL,
    MODERATE,
    NOW,
    RULES,
    SEVERE,
    received,
    recorded,
    submission,
    the,
)


def enrol(
    referral: Referral, variant: str = "ipt-16", sessions: int = 16, *, assessed: bool = False
) -> Change:
    return decisions.enrol(referral, variant, sessions, NOW, RULES, by="dr", crisis_assessed=assessed)


def decline(referral: Referral, *, assessed: bool = False) -> Change:
    return decisions.decline(
        referral, "not_indicated", NOW, RULES, by="dr", alternative_offered=True, crisis_assessed=assessed
    )


def in_review(**others: Any) -> Referral:
    return received(submission(SEVERE, **others))[0]


def test_a_clinician_may_enrol_someone_in_review_and_it_is_said_who_decided() -> None:
    referral, events = enrol(in_review(), "ipt-14", 14)
    completed = the(IntakeCompleted, events)
    assert (completed.decided_by, completed.variant, completed.sessions) == ("clinician", "ipt-14", 14)
    assert isinstance(referral.stage, Completed)
    assert referral.stage.decider == "dr"


def test_declining_says_why_and_whether_an_alternative_was_offered() -> None:
    referral, events = decline(received(submission(MINIMAL))[0])
    declined = the(IntakeDeclined, events)
    assert (declined.reason, declined.alternative_offered) == ("not_indicated", True)
    assert isinstance(referral.stage, Declined)


def test_someone_who_never_answered_may_be_declined_and_not_enrolled() -> None:
    waiting, _ = received(Submission(age=40))
    assert isinstance(decline(waiting)[0].stage, Declined)
    with pytest.raises(Refused) as refused:
        enrol(waiting)
    assert refused.value.reason == "screening_incomplete"
    assert refused.value.facts == {"missing": ["phq9", "cssrs", "consent"]}


@pytest.mark.parametrize(
    ("referral", "variant", "sessions", "reason"),
    [
        (in_review(consent=False), "ipt-16", 16, "consent_missing"),
        (in_review(statement="yes"), "ipt-16", 16, "crisis_unassessed"),
        (in_review(), "ipt-99", 16, "unknown_variant"),
        (in_review(), "ipt-16", 12, "sessions_not_of_variant"),
        (in_review(age=None), "ipt-16", 16, "age_unknown"),
        (in_review(), "ipt-a", 12, "age_outside_variant"),
        (in_review(age=15, history=KNOWN_HISTORY), "ipt-16", 16, "age_outside_variant"),
        (in_review(age=15, history=History(conditions=("psychosis",))), "ipt-a", 12, "excluded_from_variant"),
        (received(submission(MODERATE))[0], "ipt-16", 16, "already_completed"),
        (decline(in_review())[0], "ipt-16", 16, "already_declined"),
    ],
)
def test_enrolling_is_refused_with_the_reason(
    referral: Referral, variant: str, sessions: int, reason: str
) -> None:
    with pytest.raises(Refused) as refused:
        enrol(referral, variant, sessions)
    assert refused.value.reason == reason


def test_an_unassessed_crisis_blocks_both_decisions_until_a_clinician_says_it_was_assessed() -> None:
    in_crisis = in_review(statement="yes")
    for decision in (enrol, decline):
        with pytest.raises(Refused, match="crisis_unassessed"):
            decision(in_crisis)
    assert isinstance(enrol(in_crisis, assessed=True)[0].stage, Completed)
    assert isinstance(decline(in_crisis, assessed=True)[0].stage, Declined)


def test_the_crisis_of_another_referral_that_is_open_blocks_enrolment_as_well() -> None:
    flagged = received(Submission(statement="yes"))[0].model_copy(update={"id": "ref_0"})
    given = {"by": "dr", "others": [flagged]}
    with pytest.raises(Refused, match="crisis_unassessed"):
        decisions.enrol(in_review(), "ipt-16", 16, NOW, RULES, crisis_assessed=False, **given)
    enrolled, _ = decisions.enrol(in_review(), "ipt-16", 16, NOW, RULES, crisis_assessed=True, **given)
    assert isinstance(enrolled.stage, Completed)


def test_bipolar_disorder_is_for_a_clinician_to_weigh_in_adults() -> None:
    referral = received(submission(history=History(conditions=("bipolar",))))[0]
    assert isinstance(enrol(referral)[0].stage, Completed)


def test_consent_does_not_change_here_once_it_is_decided() -> None:
    referral, _ = received(submission())
    assert recorded(referral, Submission(consent=True)) == (referral, [])
    with pytest.raises(Refused, match="already_completed"):
        recorded(referral, Submission(consent=False))
