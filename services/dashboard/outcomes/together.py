"""Combines the figures of several clinics: counts are added, and derived figures follow from them. Pure."""

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import reduce

from services.dashboard.outcomes import Outcomes
from services.dashboard.outcomes.alerts import Crisis, severest_first
from services.dashboard.outcomes.courses import Answered
from services.dashboard.outcomes.figures import Counted
from services.dashboard.outcomes.sessions import Attendance, Waited


def together(all: Sequence[Outcomes]) -> Outcomes:
    """`all` must not be empty. The result is as old as the oldest of them."""
    return reduce(_added, all)


def _added(one: Outcomes, other: Outcomes) -> Outcomes:
    phases = [*one.phases, *(phase for phase in other.phases if phase not in one.phases)]
    return Outcomes(
        answered=_answered(one.answered, other.answered),
        waited=_waited(one.waited, other.waited),
        attendance=_attendance(one.attendance, other.attendance),
        phases={phase: _counted(one.phases.get(phase), other.phases.get(phase)) for phase in phases},
        crises=_crises([*one.crises, *other.crises]),
        escalated=dict((Counter(one.escalated) + Counter(other.escalated)).most_common()),
        resolved=_resolved([*one.resolved, *other.resolved]),
        by_rule=one.by_rule + other.by_rule,
        alerts=one.alerts + other.alerts,
        at=min(one.at, other.at),
    )


def _answered(one: Answered, other: Answered) -> Answered:
    names = Answered.__dataclass_fields__
    return Answered(**{name: getattr(one, name) + getattr(other, name) for name in names})


def _attendance(one: Attendance, other: Attendance) -> Attendance:
    names = Attendance.__dataclass_fields__
    return Attendance(**{name: getattr(one, name) + getattr(other, name) for name in names})


def _waited(one: Waited, other: Waited) -> Waited:
    return Waited(
        _counted(one.hours, other.hours),
        one.undecided + other.undecided,
        one.declined + other.declined,
        one.unbooked + other.unbooked,
    )


def _counted(one: Counted | None, other: Counted | None) -> Counted:
    return Counted(Counter(one.times if one else {}) + Counter(other.times if other else {}))


def _crises(all: Iterable[Crisis]) -> list[Crisis]:
    known: dict[str, Crisis] = {}
    for crisis in all:
        before = known.get(crisis.severity)
        known[crisis.severity] = _crisis(before, crisis) if before else crisis
    return sorted(known.values(), key=lambda crisis: severest_first(crisis.severity))


def _crisis(one: Crisis, other: Crisis) -> Crisis:
    return Crisis(
        severity=one.severity,
        raised=one.raised + other.raised,
        paged=_counted(one.paged, other.paged),
        unpaged=one.unpaged + other.unpaged,
        acknowledged=_counted(one.acknowledged, other.acknowledged),
        in_time=one.in_time + other.in_time,
        late=one.late + other.late,
    )


def _resolved(all: Iterable[tuple[str, str, int]]) -> list[tuple[str, str, int]]:
    counted: Counter[tuple[str, str]] = Counter()
    for kind, disposition, count in all:
        counted[kind, disposition] += count
    return [(*what, count) for what, count in sorted(counted.items(), key=lambda c: (-c[1], c[0]))]
