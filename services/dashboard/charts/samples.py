"""One made-up course of care, for the gallery of components."""

from datetime import datetime, timedelta

from markupsafe import Markup

from services.dashboard.charts.bars import bars
from services.dashboard.charts.course import course
from services.dashboard.charts.course import legend as course_legend
from services.dashboard.charts.histogram import histogram
from services.dashboard.charts.measures import legend as measures_legend
from services.dashboard.charts.measures import measures
from services.dashboard.charts.points import Point
from services.dashboard.charts.sparkline import sparkline

PHQ9 = (16, 17, 15, None, 14, 12, 13, 10, 9, None, 8)
GAD7 = (12, 13, 12, 11, 11, 10, 9, None, 7, 7, 6)
WORSE = (12, 13, 13, 15, 18, 19)


def samples(now: datetime) -> dict[str, Markup]:
    """Pictures by name: `better`, `worse`, `none`, `measures`, `course`, `bars`, `histogram`; two legends."""
    start = now - timedelta(weeks=11)
    return {
        "better": sparkline(weekly(PHQ9, start)),
        "worse": sparkline(weekly(WORSE, start)),
        "none": sparkline([]),
        "measures": measures(weekly(PHQ9, start), weekly(GAD7, start)),
        "measures_legend": measures_legend(weekly(PHQ9, start), weekly(GAD7, start)),
        "course": _course(start, now),
        "course_legend": course_legend(crises=True),
        "bars": bars(RATES, "%", "Outcomes of 412 courses"),
        "histogram": histogram(WAITS, "hours from intake to first appointment", limit=48),
    }


RATES = (("Response", 61, 60), ("Remission", 38, 45), ("No-show", 7.5, 10), ("Measures at session", 92, 95))
WAITS = ((0, 12, 31), (12, 24, 88), (24, 36, 120), (36, 48, 74), (48, 72, 9), (72, None, 2))


def weekly(totals: tuple[int | None, ...], start: datetime) -> list[Point]:
    return [Point(start + timedelta(weeks=week), total) for week, total in enumerate(totals)]


def _course(start: datetime, now: datetime) -> Markup:
    def week(number: float) -> datetime:
        return start + timedelta(weeks=number)

    kept = {3: "missed", 6: "cancelled", 7: "missed"}
    return course(
        [("initial", week(0), week(4)), ("middle", week(4), None)],
        [(week(number), kept.get(number, "attended")) for number in range(11)],
        [(week(2.2), week(2.8)), (week(10.6), None)],
        now,
        [week(number) for number in range(12, 18)],
    )
