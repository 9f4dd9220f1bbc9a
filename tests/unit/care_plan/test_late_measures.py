"""Scores that are recorded long after they were given."""

from datetime import datetime, timedelta

from services.care_plan.domain import measures
from services.care_plan.domain.maintenance import record_relapse_prevention
from services.care_plan.domain.phases import Ended
from services.care_plan.domain.plan import Measure, Plan
from services.care_plan.domain.sessions import Attended, record_session
from services.care_plan.domain.transitions import missing_for_end
from services.care_plan.events import MeasureRecorded, NotImproving
from shared.messaging.event import Event
from tests.unit.care_plan.builders import (
    NOW,
    PREVENTION,
    attend,
    in_maintenance,
    moment,
    names,
    of,
    phq9,
    prepared,
    protocol,
    weeks,
)


def recorded_late(plan: Plan, total: int, at: datetime) -> tuple[Plan, list[Event]]:
    session = Attended(appointment_id="forgotten", at=at, phq9=phq9(total))
    return record_session(plan, session, moment())


def findings(events: list[Event]) -> list[str]:
    return [
        name for name in names(events) if name not in ("SessionAttended", "MeasureRecorded", "PhaseEntered")
    ]


def test_an_older_score_recorded_late_completes_the_history_and_is_not_the_present() -> None:
    plan, _ = attend(prepared(), total=20)
    plan, events = recorded_late(plan, 4, NOW - weeks(2))
    assert findings(events) == []
    assert (plan.last_total(), plan.standing) == (20, ("deterioration",))
    assert [measure.total for measure in plan.measures] == [20, 4]
    _, asked = measures.review_case(plan, 8, moment())
    assert [event.total for event in of(NotImproving, asked)] == [20]


def test_a_score_recorded_late_is_judged_where_none_was_given_since() -> None:
    plan, _ = attend(prepared(), total=14, at=NOW - weeks(3))
    _, events = recorded_late(plan, 4, NOW - weeks(2))
    assert findings(events) == ["ResponseReached", "RemissionReached"]


def test_it_is_announced_when_a_score_was_given_and_when_it_was_recorded() -> None:
    _, events = recorded_late(prepared(), 9, NOW - weeks(2))
    [told] = of(MeasureRecorded, events)
    assert (told.taken_at, told.recorded_at) == (NOW - weeks(2), NOW)


def test_an_old_score_in_the_session_recorded_last_is_no_final_measure() -> None:
    plan, _ = record_relapse_prevention(prepared(), PREVENTION, moment())
    for week in range(11):
        plan, _ = attend(plan, at=NOW - timedelta(days=4 * (11 - week)), total=16 if week < 10 else None)
    plan, events = recorded_late(plan, 4, NOW - timedelta(days=50))
    assert findings(events) == ["PhaseOverdue"]
    assert missing_for_end(plan, moment()) == ("final_phq9",)
    plan, _ = measures.take_measures(plan, phq9(16), None, moment())
    assert isinstance(plan.phase, Ended)
    assert plan.phase.end_of_acute == 16


def test_the_score_of_the_session_that_was_the_last_ends_treatment_in_whatever_order_they_are_recorded() -> (
    None
):
    plan, _ = record_relapse_prevention(prepared(), PREVENTION, moment())
    for week in range(11):
        plan, _ = attend(plan, at=NOW - timedelta(days=4 * (11 - week)), total=16)
    plan, _ = recorded_late(plan, 4, NOW - timedelta(days=50))
    assert isinstance(plan.phase, Ended)
    assert plan.phase.end_of_acute == 16


def test_a_score_from_before_maintenance_signals_no_relapse() -> None:
    plan, events = recorded_late(in_maintenance(), 20, NOW - weeks(1))
    assert findings(events) == []
    assert plan.standing == ()


def test_a_stored_measure_of_a_release_before_was_taken_when_it_was_recorded() -> None:
    plan, _ = recorded_late(prepared(), 9, NOW - weeks(2))
    stored = plan.measures[0].model_dump(exclude={"taken_at"})
    assert Measure.model_validate(stored).taken_at == NOW
    assert Measure.model_validate(plan.measures[0].model_dump()).taken_at == NOW - weeks(2)


def test_a_late_score_does_not_take_an_answer_to_treatment_away() -> None:
    plan, _ = attend(prepared(), total=6)
    plan, _ = recorded_late(plan, 14, NOW - weeks(2))
    assert measures.has_answered(plan, protocol().thresholds)
