"""Pictures of the dashboards: what is asked, what is drawn, and what is said where nothing is."""

from xml.etree import ElementTree

import pytest

from deploy.observability.asking import Line, Span, expanded, legend, span_of
from deploy.observability.panels import Panel
from deploy.observability.picture.drawing import UNITS, dashboard, ticks
from deploy.observability.prometheus import configuration

SPAN = Span(1_000_000, 1_000_600, 5)
SVG = "{http://www.w3.org/2000/svg}"


def drawn(panel: Panel, *lines: Line) -> ElementTree.Element:
    return ElementTree.fromstring(dashboard("Kith: <a> & b", [(panel, lines)], SPAN))  # noqa: S314 (ours)


def words(picture: ElementTree.Element) -> list[str]:
    return [element.text or "" for element in picture.iter(f"{SVG}text")]


def curves(picture: ElementTree.Element) -> list[str]:
    return [path.get("d", "") for path in picture.iter(f"{SVG}path") if path.get("stroke-width") == "1.6"]


def test_a_rate_is_asked_over_four_scrapes_at_least() -> None:
    assert expanded("rate(x[$__rate_interval])", SPAN, 5) == "rate(x[20s])"
    assert expanded("rate(x[$__rate_interval])", Span(0, 36_000, 240), 5) == "rate(x[245s])"


def test_points_are_no_closer_than_they_are_scraped() -> None:
    assert span_of(0, 600, 15).step == 15
    assert span_of(0, 36_000, 15).step == 240


def test_a_legend_names_the_labels_there_are() -> None:
    assert legend("{{service}} {{ lane }}", {"service": "alerts"}) == "alerts"
    assert legend("{{service}} {{lane}}", {"service": "alerts", "lane": "crisis"}) == "alerts crisis"


def test_a_panel_says_its_title_unit_legend_and_limit() -> None:
    line = Line("care_plan.plans", ((1_000_000, 0.5), (1_000_005, 0.2)))
    told = words(drawn(Panel("Latency", "s", {"{{group}}": "x"}, 0.25), line))
    assert {"Kith: <a> & b", "Latency", "care_plan.plans", "600 ms", "limit 250 ms"} <= set(told)


def test_a_panel_without_a_point_says_so() -> None:
    assert "No data" in words(drawn(Panel("Latency", "s", {"{{group}}": "x"})))
    assert "No data" in words(drawn(Panel("Latency", "s", {"{{group}}": "x"}), Line("empty", ())))


def test_a_line_is_broken_where_points_are_missing() -> None:
    line = Line("x", ((1_000_000, 1), (1_000_005, 1), (1_000_100, 1), (1_000_105, 1)))
    (curve,) = curves(drawn(Panel("x", "short", {"x": "x"}), line))
    assert (curve.count("M"), curve.count("L")) == (2, 2)


def test_more_series_than_there_is_room_for_are_all_drawn_and_counted() -> None:
    lines = [Line(f"series {number}", ((1_000_000, number), (1_000_005, 1))) for number in range(30)]
    picture = drawn(Panel("x", "short", {"x": "x"}), *lines)
    assert len(curves(picture)) == 30
    assert "and 21 more" in words(picture)


@pytest.mark.parametrize(
    ("most", "step", "top"),
    [(1.0, 0.5, 1.0), (7, 2, 8), (0.03, 0.01, 0.03), (100, 50, 100), (1e-5, 5e-6, 1e-5)],
)
def test_scales_are_round_and_reach_the_highest_point(most: float, step: float, top: float) -> None:
    assert ticks(most) == pytest.approx((step, top))


@pytest.mark.parametrize(
    ("unit", "value", "read"),
    [
        ("s", 0.25, "250 ms"),
        ("s", 90, "1.5 min"),
        ("s", 1200, "20 min"),
        ("s", 7200, "2 h"),
        ("percentunit", 0.01, "1 %"),
        ("ops", 12.5, "12.5 /s"),
        ("short", 12_000, "12 k"),
    ],
)
def test_values_read_in_their_units(unit: str, value: float, read: str) -> None:
    assert UNITS[unit](value) == read


def test_the_shipped_configuration_is_pointed_elsewhere_with_all_its_labels() -> None:
    names = ("intake", "care_plan", "scheduler", "alerts", "dashboard", "watchdog")
    addresses = {f"{name}:8000": f"http://127.0.0.1:{9000 + place}" for place, name in enumerate(names)}
    jobs = configuration(addresses, 2)["scrape_configs"]
    groups = [group for job in jobs for group in job["static_configs"]]
    assert {group["labels"]["service_name"]: group["targets"] for group in groups} == {
        name: [f"127.0.0.1:{9000 + place}"] for place, name in enumerate(names)
    }
    with pytest.raises(LookupError):
        configuration({}, 2)
