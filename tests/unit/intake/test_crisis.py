"""One flag a submission, with the worst of the evidence; never silence where there is doubt."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.intake.domain import intake
from services.intake.domain.crisis import CRISIS_SUPPORT, SEVERITIES, assess, assess_statement
from services.intake.domain.cssrs import QUESTIONS, Cssrs, YesNo
from services.intake.domain.history import History
from services.intake.domain.referral import Completed, Incomplete, Submission
from services.intake.domain.screening import Screening
from services.intake.events import CrisisFlagRaised
from tests.unit.intake.samples import MODERATE, NO, NOW, RULES, names, received, recorded, submission, the

ITEM9 = (*MODERATE[:8], 1)
HIGH = Cssrs(q1="yes", q2="yes", q3="yes", q4="yes", q5="no", q6="no")


def only_item9(answer: int) -> Submission:
    return Submission(screening=Screening(phq9=(*(None,) * 8, answer)))


@pytest.mark.parametrize("answer", [1, 2, 3])
def test_item_9_without_cssrs_is_moderate_whatever_the_total(answer: int) -> None:
    _, events = received(only_item9(answer))
    flag = the(CrisisFlagRaised, events)
    assert (flag.severity, flag.evidence) == ("moderate", ("phq9_item9",))


def test_item_9_answered_with_0_refused_or_not_at_all_raises_nothing() -> None:
    for answer in (0, "refused", "dont_know", None):
        assert assess(Screening(phq9=(*(None,) * 8, answer)), "not_stated").severity is None


def test_all_evidence_of_a_submission_goes_into_one_flag_with_the_highest_severity() -> None:
    _, events = received(submission(ITEM9, HIGH, statement="yes"))
    flag = the(CrisisFlagRaised, events)
    assert (flag.severity, flag.evidence) == ("high", ("cssrs_high", "explicit", "phq9_item9"))


def test_a_complete_cssrs_decides_the_severity_of_a_positive_item_9_which_stays_flagged() -> None:
    found = assess(Screening(phq9=ITEM9, cssrs=NO), "not_stated")
    assert (found.severity, set(found.evidence)) == ("low", {"phq9_item9"})


def test_the_flag_goes_out_without_consent_and_with_an_incomplete_form() -> None:
    referral, events = received(only_item9(2))
    assert isinstance(referral.stage, Incomplete)
    assert names(events) == ["ReferralReceived", "CrisisFlagRaised", "ScreeningIncomplete"]


def test_the_same_answers_again_raise_no_second_flag() -> None:
    handed_in = submission(ITEM9, HIGH, statement="yes")
    referral, _ = received(handed_in)
    again, events = recorded(referral, handed_in)
    assert (again, events) == (referral, [])


def test_other_answers_do_not_repeat_a_flag_that_was_raised_before() -> None:
    referral, _ = received(only_item9(1))
    _, events = recorded(referral, Submission(screening=Screening(gad7=(1,) * 7)))
    assert "CrisisFlagRaised" not in names(events)


def test_new_evidence_raises_a_second_flag_and_the_worst_severity_stands() -> None:
    referral, _ = received(only_item9(1))
    referral, events = recorded(referral, Submission(screening=Screening(cssrs=HIGH)))
    assert the(CrisisFlagRaised, events).severity == "high"
    calmer, events = recorded(referral, Submission(screening=Screening(phq9=(*(None,) * 8, 0), cssrs=NO)))
    assert calmer.crisis.worst == "high"
    assert calmer.crisis.flags == referral.crisis.flags + len([e for e in names(events) if "Crisis" in e])


@pytest.mark.parametrize(
    "further", [{"q5": "unreadable"}, {"q2": "no", "q3": "yes"}, {"q6": "no", "q6_recent": "yes"}]
)
def test_every_further_answer_that_nobody_can_assess_is_flagged_for_itself(further: dict[str, YesNo]) -> None:
    referral, _ = received(Submission(screening=Screening(cssrs=Cssrs(q1="unreadable", q4="yes"))))
    said = Submission(screening=Screening(cssrs=Cssrs.model_validate(further)))
    referral, events = recorded(referral, said)
    assert "unassessable" in the(CrisisFlagRaised, events).evidence
    assert recorded(referral, said)[1] == []


def test_item_9_that_turns_positive_again_is_flagged_again() -> None:
    referral, _ = received(only_item9(1))
    referral, _ = recorded(referral, only_item9(0))
    _, events = recorded(referral, only_item9(1))
    assert names(events) == ["CrisisFlagRaised"]


def test_an_unknown_answer_to_the_crisis_question_is_never_no() -> None:
    found = assess_statement("unknown")
    assert (found.severity, set(found.evidence)) == ("moderate", {"unassessable"})
    assert assess_statement("not_stated").severity is assess_statement("no").severity is None


def test_acute_suicidality_in_the_history_is_a_flag_whatever_is_still_missing() -> None:
    suicidal = Submission(history=History(conditions=("acutely_suicidal",)))
    referral, events = received(suicidal)
    flag = the(CrisisFlagRaised, events)
    assert (flag.severity, flag.evidence) == ("high", ("explicit",))
    assert recorded(referral, suicidal)[1] == [], "the same again says nothing new"


def test_flags_of_one_referral_have_ids_of_their_own() -> None:
    referral, first = received(only_item9(1))
    _, second = intake.raise_flag(referral, assess_statement("yes"), NOW, RULES)
    assert the(CrisisFlagRaised, first).flag_id != the(CrisisFlagRaised, second).flag_id


def test_an_explicit_flag_is_raised_each_time_and_at_every_stage() -> None:
    referral, _ = received(submission())
    assert isinstance(referral.stage, Completed)
    for _ in range(2):
        referral, events = intake.raise_flag(referral, assess_statement("yes"), NOW, RULES)
        assert names(events) == ["CrisisFlagRaised"]
    assert (referral.crisis.flags, referral.crisis.worst) == (2, "high")


def test_answers_that_come_after_the_decision_are_kept_and_flagged_and_the_decision_stands() -> None:
    referral, _ = received(submission())
    after, events = recorded(referral, Submission(screening=Screening(cssrs=HIGH)))
    assert names(events) == ["CrisisFlagRaised"]
    assert after.stage == referral.stage
    assert after.screening.cssrs == HIGH


def test_the_lines_for_people_in_a_crisis_name_both_numbers_and_say_what_this_is_not() -> None:
    assert "988" in CRISIS_SUPPORT
    assert "HOME to 741741" in CRISIS_SUPPORT
    assert "not an emergency service" in CRISIS_SUPPORT


answers = st.builds(
    Screening,
    phq9=st.tuples(*[st.sampled_from([0, 1, 2, 3, "refused", None])] * 9),
    cssrs=st.builds(
        Cssrs, **{question: st.sampled_from(["yes", "no", "unreadable", None]) for question in QUESTIONS}
    ),
)
statements = st.sampled_from(["not_stated", "no", "yes", "unknown"])
submissions = st.builds(
    Submission,
    consent=st.sampled_from([None, True]),
    age=st.sampled_from([None, 15, 40]),
    screening=answers,
    statement=statements,
)


@settings(deadline=None)
@given(st.lists(submissions, min_size=1, max_size=5))
def test_no_crisis_is_lost_whatever_is_handed_in_and_in_whatever_order(parts: list[Submission]) -> None:
    referral, events = received(parts[0])
    for part in parts[1:]:
        referral, more = recorded(referral, part)
        events += more
    flags = [event for event in events if isinstance(event, CrisisFlagRaised)]
    assert referral.crisis.flags == len(flags) == len({flag.flag_id for flag in flags})
    standing = referral.assessment()
    if standing.severity is not None:
        worst = max(SEVERITIES.index(flag.severity) for flag in flags)
        assert worst >= SEVERITIES.index(standing.severity)
        lesser = {code for code in standing.evidence if code.startswith("cssrs_")}
        assert standing.evidence - lesser <= set(referral.crisis.evidence)


@settings(deadline=None)
@given(st.lists(submissions, min_size=1, max_size=4))
def test_handing_in_the_same_twice_changes_nothing(parts: list[Submission]) -> None:
    referral, _ = received(parts[0])
    for part in parts[1:]:
        referral, _ = recorded(referral, part)
    assert recorded(referral, parts[-1]) == (referral, [])
