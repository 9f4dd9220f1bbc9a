"""Totals, and what they say about the course."""

import pytest

from services.care_plan.domain import measures
from services.care_plan.domain.measures import Phq9, take_measures
from services.care_plan.domain.plan import Plan
from services.care_plan.events import MeasureRecorded, NotImproving
from shared.messaging.event import Event
from tests.unit.care_plan.builders import (
    gad7,
    in_maintenance,
    moment,
    names,
    new_plan,
    of,
    phq9,
    prepared,
    protocol,
)

LIMITS = protocol().thresholds


def measured(plan: Plan, *totals: int) -> tuple[Plan, list[Event]]:
    events: list[Event] = []
    for total in totals:
        plan, more = take_measures(plan, phq9(total), None, moment())
        events += more
    return plan, [event for event in events if not isinstance(event, MeasureRecorded)]


def test_a_total_needs_all_items() -> None:
    assert measures.total_of((3,) * 9) == 27
    assert measures.total_of((0,) * 9) == 0
    assert measures.total_of((3, None, *(3,) * 7)) is None


def test_a_refused_answer_is_missing_and_never_zero() -> None:
    items = (1, None, 2, 0, 0, 0, 0, 0, None)
    plan, [recorded] = take_measures(new_plan(), Phq9(items=items), None, moment())
    assert (recorded.model_dump()["total"], recorded.model_dump()["missing_items"]) == (None, (2, 9))
    assert plan.measures[0].items == items
    assert plan.standing == ()


def test_change_is_given_against_the_baseline_of_the_instrument() -> None:
    _, events = take_measures(new_plan(), phq9(9), gad7(5), moment())
    found = {event.instrument: (event.baseline, event.change) for event in of(MeasureRecorded, events)}
    assert found == {"phq9": (14, -5), "gad7": (11, -6)}


@pytest.mark.parametrize(
    ("total", "band"),
    [
        (0, "minimal"),
        (4, "minimal"),
        (5, "mild"),
        (9, "mild"),
        (10, "moderate"),
        (14, "moderate"),
        (15, "moderately_severe"),
        (19, "moderately_severe"),
        (20, "severe"),
        (27, "severe"),
    ],
)
def test_phq9_bands_are_those_of_kroenke(total: int, band: str) -> None:
    assert measures.band("phq9", total) == band


@pytest.mark.parametrize(
    ("baseline", "total", "responds"),
    [(14, 7, True), (14, 8, False), (15, 7, True), (15, 8, False), (9, 0, False), (10, 5, True)],
)
def test_response_is_half_of_a_baseline_of_at_least_ten(baseline: int, total: int, responds: bool) -> None:
    assert measures.responds(baseline, total, LIMITS) is responds


@pytest.mark.parametrize(
    ("total", "change"),
    [(9, "adequate"), (10, "probably_inadequate"), (12, "probably_inadequate"), (13, "inadequate")],
)
def test_change_against_baseline_is_graded(total: int, change: str) -> None:
    assert measures.adequacy(14, total, LIMITS) == change


def test_reliable_change_is_six_points_of_phq9_and_four_of_gad7() -> None:
    assert measures.reliably_changed("phq9", 14, 8, LIMITS)
    assert not measures.reliably_changed("phq9", 14, 9, LIMITS)
    assert measures.reliably_changed("gad7", 11, 7, LIMITS)
    assert not measures.reliably_changed("gad7", 11, 8, LIMITS)


def test_response_and_remission_are_announced_when_entered_and_not_again() -> None:
    _, events = measured(new_plan(), 10, 7, 6, 4, 3)
    assert names(events) == ["ResponseReached", "RemissionReached"]


def test_what_was_left_is_announced_again_when_entered_again() -> None:
    _, events = measured(new_plan(), 7, 8, 7)
    assert names(events) == ["ResponseReached", "ResponseReached"]


def test_a_measure_without_a_total_leaves_the_standing_as_it_is() -> None:
    plan, _ = measured(new_plan(), 7)
    plan, _ = take_measures(plan, Phq9(items=(None,) * 9), None, moment())
    _, events = measured(plan, 7)
    assert events == []


def test_deterioration_is_five_points_over_baseline() -> None:
    assert measured(new_plan(), 18)[1] == []
    [event] = measured(new_plan(), 19)[1]
    assert event.model_dump()["rise"] == 5


def test_week_eight_without_a_response_asks_for_a_case_review_once() -> None:
    plan, _ = measured(new_plan(), 9)
    plan, events = measures.review_case(plan, 8, moment())
    [asked] = of(NotImproving, events)
    assert (asked.week, asked.baseline, asked.total) == (8, 14, 9)
    assert measures.review_case(plan, 8, moment())[1] == []


def test_week_eight_with_a_response_asks_for_nothing() -> None:
    plan, _ = measured(new_plan(), 7)
    assert measures.review_case(plan, 8, moment())[1] == []


def test_nobody_measured_counts_as_not_improving() -> None:
    [asked] = measures.review_case(new_plan(), 8, moment())[1]
    assert asked.model_dump()["total"] is None


def test_below_a_baseline_of_ten_a_reliable_drop_or_remission_is_an_answer() -> None:
    assert measures.has_answered(measured(new_plan(baseline=9), 4)[0], LIMITS)
    assert not measures.has_answered(measured(new_plan(baseline=9), 5)[0], LIMITS)


def test_in_maintenance_ten_points_or_five_over_the_end_signal_a_relapse_once() -> None:
    assert measured(in_maintenance(total=4), 8)[1] == []
    assert names(measured(in_maintenance(total=4), 9, 12)[1]) == ["RelapseSignalled"]
    assert names(measured(in_maintenance(total=6), 10)[1]) == ["RelapseSignalled"]


def test_a_plan_without_a_baseline_takes_the_first_total() -> None:
    plan, _ = measured(prepared(baseline=None), 12)
    assert plan.baseline_phq9 == 12
