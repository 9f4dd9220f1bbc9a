"""One person's story, merged from every service's events: by time, with no cause after its effect."""

import heapq
import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

NO_STORY = "-"
"""The correlation id of events that belong to no request."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One event, as `GET /story/{patient}` returns it."""

    at: datetime
    service: str
    type: str
    id: str
    subject: str
    sequence: int
    topic: str
    causation_id: str | None
    correlation_id: str
    body: Mapping[str, Any]

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Self:
        """Raises `KeyError` or `ValueError` if `told` is not an entry."""
        rest = {name: told[name] for name in cls.__slots__ if name != "at"}
        return cls(at=datetime.fromisoformat(told["at"]), **rest)

    @property
    def order(self) -> tuple[datetime, str, str, int]:
        return self.at, self.topic, self.subject, self.sequence

    def as_json(self) -> dict[str, Any]:
        rest = {name: getattr(self, name) for name in self.__slots__ if name != "at"}
        return {"at": self.at.isoformat(), **rest}


@dataclass(frozen=True, slots=True)
class Line:
    """`number` counts from 1; `cause` is the number of the event that led to this one."""

    number: int
    entry: Entry
    cause: int | None
    clock: bool = False
    """True if a timer caused it, not a request."""

    @property
    def because(self) -> str:
        if self.cause is not None:
            return f"← #{self.cause}"
        if self.entry.causation_id is not None:
            return "← elsewhere"
        return "the clock" if self.clock else "a request"


def tell(entries: Iterable[Entry]) -> list[Line]:
    """Sort by time, but place an entry after its cause and after its subject's earlier events."""
    told = sorted({(e.topic, e.subject, e.sequence): e for e in entries}.values(), key=lambda e: e.order)
    numbers: dict[str, int] = {}
    begun: dict[str, tuple[str, datetime]] = {}
    lines: list[Line] = []
    for entry in _in_order(told):
        cause = numbers.get(entry.causation_id or "")
        lines.append(Line(len(lines) + 1, entry, cause, clock=_by_the_clock(entry, begun)))
        numbers.setdefault(entry.id, len(lines))
    return lines


def _by_the_clock(entry: Entry, begun: dict[str, tuple[str, datetime]]) -> bool:
    """True if it has no cause and is not part of the request that began its story (`begun`: where, when)."""
    if entry.causation_id is not None:
        return False
    here = entry.service, entry.at
    return entry.correlation_id == NO_STORY or begun.setdefault(entry.correlation_id, here) != here


def _in_order(entries: list[Entry]) -> list[Entry]:
    """Topological order, ties by time: clocks of two services may differ, causes do not."""
    followers, waits = _dependencies(entries)
    ready = [index for index, count in enumerate(waits) if count == 0]
    ordered: list[Entry] = []
    while ready:
        index = heapq.heappop(ready)
        ordered.append(entries[index])
        for follower in followers[index]:
            waits[follower] -= 1
            if waits[follower] == 0:
                heapq.heappush(ready, follower)
    return ordered + [entry for entry, count in zip(entries, waits, strict=True) if count > 0]


def _dependencies(entries: list[Entry]) -> tuple[list[list[int]], list[int]]:
    """By index: the followers of each entry, and how many entries each one waits for."""
    places: dict[str, int] = {}
    for index, entry in enumerate(entries):
        places.setdefault(entry.id, index)
    streams: dict[tuple[str, str], list[int]] = {}
    for index, entry in enumerate(entries):
        streams.setdefault((entry.topic, entry.subject), []).append(index)
    pairs = {(places[e.causation_id], i) for i, e in enumerate(entries) if e.causation_id in places}
    for stream in streams.values():
        stream.sort(key=lambda index: entries[index].sequence)
        pairs.update(itertools.pairwise(stream))
    followers: list[list[int]] = [[] for _ in entries]
    waits = [0] * len(entries)
    for before, after in pairs:
        if before != after:
            followers[before].append(after)
            waits[after] += 1
    return followers, waits


@dataclass(frozen=True, slots=True)
class Summary:
    events: int
    appointments: int
    alerts: int
    deliveries: int

    @classmethod
    def of(cls, lines: Iterable[Line]) -> Self:
        entries = [line.entry for line in lines]
        return cls(
            events=len(entries),
            appointments=len(_about(entries, "SessionScheduled", "appointment_id")),
            alerts=len(_about(entries, "AlertRaised", "alert_id")),
            deliveries=len(_about(entries, "AlertNotified", "delivery_id")),
        )

    def __str__(self) -> str:
        counts = [
            (self.events, "event"),
            (self.appointments, "appointment"),
            (self.alerts, "alert"),
            (self.deliveries, "delivery"),
        ]
        return ", ".join(f"{count} {_plural(word) if count != 1 else word}" for count, word in counts)


def _about(entries: list[Entry], type: str, field: str) -> set[object]:
    return {entry.body.get(field) for entry in entries if entry.type == type}


def _plural(word: str) -> str:
    return word[:-1] + "ies" if word.endswith("y") else word + "s"
