"""What two services say or decide about a crisis, each in its own words, is the same."""

import itertools

import pytest

from services.care_plan import views
from services.care_plan.domain import crisis as care_plan
from services.dashboard.pages.person import answers
from services.intake.domain import crisis as intake_crisis
from services.intake.domain import cssrs as intake

QUESTIONS = ("q1", "q2", "q3", "q4", "q5", "q6", "q6_recent")
SAID = {True: "yes", False: "no", None: None}


def screeners() -> list[care_plan.Cssrs]:
    every = itertools.product((True, False, None), repeat=len(QUESTIONS))
    return [care_plan.Cssrs(**dict(zip(QUESTIONS, given, strict=True))) for given in every]


def in_intake(screener: care_plan.Cssrs) -> intake.Cssrs:
    return intake.Cssrs(**{question: SAID[getattr(screener, question)] for question in QUESTIONS})


def test_every_service_names_the_same_help() -> None:
    assert intake_crisis.CRISIS_SUPPORT == views.CRISIS_TEXT == answers.SUPPORT


@pytest.mark.parametrize("risk", ["none", "low", "moderate", "high"])
def test_a_complete_screener_is_triaged_alike_by_intake_and_care_plan(risk: str) -> None:
    complete = [screener for screener in screeners() if screener.is_complete]
    found = [screener for screener in complete if intake.triage(in_intake(screener)).risk == risk]
    assert found
    for screener in found:
        assert care_plan.triage(screener) == (() if risk == "none" else (f"cssrs_{risk}",)), screener


def test_a_yes_in_a_screener_that_cannot_be_assessed_alarms_in_both() -> None:
    doubtful = [screener for screener in screeners() if not (screener.is_complete or screener.is_empty)]
    alarming = [screener for screener in doubtful if True in screener.model_dump().values()]
    assert alarming
    for screener in alarming:
        assert intake.triage(in_intake(screener)).risk in ("moderate", "high"), screener
        assert "unassessable" in care_plan.triage(screener), screener
