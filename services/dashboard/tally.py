"""Checksums of a read model, kept per person so that only people with changes are read again.

The checksum is the sum of all documents' SHA-256, so it does not depend on their order.
"""

from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256

import orjson

from services.dashboard.domain.person import UNKNOWN
from services.dashboard.store import PEOPLE, READ_MODEL, STORY, place_in_story
from shared.messaging.inbox import COLLECTION as INBOX
from shared.mongo import Document, MongoDatabase

NOT_COMPARED = {"version", "announced", "trail"}
"""Fields that depend on how often a document was written, and so on the batches of messages."""

SIZE = 2**256
AT_ONCE = 1_000
Places = Mapping[str, int]
"""The last sequence read of each stream, by topic and subject."""


class Tally:
    """Call `count` once, which is slow and may be overtaken by traffic, then `catch_up` at known places."""

    def __init__(self, database: MongoDatabase) -> None:
        self._database = database
        self._sums: dict[str, int] = {}
        self._places: Places = {}

    async def count(self) -> None:
        self._places = await places(self._database)
        self._sums = await self._added({})

    async def catch_up(self, now: Places) -> None:
        """Recount the people with messages read since. `now`: the current places; nobody may be writing."""
        changed = await concerned(self._database, self._places, now)
        for some in _parts(sorted(changed)):
            for patient_id in some:
                self._sums.pop(patient_id, None)
            self._sums |= await self._added({"$in": some})
        self._places = now

    def checksum(self, without: Iterable[str] = ()) -> str:
        left_out = set(without)
        total = sum(one for patient_id, one in self._sums.items() if patient_id not in left_out)
        return f"{total % SIZE:064x}"

    async def _added(self, patients: Document) -> dict[str, int]:
        """Sums by patient, of everybody or of the matching patients."""
        sums: dict[str, int] = {}
        for name in READ_MODEL:
            key = "_id" if name == PEOPLE else "patient_id"
            async for row in self._database[name].find({key: patients} if patients else {}):
                sums[row[key]] = (sums.get(row[key], 0) + _digest(name, row)) % SIZE
        return sums


def _digest(collection: str, row: Document) -> int:
    known = {name: value for name, value in row.items() if name not in NOT_COMPARED}
    said = orjson.dumps(known, option=orjson.OPT_SORT_KEYS | orjson.OPT_PASSTHROUGH_DATETIME, default=str)
    return int.from_bytes(sha256(collection.encode() + b"\0" + said).digest())


def _parts(of: Sequence[str]) -> Iterable[list[str]]:
    return (list(of[start : start + AT_ONCE]) for start in range(0, len(of), AT_ONCE))


async def checksum(database: MongoDatabase) -> str:
    """The checksum of the whole read model."""
    tally = Tally(database)
    await tally.count()
    return tally.checksum()


async def places(database: MongoDatabase) -> dict[str, int]:
    rows = database[INBOX].find({}, {"sequence": 1})
    return {row["_id"]: row["sequence"] async for row in rows}


async def concerned(database: MongoDatabase, before: Places, after: Places) -> set[str]:
    """Patients of the messages between two places, looked up in the story.

    Messages about nobody have no story entry, so `UNKNOWN` is included whenever any message was read.
    """
    read = [
        place_in_story(stream, number)
        for stream, sequence in after.items()
        for number in range(before.get(stream, 0) + 1, sequence + 1)
    ]
    found = {UNKNOWN} if read else set()
    for some in _parts(read):
        found |= set(await database[STORY].distinct("patient_id", {"_id": {"$in": some}}))
    return found
