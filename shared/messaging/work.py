"""The unit of work: load → decide → save, with everything saved in one transaction.

A reaction or a command reads documents that are already loaded, decides, and calls `save` with the
new state and the events that announce it. `commit` writes all of it at once: states (only if they did
not change meanwhile), outbox rows and any other writes that joined the transaction.
"""

import itertools
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar
from weakref import proxy

from pydantic import BaseModel, ValidationError

from shared.messaging.envelope import Cause, Envelope, seal
from shared.messaging.event import Event
from shared.messaging.outbox import Outbox
from shared.mongo import Document, InsertOne, MongoDatabase, ReplaceOne, Txn, UpdateOne, is_transient
from shared.turns import in_turns

WRITES_AT_A_TURN = 25


class Conflict(Exception):
    """A loaded document changed concurrently; reload and decide again."""


def is_retryable(error: BaseException) -> bool:
    """True if a retry may succeed: the failure is not the message's fault."""
    return isinstance(error, Conflict) or is_transient(error)


class NotFound(LookupError):
    """No such document exists (or not in the caller's clinic)."""

    def __init__(self, collection: str, id: str) -> None:
        super().__init__(collection)
        self.collection, self.id = collection, id


class NotLoaded(LookupError):
    """A decision asked for a document that was not loaded: a programming error."""


M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True)
class Excerpt(Generic[M]):
    """The part of a large document that suffices for a decision.

    `projection` selects the part to read. `changes` returns the fields to set for a new state of the part,
    and the array filters they need.
    """

    projection: Document
    changes: Callable[[M], tuple[Document, list[Mapping[str, Any]]]]


@dataclass(slots=True)
class _Held(Generic[M]):
    """A loaded or new document. `version` is the stored one, 0 for a new document."""

    state: M
    version: int
    announced: dict[str, int] = field(default_factory=dict)
    trail: list[Any] = field(default_factory=list)
    changed: bool = False


class Documents(Generic[M]):
    """A collection of aggregates seen through one unit of work. `model` needs an `id: str` field.

    Stored alongside the model's fields: `version` (for ETag and optimistic concurrency), `announced` (the
    last sequence per topic) and `trail` (the outbox rows with this document's history).
    """

    def __init__(
        self, work: "Work", collection: str, model: type[M], due: str | None, excerpt: Excerpt[M] | None
    ) -> None:
        self._work: Work = proxy(work)  # a cycle would keep documents until garbage collection
        self._due = due
        self._excerpt = excerpt
        self._collection = collection
        self._model = model
        self._held: dict[str, _Held[M]] = {}
        self._asked: set[str] = set()

    async def load(self, ids: Iterable[str]) -> None:
        """Load documents by id; ids without a document are ignored."""
        wanted = [id for id in set(ids) if id not in self._asked and id not in self._held]
        if wanted:
            self._asked.update(wanted)
            await self.find({"_id": {"$in": wanted}})

    async def find(
        self, query: Document, *, limit: int = 0, sort: list[tuple[str, int]] | None = None
    ) -> list[M]:
        """Load matching documents. Those already loaded keep their in-memory state."""
        return [self._hold(row).state for row in await self._rows(query, limit, sort)]

    async def find_readable(self, query: Document, *, sort: list[tuple[str, int]] | None = None) -> list[M]:
        """Like `find`, but skip documents that do not validate. Only for reads that decide nothing."""
        found: list[M] = []
        for row in await self._rows(query, 0, sort):
            with suppress(ValidationError, KeyError):
                found.append(self._hold(row).state)
        return found

    async def _rows(
        self, query: Document, limit: int, sort: list[tuple[str, int]] | None
    ) -> list[dict[str, Any]]:
        part = self._excerpt.projection if self._excerpt else None
        cursor = self._work.database[self._collection].find(query, part, limit=limit, sort=sort)
        return list(await cursor.to_list(None))

    def _hold(self, row: Document) -> _Held[M]:
        id = row.pop("_id")
        if id not in self._held:
            version, announced, trail = row.pop("version"), row.pop("announced"), row.pop("trail")
            self._held[id] = _Held(self._model.model_validate({"id": id, **row}), version, announced, trail)
        return self._held[id]

    def get(self, id: str) -> M | None:
        held = self._held.get(id)
        return held.state if held else None

    def get_loaded(self, id: str) -> M | None:
        """Like `get`, for decisions that rely on absence. Raises `NotLoaded` if the id was never loaded."""
        if id not in self._asked and id not in self._held:
            raise NotLoaded(self._collection)
        return self.get(id)

    def __getitem__(self, id: str) -> M:
        held = self._held.get(id)
        if held is None:
            raise NotFound(self._collection, id)
        return held.state

    def __iter__(self) -> Iterator[M]:
        return iter([held.state for held in self._held.values()])

    def version(self, id: str) -> int:
        """Return the version after this work commits; 0 if there is no such document."""
        held = self._held.get(id)
        return 0 if held is None else held.version + held.changed

    def save(self, state: M, events: Iterable[Event] = ()) -> None:
        """Record the new state and the events to announce with it, in order."""
        id: str = state.id  # type: ignore[attr-defined]
        held = self._held.get(id)
        if held is None:
            held = self._held[id] = _Held(state, 0)
        held.state, held.changed = state, True
        for event in events:
            sequence = held.announced.get(event.topic, 0) + 1
            held.announced[event.topic] = sequence
            row = self._work.announce(event, subject=id, sequence=sequence)
            if row not in held.trail[-2:]:
                held.trail.append(row)

    async def flush(self, txn: Txn) -> None:
        changed = [(id, held) for id, held in self._held.items() if held.changed]
        if not changed:
            return
        versions = {id: held.version for id, held in changed if held.version}
        if_unchanged = await self._work.database.filters(self._collection, versions, txn)
        write = self._write_part if self._excerpt else self._write_whole
        operations = [
            write(id, held, if_unchanged.get(id)) async for id, held in in_turns(changed, WRITES_AT_A_TURN)
        ]
        if await self._work.database.write_all(self._collection, operations, txn) != len(versions):
            raise Conflict(self._collection)

    def _write_whole(self, id: str, held: _Held[M], if_unchanged: Document | None) -> Any:
        row = {"_id": id, **held.state.model_dump(exclude={"id"}), **self._beside(held)}
        self._note_due(row)
        return InsertOne(row) if if_unchanged is None else ReplaceOne(if_unchanged, row)

    def _write_part(self, id: str, held: _Held[M], if_unchanged: Document | None) -> Any:
        assert self._excerpt is not None  # noqa: S101 (flush has looked)
        assert if_unchanged is not None  # noqa: S101 (a part exists only after a read)
        fields, filters = self._excerpt.changes(held.state)
        self._note_due(fields)
        change = {"$set": fields | self._beside(held)}
        return UpdateOne(if_unchanged, change, array_filters=filters or None)

    def _beside(self, held: _Held[M]) -> Document:
        return {"version": held.version + 1, "announced": held.announced, "trail": held.trail}

    def _note_due(self, row: Document) -> None:
        if self._due is not None and (moment := row[self._due]) is not None:
            self._work.due_at_once |= moment <= self._work.now


class Work:
    """One unit of work. A service subclasses it with its collections:

    ```
    class CarePlanWork(Work):
        def __init__(self, ...):
            super().__init__(...)
            self.plans = self.documents("plans", Plan)
    ```
    """

    def __init__(self, database: MongoDatabase, *, service: str, now: datetime) -> None:
        self.database = database
        self.service = service
        self.now = now
        self.cause = Cause(correlation_id="-")
        self.message: Envelope | None = None
        """The message being processed, if any."""
        self.outbox = Outbox()
        self._collections: list[Documents[Any]] = []
        self._also: list[Callable[[Txn], Awaitable[None]]] = []
        self._notes: list[tuple[str, str]] = []
        self.due_at_once = False
        """Whether a saved document is already due for a ticker."""

    def documents(
        self,
        collection: str,
        model: type[M],
        *,
        due: str | None = None,
        excerpt: Excerpt[M] | None = None,
    ) -> Documents[M]:
        """Add a collection. `due`: the field that holds when a ticker must next process a document.

        With an `excerpt` only that part is read and written. If a document is loaded both whole and in part,
        change it through only one of the two.
        """
        documents = Documents(self, collection, model, due, excerpt)
        self._collections.append(documents)
        return documents

    async def prefetch(self, facts: "list[Any]") -> None:
        """Load the documents that reactions to these facts will read. Each service overrides this."""

    def announce(self, event: Event, *, subject: str, sequence: int, topic: str | None = None) -> Any:
        """Put an event into the outbox; returns the outbox row's id. `Documents.save` calls this."""
        envelope = seal(
            event,
            source=self.service,
            subject=subject,
            sequence=sequence,
            now=self.now,
            cause=self.cause,
            topic=topic,
        )
        return self.outbox.add(envelope)

    @property
    def place(self) -> int:
        """The sequence of the message being processed within its subject's stream; 0 without a message."""
        return self.message.sequence if self.message else 0

    def note(self, decision: str, reason: str) -> None:
        """Record a decision not to act, with its named reason."""
        self._notes.append((decision, reason))

    @property
    def notes(self) -> list[tuple[str, str]]:
        return self._notes

    def also(self, write: Callable[[Txn], Awaitable[None]]) -> None:
        """Add another database write to the transaction."""
        self._also.append(write)

    @property
    def announced(self) -> list[Envelope]:
        return list(itertools.chain.from_iterable(self.outbox.lanes.values()))

    @property
    def is_empty(self) -> bool:
        return not (
            self._also
            or self.announced
            or any(h.changed for c in self._collections for h in c._held.values())
        )

    async def commit(self) -> None:
        """Write everything in one transaction. Raises `Conflict` if a document changed meanwhile."""
        if self.is_empty:
            return

        async def write(txn: Txn) -> None:
            for also in self._also:
                await also(txn)
            for collection in self._collections:
                await collection.flush(txn)
            await self.outbox.flush(self.database, txn, now=self.now)

        await self.database.transaction(write)
        self._also.clear()  # these callables often reference this work: break the cycle
        self.outbox.hand_over(self.database)
        if self.due_at_once:
            self.database.due.beat()
