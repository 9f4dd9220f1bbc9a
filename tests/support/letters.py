"""A tiny service for tests of the messaging machinery: it collects, per referral, the amounts received."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import ClassVar

from pydantic import BaseModel, ConfigDict

from shared.messaging import consumption, lease, outbox
from shared.messaging.batch import Group
from shared.messaging.consumption import Consumption
from shared.messaging.envelope import Cause, Envelope, Record, seal
from shared.messaging.event import Event, Inbound
from shared.messaging.reactions import Reaction, Reactions
from shared.messaging.work import Work
from shared.mongo import Driver, MongoDatabase

NOW = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)


class IntakeCompleted(Event):
    """The event as its owner announces it."""

    topic: ClassVar[str] = "intake.referrals"
    referral_id: str
    amount: int = 1


class Told(BaseModel):
    model_config = ConfigDict(frozen=True)

    id: str
    patient_id: str
    clinic_id: str
    amounts: tuple[int, ...] = ()


class Counting(Work):
    def __init__(self, database: MongoDatabase, *, now: datetime = NOW, service: str = "care_plan") -> None:
        super().__init__(database, service=service, now=now)
        self.told = self.documents("told", Told)

    async def prefetch(self, facts: Sequence[Inbound]) -> None:
        await self.told.load(fact.referral_id for fact in facts)  # type: ignore[attr-defined]


def inbound() -> type[Inbound]:
    class IntakeCompleted(Inbound):
        topic: ClassVar[str] = "intake.referrals"
        schema_version: ClassVar[int] = 2
        referral_id: str
        amount: int

        @classmethod
        def upcast(cls, body: dict[str, object], version: int) -> dict[str, object]:
            return {"amount": 1, **body}

    return IntakeCompleted


def when_intake_completed_count_it(fact: "IntakeCompleted", work: Counting) -> None:
    """Add the amount; an amount of 13 breaks the reaction."""
    if fact.amount == 13:
        raise RuntimeError("13")
    told = work.told.get(fact.referral_id) or Told(
        id=fact.referral_id, patient_id=fact.patient_id, clinic_id=fact.clinic_id
    )
    work.told.save(told.model_copy(update={"amounts": (*told.amounts, fact.amount)}))


def when_intake_completed_count_even_13(fact: "IntakeCompleted", work: Counting) -> None:
    """The reaction after its defect was fixed."""
    work.told.save(
        Told(id=fact.referral_id, patient_id=fact.patient_id, clinic_id="riverside", amounts=(fact.amount,))
    )


@dataclass
class Delivered:
    """A record as a consumer delivers it."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]] = field(default_factory=list)


def message(
    referral: str, sequence: int, *, amount: int | None = None, version: int = 2, **changes: object
) -> Envelope:
    fact = IntakeCompleted(
        patient_id=f"pat-{referral}", clinic_id="riverside", referral_id=referral, amount=amount or sequence
    )
    sealed = seal(fact, source="intake", subject=referral, sequence=sequence, now=NOW, cause=Cause("c"))
    return Envelope(**sealed.to_document() | {"schema_version": version} | changes)


_offsets = iter(range(10**9))


def delivered(envelope: Envelope, **changes: object) -> Record:
    facts: dict[str, object] = {
        "topic": envelope.topic,
        "partition": 0,
        "offset": next(_offsets),
        "timestamp": 0,
        "key": envelope.key.encode(),
        "value": envelope.body,
        "headers": envelope.headers(),
    }
    return Delivered(**(facts | changes))  # type: ignore[arg-type]


async def open_database(uri: str, name: str, driver: Driver = "motor") -> MongoDatabase:
    database = MongoDatabase(uri, name, driver=driver)
    await database.ensure_collections(["told", *consumption.COLLECTIONS, lease.COLLECTION])
    await database.ensure_indexes([*consumption.INDEXES, *outbox.INDEXES])
    return database


def counting(
    database: MongoDatabase, react: Reaction = when_intake_completed_count_it, **options: object
) -> Consumption[Counting]:
    return Consumption(
        Group(
            service="care_plan",
            name="care_plan.work",
            database=database,
            reactions=Reactions({inbound(): react}),
            open_work=lambda: Counting(database),
            **options,  # type: ignore[arg-type]
        )
    )


async def amounts(database: MongoDatabase) -> dict[str, list[int]]:
    """The amounts collected, per referral, in order."""
    return {row["_id"]: row["amounts"] async for row in database["told"].find()}


async def reasons(database: MongoDatabase) -> list[str]:
    """The reasons of all dead letters, in order of their ids' offsets."""
    return [row["reason"] async for row in database["dead_letters"].find().sort("offset", 1)]
