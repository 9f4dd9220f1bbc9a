"""Reading leave from the scheduler, and giving and withdrawing it."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from services.dashboard.calendar.hours import Away, ClinicHours
from services.dashboard.pages.desk import Desk
from services.dashboard.web.services import Answer
from services.dashboard.web.viewer import Viewer

KEPT_SECONDS = 15.0
NOT_FOUND = 404

REFUSALS = {
    "in_the_past": "These days are past. Leave can be given for today and for days to come.",
    "no_free_slot": "The sessions on these days find no free hour within a year. Move or cancel some of "
    "them first.",
}


@dataclass(frozen=True, slots=True)
class Leave:
    """Leave by clinician, configured and given. `unknown`: the scheduler did not answer for everybody."""

    by_clinician: Mapping[str, tuple[Away, ...]]
    unknown: bool = False

    def of(self, clinician_id: str) -> tuple[Away, ...]:
        return self.by_clinician.get(clinician_id, ())


@dataclass(frozen=True, slots=True)
class _Known:
    days: tuple[Away, ...]
    until: float
    changes: int


@dataclass
class LeaveBook:
    """Caches the scheduler's answers until the next change, for `KEPT_SECONDS` at most."""

    desk: Desk
    _known: dict[tuple[str, str, str], _Known] = field(default_factory=dict)

    async def read(self, viewer: Viewer, clinic: ClinicHours, clinicians: Iterable[str]) -> Leave:
        """Leave of the clinicians that the clinic lists; the scheduler knows no leave of others."""
        ids = [id for id in clinicians if id in clinic.clinician_ids]
        given = await asyncio.gather(*(self._given(viewer, id) for id in ids))
        by_clinician = {id: (*clinic.away(id), *(days or ())) for id, days in zip(ids, given, strict=True)}
        return Leave(by_clinician, unknown=any(days is None for days in given))

    def forget(self) -> None:
        self._known.clear()

    async def _given(self, viewer: Viewer, clinician_id: str) -> tuple[Away, ...] | None:
        """Given leave; `None` if unknown at present. A clinician unknown to the scheduler has none."""
        key = (viewer.subject, viewer.clinic, clinician_id)
        known = self._known.get(key)
        if known and known.until > monotonic() and known.changes == self.desk.live.changes:
            return known.days
        answer = await self.desk.services.get(viewer, "scheduler", f"/clinicians/{clinician_id}/leave")
        if answer.status == NOT_FOUND:
            return ()
        if not answer.ok:
            return None
        days = tuple(Away.model_validate(item) for item in answer.body["items"])
        self._tidy()
        self._known[key] = _Known(days, monotonic() + KEPT_SECONDS, self.desk.live.changes)
        return days

    def _tidy(self) -> None:
        if len(self._known) > 1_000:
            self._known.clear()


async def give(desk: Desk, viewer: Viewer, form: Mapping[str, str]) -> Answer:
    days = {"from": form.get("from", ""), "to": form.get("to", "")}
    path = f"/clinicians/{form['clinician_id']}/leave"
    return await desk.services.send(viewer, "scheduler", "POST", path, days, key=form.get("idempotency_key"))


async def withdraw(desk: Desk, viewer: Viewer, clinician_id: str, leave_id: str, key: str) -> Answer:
    path = f"/clinicians/{clinician_id}/leave/{leave_id}"
    return await desk.services.send(viewer, "scheduler", "DELETE", path, key=key or None)


def refusal(answer: Answer) -> dict[str, Any]:
    """The problem with its reason in words."""
    problem = dict(answer.problem or {})
    reason = str(problem.get("reason", ""))
    if reason in REFUSALS:
        problem["detail"] = REFUSALS[reason]
    return problem
