"""HTTP requests and responses of the scheduler: ids, codes, times."""

from datetime import date, datetime, timedelta
from typing import Annotated, Self

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from services.scheduler.domain.clinics import Clinic, Leave, Weekday
from services.scheduler.domain.schedule import (
    Appointment,
    AppointmentStatus,
    Asked,
    Hold,
    Maintenance,
    Schedule,
)
from services.scheduler.domain.wall_time import Oddity, parse
from services.scheduler.events import CancelReason, Kind, MoveReason
from services.scheduler.store import GivenLeave
from shared.http.models import Strict
from shared.http.paging import Page

EARLIEST, LATEST = date(2000, 1, 1), date(2199, 12, 31)
LONGEST_LEAVE = timedelta(days=366)


class AppointmentView(BaseModel):
    appointment_id: str
    plan_id: str
    patient_id: str
    clinic_id: str
    clinician_id: str
    number: int
    kind: Kind
    status: AppointmentStatus
    """FHIR Appointment.status."""
    starts_at: datetime
    local_time: str
    zone: str
    minutes: int
    adjusted: tuple[MoveReason, ...]
    reason: CancelReason | None
    asked_by: Asked | None
    overdue: bool
    """Nobody has recorded what happened, and that was announced."""

    @classmethod
    def of(cls, schedule: Schedule, appointment: Appointment) -> "AppointmentView":
        return cls(
            appointment_id=appointment.id,
            plan_id=schedule.id,
            patient_id=schedule.patient_id,
            clinic_id=schedule.clinic_id,
            clinician_id=schedule.clinician_id,
            number=appointment.number,
            kind=appointment.kind,
            status=appointment.state,
            starts_at=appointment.starts_at,
            local_time=appointment.local_time,
            zone=appointment.zone,
            minutes=appointment.minutes,
            adjusted=appointment.adjusted,
            reason=appointment.reason,
            asked_by=appointment.asked_by,
            overdue=appointment.is_overdue,
        )


class Calendar(Page[AppointmentView]):
    """Booked, fulfilled and missed appointments in order of time; cancelled ones free their slot."""


class ScheduleView(BaseModel):
    plan_id: str
    patient_id: str
    clinic_id: str
    clinician_id: str
    phase: str
    sessions: int
    attended: int
    hold: Hold | None
    maintenance: Maintenance | None
    closed_at: datetime | None
    next_due: datetime | None
    """When something about this plan is announced next."""
    appointments: list[AppointmentView]

    @classmethod
    def of(cls, schedule: Schedule) -> "ScheduleView":
        in_order = sorted(schedule.appointments, key=lambda a: a.starts_at)
        return cls(
            plan_id=schedule.id,
            patient_id=schedule.patient_id,
            clinic_id=schedule.clinic_id,
            clinician_id=schedule.clinician_id,
            phase=schedule.phase,
            sessions=schedule.sessions,
            attended=schedule.attended,
            hold=schedule.hold,
            maintenance=schedule.maintenance,
            closed_at=schedule.closed_at,
            next_due=schedule.next_due,
            appointments=[AppointmentView.of(schedule, a) for a in in_order],
        )


class MovedView(AppointmentView):
    local_time_adjusted: Oddity | None
    """gap: that wall time does not exist and was taken after the gap; first_of_two: it exists twice."""


class ClinicView(BaseModel):
    id: str
    zone: str
    days: tuple[Weekday, ...]
    opens: str
    closes: str
    slot_minutes: int
    clinicians: list[str]

    @classmethod
    def of(cls, clinic: Clinic) -> "ClinicView":
        return cls(
            id=clinic.id,
            zone=clinic.zone,
            days=clinic.hours.days,
            opens=clinic.hours.opens.isoformat("minutes"),
            closes=clinic.hours.closes.isoformat("minutes"),
            slot_minutes=clinic.slot_minutes,
            clinicians=[clinician.id for clinician in clinic.clinicians],
        )


class ClinicList(BaseModel):
    items: list[ClinicView]


class LeaveView(BaseModel):
    model_config = ConfigDict(serialize_by_alias=True)

    leave_id: str
    clinician_id: str
    first: date = Field(serialization_alias="from")
    last: date = Field(serialization_alias="to")
    given_at: AwareDatetime
    moved: list[str] = []
    """Ids of the appointments that were moved for it, only in the response to its entry."""

    @classmethod
    def of(cls, clinician_id: str, entry: GivenLeave, moved: list[str] | None = None) -> "LeaveView":
        return cls(
            leave_id=entry.id,
            clinician_id=clinician_id,
            first=entry.leave.first,
            last=entry.leave.last,
            given_at=entry.given_at,
            moved=moved or [],
        )


class LeaveList(BaseModel):
    items: list[LeaveView]


def _wall_time(text: str) -> str:
    try:
        parse(text)
    except ValueError:
        raise PydanticCustomError("local_time_form", "must be a wall time like 2026-03-09T10:00") from None
    return text


class MoveForm(Strict):
    local_time: Annotated[str, AfterValidator(_wall_time)] = Field(
        max_length=19, description="Wall time at the clinic, 2026-03-09T10:00"
    )

    def local(self) -> datetime:
        return parse(self.local_time)


class CancelForm(Strict):
    reason: Asked


class LeaveForm(Strict):
    first: date = Field(alias="from")
    last: date = Field(alias="to")

    @model_validator(mode="after")
    def _is_a_span(self) -> Self:
        if not EARLIEST <= self.first <= self.last <= LATEST or self.last - self.first > LONGEST_LEAVE:
            raise PydanticCustomError("leave_span", "must run from a day to a later one, a year at most")
        return self

    def leave(self) -> Leave:
        return Leave(first=self.first, last=self.last)
