"""The figures as charts, tiles and tables."""

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from services.dashboard.charts.bars import bars
from services.dashboard.charts.histogram import histogram
from services.dashboard.outcomes import Outcomes
from services.dashboard.outcomes.alerts import Crisis
from services.dashboard.outcomes.figures import Counted, Rate
from services.dashboard.outcomes.sessions import FIRST_WITHIN_HOURS
from services.dashboard.web.words import said

WAITS = (0, 12, 24, 36, 48, 72, 168)
MINUTES = (0, 1, 5, 10, 30, 60, 240)
PHASES = ("initial", "middle", "termination", "ended", "maintenance")


def shown(counted: Outcomes) -> dict[str, Any]:
    """The template's data, apart from the span."""
    return {
        "counted": counted,
        "phases": [(phase, counted.phases[phase]) for phase in PHASES if phase in counted.phases],
        "waits": counted.waited.hours.columns(WAITS),
        "pictures": {
            "answered": _answered(counted),
            "waits": _waits(counted),
            "attendance": _attendance(counted),
            "phases": _phases(counted),
            "crises": _crises(counted.crises),
            "paged": _paged(counted.crises),
            "escalated": _counts(counted.escalated, "Why alerts climbed"),
        },
    }


def _answered(counted: Outcomes) -> Markup:
    known = counted.answered
    return _rates(
        [
            ("Response", known.response, None),
            ("Remission", known.remission, None),
            ("Deterioration", known.deterioration, None),
        ],
        "Treatment answered",
    )


def _rates(rates: Sequence[tuple[str, Rate, float | None]], title: str) -> Markup:
    """Bars of the rates; a rate without any cases gets none."""
    rows = [(name, rate.percent, goal) for name, rate, goal in rates if rate.percent is not None]
    return bars(rows, "%", title) if rows else Markup("")


def _waits(counted: Outcomes) -> Markup:
    hours = counted.waited.hours
    if not hours.total:
        return Markup("")
    unit = "hours from referral to first appointment"
    return histogram(hours.columns(WAITS), unit, limit=FIRST_WITHIN_HOURS, title="Time to first appointment")


def _attendance(counted: Outcomes) -> Markup:
    known = counted.attendance
    parts = [("Attended", known.attended), ("Missed", known.missed), ("Cancelled", known.cancelled)]
    rows = [*parts, ("Not recorded yet", known.unrecorded)]
    return bars([(name, count, None) for name, count in rows], "", "Sessions") if known.all else Markup("")


def _phases(counted: Outcomes) -> Markup:
    """Median times in weeks."""
    rows = [
        (said(phase), days.median / 7, None)
        for phase in PHASES
        if (days := counted.phases.get(phase)) is not None and days.median is not None
    ]
    return bars(rows, "weeks", "Median time in each phase") if rows else Markup("")


def _crises(crises: list[Crisis]) -> Markup:
    rates = [(said(crisis.severity), crisis.kept, 100.0) for crisis in crises]
    return _rates(rates, "Crises acknowledged in time")


def _paged(crises: list[Crisis]) -> Markup:
    """High and moderate together, as both are paged at once; low crises wait for clinic hours."""
    times: dict[int, int] = {}
    for crisis in crises:
        if crisis.severity != "low":
            for minutes, count in crisis.acknowledged.times.items():
                times[minutes] = times.get(minutes, 0) + count
    if not times:
        return Markup("")
    unit = "minutes until acknowledged, high and moderate"
    return histogram(Counted(times).columns(MINUTES), unit, title="Minutes until acknowledged")


def _counts(counts: dict[str, int], title: str) -> Markup:
    return (
        bars([(said(code), count, None) for code, count in counts.items()], "", title)
        if counts
        else Markup("")
    )
