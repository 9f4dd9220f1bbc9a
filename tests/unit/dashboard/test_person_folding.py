"""What the caseload shows of a course, folded from what was announced."""

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
