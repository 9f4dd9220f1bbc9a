"""Pushes changes to open pages within a moment: shared change streams, and one small message per page."""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from time import monotonic

import orjson
import structlog

from services.dashboard.attention import MOST, lapsed_at, unheard_at
from services.dashboard.domain.person import UNKNOWN
from services.dashboard.store import ALERTS, PEOPLE
from services.dashboard.web.viewer import Viewer
from shared.clock import Clock
from shared.http.caller import ALL_CLINICS
from shared.messaging.messaging import Messaging
from shared.mongo import Document, MongoDatabase, PyMongoError

log = structlog.get_logger()

GATHER_SECONDS = 0.15
"""Changes within this time are sent together."""

SPACING_SECONDS = 0.5
"""Minimum interval between messages while only people change: pages reload once a second at most."""

AT_MOST = 500
"""Maximum number of ids in one message; beyond it, pages are told to reload everything."""

BEAT_SECONDS = 5.0
QUEUED = 100
OPERATIONS = ("insert", "replace", "update")
EVERYBODY, ENGINEERS = "", "-"
"""Audiences besides clinics."""


def audiences_of(viewer: Viewer) -> frozenset[str]:
    """The audiences a viewer belongs to, by the same rule as the alerts page.

    Carers: their own clinic and unknown clinics. Engineers: dead letters.
    """
    told = {EVERYBODY}
    if viewer.cares:
        told |= {viewer.clinic, UNKNOWN}
    if "engineer" in viewer.roles:
        told.add(ENGINEERS)
    return frozenset(told)


@dataclass
class _News:
    """Changes for one audience since pages were last told."""

    people: set[str] = field(default_factory=set)
    alerts: set[str] = field(default_factory=set)

    def message(self) -> dict[str, list[str]]:
        crowded = len(self.people) > AT_MOST or len(self.alerts) > AT_MOST
        if crowded:
            return {"people": ["*"], "alerts": ["*"]}
        return {"people": sorted(self.people), "alerts": sorted(self.alerts)}


@dataclass(eq=False)
class Listener:
    """One open page."""

    audiences: frozenset[str]
    waiting: asyncio.Queue[tuple[str, bytes]] = field(default_factory=lambda: asyncio.Queue(QUEUED))
    overrun: bool = False

    def is_told(self, audience: str) -> bool:
        return audience in self.audiences or (ALL_CLINICS in self.audiences and audience != ENGINEERS)


class Live:
    """Runs until cancelled. `changes` counts the changes seen, `told` the rounds of messages to pages."""

    def __init__(self, database: MongoDatabase, clock: Clock, known: Collection[str]) -> None:
        """`known`: the ids of the configured clinics; changes of any other clinic go to every carer."""
        self._database, self._clock, self._known = database, clock, known
        self._listeners: set[Listener] = set()
        self._news: dict[str, _News] = {}
        self._stirred, self._alarming = asyncio.Event(), asyncio.Event()
        self._traffic: Messaging | None = None
        self._current = monotonic()
        self.changes = self.told = 0

    def follow(self, traffic: Messaging) -> None:
        """Use the state of this messaging to tell how fresh the read model is."""
        self._traffic = traffic

    @property
    def age(self) -> float:
        """Seconds since the read model was last known to show everything announced."""
        if self._traffic is not None and self._traffic.is_current:
            self._current = monotonic()
        return monotonic() - self._current

    async def run(self, stopping: asyncio.Event) -> None:
        try:
            await self._run()
        finally:
            self._say_goodbye()

    def _say_goodbye(self) -> None:
        """Make open pages reconnect at once, to another replica or to this one after its restart."""
        for listener in self._listeners:
            listener.overrun = True
            _put(listener, ("goodbye", b"{}"))

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._watch(PEOPLE, ["clinic_id"]))
            tasks.create_task(self._watch(ALERTS, ["clinic_id", "kind"]))
            tasks.create_task(self._tell())
            tasks.create_task(self._beat())

    def listen(self, audiences: frozenset[str]) -> Listener:
        listener = Listener(audiences)
        self._listeners.add(listener)
        return listener

    def leave(self, listener: Listener) -> None:
        self._listeners.discard(listener)

    async def _watch(self, collection: str, fields: list[str]) -> None:
        """Reopen a stream that breaks, and tell all pages to reload everything."""
        while True:
            try:
                async with self._database.watch(collection, *OPERATIONS, fields=fields) as stream:
                    self._everything()
                    while stream.alive:
                        if (change := await stream.try_next()) is not None:
                            self._note(collection, change)
            except PyMongoError as error:
                log.warning("change stream lost", collection=collection, error=type(error).__name__)
            await asyncio.sleep(0.5)

    def _everything(self) -> None:
        self.changes += 1
        self._of(EVERYBODY).people.add("*")
        self._of(EVERYBODY).alerts.add("*")
        self._alarming.set()
        self._stirred.set()

    def _note(self, collection: str, change: Document) -> None:
        after = change.get("fullDocument") or {}
        id, audience = str(change["documentKey"]["_id"]), self._audience(after)
        self.changes += 1
        news = self._of(ENGINEERS if after.get("kind") == "dead_letter" else audience)
        if collection == PEOPLE:
            news.people.add(id)
        else:
            news.alerts.add(id)
            self._alarming.set()
        self._stirred.set()

    def _audience(self, row: Document) -> str:
        clinic_id = str(row.get("clinic_id", EVERYBODY))
        return clinic_id if clinic_id in (*self._known, EVERYBODY) else UNKNOWN

    def _of(self, audience: str) -> _News:
        return self._news.setdefault(audience, _News())

    async def _beat(self) -> None:
        """Tell pages regularly that their connection is alive, and how fresh the read model is."""
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            now = self._clock.now()
            beat = {"now": now.isoformat(), "as_of": (now - timedelta(seconds=self.age)).isoformat()}
            for listener in list(self._listeners):
                _put(listener, ("beat", orjson.dumps(beat)))
            await self._look(now)

    async def _look(self, now: datetime) -> None:
        """Tell pages about alarms that arise by the passing of time alone, without an event."""
        quiet = ((PEOPLE, unheard_at(now)), (ALERTS, lapsed_at(now)))
        with suppress(PyMongoError):
            for collection, wanted in quiet:
                async for row in self._database[collection].find(wanted, {"clinic_id": 1}, limit=MOST):
                    self.changes += 1
                    self._of(self._audience(row)).alerts.add(str(row["_id"]))
                    self._alarming.set()
                    self._stirred.set()

    async def _tell(self) -> None:
        last = float("-inf")
        while True:
            await self._stirred.wait()
            await asyncio.sleep(GATHER_SECONDS)
            with suppress(TimeoutError):
                async with asyncio.timeout(last + SPACING_SECONDS - monotonic()):
                    await self._alarming.wait()
            last = monotonic()
            self._stirred.clear()
            self._alarming.clear()
            told, self._news = self._news, {}
            self.told += 1
            for listener in list(self._listeners):
                if (message := _for(listener, told)) is not None:
                    _put(listener, message)


def _for(listener: Listener, told: dict[str, _News]) -> tuple[str, bytes] | None:
    seen = [news for audience, news in told.items() if listener.is_told(audience)]
    if not seen:
        return None
    people = {id for news in seen for id in news.people}
    alerts = {id for news in seen for id in news.alerts}
    return "change", orjson.dumps(_News(people, alerts).message())


def _put(listener: Listener, message: tuple[str, bytes]) -> None:
    """Queue a message; a page that does not read is disconnected, so that it starts over."""
    try:
        listener.waiting.put_nowait(message)
    except asyncio.QueueFull:
        listener.overrun = True


async def _next(listener: Listener, until: float) -> tuple[str, bytes]:
    async with asyncio.timeout(until - monotonic()):
        return await listener.waiting.get()


async def messages(
    live: Live, audiences: frozenset[str], *, seconds: float
) -> AsyncIterator[tuple[str, bytes]]:
    """Messages for one page, until it disconnects or `seconds` have passed: the rest of its sign-in."""
    listener, until = live.listen(audiences), monotonic() + seconds
    try:
        yield "hello", b"{}"
        with suppress(TimeoutError):
            while not (listener.overrun and listener.waiting.empty()):
                yield await _next(listener, until)
        yield "goodbye", b"{}"
    finally:
        live.leave(listener)
