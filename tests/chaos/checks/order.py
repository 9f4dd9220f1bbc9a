"""Order: contiguous in every log, nothing left behind in any consumer."""

from collections import Counter, defaultdict
from collections.abc import Iterator

from tests.chaos.checks.losses import consumers_of
from tests.chaos.checks.violation import Violation
from tests.chaos.history import SERVICES, History, streams
from tests.chaos.tap import Published

OVERTAKEN_SECONDS = 1.0


def logs(history: History) -> Iterator[Violation]:
    """In each epoch, a subject's messages first appear as 1, 2, 3 …, always in one partition.

    A log that began anew may begin with stragglers: what a relay that had not noticed yet was just about
    to publish. The refill follows, and what it lacks is found by `losses.publication`. Two replicas make the
    ids by which the relay sorts independently, so one may overtake its predecessor by a moment, which
    consumers wait out.
    """
    following: dict[tuple[str, str, str], int] = defaultdict(int)
    places: dict[tuple[str, str, str], set[int]] = defaultdict(set)
    early: dict[tuple[str, str, str], dict[int, Published]] = defaultdict(dict)
    arrived: dict[tuple[str, str, str, int], float] = {}
    first_epoch = next((record.epoch for record in history.published), "")
    for record in _ours(history):
        stream = (record.epoch, record.topic, record.subject)
        places[record.epoch, record.topic, record.key].add(record.partition)
        arrived.setdefault((*stream, record.sequence), record.seen)
        if not following[stream] and record.epoch != first_epoch and record.sequence > 1:
            continue  # a straggler
        if record.sequence == following[stream] + 1:
            following[stream] += 1
            while following[stream] + 1 in early[stream]:
                following[stream] += 1
        elif record.sequence > following[stream]:
            early[stream][record.sequence] = record
    for stream, overtaking in early.items():
        for record in overtaking.values():
            late = arrived.get((*stream, record.sequence - 1), float("inf")) - record.seen
            if late > OVERTAKEN_SECONDS:
                where = f"{record.sequence} at {record.partition}/{record.offset} without its predecessor"
                yield Violation("order_broken", stream[1:], where)
    for (_, topic, key), partitions in places.items():
        if len(partitions) > 1:
            yield Violation("partition_changed", (topic, key), f"partitions {sorted(partitions)}")


def _ours(history: History) -> Iterator[Published]:
    """The log in its order, without what the suite wrote itself."""
    written = {(p.epoch, p.topic, p.partition, p.offset) for p in history.planted}
    for record in history.published:
        if (record.epoch, record.topic, record.partition, record.offset) not in written:
            yield record


def positions(history: History) -> Iterator[Violation]:
    """Every consumer's position stands at the last message announced; nothing ahead, aside or held."""
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
    """Each torn record is one letter of each group that reads its topic, and nothing else is one."""
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
