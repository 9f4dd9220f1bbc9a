"""Explained flags: the rule, the protocol version it belongs to, and its inputs."""

from dataclasses import dataclass

from services.dashboard.domain.alert import OpenAlert
from services.dashboard.domain.person import Course, Flag, Mark, Person
from services.dashboard.web.words import moment, said

RULES = {
    "response": "The PHQ-9 has dropped by the share of its baseline that the protocol calls a response",
    "remission": "The PHQ-9 is below the protocol's limit for remission",
    "not_improving": "No response by the week in which the protocol asks for a case review",
    "deterioration": "The PHQ-9 has risen over its baseline by the protocol's limit or more",
    "relapse": "In maintenance, the PHQ-9 reached the protocol's limit, or rose over its end-of-acute score",
    "phase_overdue": "The phase's most sessions are attended and its work is not done",
}
BADGES = {
    "response": "on-course",
    "remission": "done",
    "not_improving": "not-improving",
    "deterioration": "deteriorated",
    "relapse": "relapse",
    "phase_overdue": "overdue",
    "relapse_signal": "relapse",
    "case_review": "not-improving",
    "missed_session": "overdue",
    "session_unrecorded": "overdue",
}
CRISIS = "Signs of danger in a measure, or somebody said so; a 0 never clears them"
SHOWN_FLAGS = 10


@dataclass(frozen=True)
class Explained:
    """A flag as rendered by `why` in parts/badge.html."""

    badge: str
    text: str
    rule: str
    version: str | None
    inputs: list[tuple[str, str]]
    href: str | None = None


def explained(person: Person, zone: str) -> list[Explained]:
    """Unresolved alerts first, then the latest crisis evidence, then the rules' findings on the course."""
    course = person.course
    known = [_alert(alert, zone) for alert in person.alerts]
    known += [_evidence(flag, zone) for flag in _latest(person.flags)]
    return known + [_mark(mark, course, zone) for mark in course.marks] if course else known


def _latest(flags: tuple[Flag, ...]) -> list[Flag]:
    return sorted(flags, key=lambda flag: flag.at, reverse=True)[:SHOWN_FLAGS]


def _mark(mark: Mark, course: Course, zone: str) -> Explained:
    inputs = [(said(name), _value(value)) for name, value in mark.inputs.items()]
    rule = RULES.get(mark.kind, said(mark.kind))
    version = f"protocol {course.protocol_version}" if course.protocol_version else None
    found = [("Found", moment(mark.at, zone))]
    return Explained(BADGES.get(mark.kind, "review"), said(mark.kind), rule, version, inputs + found)


def _value(value: int | str | None) -> str:
    if value is None:
        return "missing"
    return ", ".join(said(code) for code in value.split(", ")) if isinstance(value, str) else str(value)


def _alert(alert: OpenAlert, zone: str) -> Explained:
    if alert.kind == "crisis":
        badge, text = f"crisis-{alert.severity}", f"Crisis, {alert.severity}"
    else:
        badge, text = BADGES.get(alert.kind, "review"), said(alert.kind)
    inputs = [("State", said(alert.state)), ("Raised", moment(alert.raised_at, zone))]
    if alert.acknowledge_by and alert.state == "open":
        inputs.append(("To be taken by", moment(alert.acknowledge_by, zone)))
    return Explained(badge, text, f"Alert: {said(alert.reason)}", None, inputs, f"/alerts/{alert.id}")


def _evidence(flag: Flag, zone: str) -> Explained:
    inputs = [("Evidence", ", ".join(said(code) for code in flag.evidence)), ("At", moment(flag.at, zone))]
    return Explained(f"crisis-{flag.severity}", f"Crisis evidence, {flag.severity}", CRISIS, None, inputs)
