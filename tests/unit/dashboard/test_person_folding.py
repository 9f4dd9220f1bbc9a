"""What the caseload shows of a course, folded from what was announced."""

from services.dashboard import inbound
from services.dashboard.domain.alert import Alert
from services.dashboard.domain.alerting import changed
from services.dashboard.domain.person import Course, Entered, Measure
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
