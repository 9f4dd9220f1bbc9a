"""Intake's documents: referrals, people (the only place with names) and forms that were set aside."""

from collections.abc import Set
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from services.intake.domain.crisis import Evidence, Severity
from services.intake.domain.person import Person
from services.intake.domain.referral import InDanger, Referral, unreadable
from services.intake.events import CrisisFlagRaised, IntakeCompleted, ReferralReceived
from shared.messaging import outbox
from shared.messaging.work import Documents, Excerpt, Work
from shared.mongo import Document, Index, MongoDatabase
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


FLAGGED = Excerpt[InDanger](
    projection=dict.fromkeys([*InDanger.model_fields, "version", "announced", "trail"], 1) | {"_id": 1},
    changes=lambda referral: (
        {f"crisis.{name}": value for name, value in referral.crisis.model_dump().items()},
        [],
    ),
)
TELLING = dict.fromkeys(["patient_id", "clinic_id", "external_id"], 1)
"""Fields read from a referral or person that a newer release stored."""


class SetAsideForm(BaseModel):
    """A refused form with crisis evidence: only what a human needs to follow it up."""

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
    """How often a human was alerted to it; a repeat after `set_aside.SAME_FOR` alerts again."""


class IntakeWork(Work):
    def __init__(self, database: MongoDatabase, *, now: datetime) -> None:
        super().__init__(database, service="intake", now=now)
        self.referrals = self.documents(REFERRALS, Referral)
        self.in_danger = self.documents(REFERRALS, InDanger, excerpt=FLAGGED)
        """Unreadable referrals that can still be flagged."""
        self.people = self.documents(PEOPLE, Person)
        self.set_aside_forms = self.documents(SET_ASIDE, SetAsideForm)
        self._by_number: dict[tuple[str, str], str] = {}
        self._unread_referrals: dict[str, Document] = {}
        self._unread_people: dict[str, Document] = {}

    async def load_readable(self, referral_ids: Set[str]) -> None:
        """Load those that can be read; see `in_danger` and `is_unread` for those of a newer release."""
        query = {"_id": {"$in": sorted(referral_ids)}}
        await self._read(self.referrals, REFERRALS, query, self._unread_referrals)
        if unread := referral_ids & self._unread_referrals.keys():
            await self.in_danger.find_readable({"_id": {"$in": sorted(unread)}})

    async def load_people(self, ids: Set[str]) -> None:
        await self._read(self.people, PEOPLE, {"_id": {"$in": sorted(ids)}}, self._unread_people)

    async def load_people_by_number(self, numbers: dict[str, set[str]]) -> None:
        """Load the people with these external ids, by clinic."""
        for clinic_id, external_ids in numbers.items():
            query = {"clinic_id": clinic_id, "external_id": {"$in": sorted(external_ids)}}
            await self._read(self.people, PEOPLE, query, self._unread_people)
        for person in self.people:
            self._number(person)

    async def load_with_others(self, id: str) -> None:
        """Load a referral and its person's other referrals, all of which the rules use.

        Raises `ValidationError` if a newer release stored fields in it that cannot be read here.
        """
        await self.referrals.load([id])
        if (referral := self.referrals.get(id)) is not None:
            await self.load_referrals_of({referral.patient_id})

    async def load_referrals_of(self, patient_ids: Set[str]) -> None:
        if patient_ids:
            query = {"patient_id": {"$in": sorted(patient_ids)}}
            await self._read(self.referrals, REFERRALS, query, self._unread_referrals)

    async def _read(
        self, documents: Documents[Any], collection: str, query: Document, unread: dict[str, Document]
    ) -> None:
        try:
            await documents.find(query)
        except ValidationError:
            await documents.find_readable(query)
            rows = await self.database[collection].find(query, TELLING).to_list(None)
            unread |= {row["_id"]: row for row in rows if documents.get(row["_id"]) is None}

    def is_unread(self, id: str) -> bool:
        """Whether this referral or person exists but is unreadable, stored by a newer release."""
        return id in self._unread_referrals or id in self._unread_people

    def is_number_unread(self, clinic_id: str, external_id: str | None) -> bool:
        """Whether the person with this number is unreadable, stored by a newer release."""
        return external_id is not None and (clinic_id, external_id) in (
            (row.get("clinic_id"), row.get("external_id")) for row in self._unread_people.values()
        )

    def others_of(self, referral: Referral) -> list[Referral]:
        """The person's other loaded referrals, with a stand-in for each unreadable one."""
        patient_id = referral.patient_id
        read = [r for r in self.referrals if r.patient_id == patient_id and r.id != referral.id]
        unread = [id for id, row in self._unread_referrals.items() if row.get("patient_id") == patient_id]
        return read + [unreadable(id, patient_id) for id in unread]

    def person_by_number(self, clinic_id: str, external_id: str | None) -> Person | None:
        """The person with exactly this number, among those loaded by number or saved in this work."""
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
"""The column of the books that each stage counts in."""


async def books(database: MongoDatabase) -> list[BookEntry]:
    """Count what was announced (from the outbox) and what became of it (from the referrals)."""
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
