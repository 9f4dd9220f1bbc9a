"""The alerts service's answer about one alert, with the fields that are shown."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict


class Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class Delivery(Part):
    contact_id: str
    channel: str
    state: str
    reason: str | None
    attempts: int
    step: int
    created_at: datetime
    ended_at: datetime | None
    next_attempt: datetime | None


class Obligation(Part):
    kind: str
    due_at: datetime
    state: str
    reason: str | None
    ended_at: datetime | None


class Decision(Part):
    """`times`: how often it was made in a row, the last time at `last_at`."""

    at: datetime
    what: str
    reason: str
    step: int
    deliveries: int
    times: int
    last_at: datetime | None


class Evidence(Part):
    source: str
    severity: str
    reason: str
    codes: tuple[str, ...]
    at: datetime


class Acknowledgement(Part):
    by: str
    at: datetime
    in_time: bool
    lease_until: datetime | None


class Assessment(Part):
    by: str
    at: datetime
    result: str
    contact_made: bool


class Disposition(Part):
    result: str
    safety_plan: bool | None
    next_contact: datetime | None


class Ending(Part):
    by: str
    at: datetime
    reason: str
    disposition: Disposition | None


class Detail(Part):
    """`version`: for the next If-Match."""

    id: str
    patient_id: str
    clinic_id: str
    kind: str
    severity: str
    state: str
    reason: str
    about: str
    informational: bool
    clinician_id: str | None
    raised_at: datetime
    next_due: datetime | None
    evidence_count: int
    acknowledgement: Acknowledgement | None
    handed_to: str | None
    ending: Ending | None
    version: int
    evidence: tuple[Evidence, ...]
    obligations: tuple[Obligation, ...]
    decisions: tuple[Decision, ...]
    assessment: Assessment | None
    deliveries: tuple[Delivery, ...]

    @property
    def acknowledge_by(self) -> datetime | None:
        """When the latest acknowledgement is or was due."""
        owed = [o.due_at for o in self.obligations if o.kind == "acknowledge" and o.state != "cancelled"]
        return owed[-1] if owed else None

    @property
    def seen(self) -> str:
        """A digest of what an action is based on. A delivery that ends changes the version, but not this."""
        taken, assessed, ended = self.acknowledgement, self.assessment, self.ending
        parts = [
            self.state,
            self.severity,
            self.evidence_count,
            self.handed_to,
            taken and (taken.by, taken.at.isoformat()),
            assessed and (assessed.by, assessed.at.isoformat()),
            ended and ended.at.isoformat(),
        ]
        return "|".join(str(part) for part in parts)
