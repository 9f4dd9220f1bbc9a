"""Sessions as they happened."""

from services.care_plan.domain.sessions import Attended, Cancelled, Missed, record_session
from services.care_plan.events import SessionAttended, SessionMissed
from tests.unit.care_plan.builders import NOW, attend, moment, names, new_plan, of, phq9, refused, weeks


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


def test_measures_of_a_session_count_for_it() -> None:
    plan, events = attend(new_plan(), total=9)
    assert names(events) == ["SessionAttended", "MeasureRecorded"]
    assert plan.measures[0].attended == 1
