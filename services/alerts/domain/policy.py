"""The on-call policy: who is paged in which order, and how soon somebody must answer.

Read from a versioned file (`deploy/config/on_call.json`). Its numbers are those of clinical.md's table of
crisis severities, where numbers without a source are marked for clinical sign-off.
"""

from datetime import datetime, time, timedelta
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from services.alerts.domain.hours import ClinicHours
from services.alerts.events import AlertKind

ContactRole = Literal[
    "treating_clinician", "on_call", "backup", "supervisor", "coordinator", "engineer", "everyone"
]
ChannelKind = Literal["inbox", "email", "webhook", "apprise"]
OutwardKind = Literal["email", "webhook", "apprise"]
Id = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_\-]{1,64}$")]

LocalTime = Annotated[str, StringConstraints(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]
"""A wall-clock time in the clinic's zone, like 08:30."""


class Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Span(Part):
    """A time span: minutes, the rest of the local day, or until closing time some working days later."""

    minutes: int | None = Field(default=None, ge=0)
    working_days: int | None = Field(default=None, ge=1)
    end_of_day: Literal[True] | None = None

    @model_validator(mode="after")
    def _is_one_of_three(self) -> Self:
        if sum(part is not None for part in (self.minutes, self.working_days, self.end_of_day)) != 1:
            raise ValueError("a span is minutes, working_days or end_of_day")
        return self

    def after(self, instant: datetime, hours: ClinicHours) -> datetime:
        if self.minutes is not None:
            return instant + timedelta(minutes=self.minutes)
        if self.working_days is not None:
            return hours.closing(instant, self.working_days)
        return hours.end_of_day(instant)


Reach = Literal["first", "all"]


class Step(Part):
    """One rung of the ladder. `wait`: time since the step before.

    `reach`: page all of these people at once, or only the first and, on failure, the next.
    """

    wait: Span
    roles: tuple[ContactRole, ...] = Field(min_length=1)
    reach: Reach = "first"

    @property
    def role(self) -> str:
        return "+".join(self.roles)


class Ladder(Part):
    """How one severity is pursued until a human takes it (clinical.md, Crisis, severity → response)."""

    when: Literal["at_once", "clinic_hours"]
    acknowledge: Span
    contact: Span | None = None
    """Human contact with the person; crises only."""
    assess: Span | None = None
    """An assessment; crises only."""
    lease: Span
    """How long an acknowledgement holds while no assessment is recorded."""
    steps: tuple[Step, ...] = Field(min_length=1)
    repeat: Span
    """Interval between pages of everyone after the last step."""
    unresolved: Span
    """Interval between reminders that an assessed alert is not resolved."""

    @model_validator(mode="after")
    def _ends_with_everyone(self) -> Self:
        last = self.steps[-1]
        if last.roles != ("everyone",) or last.reach != "all":
            raise ValueError("the last step must page everyone")
        if any(span.minutes == 0 for span in (self.repeat, self.unresolved, self.lease)):
            raise ValueError("repeat, unresolved and lease must not be zero")
        return self


class ClinicalLadders(Part):
    high: Ladder
    moderate: Ladder
    low: Ladder


class EngineeringLadders(Part):
    high: Ladder
    moderate: Ladder


class Digest(Part):
    """Routine alerts, grouped per contact at these local times of a working day."""

    at: tuple[LocalTime, ...] = Field(min_length=1)
    remind: Span
    """Interval between mentions of an alert that waits for somebody."""
    lease: Span
    """How long an acknowledged alert is left out."""
    roles: tuple[ContactRole, ...] = Field(min_length=1)
    roles_by_kind: dict[AlertKind, tuple[ContactRole, ...]] = {}

    @property
    def times(self) -> tuple[time, ...]:
        return tuple(time.fromisoformat(at) for at in self.at)

    def roles_for(self, kind: AlertKind) -> tuple[ContactRole, ...]:
        return self.roles_by_kind.get(kind, self.roles)


class Rules(Part):
    """clinical.md, Sessions, absence and maintenance [proposed]."""

    recent_crisis_days: int = Field(ge=1)
    missed_in_a_row: int = Field(ge=2)


class Address(Part):
    kind: OutwardKind
    to: str = Field(min_length=3, max_length=500, repr=False)


class Contact(Part):
    """A member of staff. `subject`: their identity as a caller. Everyone also has the inbox.

    `channels`: in order of preference. If one fails, the next is tried.
    """

    id: Id
    subject: Id
    roles: tuple[ContactRole, ...]
    channels: tuple[Address, ...] = ()

    @model_validator(mode="after")
    def _has_each_channel_once(self) -> Self:
        kinds = [channel.kind for channel in self.channels]
        if len(kinds) != len(set(kinds)):
            raise ValueError("a contact has at most one address per channel")
        return self

    def address(self, kind: str) -> str | None:
        return next((channel.to for channel in self.channels if channel.kind == kind), None)


class OnCallPolicy(Part):
    """The whole file. Raises `ValidationError` for an empty roster or a duplicate contact id."""

    version: str
    sign_off: str
    """Which numbers await clinical sign-off."""
    clinical: ClinicalLadders
    engineering: EngineeringLadders
    digest: Digest
    rules: Rules
    clinics: dict[str, tuple[Contact, ...]] = Field(min_length=1)
    engineers: tuple[Contact, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _has_people(self) -> Self:
        for clinic_id, contacts in self.clinics.items():
            if not contacts:
                raise ValueError(f"the on-call roster of {clinic_id} is empty")
        everyone = [contact.id for contact in self.people()]
        if len(everyone) != len(set(everyone)):
            raise ValueError("a contact id stands twice in the on-call policy")
        return self

    def people(self) -> tuple[Contact, ...]:
        """Every contact of every clinic, then the engineers."""
        return (*(c for contacts in self.clinics.values() for c in contacts), *self.engineers)
