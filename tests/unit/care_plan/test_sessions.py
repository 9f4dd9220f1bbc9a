"""Sessions as they happened."""

from datetime import timedelta

import pytest

from services.care_plan.domain import closing, maintenance
from services.care_plan.domain.plan import Plan
from services.care_plan.domain.sessions import Attended, Cancelled, Missed, record_session
from services.care_plan.events import SessionAttended, SessionMissed
from tests.unit.care_plan.builders import (
    LATER,
    NOW,
    START,
    attend,
    ended,
    in_maintenance,
    in_middle,
    moment,
    names,
    new_plan,
    of,
    phq9,
    prepared,
    refused,
    weeks,
)


def test_an_attended_session_counts_and_says_in_which_phase_it_took_place() -> None:
    plan, events = attend(new_plan(), 2)
    last = of(SessionAttended, events)[-1]
    assert (last.attended, last.sessions, last.phase, last.attended_at) == (2, 12, "initial", NOW)
    assert [session.number for session in plan.sessions] == [1, 2]


def test_techniques_are_kept() -> None:
    session = Attended(appointment_id="a", techniques=("role_playing", "communication_analysis"))
    plan, _ = record_session(new_plan(), session, moment())
    assert plan.sessions[0].techniques == ("role_playing", "communication_analysis")


def test_the_same_session_again_changes_nothing() -> None:
    session = Attended(appointment_id="a", phq9=phq9(9))
    plan, _ = record_session(new_plan(), session, moment())
    again, events = record_session(plan, session, moment())
    assert again is plan
    assert events == []


def test_the_same_appointment_with_another_content_is_a_contradiction() -> None:
    plan, _ = record_session(new_plan(), Attended(appointment_id="a"), moment())
    for other in (Missed(appointment_id="a"), Attended(appointment_id="a", phq9=phq9(9))):
        assert refused(record_session, plan, other, moment()) == "appointment_recorded_otherwise"


def test_no_shows_in_a_row_are_counted_until_the_person_comes() -> None:
    plan, counted = new_plan(), []
    for number, happening in enumerate([Missed, Missed, Attended, Missed]):
        plan, events = record_session(plan, happening(appointment_id=f"a{number}"), moment())
        counted += [event.consecutive for event in of(SessionMissed, events)]
    assert counted == [1, 2, 1]


@pytest.mark.parametrize(
    ("recorded", "counted", "in_a_row"),
    [
        ([(2, Missed), (1, Attended), (3, Missed)], [1, 2], 2),
        ([(2, Missed), (1, Missed)], [1, 2], 2),
        ([(1, Missed), (3, Missed), (2, Attended)], [1, 2], 1),
        ([(2, Attended), (3, Missed), (4, Missed), (1, Missed)], [1, 2, 1], 2),
    ],
)
def test_no_shows_count_in_the_order_in_which_sessions_took_place(
    recorded: list[tuple[int, type[Missed] | type[Attended]]], counted: list[int], in_a_row: int
) -> None:
    plan, found = new_plan(), []
    for week, happening in recorded:
        session = happening(appointment_id=f"a{week}", at=NOW + weeks(week))
        plan, events = record_session(plan, session, moment(at=NOW + weeks(5)))
        found += [event.consecutive for event in of(SessionMissed, events)]
    assert (found, plan.missed_in_a_row) == (counted, in_a_row)


def test_a_cancelled_session_names_who_and_why_and_is_no_no_show() -> None:
    plan, _ = record_session(new_plan(), Missed(appointment_id="a"), moment())
    called_off = Cancelled(appointment_id="b", by="patient", reason="illness")
    plan, [event] = record_session(plan, called_off, moment())
    assert event.model_dump()["cancelled_by"] == "patient"
    assert event.model_dump()["reason"] == "illness"
    assert plan.missed_in_a_row == 1


def test_a_session_has_not_happened_yet_in_the_future() -> None:
    session = Attended(appointment_id="a", at=NOW + weeks(1))
    assert refused(record_session, new_plan(), session, moment()) == "session_in_the_future"


@pytest.mark.parametrize("happening", [Attended, Missed])
def test_no_session_of_a_plan_lies_before_it(happening: type[Attended] | type[Missed]) -> None:
    for at in (NOW.replace(year=1926), NOW.replace(year=2025), START - timedelta(days=1, minutes=1)):
        session = happening(appointment_id="a", at=at)
        assert refused(record_session, new_plan(), session, moment()) == "session_before_plan"


def test_a_session_on_the_day_on_which_the_plan_began_belongs_to_it() -> None:
    for at in (START - timedelta(hours=20), START):
        plan, _ = attend(new_plan(), at=at)
        assert plan.attended == 1


def test_what_was_recorded_before_its_plan_is_answered_as_it_was() -> None:
    session = Missed(appointment_id="a", at=NOW.replace(year=2025))
    plan, _ = record_session(new_plan(started_at=session.at), session, moment())
    again, events = record_session(plan.changed(started_at=START), session, moment())
    assert (again.sessions, events) == (plan.sessions, [])


def test_measures_of_a_session_count_for_it() -> None:
    plan, events = attend(new_plan(), total=9)
    assert names(events) == ["SessionAttended", "MeasureRecorded"]
    assert plan.measures[0].attended == 1


def closed(plan: Plan) -> Plan:
    return closing.close(plan, "withdrawn", "moved_away", None, moment())[0]


@pytest.mark.parametrize(
    ("over", "phase", "number"),
    [
        (closed(in_middle()), "middle", 4),
        (ended(), "termination", 13),
        (closed(ended()), "termination", 13),
        (in_maintenance(), "termination", 13),
        (closed(in_maintenance()), "maintenance", 1),
    ],
    ids=["closed in acute treatment", "ended", "ended and closed", "in maintenance", "closed in maintenance"],
)
def test_a_session_before_the_end_is_recorded_after_it_and_moves_nothing(
    over: Plan, phase: str, number: int
) -> None:
    session = Attended(appointment_id="late", at=NOW - weeks(1))
    plan, [event] = record_session(over, session, moment())
    assert isinstance(event, SessionAttended)
    assert (event.phase, event.attended) == (phase, number)
    assert plan.phase == over.phase
    plan, [again] = record_session(plan, Missed(appointment_id="other", at=NOW - weeks(2)), moment())
    assert again.model_dump()["phase"] == phase


def test_late_sessions_of_a_closed_maintenance_count_on_from_those_before() -> None:
    begun, _ = maintenance.contract_maintenance(ended(), None, None, LATER, moment(at=NOW - weeks(8)))
    plan = closed(attend(attend(begun, at=NOW - weeks(4))[0], at=NOW - weeks(3))[0])
    _, [event] = record_session(plan, Attended(appointment_id="late", at=NOW - weeks(1)), moment())
    assert event.model_dump()["attended"] == 3


def test_nothing_is_recorded_that_was_after_the_closure() -> None:
    for session in (
        Attended(appointment_id="x"),
        Missed(appointment_id="x"),
        Missed(appointment_id="x", at=NOW),
    ):
        assert refused(record_session, closed(prepared()), session, moment()) == "plan_closed"
