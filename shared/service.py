"""The parts of a service: `app.py` builds one, `shared.process` runs it."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol

from fastapi import APIRouter

from shared.clock import Clock
from shared.messaging.consumer import Subscription
from shared.messaging.event import Event
from shared.messaging.messaging import Messaging
from shared.messaging.work import Work
from shared.migrations import Migration
from shared.mongo import Index, MongoDatabase, PyMongoError
from shared.settings import Settings

__all__ = ["BookEntry", "Column", "Service", "Subscription", "Ticker", "open_database"]

Column = Literal["expected", "done", "cancelled", "breached", "open"]


@dataclass(frozen=True, slots=True)
class BookEntry:
    """The count of one kind in one column of this service's books."""

    kind: str
    column: Column
    count: int


class Ticker(Protocol):
    """Work driven by time."""

    name: str

    async def tick(self, now: datetime) -> int:
        """Do a bounded amount of due work. Returns how much was done, 0 when nothing is left."""
        ...

    async def due(self) -> datetime | None:
        """The earliest stored moment at which `tick` has something to do."""
        ...


@dataclass(frozen=True)
class Service:
    """Everything one service is made of."""

    name: str
    title: str
    settings: Settings
    database: MongoDatabase
    clock: Clock
    open_work: Callable[[], Work]
    subscriptions: Sequence[Subscription]
    routers: Sequence[APIRouter]
    indexes: Sequence[Index]
    collections: Sequence[str]
    events: Sequence[type[Event]]
    tickers: Sequence[Ticker]
    books: Callable[[], Awaitable[list[BookEntry]]]
    background: Sequence[Callable[[asyncio.Event], Awaitable[None]]] = ()
    migrations: Sequence[Migration] = ()
    """Run in the background, to lift documents of older shapes."""
    middleware: Sequence[Callable[[Any], Any]] = ()
    """ASGI middleware around everything else, the innermost first."""
    gauges: Sequence[Callable[[datetime], Awaitable[None]]] = ()
    """Functions that set the service's own gauges as of an instant; called every few seconds."""
    follow: Callable[[Messaging], None] | None = None
    """Called with the Kafka traffic of the process, for services that report how far it has read."""


def open_database(settings: Settings, service: str, *, prefix: str = "") -> MongoDatabase:
    """Open the service's own database. `prefix`: use another set of collections. Raises `ValueError`."""
    try:
        return MongoDatabase(
            settings.mongodb.get_secret_value(),
            settings.database_name(service),
            driver=settings.mongodb_driver,
            prefix=prefix,
        )
    except (PyMongoError, ValueError) as error:  # its message may repeat the password
        raise ValueError(
            f"mongodb is no address of MongoDB ({type(error).__name__}):"
            " write mongodb://user:password@host:27017/?replicaSet=rs0, special characters percent-encoded"
        ) from None
