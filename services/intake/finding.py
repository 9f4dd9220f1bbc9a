"""Search people by name through the index of their words, even people stored before words existed."""

from services.intake.domain.names import Question, filed_as, words_of
from services.intake.domain.person import Identity
from services.intake.store import PEOPLE, IntakeWork
from shared.migrations import Migration
from shared.mongo import Document, MongoDatabase, UpdateOne

MOST = 50
"""Most people in one response."""

BATCH = 500
LAST = "\U0010ffff"
"""Sorts after every other character."""


async def find_people(work: IntakeWork, question: Question, clinic_id: str | None) -> None:
    """Load matching people in order of name, one more than is shown. `clinic_id`: `None` for every clinic."""
    await give_words(work.database, clinic_id)
    wanted: Document = {"$or": matching(question, clinic_id)}
    await work.people.find(wanted, limit=MOST + 1, sort=[("filed_as", 1), ("_id", 1)])


def matching(question: Question, clinic_id: str | None) -> list[Document]:
    """The alternative conditions, each a separate scan of the index."""
    within: Document = {} if clinic_id is None else {"clinic_id": clinic_id}
    besides: list[Document] = [{"words": day} for day in question.days]
    wanted = [[*besides, *map(_begins, reading)] for reading in question.readings]
    return [{**within, "words": question.number}, *({**within, "$and": all} for all in wanted if all)]


def _begins(beginning: str) -> Document:
    return {"words": {"$elemMatch": {"$gte": beginning, "$lt": beginning + LAST}}}


def with_words(fields: Document) -> Document:
    """Add words to a person stored before people had them; nothing else changes."""
    who = Identity.model_validate(fields)
    words = words_of(who.given_name, who.family_name, who.external_id, who.birth_date)
    return {**fields, "words": words, "filed_as": filed_as(who.given_name, who.family_name)}


MIGRATION = Migration("people-have-words", PEOPLE, {"words": None}, with_words)


async def give_words(database: MongoDatabase, clinic_id: str | None) -> None:
    """Add words to people not yet migrated, so that a search finds everybody or fails.

    Only the version that was read is updated: a person saved meanwhile has words already.
    """
    without = MIGRATION.old | ({} if clinic_id is None else {"clinic_id": clinic_id})
    while rows := await database[PEOPLE].find(without, limit=BATCH).to_list(None):
        writes = [
            UpdateOne({"_id": row["_id"], "version": row["version"]}, {"$set": _words(row)}) for row in rows
        ]
        await database[PEOPLE].bulk_write(writes, ordered=False)


def _words(row: Document) -> Document:
    found = with_words(row)
    return {name: found[name] for name in ("words", "filed_as")}
