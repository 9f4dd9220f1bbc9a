"""A clinician's leave: entered and withdrawn by a coordinator. Conflicting appointments are moved."""

from collections.abc import Sequence
from datetime import timedelta

from services.scheduler.domain import moving
from services.scheduler.domain.clinics import Leave
from services.scheduler.store import GivenLeave, Roster, SchedulerWork, day_span, plans_booked
from shared.errors import Refused
from shared.messaging.work import NotFound

RECHECK_AFTER = timedelta(minutes=1)
"""By then every transaction that had read the roster without this leave has ended."""


async def load(work: SchedulerWork, clinician_id: str, leave: Sequence[Leave]) -> None:
    """Load the clinician's diary and all schedules that conflict with this leave."""
    await work.read_diaries([clinician_id])
    clinic = work.clinics.where_works(clinician_id)
    if clinic is not None:
        for away in leave:
            since, until = day_span(away.first, away.last, clinic)
            await work.schedules.load(await plans_booked(work, clinician_id, max(since, work.now), until))


def give(work: SchedulerWork, clinician_id: str, leave: Leave, id: str) -> tuple[GivenLeave, list[str]]:
    """Enter leave and move conflicting appointments. Returns the entry and the ids of those moved.

    Raises `NotFound` for a clinician without a clinic, `Refused` in_the_past or no_free_slot.
    """
    clinic = work.clinics.where_works(clinician_id)
    if clinic is None:
        raise NotFound("clinicians", clinician_id)
    if leave.last < work.diary(clinic.id, clinician_id).today(work.now):
        raise Refused("in_the_past")
    roster = work.rosters.get(clinician_id) or Roster(id=clinician_id, clinic_id=clinic.id)
    entry = GivenLeave(id=id, leave=leave, given_at=work.now)
    work.rosters.save(
        roster.model_copy(
            update={
                "leave": (*roster.leave, entry),
                "recheck_at": work.now + RECHECK_AFTER,
                "rechecking": True,
            }
        )
    )
    return entry, make_way(work, clinician_id, [leave])


def make_way(work: SchedulerWork, clinician_id: str, leave: Sequence[Leave]) -> list[str]:
    """Move appointments on these days. Returns the ids of those that moved."""
    moved: list[str] = []
    mine = [schedule for schedule in work.schedules if schedule.clinician_id == clinician_id]
    for schedule in sorted(mine, key=lambda schedule: schedule.id):
        after, events = moving.make_way(schedule, leave, work.diary_of(schedule), work.now)
        if after != schedule:
            work.keep(after, events)
            before = {a.id: a.starts_at for a in schedule.appointments}
            moved += [a.id for a in after.appointments if a.starts_at != before[a.id]]
    return moved


def withdraw(work: SchedulerWork, clinician_id: str, leave_id: str) -> None:
    """Withdraw leave. Appointments moved for it stay where people were told. Raises `NotFound`."""
    roster = work.rosters[clinician_id]
    kept = tuple(entry for entry in roster.leave if entry.id != leave_id)
    if len(kept) == len(roster.leave):
        raise NotFound("leave", leave_id)
    work.rosters.save(roster.model_copy(update={"leave": kept}))
