"""The page's read model holds everybody known to the owners, once, and every announcement, in order.

It is read from its own database and compared with outboxes, the log and the owners' databases.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from tests.chaos.checks.violation import Violation
from tests.chaos.history import PAGE, Announced, History, Row, consumers_of, place_in_story, streams

NOBODY = "unknown"
"""Patient id of messages that could not be read; the page does not show this person."""


def people(history: History) -> Iterator[Violation]:
    """Everybody known to an owner is shown, and nobody else."""
    known = {
        row["patient_id"]
        for place in ("intake.referrals", "care_plan.plans", "scheduler.schedules", "alerts.alerts")
        for row in history.documents[place]
        if row.get("kind") != "dead_letter"
    } - {NOBODY}
    shown = {row["_id"] for row in history.documents[f"{PAGE}.people"]}
    for id in sorted(known - shown):
        yield Violation("person_missing", (id,), "an owner knows them, the page does not")
    for id in sorted(shown - known - history.strangers):
        yield Violation("person_invented", (id,), "the page shows them, no owner knows them")


def doubles(history: History) -> Iterator[Violation]:
    """Each referral, course, appointment, flag, live alert and message is shown once."""
    counted: Counter[tuple[str, str]] = Counter()
    for person in history.documents[f"{PAGE}.people"]:
        for part in ("referrals", "courses", "flags", "alerts"):
            counted.update((part, one["id"]) for one in person[part])
        counted.update(
            ("appointments", appointment["id"])
            for course in person["courses"]
            for appointment in course["appointments"]
        )
    counted.update(("story", row["message_id"]) for row in history.documents[f"{PAGE}.story"])
    for place, count in counted.items():
        if count > 1 and not (place[0] == "story" and place[1] in _written_again(history)):
            yield Violation("shown_twice", place, f"{count} times")


def _written_again(history: History) -> set[str]:
    """Ids of messages that the suite wrote again at another place."""
    places = {(p.epoch, p.topic, p.partition, p.offset) for p in history.planted}
    return {r.id for r in history.published if (r.epoch, r.topic, r.partition, r.offset) in places}


def story(history: History) -> Iterator[Violation]:
    """Each announcement about a person is in their story, at its place, and nothing else is."""
    told = {place_in_story(e.topic, e.subject, e.sequence): e for e in _for_the_page(history)}
    shown = {row["_id"]: row for row in history.documents[f"{PAGE}.story"]}
    for place in sorted(told.keys() | shown.keys()):
        event, row = told.get(place), shown.get(place)
        if row is None:
            yield Violation("story_incomplete", (place,), f"{told[place].type} is not in it")
        elif event is None:
            if place.split("/")[1] not in history.strangers:
                yield Violation("story_invented", (place,), f"{row['type']} was never announced")
        elif (is_ := _said(row)) != (should := (event.id, event.type, event.body["patient_id"])):
            yield Violation("story_invented", (place,), f"{is_} instead of {should}")


def _said(row: Row) -> tuple[str, str, str]:
    return (row["message_id"], row["type"], row["patient_id"])


def _for_the_page(history: History) -> Iterator[Announced]:
    for event in history.announced:
        if PAGE in consumers_of(event.topic) and event.body["patient_id"] != NOBODY:
            yield event


def positions(history: History) -> Iterator[Violation]:
    """The page has read every stream up to the end of the log, and no further."""
    log = streams(record for record in history.published if record.epoch == history.epoch)
    for row in history.documents[f"{PAGE}.inbox"]:
        topic, _, subject = row["_id"].partition("|")
        last = log.get((topic, subject), 0)
        if row["sequence"] != last and subject not in history.strangers:
            evidence = f"at {row['sequence']}, the log at {last}"
            yield Violation("position_wrong", (PAGE, topic, subject), evidence)


Read = Callable[[Row], Iterable[Any]]
"""The values that a document keeps of a type's announcements, in its order."""

IN_ORDER: dict[str, tuple[str, Read, Callable[[Row], Any]]] = {
    "PhaseEntered": ("courses", lambda c: (p["phase"] for p in c["phases"]), lambda b: b["phase"]),
    "MeasureRecorded": (
        "courses",
        lambda c: ((m["instrument"], m["attended"], m["total"]) for m in c["measures"]),
        lambda b: (b["instrument"], b["attended"], b["total"]),
    ),
    "AlertNotified": ("alerts", lambda a: (t["delivery_id"] for t in a["told"]), lambda b: b["delivery_id"]),
    "AlertEscalated": ("alerts", lambda a: (c["reason"] for c in a["climbed"]), lambda b: b["reason"]),
}
"""Event type → the documents that keep all events of it, the values kept, and the value announced."""


def _taken_at(body: Row) -> datetime:
    """The moment a measure was taken, by which measures are ordered; other events have none."""
    at = body.get("taken_at") or body.get("recorded_at")
    return datetime.fromisoformat(at) if at else datetime.min.replace(tzinfo=UTC)


def order(history: History) -> Iterator[Violation]:
    """Where the page keeps all announcements of a kind, they are in the order announced."""
    kept: dict[str, list[Row]] = {
        "courses": [c for person in history.documents[f"{PAGE}.people"] for c in person["courses"]],
        "alerts": [{**row, "id": row["_id"]} for row in history.documents[f"{PAGE}.alerts"]],
    }
    announced = sorted(history.announced, key=lambda event: (_taken_at(event.body), event.sequence))
    for type, (place, read, told) in IN_ORDER.items():
        should: dict[str, list[Any]] = {}
        for event in announced:
            if event.type == type:
                should.setdefault(event.subject, []).append(told(event.body))
        for row in kept[place]:
            if (is_ := list(read(row))) != (wanted := should.get(row["id"], [])):
                yield Violation("order_broken", (PAGE, row["id"], type), f"{is_} instead of {wanted}")


def rebuilds(history: History) -> Iterator[Violation]:
    """A rebuild from the log gives an equal read model."""
    for row in history.documents[f"{PAGE}.rebuilds"]:
        if row["stage"] == "done" and not row["equal"]:
            evidence = f"{row['checksum_after']} instead of {row['checksum_before']}"
            yield Violation("shown_wrong", ("rebuild", row["run"]), evidence)
