"""People by name: along the index of their words, at once, also among those stored before they had any."""

import asyncio

import structlog

from services.intake.domain.names import Question
from services.intake.domain.person import Person
from services.intake.store import PEOPLE, IntakeWork
from shared.mongo import Document, MongoDatabase, PyMongoError, UpdateOne

log = structlog.get_logger()

MOST = 50
"""People in one answer."""

BATCH = 500
RETRY_SECONDS = 1.0
LAST = "\U0010ffff"
"""Behind every character."""


async def find_people(work: IntakeWork, question: Question, clinic_id: str | None) -> None:
    """Load whoever fits, in order of their names, one more than is answered; `None`: in every clinic."""
    await give_words(work.database, clinic_id)
    wanted: Document = {"$or": matching(question, clinic_id)}
    await work.people.find(wanted, limit=MOST + 1, sort=[("filed_as", 1), ("_id", 1)])


def matching(question: Question, clinic_id: str | None) -> list[Document]:
    """The ways to fit, each a scan of the index by itself."""
    within: Document = {} if clinic_id is None else {"clinic_id": clinic_id}
    besides: list[Document] = [{"words": day} for day in question.days]
    wanted = [[*besides, *map(_begins, reading)] for reading in question.readings]
    return [{**within, "words": question.number}, *({**within, "$and": all} for all in wanted if all)]


def _begins(beginning: str) -> Document:
    return {"words": {"$elemMatch": {"$gte": beginning, "$lt": beginning + LAST}}}


async def give_words(database: MongoDatabase, clinic_id: str | None = None) -> None:
    """Whoever was stored without words is given them; nothing else of a person changes, nor their version.

    Asked again before every search, for a replica of an earlier version may still store people.
    """
    without: Document = {"words": None} if clinic_id is None else {"words": None, "clinic_id": clinic_id}
    while rows := await database[PEOPLE].find(without, limit=BATCH).to_list(None):
        await database[PEOPLE].bulk_write([_words(row) for row in rows], ordered=False)


def _words(row: Document) -> UpdateOne:
    """Only for the version that was read: who was saved meanwhile has words."""
    person = Person.model_validate({"id": row["_id"], **row})
    given = person.model_dump(include={"words", "filed_as"})
    return UpdateOne({"_id": row["_id"], "version": row["version"]}, {"$set": given})


async def give_words_once(database: MongoDatabase, stopping: asyncio.Event) -> None:
    """When the service starts, so that the first search need not wait for it."""
    while not stopping.is_set():
        try:
            await give_words(database)
        except PyMongoError as error:
            log.warning("people not searchable yet", error=type(error).__name__)
            await asyncio.sleep(RETRY_SECONDS)
        else:
            return
