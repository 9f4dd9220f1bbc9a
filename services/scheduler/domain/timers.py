"""Timers: arming them, and what is announced when they fire, are too late or become moot.

A timer that ended (fired or skipped) was announced, and is never announced again. One that is withdrawn
before it is due leaves its reason in the schedule. One that is withdrawn when already due, but not yet
processed, is a skip, and a skip is itself an event (clinical.md, Time).
"""

from collections.abc import Callable, Iterable
from datetime import date, datetime, timedelta
from typing import Any, TypeVar

from services.scheduler.domain.clinics import ONE_DAY, Clinic
from services.scheduler.domain.rules import (
    Announced,
    Announcement,
    Send,
    Skip,
    SkipOnceStarted,
    announcements,
)
from services.scheduler.domain.schedule import Appointment, Hold, Maintenance, Schedule, Timer
from services.scheduler.domain.wall_time import at
from services.scheduler.events import (
    AnnouncementSettled,
    AnnouncementSkipped,
    CaseReviewDue,
    DueEvent,
    HoldReviewDue,
    Kind,
    MaintenanceReviewDue,
    MaintenanceSessionDue,
    SessionOverdue,
    SessionReminderDue,
    SkipReason,
    TerminationPhaseDue,
    WeeklySessionDue,
    Withdrawn,
)

OF_A_SESSION: dict[Kind, tuple[Announced, ...]] = {
    "acute": ("SessionReminderDue", "WeeklySessionDue", "SessionOverdue"),
    "maintenance": ("SessionReminderDue", "MaintenanceSessionDue", "SessionOverdue"),
}

SKIPPED: dict[Withdrawn, SkipReason] = {
    "recorded": "already_recorded",
    "moved": "superseded",
    "cancelled": "superseded",
    "held": "on_hold",
    "plan_closed": "plan_closed",
    "resumed": "superseded",
    "changed": "superseded",
    "contracted": "superseded",
}

S = TypeVar("S", bound=Schedule)
Ended = tuple[tuple[Timer, ...], list[DueEvent]]


def moment(kind: Announced, on: date, clinic: Clinic) -> datetime:
    """When an announcement that depends on a local date is due (announcements.json)."""
    rule = announcements()[kind]
    day = on + rule.days * ONE_DAY
    for _ in range(rule.clinic_days):
        day = clinic.next_open_day(day)
    return at(day, rule.at, clinic.zone)


def for_session(kind: Kind, starts_at: datetime, local: datetime, clinic: Clinic) -> tuple[Timer, ...]:
    """The timers of a session: reminder, due, overdue."""
    return tuple(
        Timer(kind=announced, due_at=moment(announced, local.date(), clinic), session_at=starts_at)
        for announced in OF_A_SESSION[kind]
    )


def rearmed(appointment: Appointment, fresh: tuple[Timer, ...]) -> tuple[Timer, ...]:
    """An appointment's timers after a move. Those already announced for this start are not armed again."""
    told = {
        (timer.kind, timer.session_at) for timer in appointment.timers if timer.state in ("fired", "skipped")
    }
    return (*appointment.timers, *(t for t in fresh if (t.kind, t.session_at) not in told))


def was_announced(schedule: Schedule, kind: Announced, due_at: datetime) -> bool:
    """Whether this announcement about the whole plan, due at this time, was made or announced as skipped."""
    same = [t for t in schedule.timers if (t.kind, t.due_at) == (kind, due_at)]
    return any(t.state in ("fired", "skipped") for t in same)


def with_plan_timer(schedule: Schedule, kind: Announced, due_at: datetime) -> Schedule:
    """Arm a timer about the whole plan, unless one due at the same time is armed or was announced."""
    same = [t for t in schedule.timers if (t.kind, t.due_at) == (kind, due_at) and t.state != "withdrawn"]
    if same:
        return schedule
    return schedule.revised(timers=(*schedule.timers, Timer(kind=kind, due_at=due_at)))


def withdraw(
    schedule: Schedule,
    timers: Iterable[Timer],
    appointment: Appointment | None,
    *,
    now: datetime,
    reason: Withdrawn,
    only: Callable[[Timer], bool] = lambda _: True,
) -> Ended:
    """Withdraw armed timers and settle announced requests. A timer already due is announced as skipped."""
    kept: list[Timer] = []
    events: list[DueEvent] = []
    event: DueEvent
    for timer in timers:
        if timer.is_asking and only(timer):
            ended, event = _settled(schedule, timer, appointment, now=now, reason=reason)
            kept.append(ended)
            events.append(event)
        elif timer.state != "armed" or not only(timer):
            kept.append(timer)
        elif timer.due_at > now:
            kept.append(timer.model_copy(update={"state": "withdrawn", "reason": reason}))
        else:
            ended, event = skipped(schedule, timer, appointment, now=now, reason=SKIPPED[reason])
            kept.append(ended)
            events.append(event)
    return tuple(kept), events


def _settled(
    schedule: Schedule, timer: Timer, appointment: Appointment | None, *, now: datetime, reason: Withdrawn
) -> tuple[Timer, DueEvent]:
    event = AnnouncementSettled(
        **_common(schedule, timer, now),
        settled=timer.kind,
        appointment_id=appointment.id if appointment else None,
        reason=reason,
    )
    return timer.model_copy(update={"reason": reason}), event


def withdraw_plan_timers(
    schedule: Schedule, *kinds: Announced, now: datetime, reason: Withdrawn
) -> tuple[Schedule, list[DueEvent]]:
    timers, events = withdraw(
        schedule, schedule.timers, None, now=now, reason=reason, only=lambda timer: timer.kind in kinds
    )
    return schedule.revised(timers=timers), events


def fire_at_once(schedule: Schedule, kind: Announced, now: datetime) -> tuple[Schedule, DueEvent]:
    """Announce something about the whole plan that became due by a fact, not by the clock."""
    timer = Timer(kind=kind, due_at=now, state="fired")
    event = _announcement(schedule, timer, None, now)
    return schedule.revised(timers=(*schedule.timers, timer)), event


def due(schedule: S, now: datetime) -> tuple[S, list[DueEvent]]:
    """Fire everything that is due, or skip it by its late policy. The events are ordered by due time."""
    events: list[DueEvent] = []
    appointments = list(schedule.appointments)
    for index, appointment in enumerate(appointments):
        ended, told = _fire(schedule, appointment.timers, appointment, now)
        if told:
            appointments[index] = appointment.model_copy(update={"timers": ended})
            events += told
    timers, told = _fire(schedule, schedule.timers, None, now)
    if not events and not told:
        return schedule, []
    events = sorted(events + told, key=lambda event: event.due_at)
    return schedule.revised(appointments=tuple(appointments), timers=timers), events


def session_overdue(schedule: Schedule, now: datetime) -> bool:
    """Whether a session is to be announced as overdue by now."""
    return any(timer.kind == "SessionOverdue" and timer.due_at <= now for timer in schedule.armed())


def _fire(
    schedule: Schedule, timers: tuple[Timer, ...], appointment: Appointment | None, now: datetime
) -> Ended:
    if not any(timer.state == "armed" and timer.due_at <= now for timer in timers):
        return timers, []
    kept: list[Timer] = []
    events: list[DueEvent] = []
    for timer in timers:
        if timer.state != "armed" or timer.due_at > now:
            kept.append(timer)
            continue
        event: DueEvent
        if _is_too_late(announcements()[timer.kind], timer, now):
            ended, event = skipped(schedule, timer, appointment, now=now, reason="too_late")
        else:
            ended = timer.model_copy(update={"state": "fired"})
            event = _announcement(schedule, timer, appointment, now)
        kept.append(ended)
        events.append(event)
    return tuple(kept), events


def _is_too_late(rule: Announcement, timer: Timer, now: datetime) -> bool:
    match rule.late:
        case Send():
            return False
        case Skip(after_hours=hours):
            return now - timer.due_at > timedelta(hours=hours)
        case SkipOnceStarted():
            return timer.session_at is not None and now >= timer.session_at


def _common(schedule: Schedule, timer: Timer, now: datetime) -> dict[str, Any]:
    return {
        "patient_id": schedule.patient_id,
        "clinic_id": schedule.clinic_id,
        "plan_id": schedule.id,
        "clinician_id": schedule.clinician_id,
        "due_at": timer.due_at,
        "late_by_seconds": int((now - timer.due_at).total_seconds()),
    }


def skipped(
    schedule: Schedule, timer: Timer, appointment: Appointment | None, *, now: datetime, reason: SkipReason
) -> tuple[Timer, AnnouncementSkipped]:
    event = AnnouncementSkipped(
        **_common(schedule, timer, now),
        skipped=timer.kind,
        appointment_id=appointment.id if appointment else None,
        number=appointment.number if appointment else None,
        starts_at=timer.session_at,
        reason=reason,
    )
    return timer.model_copy(update={"state": "skipped", "reason": reason}), event


def _announcement(
    schedule: Schedule, timer: Timer, appointment: Appointment | None, now: datetime
) -> DueEvent:
    common = _common(schedule, timer, now)
    if appointment is not None:
        common |= {
            "appointment_id": appointment.id,
            "number": appointment.number,
            "starts_at": appointment.starts_at,
        }
    match timer.kind:
        case "SessionReminderDue":
            return SessionReminderDue(**common)
        case "WeeklySessionDue":
            return WeeklySessionDue(**common)
        case "MaintenanceSessionDue":
            return MaintenanceSessionDue(**common)
        case "SessionOverdue":
            return SessionOverdue(**common)
        case "TerminationPhaseDue":
            return TerminationPhaseDue(
                **common,
                attended=schedule.attended,
                sessions=schedule.sessions,
                termination_sessions=schedule.termination_sessions,
            )
        case "CaseReviewDue":
            return CaseReviewDue(**common, week=announcements()["CaseReviewDue"].days // 7)
        case "HoldReviewDue":
            return HoldReviewDue(**common, review_on=_review_on(schedule.hold, timer))
        case "MaintenanceReviewDue":
            return MaintenanceReviewDue(**common, review_on=_review_on(schedule.maintenance, timer))


def _review_on(about: Hold | Maintenance | None, timer: Timer) -> date:
    return about.review_on if about is not None else timer.due_at.date()
