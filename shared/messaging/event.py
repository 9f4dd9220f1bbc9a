"""What a service announces (`Event`) and what it reads of others' announcements (`Inbound`)."""

from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict


class Event(BaseModel):
    """A fact in the past tense that another service needs. Subclasses live in a service's `events.py`.

    The class name is the event's type. Every event is about one person and travels under their id,
    so that one person's story stays in order. Only opaque ids, codes, numbers and instants: never a
    name, a contact or free text.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    topic: ClassVar[str]
    schema_version: ClassVar[int] = 1

    patient_id: str
    clinic_id: str

    def about(self) -> str | None:
        """For clock-driven facts: what it is about (plan, kind, number, due instant).

        The event id is derived from it, so that whoever announces it, however often, announces the
        same event. `None`: the id is derived from subject and sequence.
        """
        return None


class Inbound(BaseModel):
    """Another service's event in this service's own words: only the fields it reads.

    Subclasses live in `inbound.py` and carry the name of the owner's event.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    topic: ClassVar[str]
    schema_version: ClassVar[int] = 1

    patient_id: str
    clinic_id: str

    @classmethod
    def upcast(cls, body: dict[str, Any], version: int) -> dict[str, Any]:
        """Lift a body of an older `version` to `schema_version`; the default adds nothing."""
        return body
