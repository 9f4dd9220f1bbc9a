"""What the scheduler announces: appointments, and every clock-driven fact of care.

Clock-driven facts derive their id from what they are about, so that a tick, a second replica or a
restart cannot announce one twice.
"""

from datetime import date, datetime
from typing import ClassVar, Literal

from shared.messaging.event import Event

Kind = Literal["acute", "maintenance"]
MoveReason = Literal[
    "holiday",
    "clinician_leave",
    "missed",
    "cancelled",
    "hold",
    "contract",
    "double_booking",
    "asked",
    "clinic_hours",
    "late_start",
    "unrecorded",
    "zone_changed",
]
"""late_start: the plan arrived after its 48 hours; unrecorded: makes up for a session nobody recorded."""
CancelReason = Literal[
    "contract_shortened",
    "plan_closed",
    "held",
    "session_cancelled",
    "asked",
    "maintenance_changed",
    "no_longer_needed",
]
"""no_longer_needed: the contracted sessions are attended without it."""


Withdrawn = Literal[
    "recorded", "moved", "cancelled", "held", "plan_closed", "resumed", "changed", "contracted"
]
"""Why an announcement is no longer to be made, or why its request is no longer needed."""

SkipReason = Literal["too_late", "superseded", "on_hold", "already_recorded", "plan_closed"]


class ScheduleEvent(Event):
    plan_id: str
    clinician_id: str


class SessionScheduled(ScheduleEvent):
    """A session of the acute course or of maintenance was booked, at the clinic's wall-clock time."""

    topic: ClassVar[str] = "scheduler.appointments"

    appointment_id: str
    number: int
    kind: Kind
    starts_at: datetime
    local_time: str
    """Wall-clock time in the clinic's zone, ISO 8601 without offset."""
    zone: str
    minutes: int
    adjusted: tuple[MoveReason, ...]
    """Why it was added to the course or is not at the regular weekday and time; empty otherwise."""


class SessionMoved(ScheduleEvent):
    """A booked session changed its start or length, or its clinic its time zone, for the reason given."""

    topic: ClassVar[str] = "scheduler.appointments"

    appointment_id: str
    number: int
    kind: Kind
    previous_starts_at: datetime
    starts_at: datetime
    local_time: str
    zone: str
    minutes: int
    reason: MoveReason


class AppointmentCancelled(ScheduleEvent):
    """A booked session was taken off the calendar, for the reason given."""

    topic: ClassVar[str] = "scheduler.appointments"

    appointment_id: str
    number: int
    kind: Kind
    starts_at: datetime
    reason: CancelReason


class DueEvent(ScheduleEvent):
    """Announced when it is due. `late_by_seconds` tells how late it is, for example after an outage."""

    topic: ClassVar[str] = "scheduler.due"

    due_at: datetime
    late_by_seconds: int

    def about(self) -> str:
        return f"{self.plan_id}/{type(self).__name__}/{self.due_at.isoformat()}"


class AppointmentDueEvent(DueEvent):
    appointment_id: str
    number: int
    starts_at: datetime

    def about(self) -> str:
        return f"{self.appointment_id}/{type(self).__name__}/{self.starts_at.isoformat()}"


class WeeklySessionDue(AppointmentDueEvent):
    """A session of the acute course is due today."""


class SessionReminderDue(AppointmentDueEvent):
    """A session is due tomorrow, and the person should be reminded of it."""


class MaintenanceSessionDue(AppointmentDueEvent):
    """A session of maintenance is due today."""


class SessionOverdue(AppointmentDueEvent):
    """By the next clinic day nobody had recorded the outcome of a session."""


class TerminationPhaseDue(DueEvent):
    """At most one session is left before the termination phase: the ending is to be raised now."""

    attended: int
    sessions: int
    termination_sessions: int

    def about(self) -> str:
        return f"{self.plan_id}/TerminationPhaseDue/{self.sessions}"


class CaseReviewDue(DueEvent):
    """Eight weeks after the start of treatment it is time to ask whether it works."""

    week: int


class MaintenanceReviewDue(DueEvent):
    """The maintenance contract is due for review today."""

    review_on: date


class HoldReviewDue(DueEvent):
    """The hold is due for review today."""

    review_on: date


DUE: tuple[type[DueEvent], ...] = (
    WeeklySessionDue,
    SessionReminderDue,
    MaintenanceSessionDue,
    SessionOverdue,
    TerminationPhaseDue,
    CaseReviewDue,
    MaintenanceReviewDue,
    HoldReviewDue,
)


class AnnouncementSkipped(DueEvent):
    """An announcement was due but was not made, for the reason given."""

    skipped: str
    """The type of the event that was not announced."""
    appointment_id: str | None
    number: int | None
    starts_at: datetime | None
    """Start of the session it would have announced. Part of the event id, since a session moved within its
    day may keep its `due_at`."""
    reason: SkipReason

    def about(self) -> str:
        session = f"{self.appointment_id}/{self.starts_at.isoformat()}" if self.starts_at else "-"
        return f"{self.plan_id}/{self.skipped}/skipped/{session}/{self.due_at.isoformat()}"


class AnnouncementSettled(DueEvent):
    """What an announcement asked for was done or is no longer needed, for the reason given."""

    settled: str
    """The type of the event that was announced. `due_at` is that event's."""
    appointment_id: str | None
    reason: Withdrawn

    def about(self) -> str:
        return f"{self.plan_id}/{self.settled}/settled/{self.appointment_id or '-'}/{self.due_at.isoformat()}"
