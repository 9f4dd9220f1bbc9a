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
"""late_start: the plan reached us after its 48 hours; unrecorded: makes up for a session nobody recorded."""
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


SkipReason = Literal["too_late", "superseded", "on_hold", "already_recorded", "plan_closed"]


class ScheduleEvent(Event):
    plan_id: str
    clinician_id: str


class SessionScheduled(ScheduleEvent):
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
    """Why it does not stand on the regular weekday and time, if so."""


class SessionMoved(ScheduleEvent):
    topic: ClassVar[str] = "scheduler.appointments"

    appointment_id: str
    number: int
    kind: Kind
    previous_starts_at: datetime
    starts_at: datetime
    local_time: str
    zone: str
    reason: MoveReason


class AppointmentCancelled(ScheduleEvent):
    topic: ClassVar[str] = "scheduler.appointments"

    appointment_id: str
    number: int
    kind: Kind
    starts_at: datetime
    reason: CancelReason


class DueEvent(ScheduleEvent):
    """Announced when its moment has come; `late_by_seconds` says how late an outage made it."""

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
    """Today's session, announced in the morning of its day."""


class SessionReminderDue(AppointmentDueEvent):
    """The person should be reminded of tomorrow's session."""


class MaintenanceSessionDue(AppointmentDueEvent):
    """Today's maintenance session."""


class SessionOverdue(AppointmentDueEvent):
    """The session's time is past and nobody recorded what happened: breached, and announced."""


class TerminationPhaseDue(DueEvent):
    """One session before the termination phase starts: time to raise it."""

    attended: int
    sessions: int
    termination_sessions: int

    def about(self) -> str:
        return f"{self.plan_id}/TerminationPhaseDue/{self.sessions}"


class CaseReviewDue(DueEvent):
    """Week 8: has the treatment been answered?"""

    week: int


class MaintenanceReviewDue(DueEvent):
    review_on: date


class HoldReviewDue(DueEvent):
    """The hold's review date has come."""

    review_on: date


class AnnouncementSkipped(DueEvent):
    """An announcement that was not made, and why: a skip is itself an event."""

    skipped: str
    """The type of the event that was not announced."""
    appointment_id: str | None
    number: int | None
    starts_at: datetime | None
    """The session's start it would have been about: a session moved within its day is another matter."""
    reason: SkipReason

    def about(self) -> str:
        session = f"{self.appointment_id}/{self.starts_at.isoformat()}" if self.starts_at else "-"
        return f"{self.plan_id}/{self.skipped}/skipped/{session}/{self.due_at.isoformat()}"
