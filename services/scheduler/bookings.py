"""Booked slots: one document per clinician and instant, so that nobody is booked twice.

The id is the slot. The first to insert it gets it. A second insertion fails, and its whole transaction is
rolled back and decided again with the slot taken.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from services.scheduler.domain.schedule import Appointment, Schedule
from shared.messaging.work import Conflict
from shared.mongo import (
    BulkWriteError,
    DeleteOne,
    Document,
    Index,
    InsertOne,
    MongoDatabase,
    ReplaceOne,
    Txn,
    is_duplicate_key,
)

COLLECTION = "bookings"
INDEXES = [Index(COLLECTION, "clinic_id", "starts_at", "_id")]
CLINICIANS_PER_QUERY = 100


def booking_id(clinician_id: str, starts_at: datetime) -> str:
    """Sorts by clinician, then by time: a clinician's diary is one range of ids."""
    return f"{clinician_id}|{starts_at.astimezone(UTC):%Y-%m-%dT%H:%MZ}"


def instant_of(id: str) -> datetime:
    return datetime.strptime(id.rpartition("|")[2], "%Y-%m-%dT%H:%MZ").replace(tzinfo=UTC)


class DiaryNotReadError(LookupError):
    """A decision needed a diary that was not loaded, because `course.may_book` said it would not."""


class Unread(Collection[datetime]):
    """The taken slots of a diary that was not loaded."""

    def __contains__(self, slot: object) -> bool:
        raise DiaryNotReadError

    def __iter__(self) -> Iterator[datetime]:
        raise DiaryNotReadError

    def __len__(self) -> int:
        raise DiaryNotReadError


@dataclass(slots=True)
class _Change:
    """A slot's booking before and after this unit of work."""

    before: Document | None
    after: Document | None


class Bookings:
    """The slots that one unit of work reads, takes and frees."""

    def __init__(self, database: MongoDatabase) -> None:
        self._database = database
        self._taken: dict[str, set[datetime]] = {}
        self._changes: dict[str, _Change] = {}

    async def load(self, clinician_ids: Iterable[str], *, since: datetime) -> None:
        """Read the taken slots of these clinicians from `since` on, with a few queries for all of them."""
        wanted = sorted(set(clinician_ids) - self._taken.keys())
        for start in range(0, len(wanted), CLINICIANS_PER_QUERY):
            group = wanted[start : start + CLINICIANS_PER_QUERY]
            ranges = [{"_id": {"$gte": booking_id(id, since), "$lt": f"{id}|~"}} for id in group]
            self._taken |= {id: set() for id in group}
            async for row in self._database[COLLECTION].find({"$or": ranges}, {"_id": 1}):
                self._taken[row["_id"].rpartition("|")[0]].add(instant_of(row["_id"]))

    def taken(self, clinician_id: str) -> Collection[datetime]:
        """A view that stays current while this unit of work books."""
        return self._taken.get(clinician_id, Unread())

    @property
    def changed(self) -> bool:
        return bool(self._changes)

    def change(self, before: Schedule | None, after: Schedule) -> None:
        """Free and take slots according to the difference between two states of a schedule."""
        known = {a.id: a for a in before.appointments} if before else {}
        differing = [(known.get(a.id), a) for a in after.appointments if known.get(a.id) is not a]
        for old, new in differing:
            if old is not None and _frees(old, new):
                self._free(after, old)
        for old, new in differing:
            if new.is_booked and (old is None or not old.is_booked or old.starts_at != new.starts_at):
                self._take(after, new)

    def _free(self, schedule: Schedule, appointment: Appointment) -> None:
        """Free a slot, unless another appointment has already taken it in this unit of work.

        That happens when a clinic's zone changes and a whole diary moves. The slot then stays taken.
        """
        document = _document(schedule, appointment)
        change = self._changes.setdefault(document["_id"], _Change(document, document))
        if change.after is not None and change.after["appointment_id"] != appointment.id:
            change.before = document
            return
        self._taken.get(schedule.clinician_id, set()).discard(appointment.starts_at)
        change.after = None

    def _take(self, schedule: Schedule, appointment: Appointment) -> None:
        document = _document(schedule, appointment)
        self._taken.get(schedule.clinician_id, set()).add(appointment.starts_at)
        change = self._changes.setdefault(document["_id"], _Change(None, None))
        change.after = document

    async def flush(self, txn: Txn) -> None:
        """Write the changes. Raises `Conflict` if a slot was taken or changed concurrently."""
        operations = [operation for change in self._changes.values() for operation in _operations(change)]
        replaced = sum(isinstance(operation, ReplaceOne) for operation in operations)
        if not operations:
            return
        try:
            met = await self._database.write_all(COLLECTION, operations, txn)
        except BulkWriteError as error:
            if is_duplicate_key(error):
                raise Conflict(COLLECTION) from None
            raise
        if met != replaced:
            raise Conflict(COLLECTION)


def _frees(old: Appointment, new: Appointment) -> bool:
    return old.is_booked and (new.state == "cancelled" or new.starts_at != old.starts_at)


def _document(schedule: Schedule, appointment: Appointment) -> Document:
    return {
        "_id": booking_id(schedule.clinician_id, appointment.starts_at),
        "clinic_id": schedule.clinic_id,
        "starts_at": appointment.starts_at,
        "plan_id": schedule.id,
        "patient_id": schedule.patient_id,
        "appointment_id": appointment.id,
    }


def _operations(change: _Change) -> Iterator[Any]:
    before, after = change.before, change.after
    if before is not None:
        mine = {"_id": before["_id"], "appointment_id": before["appointment_id"]}
        if after is None:
            yield DeleteOne(mine)
        elif after != before:
            yield ReplaceOne(mine, after)
    elif after is not None:
        yield InsertOne(after)
