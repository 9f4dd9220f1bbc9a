"""The C-SSRS screener: its flow, its three levels, and what cannot be assessed."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.intake.domain.cssrs import QUESTIONS, RISKS, Cssrs, Risk, asked, triage

answer = st.sampled_from(["yes", "no", None])
whatever = st.sampled_from(["yes", "no", "unreadable", None])
screeners = st.builds(Cssrs, **dict.fromkeys(QUESTIONS, answer))
untidy = st.builds(Cssrs, **dict.fromkeys(QUESTIONS, whatever))

THOUGHTS = {"q1": "yes", "q2": "yes", "q3": "no", "q4": "no", "q5": "no", "q6": "no"}


def test_no_thoughts_of_suicide_lead_straight_to_question_6() -> None:
    assert asked(Cssrs(q1="no", q2="no")) == ("q1", "q2", "q6")


def test_thoughts_of_suicide_ask_for_method_intent_and_plan_before_question_6() -> None:
    assert asked(Cssrs(q1="no", q2="yes")) == ("q1", "q2", "q3", "q4", "q5", "q6")


def test_behaviour_asks_how_long_ago_it_was() -> None:
    assert asked(Cssrs(q2="no", q6="yes"))[-2:] == ("q6", "q6_recent")


@pytest.mark.parametrize(
    ("answers", "risk"),
    [
        ({"q1": "no", "q2": "no", "q6": "no"}, "none"),
        ({"q1": "yes", "q2": "no", "q6": "no"}, "low"),
        (THOUGHTS, "low"),
        (THOUGHTS | {"q3": "yes"}, "moderate"),
        (THOUGHTS | {"q4": "yes"}, "high"),
        (THOUGHTS | {"q5": "yes"}, "high"),
        ({"q1": "no", "q2": "no", "q6": "yes", "q6_recent": "no"}, "moderate"),
        ({"q1": "no", "q2": "no", "q6": "yes", "q6_recent": "yes"}, "high"),
    ],
)
def test_the_worst_single_yes_decides_and_nothing_is_summed(answers: dict[str, Any], risk: Risk) -> None:
    result = triage(Cssrs(**answers))
    assert (result.status, result.risk) == ("assessed", risk)


@pytest.mark.parametrize(
    "answers",
    [
        {"q1": "no", "q2": "no", "q4": "yes", "q6": "no"},
        {"q1": "no", "q2": "no", "q6": "no", "q6_recent": "yes"},
        {"q1": "unreadable", "q2": "no", "q6": "no"},
        {"q6": "unreadable"},
    ],
)
def test_contradictory_and_unreadable_answers_are_unassessable_and_moderate_at_least(
    answers: dict[str, Any],
) -> None:
    result = triage(Cssrs(**answers))
    assert result.status == "unassessable"
    assert RISKS.index(result.risk) >= RISKS.index("moderate")


def test_a_screener_nobody_began_is_no_risk_and_not_assessed() -> None:
    assert (triage(Cssrs()).status, triage(Cssrs()).risk) == ("not_started", "none")


def test_an_unfinished_screener_with_a_yes_is_moderate_until_it_is_finished() -> None:
    unfinished = Cssrs(q1="yes", q2="yes")
    assert (triage(unfinished).status, triage(unfinished).risk) == ("unfinished", "moderate")
    finished = unfinished.merged(Cssrs(q3="no", q4="no", q5="no", q6="no"))
    assert (triage(finished).status, triage(finished).risk) == ("assessed", "low")


def test_behaviour_without_a_date_is_not_assessed_and_moderate() -> None:
    result = triage(Cssrs(q1="no", q2="no", q6="yes"))
    assert (result.status, result.risk) == ("unfinished", "moderate")


@settings(deadline=None)
@given(untidy, st.sampled_from(QUESTIONS))
def test_one_more_yes_never_lowers_what_the_answers_say(answers: Cssrs, question: str) -> None:
    more = answers.model_copy(update={question: "yes"})
    assert RISKS.index(triage(more).answered) >= RISKS.index(triage(answers).answered)


@settings(deadline=None)
@given(untidy)
def test_every_yes_is_heard(answers: Cssrs) -> None:
    anything = any(answers.answer(question) == "yes" for question in QUESTIONS)
    assert (triage(answers).risk != "none") or not anything


@settings(deadline=None)
@given(untidy)
def test_whatever_is_not_assessed_and_not_all_no_is_moderate_at_least(answers: Cssrs) -> None:
    result = triage(answers)
    alarming = any(answers.answer(question) in ("yes", "unreadable") for question in QUESTIONS)
    if alarming and result.status != "assessed":
        assert result.risk in ("moderate", "high")


@settings(deadline=None)
@given(screeners)
def test_it_is_assessed_exactly_when_every_asked_question_is_answered_without_contradiction(
    answers: Cssrs,
) -> None:
    complete = all(answers.answer(question) is not None for question in asked(answers))
    assert (triage(answers).status in ("assessed", "unassessable")) or not complete
    assert complete or triage(answers).status != "assessed"
