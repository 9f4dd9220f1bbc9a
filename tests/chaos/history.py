"""Everything known from outside about a run: ledger, databases, topics, pages.

Read with PyMongo and the suite's own consumer, without asking any service.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

import orjson
from pymongo import MongoClient
from pymongo.database import Database

from shared.messaging.topics import topics
from tests.chaos.ledger import Entry, Known, last_words
from tests.chaos.receivers import Page
from tests.chaos.tap import Published

PAGE = "dashboard"
SERVICES = ("intake", "care_plan", "scheduler", "alerts", PAGE)
PREFIX = "kith_"

Row = dict[str, Any]

COLLECTIONS: dict[str, tuple[str, ...]] = {
    "intake": ("referrals",),
    "care_plan": ("plans", "crises"),
    "scheduler": ("schedules", "bookings"),
    "alerts": ("alerts", "deliveries"),
    PAGE: ("people", "alerts", "story", "rebuilds"),
}
LONG = {"story": {"at": 0, "source": 0, "caused_by": 0, "said": 0}}
"""Fields left out when reading collections that grow with every message."""

EVERYWHERE = ("inbox", "held", "dead_letters", "idempotency")


@dataclass(frozen=True)
class Planted:
    """A record that the suite itself wrote into a topic. `torn`: it must become a dead letter.

    `enveloped`: it has headers, which tell consumers whom it concerns.
    """

    epoch: str
    topic: str
    partition: int
    offset: int
    key: str
    torn: bool
    enveloped: bool = True


@dataclass(frozen=True)
class Announced:
    """One event in an outbox."""

    service: str
    row: str
    id: str
    type: str
    topic: str
    subject: str
    sequence: int
    key: str
    correlation: str
    body: Row


@dataclass
class History:
    """`now` is the stepped time of reading; `epoch` identifies the broker's present log."""

    now: datetime
    epoch: str = ""
    entries: list[Entry] = field(default_factory=list)
    announced: list[Announced] = field(default_factory=list)
    published: list[Published] = field(default_factory=list)
    pages: list[Page] = field(default_factory=list)
    planted: list[Planted] = field(default_factory=list)
    rough: frozenset[int] = frozenset()
    """Windows whose faults affected the path of pages, so that a page may have rung more than once."""

    documents: dict[str, list[Row]] = field(default_factory=lambda: defaultdict(list))
    """Rows by `service.collection`."""

    @cached_property
    def known(self) -> Known:
        return last_words(self.entries)

    @cached_property
    def strangers(self) -> set[str]:
        """Keys of people whom the suite invented by writing into topics."""
        return {planted.key for planted in self.planted if planted.key.startswith("chaos-")} | {"unknown"}

    @cached_property
    def distinct(self) -> list[Announced]:
        """Each event once, without those about strangers and dead letters."""
        seen: dict[str, Announced] = {}
        for event in self.announced:
            about_letters = event.type == "MessageDeadLettered" or event.body.get("kind") == "dead_letter"
            if not about_letters and event.key not in self.strangers:
                seen.setdefault(event.id, event)
        return list(seen.values())

    def of_type(self, *types: str) -> list[Announced]:
        return [event for event in self.distinct if event.type in types]

    def rows(self, place: str) -> list[Row]:
        """Documents of `service.collection`, without those of strangers."""
        return [row for row in self.documents[place] if row.get("patient_id") not in self.strangers]


@dataclass
class Reader:
    """Reads the databases directly, bypassing the services. Caches outbox rows, since outboxes only grow."""

    uri: str
    _announced: dict[tuple[str, Any], list[Announced]] = field(default_factory=dict)

    def read(self, now: datetime) -> History:
        history = History(now)
        with MongoClient[Row](self.uri, directConnection=True, tz_aware=True) as client:
            for service in SERVICES:
                database = client[f"{PREFIX}{service}"]
                for collection in (*COLLECTIONS[service], *EVERYWHERE):
                    history.documents[f"{service}.{collection}"] = list(
                        database[collection].find({}, LONG.get(collection))
                    )
                history.documents[f"{service}.pending"] = list(
                    database["outbox"].find({"pending": True}, {"events.body": 0})
                )
                self._read_outbox(service, database)
        history.announced = [event for events in self._announced.values() for event in events]
        return history

    def in_flight(self) -> str:
        """Describe an announcement not yet published or not yet processed by all consumers; empty if none."""
        with MongoClient[Row](self.uri, directConnection=True, tz_aware=True) as client:
            positions: dict[tuple[str, str], int] = {}
            for service in SERVICES:
                database = client[f"{PREFIX}{service}"]
                if database["outbox"].find_one({"pending": True}, {"_id": 1}) is not None:
                    return f"{service} has something to publish"
                self._read_outbox(service, database)
                for row in database["inbox"].find({}, {"sequence": 1}):
                    positions[service, row["_id"]] = row["sequence"]
        for (topic, subject), last in streams(
            e for events in self._announced.values() for e in events
        ).items():
            for consumer in consumers_of(topic):
                if positions.get((consumer, f"{topic}|{subject}"), 0) < last:
                    return f"{consumer} has not processed {topic} of {subject} up to {last}"
        return ""

    def _read_outbox(self, service: str, database: "Database[Row]") -> None:
        ids = [row["_id"] for row in database["outbox"].find({}, {"_id": 1})]
        fresh = [id for id in ids if (service, id) not in self._announced]
        gone = {key for key in self._announced if key[0] == service} - {(service, id) for id in ids}
        for key in gone:
            del self._announced[key]
        for row in database["outbox"].find({"_id": {"$in": fresh}}):
            self._announced[service, row["_id"]] = list(_events(service, row))


def _events(service: str, row: Row) -> Iterator[Announced]:
    for event in row["events"]:
        yield Announced(
            service=service,
            row=str(row["_id"]),
            id=event["id"],
            type=event["type"],
            topic=event["topic"],
            subject=event["subject"],
            sequence=event["sequence"],
            key=event["key"],
            correlation=event["correlation_id"],
            body=orjson.loads(event["body"]),
        )


def consumers_of(topic: str) -> tuple[str, ...]:
    """A topic's consumers among the services that the suite runs."""
    return tuple(consumer for consumer in topics()[topic].consumers if consumer in SERVICES)


def place_in_story(topic: str, subject: str, sequence: int) -> str:
    """The id under which the page stores a message's story entry."""
    return f"{topic}/{subject}/{sequence}"


def streams(events: Iterable[Announced | Published]) -> dict[tuple[str, str], int]:
    """(topic, subject) → the last sequence among these events."""
    last: dict[tuple[str, str], int] = defaultdict(int)
    for event in events:
        stream = (event.topic, event.subject)
        last[stream] = max(last[stream], event.sequence)
    return dict(last)
