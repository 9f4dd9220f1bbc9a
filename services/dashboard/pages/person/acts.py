"""The definition of an action on a person: who may take it, its form, and its request to a service."""

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
    """Who acts on whom, and when. `plan`: care_plan's current document, if it was fetched."""

    row: Row
    viewer: Viewer
    now: datetime
    zone: str
    """The clinic's time zone."""
    plan: Mapping[str, Any] | None = None
    appointment_id: str = ""
    """The appointment whose link was followed."""
    entered: Entered = field(default_factory=dict)
    """The input of a form that is shown again."""
    is_unread: bool = False
    """True if the read model cannot be read: only the form's plan and referral ids are known."""

    @property
    def course(self) -> Course | None:
        return self.row.course

    @property
    def today(self) -> date:
        """The clinic's local date."""
        return self.now.astimezone(ZoneInfo(self.zone)).date()

    def within(self, years: int) -> str:
        """The day 365 × `years` days from today, as an ISO date."""
        return (self.today + timedelta(days=365 * years)).isoformat()

    @property
    def phase(self) -> str:
        """The course's phase; empty before there is a course."""
        return self.course.phase if self.course else ""

    @property
    def to_come(self) -> list[Appointment]:
        """The course's future appointments without a recorded outcome, in order of time."""
        planned = _planned(self.course) if self.course else []
        return [a for a in planned if _start(a) > self.now]

    @property
    def recordable(self) -> list[Appointment]:
        """Past appointments without an outcome, of all courses, earliest first, then the next one to come."""
        planned = sorted((a for course in self.row.courses for a in _planned(course)), key=_start)
        return [a for a in planned if _start(a) <= self.now] + self.to_come[:1]

    def choice(self, appointments: list[Appointment]) -> Field:
        """A select of these appointments.

        An earlier choice that is no longer among them is named, and no other one is preselected.
        """
        options = tuple((a.id, appointment_in_words(a)) for a in appointments)
        chosen = self.entered.get("appointment") or self.appointment_id
        if self.is_unread and chosen:
            options = ((chosen, "The one chosen before"),)
        before = self.known(chosen)
        lost = f"{appointment_in_words(before)} is not open to this any more: choose one" if before else ""
        return Field("appointment", "Appointment", "select", options, required=True, lost=lost)

    def appointment(self, entered: Entered) -> Appointment:
        """The chosen appointment, whatever its current state. Raises `Unfit`."""
        chosen = self.known(entered.get("appointment"))
        if chosen is None:
            raise Unfit(("appointment", "Appointment: choose one."))
        return chosen

    def known(self, id: str | None) -> Appointment | None:
        """The appointment with this id, in any of the courses."""
        return next((a for course in self.row.courses for a in course.appointments if a.id == id), None)

    def plan_path(self, rest: str = "", appointment: str | None = None) -> str:
        """A path at care_plan: of the plan that the appointment belongs to, or of the current one.

        Raises `Problem` 404 without a plan.
        """
        owners = [c for c in self.row.courses if any(a.id == appointment for a in c.appointments)]
        course = next(iter(owners), self.course)
        if course is None:
            raise Problem(404, "not_found", "There is no care plan yet.")
        return f"/plans/{course.id}{rest}"


def _planned(course: Course) -> list[Appointment]:
    """The course's appointments without a recorded outcome, in order of time."""
    return sorted((a for a in course.appointments if a.status == "planned" and a.starts_at), key=_start)


def _start(appointment: Appointment) -> datetime:
    return appointment.starts_at or NEVER


def zone_of(clinics: Clinics, row: Row) -> str:
    """The clinic's zone, or for a clinic that is not configured the zone of the latest appointment.

    Without either it is UTC, and times are marked as such.
    """
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
    """A request to a service."""

    service: str
    method: str
    path: str
    body: Any = None


@dataclass(frozen=True, kw_only=True)
class Act:
    name: str
    """The name in the address."""
    title: str
    hint: str
    done: str
    section: Section
    offered: Callable[[Scene], bool]
    forms: Callable[[Scene], tuple[Form, ...]]
    ask: Callable[[Scene, Entered], Ask]
    clinicians_only: bool = False
    changes: Document | None = None
    """The document it changes, so that nobody overwrites what they have not seen.

    Facts that are only added (sessions, measures, flags) need none: care_plan refuses a contradiction.
    """
    initial: Callable[[Scene], dict[str, str]] = lambda _: {}
    icon: str = ""
    heeded: bool = False
    """True if it takes questionnaires: care_plan raises a flag for signs of danger even on a refusal."""

    def is_open_to(self, scene: Scene) -> bool:
        may = scene.viewer.treats or (scene.viewer.cares and not self.clinicians_only)
        return may and self.offered(scene)


def codes(*known: str) -> Options:
    return tuple((code, said(code)) for code in known)


def one_of(*known: str) -> Options:
    """Options with none preselected, so that nothing is stored that was not actually chosen."""
    return (("", "Choose…"), *codes(*known))


def in_phases(*phases: str) -> Callable[[Scene], bool]:
    return lambda scene: scene.phase in phases
