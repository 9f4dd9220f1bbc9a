"""What may be published without a look into the outbox, and what a hand-over keeps."""

from datetime import UTC, datetime

from shared.messaging import handover
from shared.messaging.envelope import Envelope
from shared.messaging.handover import Published
from shared.messaging.outbox import Row
from shared.mongo import ObjectId
from shared.pulse import Handover


def message(subject: str, sequence: int, topic: str = "intake.referrals") -> Envelope:
    return Envelope(
        id=f"{topic}/{subject}/{sequence}",
        type="IntakeCompleted",
        source="intake",
        subject=subject,
        sequence=sequence,
        time=datetime(2026, 3, 2, tzinfo=UTC),
        topic=topic,
        key="pat",
        schema_version=1,
        correlation_id="c",
        causation_id=None,
        body=b"{}",
    )


def test_the_first_of_a_subject_follows_nothing_and_any_other_what_is_before_it() -> None:
    published = Published()
    assert published.is_followed_by([message("r1", 1), message("r2", 1), message("r1", 2)])
    assert not published.is_followed_by([message("r1", 1), message("r2", 2)])
    published.note([message("r2", 1)])
    assert published.is_followed_by([message("r1", 1), message("r2", 2)])
    assert not published.is_followed_by([message("r2", 3)])
    assert not published.is_followed_by([message("r2", 2, topic="intake.crisis-flags")])


def test_what_was_published_already_is_not_left_and_does_not_go_back() -> None:
    published = Published()
    rows = [Row(ObjectId(), [message("r1", 1)]), Row(ObjectId(), [message("r1", 2), message("r2", 1)])]
    published.note([message("r1", 2)])
    published.note([message("r1", 1)])  # an old one, published again
    assert published.rest(rows) == rows[1:]
    assert published.is_followed_by([message("r1", 3)])


def test_a_subject_that_nobody_hears_of_for_long_is_looked_for_again() -> None:
    published = Published()
    published.note([message("old", 1)])
    published.note([message(f"r{n}", 1) for n in range(handover.SUBJECTS - 1)])
    assert published.is_followed_by([message("old", 2)])
    published.note([message("new", 1)])
    assert not published.is_followed_by([message("old", 2)])


def test_a_hand_over_gives_in_order_what_there_is_room_for_and_beats_each_time() -> None:
    handing = Handover[str](room=3)
    for thing, size in (("a", 1), ("b", 2)):
        handing.hand(thing, size)
    assert (handing.beats, handing.take(), handing.take()) == (2, ["a", "b"], [])
    for thing, size in (("c", 2), ("d", 2), ("e", 1)):
        handing.hand(thing, size)
    assert (handing.beats, handing.take()) == (5, ["d", "e"])
