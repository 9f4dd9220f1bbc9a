"""What an action on a person is made of: to whom it is open, what it asks for, what goes to a service."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

from services.dashboard.calendar.hours import Clinics
from services.dashboard.domain.person import Appointment, Course
from services.dashboard.pages.forms import Unfit
from services.dashboard.pages.person.fields import Entered, Field, Form, Options
from services.dashboard.store import NEVER, Row
from services.dashboard.web.viewer import Viewer
from services.dashboard.web.words import UTC, local, said
from shared.http.problems import Problem

Section = Literal["Now", "Calendar", "Treatment", "Ending and after"]
SECTIONS: tuple[Section, ...] = ("Now", "Calendar", "Treatment", "Ending and after")
Document = Literal["plan", "schedule"]


@dataclass(frozen=True)
class Scene:
    """Who acts on whom, and when. `plan`: as care_plan has it now, if it could be asked."""

    row: Row
    viewer: Viewer
    now: datetime
    zone: str
    """Of the clinic."""
    plan: Mapping[str, Any] | None = None
    appointment_id: str = ""
    """The appointment that a link came from."""
    entered: Entered = field(default_factory=dict)
    """Of a form that is drawn again, what was entered."""
    is_unread: bool = False
    """The read model cannot be read: nothing of the person is known but which plan the form is about."""

    @property
    def course(self) -> Course | None:
        return self.row.course

    @property
    def today(self) -> date:
        """At the clinic."""
        return self.now.astimezone(ZoneInfo(self.zone)).date()

    def within(self, years: int) -> str:
        """The last day that lies within so many years of today, leap days or not."""
        return (self.today + timedelta(days=365 * years)).isoformat()

    @property
    def phase(self) -> str:
        """Of the course; empty before there is one."""
        return self.course.phase if self.course else ""

    @property
    def to_come(self) -> list[Appointment]:
        """Of the course: those of which nobody said how they ended, in order of time."""
        planned = _planned(self.course) if self.course else []
        return [a for a in planned if _start(a) > self.now]

    @property
    def recordable(self) -> list[Appointment]:
        """Those whose time has come, of earlier courses as well, the first one first; and the next one."""
        planned = sorted((a for course in self.row.courses for a in _planned(course)), key=_start)
        return [a for a in planned if _start(a) <= self.now] + self.to_come[:1]

    def choice(self, appointments: list[Appointment]) -> Field:
        """One of these. What was chosen before and is not among them any more is named, and nothing takes
        its place."""
        options = tuple((a.id, appointment_in_words(a)) for a in appointments)
        chosen = self.entered.get("appointment") or self.appointment_id
        if self.is_unread and chosen:
            options = ((chosen, "The one chosen before"),)
        before = self.known(chosen)
        lost = f"{appointment_in_words(before)} is not open to this any more: choose one" if before else ""
        return Field("appointment", "Appointment", "select", options, required=True, lost=lost)

    def appointment(self, entered: Entered) -> Appointment:
        """The one that was chosen, whatever became of it since. Raises `Unfit`."""
        chosen = self.known(entered.get("appointment"))
        if chosen is None:
            raise Unfit(("appointment", "Appointment: choose one."))
        return chosen

    def known(self, id: str | None) -> Appointment | None:
        """The appointment of this id, of whichever course."""
        return next((a for course in self.row.courses for a in course.appointments if a.id == id), None)

    def plan_path(self, rest: str = "", appointment: str | None = None) -> str:
        """An address of care_plan: of the course, or of the one that an appointment belongs to.

        Raises `Problem` 404 without a plan.
        """
        owners = [c for c in self.row.courses if any(a.id == appointment for a in c.appointments)]
        course = next(iter(owners), self.course)
        if course is None:
            raise Problem(404, "not_found", "There is no care plan yet.")
        return f"/plans/{course.id}{rest}"


def _planned(course: Course) -> list[Appointment]:
    """Of which nobody said how they ended, in order of time."""
    return sorted((a for a in course.appointments if a.status == "planned" and a.starts_at), key=_start)


def _start(appointment: Appointment) -> datetime:
    return appointment.starts_at or NEVER


def zone_of(clinics: Clinics, row: Row) -> str:
    """The clinic's; of one that is not configured, as its appointments have it. UTC, which is said, failing
    both."""
    clinic = clinics.get(row.clinic_id)
    if clinic is not None:
        return clinic.zone
    zones = [a.zone for a in row.course.appointments if a.zone] if row.course else []
    return zones[-1] if zones else UTC


def appointment_in_words(appointment: Appointment) -> str:
    kind = "Maintenance appointment" if appointment.kind == "maintenance" else "Appointment"
    return f"{kind} {appointment.number}, {local(appointment.local_time)}"


@dataclass(frozen=True)
class Ask:
    """What goes to a service."""

    service: str
    method: str
    path: str
    body: Any = None


@dataclass(frozen=True, kw_only=True)
class Act:
    name: str
    """As it stands in the address."""
    title: str
    hint: str
    done: str
    section: Section
    offered: Callable[[Scene], bool]
    forms: Callable[[Scene], tuple[Form, ...]]
    ask: Callable[[Scene, Entered], Ask]
    clinicians_only: bool = False
    changes: Document | None = None
    """The document that is changed: nobody overwrites what they have not seen. Facts that are only added
    (sessions, measures, flags) need none: care_plan refuses what contradicts an earlier one."""
    initial: Callable[[Scene], dict[str, str]] = lambda _: {}
    icon: str = ""
    heeded: bool = False
    """Takes questionnaires: care_plan raises a flag for signs of danger even in what it refuses."""

    def is_open_to(self, scene: Scene) -> bool:
        may = scene.viewer.treats or (scene.viewer.cares and not self.clinicians_only)
        return may and self.offered(scene)


def codes(*known: str) -> Options:
    return tuple((code, said(code)) for code in known)


def one_of(*known: str) -> Options:
    """For a select that stands at none of them: what was never chosen is not stored as if it had been."""
    return (("", "Choose…"), *codes(*known))


def in_phases(*phases: str) -> Callable[[Scene], bool]:
    return lambda scene: scene.phase in phases
