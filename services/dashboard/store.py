"""The read model's documents: people, alerts, and each person's story as it was announced."""

from datetime import UTC, datetime
from typing import Any

import orjson

from services.dashboard import gates, runs
from services.dashboard.domain.alert import Alert
from services.dashboard.domain.person import UNKNOWN, Person
from services.dashboard.domain.risk import standing
from shared.messaging.event import Inbound
from shared.messaging.inbox import position_key
from shared.messaging.work import Work
from shared.mongo import Document, Index, MongoDatabase, Txn

PEOPLE, ALERTS, STORY = "people", "alerts", "story"
READ_MODEL = [PEOPLE, ALERTS, STORY]
"""Collections that a rebuild replaces."""

FEEDS = "feeds"
"""Secret addresses of calendars; a rebuild leaves them alone."""

COLLECTIONS = [*READ_MODEL, gates.GATES, runs.RUNS, FEEDS]
INDEXES = [
    Index(PEOPLE, "clinic_id", "risk", "since", "_id"),
    Index(PEOPLE, "clinic_id", "clinician_id", "risk", "since", "_id"),
    Index(PEOPLE, "clinic_id", "phase", "risk", "since", "_id"),
    Index(PEOPLE, "clinic_id", "next_at", "_id"),
    Index(PEOPLE, "clinic_id", "last_contact", "_id"),
    Index(PEOPLE, "clinician_id", "risk", "since", "_id"),
    Index(PEOPLE, "phase", "risk", "since", "_id"),
    Index(PEOPLE, "risk", "since", "_id"),
    Index(PEOPLE, "next_at", "_id"),
    Index(PEOPLE, "last_contact", "_id"),
    Index(PEOPLE, "clinic_id", "referrals.state"),
    Index(PEOPLE, "clinic_id", "referrals.received_at"),
    Index(PEOPLE, "referrals.state"),
    Index(PEOPLE, "clinic_id", "referrals.decided_at"),
    Index(PEOPLE, "referrals.decided_at"),
    Index(PEOPLE, "clinic_id", "courses.appointments.starts_at"),
    Index(PEOPLE, "courses.appointments.clinician_id", "courses.appointments.starts_at"),
    Index(ALERTS, "clinic_id", "state", "severity", "raised_at"),
    Index(ALERTS, "state", "severity", "raised_at"),
    Index(ALERTS, "state", "clinic_id", "raised_at", partial={"kind": "crisis"}),
    Index(ALERTS, "clinic_id", "raised_at"),
    Index(ALERTS, "patient_id", "raised_at"),
    Index(STORY, "patient_id", "at", "_id"),
    Index(FEEDS, "hash"),
]
NEVER, NEVER_YET = datetime(9999, 1, 1, tzinfo=UTC), datetime(1970, 1, 1, tzinfo=UTC)


def place_in_story(stream: str, sequence: int) -> str:
    """The id of a message's story entry: its topic, subject and sequence, which together are unique."""
    return f"{stream.replace('|', '/', 1)}/{sequence}"


class Row(Person):
    """A person as stored, with the derived fields that the caseload is filtered and sorted by.

    A new field needs a default, because rows stored earlier lack it, and an index if the caseload is sorted
    by it. Run `kith dashboard rebuild` after the release to fill it in.
    """

    risk: int
    action: str
    alert_id: str | None
    """The alert that the next action is about."""
    since: datetime
    """Sorts rows of equal risk: the start of the current standing, or the next appointment."""
    phase: str
    clinician_id: str
    next_at: datetime
    """`NEVER` without an appointment."""
    last_contact: datetime
    """`NEVER_YET` before the first session."""

    @classmethod
    def of(cls, person: Person) -> "Row":
        """Derive the row from the person alone, so that a rebuild produces the same row."""
        stands, course = standing(person), person.course
        upcoming = course.next_appointment if course else None
        next_at = (upcoming.starts_at if upcoming else None) or NEVER
        known = {name: getattr(person, name) for name in Person.model_fields}
        derived: dict[str, Any] = {
            "risk": int(stands.risk),
            "action": stands.action,
            "alert_id": stands.alert_id,
            "since": stands.since or next_at,
            "phase": course.phase if course else "referred",
            "clinician_id": person.clinician or "",
            "next_at": next_at,
            "last_contact": (course.last_contact if course else None) or NEVER_YET,
        }
        return cls.model_construct(**known, **derived)


class ReadWork(Work):
    """`gate`: the gate that this process passes when it writes."""

    def __init__(self, database: MongoDatabase, *, now: datetime, gate: int = 0) -> None:
        super().__init__(database, service="dashboard", now=now)
        self.people = self.documents(PEOPLE, Row)
        self.alerts = self.documents(ALERTS, Alert)
        self._gate = gate
        self._story: list[Document] = []

    async def prefetch(self, facts: "list[Any]") -> None:
        await self.people.load({fact.patient_id for fact in facts})
        await self.alerts.load({fact.alert_id for fact in facts if hasattr(fact, "alert_id")})

    def person(self, id: str) -> Person:
        """The loaded person, or an empty one if they are new."""
        return self.people.get(id) or Person(id=id)

    def keep(self, person: Person) -> None:
        self.people.save(Row.of(person))

    def tell(self, fact: Inbound) -> None:
        """Add the message to the person's story."""
        message = self.message
        if message is None or fact.patient_id == UNKNOWN:
            return
        self._story.append(
            {
                "_id": place_in_story(position_key(message), message.sequence),
                "message_id": message.id,
                "patient_id": fact.patient_id,
                "clinic_id": fact.clinic_id,
                "at": message.time,
                "source": message.source,
                "type": message.type,
                "topic": message.topic,
                "sequence": message.sequence,
                "caused_by": message.causation_id,
                "said": orjson.loads(message.body),
            }
        )

    async def commit(self) -> None:
        """Raises `Conflict` while a rebuild is replacing the read model."""
        if self._story or not self.is_empty:
            self.also(self._write)
        await super().commit()

    async def _write(self, txn: Txn) -> None:
        await gates.pass_through(self.database, self._gate, txn)
        if self._story:
            await self.database[STORY].insert_many(self._story, session=txn)
