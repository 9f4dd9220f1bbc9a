"""What the caseload shows of a course, folded from what was announced."""

from services.dashboard import inbound
from services.dashboard.domain.alert import Alert
from services.dashboard.domain.alerting import changed
from services.dashboard.domain.courses import attended, missed
from services.dashboard.domain.courses import measured as measured_by
from services.dashboard.domain.person import Course, Entered, Measure, Person
from tests.support.courses import BEGIN, later


def measured(*totals: int | None, baseline: int | None = None) -> tuple[Measure, ...]:
    return tuple(
        Measure(at=later(weeks=week), instrument="phq9", total=total, attended=week, baseline=baseline)
        for week, total in enumerate(totals, start=1)
    )


def test_change_is_against_the_baseline_that_care_plan_compares_with() -> None:
    course = Course(id="pln_1", measures=measured(8, 6, baseline=10))
    assert (course.baseline, course.change) == (10, -4)


def test_without_a_baseline_the_first_complete_measure_is_one() -> None:
    course = Course(id="pln_1", measures=measured(None, 12, 9))
    assert (course.baseline, course.change) == (12, -3)


def test_an_unanswered_measure_is_no_score() -> None:
    course = Course(id="pln_1", measures=measured(12, None))
    assert course.last is not None
    assert course.last.total == 12


def test_a_course_begins_with_its_initial_sessions() -> None:
    assert Course(id="pln_1").phase == "referred"
    begun = Course(id="pln_1", started_at=BEGIN)
    assert begun.phase == "initial"
    assert begun.but(phases=(Entered(phase="middle", at=later(weeks=4)),)).phase == "middle"


ON_PLAN = {"patient_id": "pat_1", "clinic_id": "riverside", "plan_id": "pln_1", "clinician_id": "cln_r01"}


def recorded(*sessions: tuple[str, int], consecutive: int = 0) -> Course:
    """Sessions in the order of their recording: how each ended, and in which week it took place."""
    person = Person(id="pat_1")
    for outcome, week in sessions:
        about = {**ON_PLAN, "appointment_id": f"apt_{week}"}
        if outcome == "missed":
            consecutive += 1
            told = {"consecutive": consecutive, "missed_at": later(weeks=week)}
            person = missed(person, inbound.SessionMissed.model_validate(about | told))
        else:
            told = {"attended": week, "phase": "middle", "attended_at": later(weeks=week)}
            person = attended(person, inbound.SessionAttended.model_validate(about | told))
    (course,) = person.courses
    return course


def test_who_comes_again_has_missed_nothing_in_a_row() -> None:
    assert recorded(("missed", 1), ("missed", 2), ("attended", 3)).missed_in_a_row == 0


def test_a_session_recorded_late_leaves_those_missed_since_in_a_row() -> None:
    assert recorded(("missed", 2), ("missed", 3), ("attended", 1)).missed_in_a_row == 2
    assert recorded(("missed", 1), ("missed", 3), ("attended", 2)).missed_in_a_row == 1
    assert recorded(("attended", 3), ("attended", 1)).missed_in_a_row == 0
    assert recorded(("attended", 3), ("missed", 1)).missed_in_a_row == 0


def scored(total: int, week: int, **said: object) -> inbound.MeasureRecorded:
    facts = {"instrument": "phq9", "total": total, "baseline": 14, "attended": 1}
    recorded_at = later(weeks=week)
    return inbound.MeasureRecorded.model_validate({**ON_PLAN, **facts, "recorded_at": recorded_at, **said})


def test_a_score_recorded_late_stands_on_the_day_on_which_it_was_given() -> None:
    person = measured_by(Person(id="pat_1"), scored(20, 4))
    person = measured_by(person, scored(4, 5, taken_at=later(weeks=2)))
    (course,) = person.courses
    assert [(m.total, m.at) for m in course.measures] == [(4, later(weeks=2)), (20, later(weeks=4))]
    assert course.last is not None
    assert course.last.total == 20


def test_how_soon_a_crisis_was_taken_is_told_by_whoever_took_it_first() -> None:
    about = {"patient_id": "pat_1", "clinic_id": "riverside", "kind": "crisis", "severity": "high"}
    alert = Alert(id="alr_1", **about, raised_at=BEGIN)
    for minutes, by in ((3, "cln_r01"), (40, "cln_r02")):
        took = {
            "by": by,
            "acknowledged_at": later(minutes=minutes),
            "lease_until": None,
            "in_time": minutes < 5,
        }
        alert = changed(
            alert, inbound.AlertAcknowledged.model_validate({**about, "alert_id": "alr_1", **took})
        )
    assert (alert.acknowledged_by, alert.acknowledged_at) == ("cln_r02", later(minutes=40))
    assert alert.first_acknowledged_at == later(minutes=3)
