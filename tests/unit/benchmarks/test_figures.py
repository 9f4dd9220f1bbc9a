"""Figures of benchmarks: medians, ranges, ratios with their goals, tables and charts."""

import json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks import chart
from benchmarks.__main__ import BENCHMARKS, folder_for, measure_of
from benchmarks.results import Ratio, Result, Side, printed, table
from benchmarks.rounds import alternate, order
from benchmarks.scale import Scale
from benchmarks.statistics import Figure, figure, percentile, ratio


def test_a_figure_is_the_median_with_its_range() -> None:
    assert figure([3.0, 1.0, 2.0]) == Figure(2.0, 1.0, 3.0)
    assert str(figure([1.234, 0.5, 2.0])) == "1.23 [0.50–2.00]"
    assert str(figure([1500.0])) == "1,500"


def test_nothing_measured_is_no_figure() -> None:
    with pytest.raises(ValueError, match="nothing"):
        figure([])
    with pytest.raises(ValueError, match="nothing"):
        percentile([], 0.5)


def test_a_ratio_is_taken_round_by_round() -> None:
    assert ratio([10.0, 40.0, 90.0], [10.0, 20.0, 30.0]) == Figure(2.0, 1.0, 3.0)


def test_rounds_that_lack_a_side_give_no_ratio() -> None:
    with pytest.raises(ValueError, match="zip"):
        ratio([1.0, 2.0], [1.0])


def test_a_percentile_is_a_value_that_was_measured() -> None:
    values = [float(n) for n in range(1, 101)]
    assert percentile(values, 0.5) == 50.0
    assert percentile(values, 0.99) == 99.0
    assert percentile([7.0], 0.99) == 7.0


@pytest.mark.parametrize(
    ("median", "better", "verdict"),
    [
        (1.5, "higher", "moonshot met"),
        (1.1, "higher", "met"),
        (0.9, "higher", "missed"),
        (0.9, "lower", "met"),
    ],
)
def test_a_goal_is_met_or_missed_by_the_median(median: float, better: str, verdict: str) -> None:
    moonshot = 1.4 if better == "higher" else None
    judged = Ratio("a / b", Figure(median, 0.1, 9.0), better, 1.0, moonshot)  # type: ignore[arg-type]
    assert judged.verdict == verdict


def test_a_ratio_without_a_goal_is_told_and_not_judged() -> None:
    told = Ratio("a / b", Figure(1.0, 1.0, 1.0), "lower")
    assert (told.asked, told.verdict) == ("", "")


def test_sides_take_turns_the_other_way_round_in_every_second_round() -> None:
    assert order(["a", "b"], 0) == ["a", "b"]
    assert order(["a", "b"], 1) == ["b", "a"]


async def test_every_side_runs_in_every_round() -> None:
    ran: list[tuple[str, int]] = []

    def side(name: str):  # type: ignore[no-untyped-def]
        async def run(number: int) -> dict[str, float]:
            ran.append((name, number))
            return {"events/s": float(number)}

        return run

    found = await alternate({"a": ("", side("a")), "b": ("", side("b"))}, 3, lambda _: None)

    assert ran == [("a", 0), ("b", 0), ("b", 1), ("a", 1), ("a", 2), ("b", 2)]
    assert found["b"].of("events/s") == [0.0, 1.0, 2.0]


def test_columns_of_a_table_line_up() -> None:
    lines = table(["side", "rate"], [["ours", "1,000"], ["the limit", "9"]]).splitlines()
    assert lines == ["side        rate", "─────────  ─────", "ours       1,000", "the limit      9"]


def _result() -> Result:
    sides = [
        Side("ours", "as it ships", [{"rate": 2.0}, {"rate": 3.0}]),
        Side("<theirs>", "", [{"rate": 1.0}] * 2),
    ]
    return Result(
        "sample", "A & B", "rate", "per second", sides, [Ratio("a / b", Figure(2.5, 2, 3), "higher", 1)]
    )


def test_a_result_prints_sides_ratios_goals_and_notes() -> None:
    text = printed(_result())
    for part in ("A & B", "2.50 [2.00–3.00]", "≥ 1", "met", "ours: as it ships"):
        assert part in text


def test_a_result_is_kept_as_json_with_every_round(tmp_path: Path) -> None:
    _result().save(tmp_path)
    kept = json.loads((tmp_path / "sample.json").read_text())
    assert kept["sides"][0]["rounds"] == [{"rate": 2.0}, {"rate": 3.0}]
    assert kept["ratios"][0]["verdict"] == "met"


def test_quick_figures_never_take_the_place_of_others(tmp_path: Path) -> None:
    assert folder_for(Scale("quick"), tmp_path) == tmp_path / "quick"
    assert {folder_for(Scale(size), tmp_path) for size in ("normal", "full")} == {tmp_path}


def test_every_benchmark_is_a_function_of_its_own() -> None:
    assert len({measure_of(name) for name in BENCHMARKS}) == len(BENCHMARKS)


def test_a_chart_says_of_how_large_a_run_it_is() -> None:
    result = replace(_result(), facts=Scale("full", 5).facts())
    assert "full size, rounds: 5" in chart.svg(result)


def test_a_chart_is_well_formed_and_has_a_bar_for_each_side(tmp_path: Path) -> None:
    chart.save(_result(), tmp_path)
    root = ElementTree.fromstring((tmp_path / "sample.svg").read_text())  # noqa: S314 (we wrote it)
    bars = root.findall("{http://www.w3.org/2000/svg}rect")[1:]
    assert [float(bar.attrib["width"]) for bar in bars] == [383.3, 153.3]
