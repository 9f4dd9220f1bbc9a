"""The time axis that charts share."""

from markupsafe import Markup

from services.dashboard.charts.scale import TimeScale
from services.dashboard.charts.svg import day, rule, words


def time_axis(scale: TimeScale, y: float, ceiling: float) -> list[Markup]:
    """A line at `y`, faint grid lines up to `ceiling`, and dates, with the year where it changes."""
    drawn, year = [rule(scale.left, y, scale.right, y, "axis")], None
    for mark in scale.marks():
        x = scale.x(mark)
        drawn.append(rule(x, y, x, ceiling, "grid"))
        drawn.append(words(x, y + 17, day(mark, year=mark.year != year), "middle"))
        year = mark.year
    return drawn
