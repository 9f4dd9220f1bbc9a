"""The phases of a care plan, each its own type (clinical.md, phase state machine).

A hold is not a phase: a plan on hold keeps its phase.
"""

from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import Field

from services.care_plan.domain.frozen import Frozen
from services.care_plan.events import Frequency, PhaseName

Outcome = Literal["completed", "withdrawn", "transferred", "not_started", "relapsed"]
Handover = Literal["emergency_services", "inpatient_care", "another_provider"]


class Initial(Frozen):
    """Explain IPT, build and rank the interpersonal inventory, choose the focus."""

    name: Literal["initial"] = "initial"
    entered_at: datetime


class Middle(Frozen):
    """Work on the focus with the seven techniques."""

    name: Literal["middle"] = "middle"
    entered_at: datetime


class Termination(Frozen):
    """Face the end, what the loss means, how to apply what was learned."""

    name: Literal["termination"] = "termination"
    entered_at: datetime


class Ended(Frozen):
    """The N-th session was attended and the ending's work is done."""

    name: Literal["ended"] = "ended"
    entered_at: datetime
    end_of_acute: int | None
    """PHQ-9 total at the end of acute treatment."""


class Maintenance(Frozen):
    """Less frequent sessions under a contract of their own."""

    name: Literal["maintenance"] = "maintenance"
    entered_at: datetime
    end_of_acute: int | None
    frequency: Frequency
    first_on_or_after: date
    review_on: date
    reviewed_at: datetime | None = None
    attended: int = 0


class Closed(Frozen):
    """The plan is over, with an outcome and a reason."""

    name: Literal["closed"] = "closed"
    entered_at: datetime
    previous: PhaseName
    outcome: Outcome
    reason: str
    crisis_handed_over_to: Handover | None = None


Phase = Annotated[Initial | Middle | Termination | Ended | Maintenance | Closed, Field(discriminator="name")]

ORDER: tuple[PhaseName, ...] = ("initial", "middle", "termination", "ended", "maintenance", "closed")
"""A plan only ever moves to the right; relapse opens a new plan."""


class Hold(Frozen):
    """A hold: its reason, its start and the date of its review."""

    reason: str
    held_at: datetime
    review_on: date
