"""What joins an alert says whether it is in nobody's hands from then on."""

from datetime import UTC, datetime

import pytest

from services.alerts.domain import concerns, digest
from services.alerts.domain.acknowledgement import acknowledge, assess
from services.alerts.domain.alert import Outcome
from services.alerts.domain.concerns import Concern, Origin
from services.alerts.events import AlertJoined
from tests.unit.alerts.cases import (
    CLINIC,
    MONDAY,
    NIGHT,
    PATIENT,
    assessment,
    joins,
    minutes,
    on_call,
    opened,
    report,
)

DESK = on_call()
MORNING = datetime(2026, 3, 3, 13, 30, tzinfo=UTC)
ABOUT = concerns.referral("ref_1")
INCOMPLETE = Concern("intake_review", "routine", "screening_incomplete", ABOUT)
COMPLETE = Concern("intake_review", "routine", "intake_review_required", ABOUT)
SIGNAL = Concern("relapse_signal", "low", "relapse_signalled", "plan:pln_1")


def origin(number: int) -> Origin:
    return Origin(f"msg_{number}", PATIENT, CLINIC, "pln_1", "cln_r05")


def reopened(out: Outcome) -> bool:
    (joined,) = [event for event in out.events if isinstance(event, AlertJoined)]
    return joined.reopened


def test_a_routine_alert_that_somebody_took_is_reopened_by_another_reason_and_not_by_the_same() -> None:
    raised = concerns.raise_or_join(None, INCOMPLETE, origin(1), DESK, NIGHT).alert
    (told,) = digest.when_due([raised], DESK, MORNING)
    taken = acknowledge(told.alert, "crd_r01", DESK, MORNING + minutes(5)).alert
    another = concerns.raise_or_join(taken, COMPLETE, origin(2), DESK, MORNING + minutes(60))
    assert (another.alert.state, reopened(another)) == ("open", True)
    the_same = concerns.raise_or_join(taken, INCOMPLETE, origin(2), DESK, MORNING + minutes(60))
    assert (the_same.alert.state, reopened(the_same)) == ("acknowledged", False)


def test_a_routine_alert_that_was_assessed_is_told_in_the_next_digest_when_it_comes_about_again() -> None:
    overdue = Concern("phase_overdue", "routine", "phase_overdue", "plan:pln_1", codes=("final_phq9",))
    raised = concerns.raise_or_join(None, overdue, origin(1), DESK, NIGHT).alert
    reviewed = assessment(MORNING).model_copy(update={"result": "reviewed"})
    assessed = assess(raised, reviewed, DESK, MORNING).alert
    assert assessed.next_due is not None
    again = concerns.raise_or_join(assessed, overdue, origin(2), DESK, MORNING + minutes(60))
    assert (again.alert.state, reopened(again)) == ("open", True)
    assert again.alert.next_due == datetime(2026, 3, 3, 21, 0, tzinfo=UTC), "16:00 of the same day"
    assert again.alert.next_due < assessed.next_due


def test_what_was_assessed_is_reopened_by_more_of_the_same_outside_clinic_hours_too() -> None:
    evening = datetime(2026, 3, 2, 23, 0, tzinfo=UTC)
    raised = concerns.raise_or_join(None, SIGNAL, origin(1), DESK, MONDAY).alert
    reviewed = assessment(MONDAY).model_copy(update={"result": "reviewed"})
    assessed = assess(raised, reviewed, DESK, MONDAY).alert
    again = concerns.raise_or_join(assessed, SIGNAL, origin(2), DESK, evening)
    assert (again.alert.state, reopened(again)) == ("open", True)


@pytest.mark.parametrize(("worse", "expected"), [("moderate", False), ("high", True)])
def test_a_crisis_that_somebody_took_is_reopened_by_worse_evidence_alone(worse: str, expected: bool) -> None:
    history, out = opened("moderate")
    taken = acknowledge(out.alert, "cln_r01", DESK, MONDAY + minutes(1)).alert
    found = report("high" if worse == "high" else "moderate")
    assert reopened(joins(history, taken, found, MONDAY + minutes(2))) is expected


def test_what_nobody_had_is_not_reopened() -> None:
    history, out = opened("moderate")
    assert not reopened(joins(history, out.alert, report("high"), MONDAY + minutes(2)))
