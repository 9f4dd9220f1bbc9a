"""Outcome figures of a clinic for a time window: counted by MongoDB along an index, cached for a minute."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from time import monotonic

from services.dashboard.outcomes import alerts as outcomes_alerts
from services.dashboard.outcomes import courses as outcomes_courses
from services.dashboard.outcomes import sessions as outcomes_sessions
from services.dashboard.outcomes.alerts import Crisis
from services.dashboard.outcomes.courses import Answered
from services.dashboard.outcomes.figures import Counted
from services.dashboard.outcomes.sessions import Attendance, Waited
from shared.mongo import Document, MongoDatabase

KEPT_SECONDS = 60.0
MOST_KEPT = 200


@dataclass(frozen=True, slots=True)
class Window:
    """A clinic, and the instants from `since` to before `until`."""

    clinic: str
    since: datetime
    until: datetime

    @property
    def within(self) -> Document:
        """The MongoDB condition that an instant is in the window."""
        return {"$gte": self.since, "$lt": self.until}

    @property
    def here(self) -> Document:
        return {"clinic_id": self.clinic}


@dataclass(frozen=True, slots=True)
class Outcomes:
    answered: Answered
    waited: Waited
    attendance: Attendance
    phases: dict[str, Counted]
    """Days spent in each phase, for phases left in the window."""
    crises: list[Crisis]
    """By severity, the highest first."""
    escalated: dict[str, int]
    """Number of escalation steps, by reason."""
    resolved: list[tuple[str, str, int]]
    """Resolved by humans: (kind, disposition, count), the most frequent first."""
    by_rule: int
    """Number resolved by rule, because the fact behind them was settled."""
    alerts: int
    at: datetime

    @property
    def is_empty(self) -> bool:
        counted = self.answered.courses + self.waited.referrals + self.attendance.all + self.alerts
        return counted == 0


async def count(database: MongoDatabase, window: Window, now: datetime) -> Outcomes:
    """Count everything, one query after another: this page can wait, and other pages are not slowed down."""
    here, within = window.here, window.within
    resolved, by_rule = await outcomes_alerts.resolved(database, here, within)
    return Outcomes(
        answered=await outcomes_courses.answered(database, here, within, now),
        waited=await outcomes_sessions.waited(database, here, within),
        attendance=await outcomes_sessions.attendance(database, here, within, now),
        phases=await outcomes_courses.phases(database, here, within),
        crises=await outcomes_alerts.crises(database, here, within, now),
        escalated=await outcomes_alerts.escalated(database, here, within),
        resolved=resolved,
        by_rule=by_rule,
        alerts=await outcomes_alerts.raised(database, here, within),
        at=now,
    )


class Kept:
    """Caches the figures of a window for a minute, and counts once for all concurrent requests."""

    def __init__(self, counting: Callable[[Window], Awaitable[Outcomes]]) -> None:
        self._count = counting
        self._known: dict[Window, tuple[float, asyncio.Task[Outcomes]]] = {}

    async def of(self, window: Window) -> Outcomes:
        until, task = self._known.get(window, (0.0, None))
        if task is None or until < monotonic() or (task.done() and task.exception() is not None):
            self._tidy()
            task = asyncio.ensure_future(_awaited(self._count(window)))
            self._known[window] = (monotonic() + KEPT_SECONDS, task)
        return await asyncio.shield(task)

    def _tidy(self) -> None:
        if len(self._known) >= MOST_KEPT:
            self._known = {window: one for window, one in self._known.items() if one[0] > monotonic()}


async def _awaited(counting: Awaitable[Outcomes]) -> Outcomes:
    return await counting
