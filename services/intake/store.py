"""Intake's documents: referrals, people (the only place with names) and forms that were set aside."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict

from services.intake.domain.crisis import Evidence, Severity
from services.intake.domain.person import Person
from services.intake.domain.referral import Referral
from services.intake.events import CrisisFlagRaised, IntakeCompleted, ReferralReceived
from shared.messaging import outbox
from shared.messaging.work import Work
from shared.mongo import Index, MongoDatabase
from shared.service import BookEntry, Column

REFERRALS, PEOPLE, SET_ASIDE = "referrals", "people", "set_aside_forms"
COLLECTIONS = [REFERRALS, PEOPLE, SET_ASIDE]
INDEXES = [
    Index(REFERRALS, "patient_id"),
    Index(REFERRALS, "clinic_id", "stage.status", "_id"),
    Index(REFERRALS, "clinic_id", "_id"),
    Index(REFERRALS, "stage.status", "_id"),
    Index(PEOPLE, "patient_id"),
    Index(PEOPLE, "clinic_id", "external_id", unique=True, partial={"external_id": {"$type": "string"}}),
    Index(PEOPLE, "words", "clinic_id"),
    Index(SET_ASIDE, "patient_id"),
]


class SetAsideForm(BaseModel):
    """A form that could not be accepted and spoke of a crisis: only what a human needs to follow it up."""

    model_config = ConfigDict(frozen=True)

    id: str
    patient_id: str
    clinic_id: str
    referral_id: str | None
    caller: str
    at: datetime
    severity: Severity
    evidence: tuple[Evidence, ...]
    times: int = 1
    """How often a human was alerted of it: again when it comes after `set_aside.SAME_FOR`."""


class IntakeWork(Work):
    def __init__(self, database: MongoDatabase, *, now: datetime) -> None:
        super().__init__(database, service="intake", now=now)
        self.referrals = self.documents(REFERRALS, Referral)
        self.people = self.documents(PEOPLE, Person)
        self.set_aside_forms = self.documents(SET_ASIDE, SetAsideForm)
        self._by_number: dict[tuple[str, str], str] = {}

    async def load_people_by_number(self, numbers: dict[str, set[str]]) -> None:
        """Load the people with these external ids, by clinic."""
        for clinic_id, external_ids in numbers.items():
            query = {"clinic_id": clinic_id, "external_id": {"$in": sorted(external_ids)}}
            for person in await self.people.find(query):
                self._number(person)

    async def load_with_others(self, id: str) -> None:
        """A referral and the others of its person: the rules decide on all of them."""
        await self.referrals.load([id])
        if (referral := self.referrals.get(id)) is not None:
            await self.load_referrals_of({referral.patient_id})

    async def load_referrals_of(self, patient_ids: set[str]) -> None:
        if patient_ids:
            await self.referrals.find({"patient_id": {"$in": sorted(patient_ids)}})

    def others_of(self, referral: Referral) -> list[Referral]:
        """The other referrals of its person, among those in hand."""
        return [r for r in self.referrals if r.patient_id == referral.patient_id and r.id != referral.id]

    def person_by_number(self, clinic_id: str, external_id: str | None) -> Person | None:
        """Among those loaded by number or saved in this work; only somebody with this very number."""
        id = None if external_id is None else self._by_number.get((clinic_id, external_id))
        return None if id is None else self.people[id]

    def save_person(self, person: Person) -> None:
        self.people.save(person)
        self._number(person)

    def _number(self, person: Person) -> None:
        if person.external_id is not None:
            self._by_number[person.clinic_id, person.external_id] = person.id


OUTCOMES: dict[str, Column] = {
    "received": "open",
    "incomplete": "open",
    "in_review": "open",
    "completed": "done",
    "declined": "cancelled",
}
"""Which column of the books a stage counts in."""


async def books(database: MongoDatabase) -> list[BookEntry]:
    """What was announced (from the outbox) against what became of it (from the referrals)."""
    announced = await outbox.announced(database, ReferralReceived, CrisisFlagRaised, IntakeCompleted)
    entries = [
        BookEntry("referral", "expected", announced[ReferralReceived.__name__]),
        BookEntry("crisis_flag", "expected", announced[CrisisFlagRaised.__name__]),
        BookEntry("care_plan", "expected", announced[IntakeCompleted.__name__]),
    ]
    columns: dict[Column, int] = {"done": 0, "cancelled": 0, "open": 0}
    for row in await database.aggregate(REFERRALS, [{"$sortByCount": "$stage.status"}]):
        columns[OUTCOMES[row["_id"]]] += row["count"]
    return entries + [BookEntry("referral", column, count) for column, count in columns.items()]
