"""A course of care as one picture: phases, sessions, crises, and what comes next."""

from collections.abc import Sequence
from datetime import datetime

from markupsafe import Markup

from services.dashboard.charts.axis import time_axis
from services.dashboard.charts.glyphs import crisis_mark, session_mark
from services.dashboard.charts.scale import TimeScale
from services.dashboard.charts.svg import day, element, picture, plural, rule, words
from services.dashboard.charts.svg import legend as legend_of

Phase = tuple[str, datetime, datetime | None]
Session = tuple[datetime, str]
Crisis = tuple[datetime, datetime | None]
"""`None` as an end: still going on."""

WIDTH, LEFT, RIGHT = 1200, 92, 16
PHASES_AT, SESSIONS_AT, CRISES_AT, AXIS_AT, HEIGHT = 24, 76, 98, 134, 158
WORDS = {"attended": "attended", "missed": "missed", "cancelled": "cancelled", "planned": "planned"}


def course(
    phases: Sequence[Phase],
    sessions: Sequence[Session],
    crises: Sequence[Crisis],
    now: datetime,
    planned: Sequence[datetime],
) -> Markup:
    """Phases as bars, sessions as shapes (see `session_mark`), crises as spans.

    Session status is `attended`, `missed` or `cancelled`. Phases and crises without an end extend to now.
    """
    x = _scale(phases, sessions, crises, now, planned)
    body = [
        *time_axis(x, AXIS_AT, PHASES_AT),
        *_lane_names(bool(crises)),
        *(_phase(phase, x, now) for phase in phases),
        *(_crisis(crisis, x, now) for crisis in crises),
        *_now(x, now),
        *(session_mark(status, x.x(at), SESSIONS_AT, _said(status, at)) for at, status in sessions),
        *(session_mark("planned", x.x(at), SESSIONS_AT, _said("planned", at)) for at in planned),
    ]
    said = _described(phases, sessions, crises, planned)
    return picture(WIDTH, HEIGHT, "The course of care", said, body, "chart course")


def _scale(
    phases: Sequence[Phase],
    sessions: Sequence[Session],
    crises: Sequence[Crisis],
    now: datetime,
    planned: Sequence[datetime],
) -> TimeScale:
    spans = [(start, end) for _, start, end in phases] + list(crises)
    moments = [now, *planned, *(at for at, _ in sessions)]
    moments += [at for span in spans for at in span if at is not None]
    return TimeScale(min(moments), max(moments), LEFT + 10, WIDTH - RIGHT - 10)


def _phase(phase: Phase, x: TimeScale, now: datetime) -> Markup:
    name, start, end = phase
    left, right = x.x(start), x.x(end or max(now, start))
    wide = max(3.0, right - left)
    said = f"{_phase_name(name)}: {day(start)} to {day(end) if end else 'now'}"
    kind = name.lower().replace("_", "-").replace(" ", "-")
    bar = element("rect", x=left, y=PHASES_AT, width=wide, height=28, rx=4, class_=f"phase phase-{kind}")
    label = _phase_name(name)
    fits = wide > 7 * len(label) + 16
    text = [words(left + 9, PHASES_AT + 18, label, "phase-name")] if fits else []
    return element("g", element("title", said), bar, *text)


def _crisis(crisis: Crisis, x: TimeScale, now: datetime) -> Markup:
    start, end = crisis
    left, right = x.x(start), x.x(end or max(now, start))
    said = f"Crisis: {day(start)} to {day(end)}" if end else f"Crisis: open since {day(start)}"
    span = element(
        "rect", x=left, y=CRISES_AT, width=max(4.0, right - left), height=20, rx=3, class_="crisis-span"
    )
    mark = crisis_mark(left, CRISES_AT + 10)
    text = [] if end else [words(left - 14, CRISES_AT + 14, "open", "crisis-name end")]
    return element("g", element("title", said), span, mark, *text)


def _now(x: TimeScale, now: datetime) -> list[Markup]:
    at = x.x(now)
    edge = " end" if at > WIDTH - 60 else " middle"
    return [rule(at, 18, at, AXIS_AT, "now"), words(at, 12, "now", f"now-label{edge}")]


def _lane_names(crises: bool) -> list[Markup]:
    lanes = [("Phase", PHASES_AT + 18), ("Sessions", SESSIONS_AT + 4), ("Crisis", CRISES_AT + 14)]
    return [words(LEFT - 12, y, name, "end") for name, y in (lanes if crises else lanes[:2])]


def legend(*, crises: bool) -> Markup:
    """Explains the shapes."""
    shapes = [(session_mark(kind, 13, 12, text), text) for kind, text in WORDS.items()]
    return legend_of([*shapes, *([(crisis_mark(13, 12), "crisis")] if crises else [])])


def _described(
    phases: Sequence[Phase],
    sessions: Sequence[Session],
    crises: Sequence[Crisis],
    planned: Sequence[datetime],
) -> str:
    kinds = [status for _, status in sessions]
    counted = [f"{kinds.count(kind)} {kind}" for kind in ("attended", "missed", "cancelled") if kind in kinds]
    counted += [f"{len(planned)} planned"] if planned else []
    open_ones = sum(end is None for _, end in crises)
    said = [f"{_phase_name(name)} from {day(start)}" for name, start, _ in phases]
    said += [f"sessions: {', '.join(counted)}" if counted else "no sessions yet"]
    said += [plural(len(crises), "crisis", "crises") + f", {open_ones} open"] if crises else []
    return "; ".join(said) + "."


def _said(status: str, at: datetime) -> str:
    return f"Session {WORDS.get(status, status)}, {day(at)}"


def _phase_name(name: str) -> str:
    return name.replace("_", " ").capitalize()
