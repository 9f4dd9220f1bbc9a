"""Order: sequences are contiguous in every log, and no consumer lags or holds messages."""

from collections import Counter, defaultdict
from collections.abc import Iterator

from tests.chaos.checks.violation import Violation
from tests.chaos.history import SERVICES, History, consumers_of, streams
from tests.chaos.tap import Published

OVERTAKEN_SECONDS = 1.0
Stream = tuple[str, str, str]
"""(epoch, topic, subject or key)"""


def logs(history: History) -> Iterator[Violation]:
    """In each epoch, every message comes after its predecessor.

    Replicas create the ids by which the relay sorts independently, so a message may briefly overtake its
    predecessor. Consumers hold it until then.
    """
    for (_, topic, subject), appeared in _appearances(history).items():
        for sequence, record in appeared.items():
            before = appeared.get(sequence - 1)
            if sequence > 1 and (before is None or _too_late(before, record)):
                where = f"{sequence} at {record.partition}/{record.offset} without its predecessor"
                yield Violation("order_broken", (topic, subject), where)


def _too_late(before: Published, record: Published) -> bool:
    return _place(before) > _place(record) and before.seen - record.seen > OVERTAKEN_SECONDS


def _appearances(history: History) -> dict[Stream, dict[int, Published]]:
    """Stream → sequence → its first appearance.

    A new log may begin with stragglers from a relay that had not yet noticed it. They are left out here. The
    refill follows, and `losses.publication` finds what it lacks.
    """
    first_epoch = next((record.epoch for record in history.published), "")
    appearances: dict[Stream, dict[int, Published]] = defaultdict(dict)
    for record in _ours(history):
        appeared = appearances[record.epoch, record.topic, record.subject]
        if appeared or record.sequence == 1 or record.epoch == first_epoch:
            appeared.setdefault(record.sequence, record)
    return appearances


def partitions(history: History) -> Iterator[Violation]:
    """All messages of a person in a topic are in one partition."""
    places: dict[Stream, set[int]] = defaultdict(set)
    for record in _ours(history):
        places[record.epoch, record.topic, record.key].add(record.partition)
    for (_, topic, key), found in places.items():
        if len(found) > 1:
            yield Violation("partition_changed", (topic, key), f"partitions {sorted(found)}")


def _ours(history: History) -> Iterator[Published]:
    """The log in order, without records written by the suite."""
    written = {(p.epoch, p.topic, p.partition, p.offset) for p in history.planted}
    for record in sorted(history.published, key=_place):
        if (record.epoch, record.topic, record.partition, record.offset) not in written:
            yield record


def _place(record: Published) -> tuple[str, int, int]:
    return (record.topic, record.partition, record.offset)


def positions(history: History) -> Iterator[Violation]:
    """Every consumer's position is at the last message announced, with nothing ahead, set aside or held."""
    inboxes = {
        service: {row["_id"]: row for row in history.documents[f"{service}.inbox"]} for service in SERVICES
    }
    for (topic, subject), last in streams(history.announced).items():
        for consumer in consumers_of(topic):
            row = inboxes[consumer].get(f"{topic}|{subject}", {"sequence": 0})
            if row["sequence"] != last or row.get("ahead") or row.get("set_aside"):
                evidence = (
                    f"at {row['sequence']} of {last}, ahead {row.get('ahead')}, aside {row.get('set_aside')}"
                )
                yield Violation("position_wrong", (consumer, topic, subject), evidence)
    for service in SERVICES:
        for row in history.documents[f"{service}.held"]:
            yield Violation("message_held", (service, row["stream"]), f"sequence {row['sequence']}")


def dead_letters(history: History) -> Iterator[Violation]:
    """Each torn record has a dead letter in every service that reads its topic; no other record has one."""
    torn = {(p.topic, p.partition, p.offset, p.epoch[-8:]): p for p in history.planted if p.torn}
    found: Counter[tuple[str, tuple[str, int, int, str]]] = Counter()
    for service in SERVICES:
        for row in history.documents[f"{service}.dead_letters"]:
            place = (row["topic"], row["partition"], row["offset"], row["epoch"][-8:])
            found[service, place] += 1
            if place not in torn:
                yield Violation("dead_letter_unexpected", (service, row["_id"]), row["reason"])
    for place in torn:
        for service in consumers_of(place[0]):
            if not found[service, place]:
                yield Violation("dead_letter_missing", (service, *map(str, place)), "a torn record vanished")
