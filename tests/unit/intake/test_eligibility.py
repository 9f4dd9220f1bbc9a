"""Who the rules enrol, in which variant, and who is for a clinician to decide."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.intake.domain import intake
from services.intake.domain.cssrs import Cssrs
from services.intake.domain.history import Condition, History, maintenance_indications
from services.intake.domain.measures import Answers
from services.intake.domain.referral import Completed, Declined, Incomplete, InReview, Received, Submission
from services.intake.domain.screening import Screening
from services.intake.events import IntakeCompleted, IntakeReviewRequired, ReviewReason, ScreeningIncomplete
from tests.unit.intake.samples import (
    KNOWN_HISTORY,
    MILD,
    MINIMAL,
    MODERATE,
    NOW,
    RULES,
    SEVERE,
    names,
    received,
    recorded,
    referral,
    submission,
    the,
)

MODERATELY_SEVERE: Answers = (2, 2, 2, 2, 2, 2, 2, 2, 0)


def test_the_file_is_versioned_and_marked_for_sign_off() -> None:
    assert RULES.version
    assert "sign-off" in RULES.sign_off


def test_mild_to_moderate_with_everything_answered_is_enrolled_by_the_rules() -> None:
    referral, events = received(submission(MODERATE))
    assert names(events) == ["ReferralReceived", "IntakeCompleted"]
    completed = the(IntakeCompleted, events)
    assert (completed.variant, completed.sessions, completed.decided_by) == ("ipt-16", 16, "rule")
    assert (completed.phq9_total, completed.gad7_total, completed.clinician_id) == (10, None, "cln_r01")
    assert isinstance(referral.stage, Completed)
    assert referral.stage.rules_version == RULES.version


@pytest.mark.parametrize(
    ("phq9", "age", "episodes", "variant", "sessions"),
    [
        (MILD, 40, 1, "ipt-12", 12),
        (MILD, 40, 2, "ipt-16", 16),
        (MODERATE, 80, 1, "ipt-16", 16),
        (MODERATE, 12, 1, "ipt-a", 12),
        (MILD, 18, 3, "ipt-a", 12),
        (MILD, 19, 1, "ipt-12", 12),
    ],
)
def test_the_variant_follows_age_band_and_history(
    phq9: Answers, age: int, episodes: int, variant: str, sessions: int
) -> None:
    _, events = received(submission(phq9, age=age, history=History(episodes=episodes)))
    completed = the(IntakeCompleted, events)
    assert (completed.variant, completed.sessions) == (variant, sessions)


@pytest.mark.parametrize(
    ("handed_in", "reasons"),
    [
        (submission(MINIMAL), ("minimal_symptoms",)),
        (submission(MODERATELY_SEVERE), ("moderately_severe",)),
        (submission(SEVERE), ("severe",)),
        (submission(consent=False), ("consent_missing",)),
        (submission(age=11, history=KNOWN_HISTORY), ("outside_age_range",)),
        (submission(age=None), ("no_exact_variant",)),
        (submission(age=15), ("no_exact_variant",)),
        (submission(history=History(conditions=("bipolar",))), ("exclusion_reported",)),
        (
            submission(history=History(conditions=("acutely_suicidal",))),
            ("crisis_open", "exclusion_reported"),
        ),
        (submission(statement="yes"), ("crisis_open",)),
        (submission(statement="unknown"), ("crisis_open", "crisis_unassessed")),
        (
            submission(SEVERE, Cssrs(q1="no", q2="no", q4="yes", q6="no"), consent=False),
            ("crisis_open", "crisis_unassessed", "consent_missing", "severe"),
        ),
    ],
)
def test_everyone_else_goes_to_a_clinician_with_every_reason(
    handed_in: Submission, reasons: tuple[ReviewReason, ...]
) -> None:
    referral, events = received(handed_in)
    assert the(IntakeReviewRequired, events).reasons == reasons
    assert isinstance(referral.stage, InReview)
    assert "IntakeCompleted" not in names(events)


def test_history_that_is_added_takes_nothing_back() -> None:
    before, _ = received(
        submission(history=History(episodes=1, family_history=True, conditions=("psychosis",)))
    )
    after, events = recorded(before, Submission(history=History(episodes=2, conditions=("bipolar",))))
    assert after.history == History(episodes=2, family_history=True, conditions=("psychosis", "bipolar"))
    assert isinstance(after.stage, InReview), "the rules enrol nobody whose exclusion was left out later"
    assert events == []


def test_another_referral_of_the_person_is_looked_at_before_the_rules_enrol() -> None:
    flagged, _ = received(Submission(statement="yes"))
    other = flagged.model_copy(update={"id": "ref_0"})
    _, events = intake.receive(referral(), submission(), NOW, RULES, "someone", [other])
    assert the(IntakeReviewRequired, events).reasons == ("crisis_open", "referred_already")
    enrolled = received(submission())[0].model_copy(update={"id": "ref_0"})
    _, events = intake.receive(referral(), submission(), NOW, RULES, "someone", [enrolled])
    assert the(IntakeReviewRequired, events).reasons == ("referred_already",)
    gone = Declined(reason="not_indicated", alternative_offered=True, decider="dr", declined_at=NOW)
    declined = flagged.model_copy(update={"id": "ref_0", "stage": gone})
    _, events = intake.receive(referral(), submission(), NOW, RULES, "someone", [declined])
    assert names(events) == ["ReferralReceived", "IntakeCompleted"]


def test_a_low_crisis_flag_does_not_stop_the_rules_from_enrolling() -> None:
    referral, events = received(submission(MODERATE, Cssrs(q1="yes", q2="no", q6="no")))
    assert names(events) == ["ReferralReceived", "CrisisFlagRaised", "IntakeCompleted"]
    assert referral.crisis.worst == "low"


@pytest.mark.parametrize(
    ("handed_in", "missing"),
    [
        (submission(consent=None), ("consent",)),
        (submission(cssrs=Cssrs()), ("cssrs",)),
        (submission((*MODERATE[:8], "refused")), ("phq9",)),
        (
            Submission(screening=Screening(phq9=("dont_know", *MODERATE[1:]))),
            ("phq9", "cssrs", "consent"),
        ),
    ],
)
def test_missing_answers_wait_by_name_and_are_no_reason_to_turn_away(
    handed_in: Submission, missing: tuple[str, ...]
) -> None:
    referral, events = received(handed_in)
    assert the(ScreeningIncomplete, events).missing == missing
    assert isinstance(referral.stage, Incomplete)


def test_a_referral_without_any_answer_is_received_and_waits() -> None:
    referral, events = received(Submission(age=40))
    assert isinstance(referral.stage, Received)
    assert names(events) == ["ReferralReceived"]


def test_answers_that_complete_the_screening_let_the_rules_enrol() -> None:
    referral, _ = received(Submission(age=40))
    referral, events = recorded(referral, Submission(screening=submission().screening))
    assert names(events) == ["ScreeningIncomplete"]
    referral, events = recorded(referral, Submission(consent=True))
    assert names(events) == ["IntakeCompleted"]


def test_the_same_missing_answers_are_announced_once() -> None:
    referral, _ = received(submission(consent=None))
    _, events = recorded(referral, Submission(screening=Screening(gad7=(1,) * 7)))
    assert events == []


def test_a_review_is_announced_again_only_when_its_reasons_change() -> None:
    referral, _ = received(submission(SEVERE))
    referral, events = recorded(referral, Submission(screening=Screening(gad7=(1,) * 7)))
    assert events == []
    referral, events = recorded(referral, Submission(consent=False))
    assert the(IntakeReviewRequired, events).reasons == ("consent_missing", "severe")


@pytest.mark.parametrize(
    ("history", "indications"),
    [
        (History(episodes=3), ("three_or_more_episodes",)),
        (History(episodes=2, rapid_recurrence=True), ("two_with_rapid_recurrence",)),
        (History(episodes=2), ()),
        (History(onset_age=61), ("late_onset",)),
        (History(onset_age=60), ()),
        (History(severe_episodes=True, family_history=True), ("severe_episodes", "family_history")),
        (History(residual_symptoms=True), ("residual_symptoms",)),
        (None, ()),
    ],
)
def test_history_indicates_maintenance_as_icsi_has_it(
    history: History | None, indications: tuple[str, ...]
) -> None:
    assert maintenance_indications(history, onset_after=RULES.onset_after) == indications


conditions = st.lists(st.sampled_from(["bipolar", "psychosis", "acutely_suicidal"]), max_size=2, unique=True)


@settings(deadline=None)
@given(
    phq9=st.tuples(*[st.sampled_from([0, 1, 2, 3, "refused", None])] * 9),
    age=st.none() | st.integers(0, 100),
    consent=st.sampled_from([None, True, False]),
    reported=st.none() | conditions,
)
def test_nobody_is_silently_turned_away_or_silently_enrolled(
    phq9: Answers, age: int | None, consent: bool | None, reported: list[Condition] | None
) -> None:
    history = None if reported is None else History(conditions=tuple(reported))
    referral, events = received(submission(phq9, age=age, consent=consent, history=history))
    match referral.stage:
        case Completed(phq9_total=total):
            assert 5 <= total <= 14
            assert consent
            assert "IntakeCompleted" in names(events)
        case InReview(reasons=reasons):
            assert reasons
            assert "IntakeReviewRequired" in names(events)
        case Incomplete(missing=missing):
            assert missing
            assert "ScreeningIncomplete" in names(events)
        case other:
            raise AssertionError(other)
