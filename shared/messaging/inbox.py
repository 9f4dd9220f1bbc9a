"""Records what was already processed: one small document per subject and topic.

It holds the subject's last sequence and the ids and digests of recent messages, and is written in the
transaction of their effects. It detects duplicates, forged repeats and gaps.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import blake2b
from typing import Any

from shared.messaging.envelope import Envelope
from shared.mongo import InsertOne, MongoDatabase, ReplaceOne, Txn

COLLECTION = "inbox"
REMEMBERED = 64
"""Messages per subject whose id and digest are kept; older repeats are recognised by sequence alone."""


class Arrival(StrEnum):
    """How a message relates to what was processed before."""

    FRESH = "fresh"
    DUPLICATE = "duplicate"
    ALTERED = "altered"
    """Same id or sequence as an earlier message, but different content."""
    EARLY = "early"
    """Its predecessors have not arrived yet."""


def digest(envelope: Envelope) -> bytes:
    return blake2b(envelope.type.encode() + b"\0" + envelope.body, digest_size=8).digest()


@dataclass(slots=True)
class Position:
    """One subject's place in one topic."""

    key: str
    stored: int = 0
    """Version of the stored document; 0 if not stored yet."""
    sequence: int = 0
    """Everything up to here has been seen."""
    ahead: list[int] = field(default_factory=list)
    """Sequences seen beyond a gap; where gaps are held, only those of repeats."""
    set_aside: list[int] = field(default_factory=list)
    """Sequences dead-lettered: seen, but without effect so far."""
    waiting: bool = False
    """Whether messages were ever held because a predecessor was missing."""
    recent: list[list[Any]] = field(default_factory=list)
    """[sequence, id, digest] of the last messages."""
    changed: bool = False

    def judge(self, envelope: Envelope, *, replay: bool = False) -> Arrival:
        same_sequence = same_id = None
        for row in self.recent:
            if row[0] == envelope.sequence:
                same_sequence = row
            if row[1] == envelope.id:
                same_id = row
        known = same_sequence or same_id
        if known is not None and (known[1] != envelope.id or known[2] != digest(envelope)):
            return Arrival.ALTERED
        if replay and envelope.sequence in self.set_aside:
            return Arrival.FRESH
        if known is not None or self.has_seen(envelope.sequence):
            return Arrival.DUPLICATE
        return Arrival.FRESH if envelope.sequence == self.sequence + 1 else Arrival.EARLY

    def has_seen(self, sequence: int) -> bool:
        return sequence <= self.sequence or sequence in self.ahead

    def count(self, envelope: Envelope, *, effect: bool) -> None:
        """Like `advance`, but skip a sequence already seen. A repeat under a new sequence uses it up."""
        if not self.has_seen(envelope.sequence):
            self.advance(envelope, effect=effect)

    def advance(self, envelope: Envelope, *, effect: bool = True) -> None:
        """Count a message as seen. Without `effect` it was set aside and may be replayed."""
        self.changed = True
        number = envelope.sequence
        if number in self.set_aside:
            if effect:
                self.set_aside.remove(number)
            return
        if not effect:
            self.set_aside.append(number)
        if number == self.sequence + 1:
            self.sequence = number
            while self.sequence + 1 in self.ahead:
                self.sequence += 1
                self.ahead.remove(self.sequence)
        else:
            self.ahead.append(number)
        self.recent.append([number, envelope.id, digest(envelope)])
        del self.recent[:-REMEMBERED]


def position_key(envelope: Envelope) -> str:
    return f"{envelope.topic}|{envelope.subject}"


class Inbox:
    """The positions of the subjects of one batch."""

    def __init__(self, database: MongoDatabase) -> None:
        self._database = database
        self._positions: dict[str, Position] = {}

    async def load(self, envelopes: Iterable[Envelope]) -> None:
        keys = {position_key(envelope) for envelope in envelopes} - self._positions.keys()
        if not keys:
            return
        for row in await self._database[COLLECTION].find({"_id": {"$in": list(keys)}}).to_list(None):
            self._positions[row["_id"]] = Position(
                key=row["_id"],
                stored=row["version"],
                sequence=row["sequence"],
                ahead=row.get("ahead", []),
                set_aside=row.get("set_aside", []),
                waiting=row.get("waiting", False),
                recent=row["recent"],
            )
        for key in keys - self._positions.keys():
            self._positions[key] = Position(key)

    def position(self, envelope: Envelope) -> Position:
        return self._positions[position_key(envelope)]

    @property
    def changed(self) -> bool:
        return any(position.changed for position in self._positions.values())

    def unblocked(self) -> list[str]:
        """Return streams that advanced and may have held messages."""
        return [
            position.key for position in self._positions.values() if position.waiting and position.changed
        ]

    async def flush(self, txn: Txn) -> bool:
        """Write changed positions; `False` if another replica changed one meanwhile."""
        changed = [position for position in self._positions.values() if position.changed]
        if not changed:
            return True
        versions = {position.key: position.stored for position in changed if position.stored}
        if_unchanged = await self._database.filters(COLLECTION, versions, txn)
        operations: list[Any] = []
        for position in changed:
            row: dict[str, Any] = {
                "_id": position.key,
                "version": position.stored + 1,
                "sequence": position.sequence,
                "recent": position.recent,
            }
            for name in ("ahead", "set_aside", "waiting"):
                if value := getattr(position, name):
                    row[name] = value
            if position.stored:
                operations.append(ReplaceOne(if_unchanged[position.key], row))
            else:
                operations.append(InsertOne(row))
        return await self._database.write_all(COLLECTION, operations, txn) == len(versions)
