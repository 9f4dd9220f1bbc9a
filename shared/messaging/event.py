"""Base classes for the events a service announces (`Event`) and those it reads (`Inbound`)."""

from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict


class Event(BaseModel):
    """A fact in the past tense that another service needs. Subclasses live in a service's `events.py`.

    The class name is the event's type. Every event is about one person and is keyed by their id, so
    that each person's events stay in order. It holds only opaque ids, codes, numbers and instants:
    never a name, a contact or free text.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    topic: ClassVar[str]
    schema_version: ClassVar[int] = 1

    patient_id: str
    clinic_id: str

    def about(self) -> str | None:
        """Identify a clock-driven fact (plan, kind, number, due instant).

        The event id is derived from it, so every announcement, repeated or by another replica, is the
        same event. `None`: the id is derived from subject, topic and sequence.
        """
        return None


class Inbound(BaseModel):
    """Another service's event, reduced to the fields this service reads.

    Subclasses live in `inbound.py` and carry the name of the owner's event.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    topic: ClassVar[str]
    schema_version: ClassVar[int] = 1

    patient_id: str
    clinic_id: str

    @classmethod
    def upcast(cls, body: dict[str, Any], version: int) -> dict[str, Any]:
        """Convert a body of an older `version` to `schema_version`; by default returns it unchanged."""
        return body
