"""An alert as it is shown: who was notified how and when, or why not, and who holds it until when."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

State = Literal["open", "acknowledged", "assessed", "resolved"]


class Told(BaseModel):
    """One delivery and how it ended."""

    model_config = ConfigDict(frozen=True)

    delivery_id: str
    contact_id: str
    channel: str
    outcome: str
    reason: str
    attempts: int
    step: int
    at: datetime


class Climbed(BaseModel):
    """A step of the escalation."""

    model_config = ConfigDict(frozen=True)

    step: int
    role: str
    reason: str
    at: datetime


class OpenAlert(BaseModel):
    """The part of a live alert that the caseload shows."""

    model_config = ConfigDict(frozen=True)

    id: str
    kind: str
    severity: str
    state: State
    reason: str
    joined_for: str | None = None
    raised_at: datetime
    acknowledge_by: datetime | None
    lease_until: datetime | None


class Alert(BaseModel):
    """Everything announced about one alert. Its facts arrive in order because they share one subject."""

    model_config = ConfigDict(frozen=True)

    id: str
    patient_id: str
    clinic_id: str
    kind: str
    severity: str
    state: State = "open"
    reason: str = ""
    """Why it was raised."""
    joined_for: str | None = None
    """The reason of the evidence that joined it last."""
    raised_at: datetime
    acknowledge_by: datetime | None = None
    """When an acknowledgement is due; a raised severity or an expired lease resets it."""
    joined: int = 0
    told: tuple[Told, ...] = ()
    climbed: tuple[Climbed, ...] = ()
    acknowledged_by: str | None = None
    acknowledged_at: datetime | None = None
    """The latest acknowledgement: somebody else may take the alert over."""
    first_acknowledged_at: datetime | None = None
    first_severity: str | None = None
    """The severity when it was first acknowledged; `first_limit` is the `acknowledge_by` of that moment."""
    first_limit: datetime | None = None
    in_time: bool | None = None
    lease_until: datetime | None = None
    handed_to: str | None = None
    answer_by: datetime | None = None
    assessed_by: str | None = None
    assessed_at: datetime | None = None
    resolved_by: str | None = None
    resolved_at: datetime | None = None
    disposition: str | None = None

    def in_short(self) -> OpenAlert:
        return OpenAlert.model_validate(self.model_dump(include=set(OpenAlert.model_fields)))
