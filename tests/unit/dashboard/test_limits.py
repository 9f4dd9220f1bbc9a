"""Numbers that the dashboard says are the numbers of whoever owns them."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from services.dashboard.outcomes import alerts, courses, sessions


def owned(path: str) -> Any:
    return orjson.loads(Path(path).read_bytes())


def test_response_remission_and_deterioration_are_the_protocols() -> None:
    file = owned("services/care_plan/protocol.json")
    (current,) = (one for one in file["protocols"] if one["version"] == file["current"])
    thresholds = {name: known["value"] for name, known in current["thresholds"].items()}
    assert thresholds["response_percent"] == 50, "twice the drop is at least the baseline"
    assert thresholds["response_baseline"] == courses.RESPONSE_FROM
    assert thresholds["remission_below"] == courses.REMISSION_BELOW
    assert thresholds["deterioration_rise"] == courses.DETERIORATION_FROM


def test_a_course_is_judged_after_as_many_weeks_as_twelve_session_ipt_takes() -> None:
    file = owned("services/care_plan/protocol.json")
    (current,) = (one for one in file["protocols"] if one["version"] == file["current"])
    assert timedelta(weeks=current["variants"]["ipt-12"]["sessions"]) == courses.JUDGED_AFTER


def test_the_first_appointment_is_due_within_the_schedulers_hours() -> None:
    course = owned("services/scheduler/course.json")
    assert course["first_session_within_hours"] == sessions.FIRST_WITHIN_HOURS


SPANS = {
    "5 minutes": {"minutes": 5},
    "30 minutes": {"minutes": 30},
    "the next working day": {"working_days": 1},
}


@pytest.mark.parametrize("severity", alerts.SEVERITIES)
def test_limits_of_acknowledgement_are_the_on_call_policys(severity: str) -> None:
    ladder = owned("deploy/config/on_call.json")["clinical"][severity]
    assert SPANS[alerts.LIMITS[severity]] == ladder["acknowledge"]
