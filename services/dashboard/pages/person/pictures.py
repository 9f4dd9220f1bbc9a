"""Charts of a course of care, and the same data as tables for those who cannot see them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from markupsafe import Markup

from services.dashboard.charts import course as course_chart
from services.dashboard.charts import measures as measures_chart
from services.dashboard.charts.points import Point
from services.dashboard.domain.alert import Alert
from services.dashboard.domain.person import Appointment, Course, Measure
from services.dashboard.store import NEVER

ADMINISTRATIVE = ("contract_shortened", "no_longer_needed", "plan_closed", "held", "maintenance_changed")
"""Reasons of the scheduler for cancelling because the course changed, not because somebody called off."""


@dataclass(frozen=True)
class Span:
    """A phase, a hold or a crisis; without an end it is ongoing."""

    name: str
    start: datetime
    end: datetime | None


def phases(course: Course) -> list[Span]:
    """The phases in order. The initial phase begins with the plan, and a closed plan is in no phase."""
    entered = sorted(((p.at, p.phase) for p in course.phases), key=lambda known: known[0])
    if course.started_at is not None:
        entered.insert(0, (course.started_at, "initial"))
    ends = [at for at, _ in entered[1:]] + [course.closed_at]
    spans = [Span(name, at, end) for (at, name), end in zip(entered, ends, strict=False)]
    return [span for span in spans if span.name != "closed"]


def crises(alerts: Sequence[Alert], course: Course, following: Course | None) -> list[Span]:
    """Crises of an episode: raised before the next plan, and not resolved before its own began.

    The first episode also gets those before its plan.
    """
    begin = course.started_at if course.episode > 1 else None
    until = following.started_at if following else None
    return [
        Span(alert.severity, alert.raised_at, alert.resolved_at)
        for alert in sorted(alerts, key=lambda a: a.raised_at)
        if alert.kind == "crisis"
        and (begin is None or alert.resolved_at is None or alert.resolved_at >= begin)
        and (until is None or alert.raised_at < until)
    ]


def place(appointment: Appointment) -> datetime | None:
    """The appointment's position in time: its planned start, else when it ended."""
    return appointment.starts_at or appointment.ended_at


def sessions(course: Course) -> list[Appointment]:
    """Appointments shown in the chart, in order of time."""
    known = [a for a in course.appointments if place(a) and a.withdrawn not in ADMINISTRATIVE]
    return sorted(known, key=lambda a: (place(a) or NEVER, a.id))


def picture(course: Course, crises: Sequence[Span], now: datetime, zone: ZoneInfo) -> Markup:
    """The chart of phases, sessions, crises and planned sessions, in the clinic's zone."""
    shown = sessions(course)
    held = [Span("on hold", course.hold.since, None)] if course.hold else []
    return course_chart.course(
        [(s.name, s.start.astimezone(zone), _in(s.end, zone)) for s in [*phases(course), *held]],
        [(_at(a, zone), a.status) for a in shown if a.status != "planned"],
        [(s.start.astimezone(zone), _in(s.end, zone)) for s in crises],
        now.astimezone(zone),
        [_at(a, zone) for a in shown if a.status == "planned"],
    )


def legend(crises: Sequence[Span]) -> Markup:
    return course_chart.legend(crises=bool(crises))


def measured(course: Course, baseline: int | None, zone: ZoneInfo) -> tuple[Markup, Markup]:
    """The chart of measures and its legend."""
    phq9, gad7 = (
        [Point(m.at.astimezone(zone), m.total) for m in course.scores(name)] for name in ("phq9", "gad7")
    )
    drawn = measures_chart.measures(phq9, gad7, baseline=baseline)
    return drawn, measures_chart.legend(phq9, gad7, baseline)


def measure_rows(course: Course) -> list[tuple[Measure, str | None]]:
    """Every measure with its severity band, the latest first; the band is `None` without a total."""
    return [(m, _band(m)) for m in sorted(course.measures, key=lambda m: m.at, reverse=True)]


GAD7_BANDS = ((0, 5, "minimal"), (5, 10, "mild"), (10, 15, "moderate"), (15, 22, "severe"))
"""GAD-7: cut-offs 5 / 10 / 15 (clinical.md, measures)."""


def _band(measure: Measure) -> str | None:
    if measure.total is None:
        return None
    bands = measures_chart.BANDS if measure.instrument == "phq9" else GAD7_BANDS
    return next((name for low, _, name in reversed(bands) if measure.total >= low), None)


def _at(appointment: Appointment, zone: ZoneInfo) -> datetime:
    return (place(appointment) or NEVER).astimezone(zone)


def _in(at: datetime | None, zone: ZoneInfo) -> datetime | None:
    return None if at is None else at.astimezone(zone)
