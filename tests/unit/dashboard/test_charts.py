"""The pictures: what is missing stays a gap, what is said in colour is said in shape and words too."""

import re
import xml.etree.ElementTree as ET
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from markupsafe import Markup

from services.dashboard.charts.bars import bars
from services.dashboard.charts.course import course
from services.dashboard.charts.course import legend as course_legend
from services.dashboard.charts.histogram import histogram
from services.dashboard.charts.measures import legend as measures_legend
from services.dashboard.charts.measures import measures
from services.dashboard.charts.points import Point
from services.dashboard.charts.samples import samples, weekly
from services.dashboard.charts.scale import TimeScale, ValueScale
from services.dashboard.charts.sparkline import sparkline
from services.dashboard.charts.svg import element

MONDAY = datetime(2026, 3, 2, 15, tzinfo=UTC)
HOSTILE = '<script>alert("1")</script>&'


def tree(markup: Markup) -> ET.Element:
    return ET.fromstring(str(markup))  # noqa: S314 - made here


def of_class(markup: Markup, name: str) -> list[ET.Element]:
    return [one for one in tree(markup).iter() if name in one.get("class", "").split()]


def places(line: ET.Element) -> list[tuple[float, float]]:
    numbers = [float(number) for number in re.findall(r"-?[\d.]+", line.get("d", ""))]
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def texts(markup: Markup) -> list[str]:
    return [one.text or "" for one in tree(markup).iter("text")]


def named(legend: Markup) -> list[str]:
    """The words of each entry, without its mark's."""
    return [(one[0].tail or "") for one in tree(legend).iter("span")]


def week(number: float) -> datetime:
    return MONDAY + timedelta(weeks=number)


def a_course(**changes: object) -> Markup:
    facts: dict[str, object] = {
        "phases": [("initial", week(0), week(4)), ("middle", week(4), None)],
        "sessions": [(week(0), "attended"), (week(1), "missed"), (week(2), "cancelled")],
        "crises": [(week(1), week(1.5)), (week(5), None)],
        "now": week(6),
        "planned": [week(7), week(8)],
    }
    return course(**{**facts, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["better", "worse", "none", "measures", "course", "bars", "histogram"])
def test_every_picture_is_one_named_image_that_a_strict_policy_lets_through(name: str) -> None:
    markup = samples(MONDAY)[name]
    image = tree(markup)
    assert image.tag == "svg"
    assert image.get("role") == "img"
    assert image[0].tag == "title"
    assert image[0].text
    assert image[1].tag == "desc"
    used = {attribute for one in image.iter() for attribute in one.attrib}
    assert not used & {"style", "id", "color", "fill", "stroke"}
    assert not any(attribute.startswith("on") for attribute in used)


def test_what_others_wrote_is_text_and_never_markup() -> None:
    barred = bars([(HOSTILE, 1, None)], "%")
    assert f"{HOSTILE[:23]}…" in texts(barred)
    assert tree(barred)[1].text == f"{HOSTILE}: 1 %."
    phased = a_course(phases=[(HOSTILE, week(0), None)])
    assert not list(tree(phased).iter("script"))
    assert "<script" not in phased
    assert element("g", HOSTILE, class_='"><script>').count("<script") == 0


def test_a_missing_total_is_a_gap_and_never_zero() -> None:
    (first, second) = of_class(sparkline(weekly((16, 14, None, 12, 10), MONDAY)), "line")
    assert (len(places(first)), len(places(second))) == (2, 2)
    foot = ValueScale(27, 22, 2).y(0)
    assert all(y < foot for line in (first, second) for _, y in places(line))


def test_a_total_between_two_gaps_is_still_seen() -> None:
    drawn = sparkline(weekly((16, 15, None, 12, None, 9), MONDAY))
    assert len(of_class(drawn, "dot")) == 3


def test_the_last_known_total_is_marked_even_when_a_missing_one_follows() -> None:
    drawn = sparkline(weekly((16, 14, None), MONDAY))
    (dot,) = of_class(drawn, "dot")
    assert float(dot.get("cx", "0")) == pytest.approx(48)
    assert tree(drawn)[0].text == "PHQ-9 from 16 to 14, 2 lower"


def test_a_sparkline_says_its_change_in_words() -> None:
    assert tree(sparkline(weekly((12, 19), MONDAY)))[0].text == "PHQ-9 from 12 to 19, 7 higher"
    assert tree(sparkline(weekly((12, 12), MONDAY)))[0].text == "PHQ-9 from 12 to 12, no change"
    assert (
        tree(sparkline(weekly((12, None, 11), MONDAY), baseline=15))[1].text
        == "3 measures, 1 without a total"
    )


@pytest.mark.parametrize("points", [[], [Point(MONDAY, None)]])
def test_without_any_total_a_sparkline_says_so(points: list[Point]) -> None:
    assert tree(sparkline(points))[0].text == "No PHQ-9 yet"
    assert not of_class(sparkline(points), "dot")


def test_one_measure_alone_is_a_point_in_the_middle() -> None:
    (dot, _last) = of_class(sparkline([Point(MONDAY, 0)]), "dot")
    assert (dot.get("cx"), dot.get("cy")) == ("48", "22")


def test_points_are_drawn_in_order_of_time_whatever_order_they_came_in() -> None:
    points = weekly((16, 12, 8), MONDAY)
    assert sparkline(points) == sparkline(points[::-1])
    assert measures(points, []) == measures(points[::-1], [])


def test_severity_bands_lie_where_kroenke_put_them() -> None:
    drawn = measures(weekly((16, 8), MONDAY), [])
    y = ValueScale(27, 300 - 34, 34)
    for n, (low, high) in enumerate([(0, 5), (5, 10), (10, 15), (15, 20), (20, 27)]):
        (band,) = of_class(drawn, f"band-{n}")
        assert float(band.get("y", "0")) == pytest.approx(y.y(high), abs=0.1)
        assert float(band.get("height", "0")) == pytest.approx(y.y(low) - y.y(high), abs=0.1)
    assert not of_class(measures(weekly((16,), MONDAY), [], bands=False), "band-0")


def test_the_two_instruments_differ_in_shape_and_not_in_colour_alone() -> None:
    drawn = measures(weekly((16, 8), MONDAY), weekly((12, 6), MONDAY))
    (phq9, *_), (gad7, *_) = of_class(drawn, "phq9"), of_class(drawn, "gad7")
    assert len(list(phq9.iter("circle"))) == 2
    assert len(list(gad7.iter("rect"))) == 2


def test_a_missing_total_is_a_dash_at_the_foot_with_its_day() -> None:
    drawn = measures(weekly((16, None, 8), MONDAY), [])
    told = [one[0].text for one in of_class(drawn, "absent") if len(one)]
    assert told == ["9 Mar 2026: no total"]
    assert "1 without a total" in (tree(drawn)[1].text or "")
    assert "no total (gap)" in named(measures_legend(weekly((16, None, 8), MONDAY), []))


def test_the_chart_of_measures_says_first_last_lowest_and_highest() -> None:
    said = tree(measures(weekly((16, 18, 8), MONDAY), []))[1].text
    assert said == "PHQ-9: 3 totals, 16 on 2 Mar 2026 to 8 on 16 Mar 2026, lowest 8, highest 18."
    assert tree(measures([], []))[1].text == "No measures yet."


def test_last_values_never_stand_on_one_another() -> None:
    drawn = measures(weekly((9, 8), MONDAY), weekly((9, 8), MONDAY))
    upper, lower = (float(one.get("y", "0")) for one in of_class(drawn, "series-name"))
    assert abs(upper - lower) >= 13


def test_each_status_of_a_session_has_its_own_shape() -> None:
    drawn = a_course()
    assert [one.tag for one in of_class(drawn, "session-attended")] == ["circle"]
    assert [one.tag for one in of_class(drawn, "session-missed")] == ["path"]
    told = [one.text for one in tree(drawn).iter("title")]
    assert "Session missed, 9 Mar 2026" in told
    assert "Session planned, 20 Apr 2026" in told
    assert len(of_class(drawn, "session-planned")) == 2


def test_a_legend_stands_beside_its_picture_and_names_what_is_drawn() -> None:
    assert named(course_legend(crises=True)) == ["attended", "missed", "cancelled", "planned", "crisis"]
    assert "crisis" not in named(course_legend(crises=False))
    assert named(measures_legend([], [], 18)) == ["PHQ-9 baseline 18"]


def test_the_course_in_words_counts_what_was_kept_missed_and_planned() -> None:
    assert tree(a_course())[1].text == (
        "Initial from 2 Mar 2026; Middle from 30 Mar 2026; "
        "sessions: 1 attended, 1 missed, 1 cancelled, 2 planned; 2 crises, 1 open."
    )


def test_an_open_crisis_reaches_to_now_and_says_that_it_is_open() -> None:
    drawn = a_course()
    (closed, ongoing) = of_class(drawn, "crisis-span")
    (now, *_) = of_class(drawn, "now")
    end = float(ongoing.get("x", "0")) + float(ongoing.get("width", "0"))
    assert end == pytest.approx(float(now.get("x1", "0")), abs=0.1)
    assert float(closed.get("x", "0")) < float(ongoing.get("x", "0"))
    assert "open" in texts(drawn)


def test_a_crisis_of_minutes_is_still_seen_and_its_lane_goes_without_one() -> None:
    (span,) = of_class(a_course(crises=[(week(1), week(1) + timedelta(minutes=5))]), "crisis-span")
    assert float(span.get("width", "0")) >= 4
    assert "Crisis" not in texts(a_course(crises=[]))


def test_a_course_that_starts_now_is_drawn() -> None:
    drawn = course([("referred", MONDAY, None)], [], [], MONDAY, [])
    assert "no sessions yet" in (tree(drawn)[1].text or "")
    assert "NaN" not in drawn


def test_days_are_those_of_the_zone_the_instants_carry() -> None:
    late = datetime(2026, 3, 3, 2, tzinfo=UTC)
    assert "3 Mar 2026: 9" in measures([Point(late, 9)], [])
    assert "2 Mar 2026: 9" in measures([Point(late.astimezone(ZoneInfo("America/New_York")), 9)], [])


def test_marks_of_a_time_axis_leave_room_for_their_words() -> None:
    for weeks in (0.1, 1, 8, 16, 60, 300):
        scale = TimeScale(MONDAY, MONDAY + timedelta(weeks=weeks), 0, 700)
        at = [scale.x(mark) for mark in scale.marks()]
        assert all(later - earlier >= 89 for earlier, later in pairwise(at))
        assert len(at) <= 8


def test_a_bar_says_its_value_and_its_goal_in_words() -> None:
    drawn = bars([("Response", 61.04, 60), ("No-show", 0, None)], "%")
    assert tree(drawn)[1].text == "Response: 61 %, goal 60 %; No-show: 0 %."
    assert len(of_class(drawn, "goal")) == 1
    (full, none) = (float(one.get("width", "-1")) for one in of_class(drawn, "bar"))
    assert full > none == 0


@pytest.mark.parametrize("rows", [[], [("Nothing", 0, None)], [("Too much", 1e9, 1)]])
def test_bars_stay_in_their_picture(rows: list[tuple[str, float, float | None]]) -> None:
    drawn = bars(rows, "days")
    assert all(0 <= float(bar.get("width", "-1")) <= 540 for bar in of_class(drawn, "bar"))


def test_the_limit_of_a_histogram_stands_after_everything_within_it() -> None:
    drawn = histogram([(0, 24, 5), (24, 48, 3), (48, None, 1)], "hours", limit=48)
    (limit,) = of_class(drawn, "goal")
    after = [bar for bar in of_class(drawn, "bar") if float(bar.get("x", "0")) > float(limit.get("x1", "0"))]
    assert len(after) == 1
    assert tree(drawn)[1].text == "9 cases. 0–24 hours: 5; 24–48 hours: 3; ≥ 48 hours: 1."
    assert "Nothing counted yet" in (tree(histogram([], "hours"))[1].text or "")
