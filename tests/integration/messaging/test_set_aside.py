"""What cannot be processed is set aside by its reason, told of once, and may be tried again."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from shared.messaging import dead_letters, outbox
from shared.messaging.batch import HELD, Batch
from shared.messaging.envelope import unseal
from shared.mongo import MongoDatabase
from tests.support.letters import (
    Counting,
    amounts,
    counting,
    delivered,
    message,
    reasons,
    when_intake_completed_count_even_13,
    when_intake_completed_count_it,
)


def headers(**changes: str) -> list[tuple[str, bytes]]:
    """Those of a message, with some attributes otherwise."""
    return [(name, changes.get(name, value.decode()).encode()) for name, value in message("r1", 1).headers()]


POISON = {
    "not_json": {"value": b"{not json"},
    "not_utf8": {"value": b"\xff\xfe\xfa"},
    "empty": {"value": b""},
    "tombstone": {"value": None},
    "null_key": {"key": None},
    "key_is_not_the_patient": {"key": b"pat-somebody-else"},
    "too_many_headers": {"headers": [(f"h{n}", b"x") for n in range(10_000)]},
    "attribute_too_long": {"headers": headers(ce_subject="r" * 513)},
    "missing_ce_id": {"headers": []},
    "headers_not_utf8": {"headers": [("ce_id", b"\xff\xff")]},
    "before_time": {"headers": headers(ce_time="0001-01-01T00:00:00+14:00")},
    "after_time": {"headers": headers(ce_time="9999-12-31T23:59:59-01:00")},
    "beyond_numbers": {"headers": headers(ce_sequence=str(2**63))},
    "beyond_versions": {"headers": headers(ce_schemaversion="9" * 500)},
}
OTHER_NAMES = dict.fromkeys(
    ("before_time", "after_time", "beyond_numbers", "beyond_versions"), "bad_attribute"
)
NAMED_OTHERWISE = {"not_utf8": "not_json", **OTHER_NAMES}


async def stumble(letter: dead_letters.MessageDeadLettered, work: object) -> None:
    """Nothing that names somebody can be stored."""
    if letter.patient_id != "unknown":
        raise OverflowError


async def test_where_what_is_known_of_a_record_cannot_be_stored_it_is_set_aside_without(
    database: MongoDatabase,
) -> None:
    consumption = counting(database, on_dead_letter=stumble)
    await consumption.take([delivered(message("r1", 1), value=b"{not json"), delivered(message("r2", 1))])
    assert await amounts(database) == {"r2": [1]}
    assert await reasons(database) == ["failed_OverflowError"]


PATIENT = "pat_872a0b014f0c4d1ea8cec66cf769546a"


@pytest.mark.parametrize(
    ("name", "key", "patient_id"),
    [
        ("intake.crisis-flags", PATIENT, PATIENT),
        ("intake.crisis-flags", "Ada Lovelace", "unknown"),
        ("intake.crisis-flags", None, "unknown"),
        ("intake.referrals", PATIENT, "unknown"),
    ],
)
async def test_a_crisis_message_without_an_envelope_is_about_whom_its_key_names(
    database: MongoDatabase, name: str, key: str | None, patient_id: str
) -> None:
    torn = delivered(message("r1", 1), topic=name, key=key and key.encode(), headers=[])
    await counting(database).take([torn])
    assert await told_of(database) == [(patient_id, name == "intake.crisis-flags")]


async def told_of(database: MongoDatabase) -> list[tuple[str, bool]]:
    """Whom each dead letter that was announced is about, and whether it counts as a crisis."""
    rows = [row async for row in database[outbox.COLLECTION].find()]
    bodies = [orjson.loads(event["body"]) for row in rows for event in row["events"]]
    return [(body["patient_id"], body["crisis"]) for body in bodies]


async def test_where_nobodys_record_can_be_stored_under_the_key_it_is_set_aside_without(
    database: MongoDatabase,
) -> None:
    consumption = counting(database, on_dead_letter=stumble)
    await consumption.take(
        [delivered(message("r1", 1), topic="intake.crisis-flags", key=PATIENT.encode(), headers=[])]
    )
    assert await told_of(database) == [("unknown", True)]


async def test_a_gap_in_a_crisis_topic_is_no_crisis_for_whoever_pages_waits_for_none(
    database: MongoDatabase,
) -> None:
    consumption = counting(database)
    await consumption.take([delivered(message("r1", 2, topic="intake.crisis-flags"))])
    await database[HELD].update_many({}, {"$set": {"since": datetime.now(UTC) - timedelta(seconds=31)}})
    await consumption.sweep()
    assert await reasons(database) == ["sequence_gap"]
    assert await told_of(database) == [("pat-r1", False)]


@pytest.mark.parametrize("kind", POISON)
async def test_a_record_that_cannot_be_read_is_set_aside_and_the_next_goes_on(
    database: MongoDatabase, kind: str
) -> None:
    bad = delivered(message("r1", 1), **POISON[kind])
    consumption = counting(database)
    await consumption.take([bad, delivered(message("r2", 1))])
    await consumption.take([bad])
    assert await amounts(database) == {"r2": [1]}
    assert await reasons(database) == [NAMED_OTHERWISE.get(kind, kind)]
    kept = await database[dead_letters.COLLECTION].find_one({})
    assert kept["value"] == bad.value
    assert [tuple(h) for h in kept["headers"]] == list(bad.headers)


async def test_what_is_set_aside_of_a_topic_made_anew_is_another_letter_at_the_same_place(
    database: MongoDatabase,
) -> None:
    """The cluster is the same, the topic's offsets began again. The letter of before is closed already."""
    told = list[str]()

    async def tell(letter: dead_letters.MessageDeadLettered, work: object) -> None:
        told.append(letter.dead_letter_id)

    consumption = counting(database, on_dead_letter=tell)
    for referral, value in (("old", b"torn"), ("new", b"torn too"), ("newer", b"torn thrice")):
        for _ in range(2):
            torn = delivered(message(referral, 1), offset=3, value=value)
            await consumption.take([torn], epoch="cluster-1")
        await database[dead_letters.COLLECTION].update_many({}, {"$set": {"state": "discarded"}})
    assert told[0] == "care_plan.work:intake.referrals:0:3:luster-1"
    assert len(set(told)) == len(told) == 3
    kept = database[dead_letters.COLLECTION].find().sort("_id", 1)
    assert [(row["_id"], row["about"]["subject"]) async for row in kept] == sorted(
        zip(told, ("old", "new", "newer"), strict=True)
    )
    assert await outbox.announced(database) == {"MessageDeadLettered": 3}


async def test_a_gap_told_at_the_place_of_another_letter_is_settled_by_its_own(
    database: MongoDatabase,
) -> None:
    consumption = counting(database)
    await consumption.take([delivered(message("old", 1), offset=3, value=b"torn")])
    await consumption.take([delivered(message("r1", 2), offset=3)])
    await database[HELD].update_many({}, {"$set": {"since": datetime.now(UTC) - timedelta(seconds=31)}})
    await consumption.sweep()
    await consumption.take([delivered(message("r1", 1))])
    states = {row["reason"]: row["state"] async for row in database[dead_letters.COLLECTION].find()}
    assert states == {"not_json": "open", "sequence_gap": "replayed"}


async def test_a_record_that_every_replica_finds_unreadable_is_announced_once(
    database: MongoDatabase,
) -> None:
    """Told twice at different moments it would be the same id with other content: a forgery, it seems."""
    bad = delivered(message("r1", 1), value=b"{not json")
    await asyncio.gather(*(counting(database).take([bad]) for _ in range(3)))
    await counting(database).take([bad])
    assert len([event async for row in database[outbox.COLLECTION].find() for event in row["events"]]) == 1


async def test_what_another_replica_processed_while_this_one_failed_with_it_is_not_set_aside(
    database: MongoDatabase,
) -> None:
    elsewhere = counting(database)
    arrived = delivered(message("r1", 1))

    def overtaken(fact: object, work: object) -> None:
        raise RuntimeError

    failing = counting(database, overtaken)
    batch = Batch(failing.group, "epoch", alone=True)
    await batch.inbox.load([unseal(arrived)])
    await elsewhere.take([arrived])
    await batch.process([arrived])
    assert batch.outcome == "duplicate"
    assert await reasons(database) == []
    assert await amounts(database) == {"r1": [1]}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"type": "NobodyKnowsThis"}, "unknown_type"),
        ({"version": 3}, "newer_schema"),
        ({"body": b'{"patient_id": "pat-r1"}'}, "invalid_body"),
        ({"body": b"[]"}, "invalid_body"),
        ({"amount": 13}, "failed_RuntimeError"),
    ],
)
async def test_a_message_we_must_not_act_on_is_set_aside_with_its_reason(
    database: MongoDatabase, change: dict[str, object], reason: str
) -> None:
    await counting(database).take([delivered(message("r1", 1, **change)), delivered(message("r1", 2))])  # type: ignore[arg-type]
    assert await reasons(database) == [reason]
    assert await amounts(database) == {"r1": [2]}


async def test_a_type_we_do_not_react_to_is_passed_over(database: MongoDatabase) -> None:
    await counting(database).take(
        [delivered(message("r1", 1, type="ReferralReceived")), delivered(message("r1", 2))]
    )
    assert await amounts(database) == {"r1": [2]}
    assert await reasons(database) == []


async def test_an_older_schema_is_lifted(database: MongoDatabase) -> None:
    body = b'{"patient_id": "pat-r1", "clinic_id": "riverside", "referral_id": "r1"}'
    await counting(database).take([delivered(message("r1", 1, version=1, body=body))])
    assert await amounts(database) == {"r1": [1]}


async def test_the_same_id_with_other_content_is_set_aside(database: MongoDatabase) -> None:
    consumption = counting(database)
    await consumption.take([delivered(message("r1", 1))])
    await consumption.take([delivered(message("r1", 1, amount=7))])
    assert await amounts(database) == {"r1": [1]}
    assert await reasons(database) == ["same_id_other_content"]


@pytest.mark.parametrize("at_once", [True, False])
async def test_of_two_messages_that_wait_under_one_number_the_second_is_set_aside(
    database: MongoDatabase, at_once: bool
) -> None:
    consumption = counting(database)
    first, second = delivered(message("r1", 2)), delivered(message("r1", 2, amount=999))
    for batch in [[first, second]] if at_once else [[first], [second], [second], [first]]:
        await consumption.take(batch)
    assert await reasons(database) == ["same_id_other_content"]
    await consumption.take([delivered(message("r1", 1))])
    assert await amounts(database) == {"r1": [1, 2]}
    assert await database[HELD].count_documents({}) == 0


@pytest.mark.parametrize("hold_gaps", [True, False])
async def test_a_message_that_comes_again_under_a_new_number_leaves_no_gap(
    database: MongoDatabase, hold_gaps: bool
) -> None:
    consumption, first = counting(database, hold_gaps=hold_gaps), message("r1", 1)
    await consumption.take([delivered(first), delivered(first._replace(sequence=2))])
    await consumption.take([delivered(message("r1", s)) for s in (3, 4)])
    await consumption.take([delivered(first._replace(sequence=2))])
    assert await amounts(database) == {"r1": [1, 3, 4]}
    assert await reasons(database) == []


async def test_a_message_that_comes_again_under_a_new_number_otherwise_is_a_letter_and_leaves_no_gap(
    database: MongoDatabase,
) -> None:
    consumption, other = counting(database), message("r1", 2, amount=7, id=message("r1", 1).id)
    await consumption.take([delivered(message("r1", 3))])
    await consumption.take([delivered(message("r1", 1)), delivered(other)])
    assert await amounts(database) == {"r1": [1, 3]}
    assert await reasons(database) == ["same_id_other_content"]
    assert await consumption.replay(await database[dead_letters.COLLECTION].find_one({})) == "processed"
    assert await amounts(database) == {"r1": [1, 3, 7]}


async def test_a_dead_letter_is_announced_by_ids_only(database: MongoDatabase) -> None:
    await counting(database).take([delivered(message("r1", 1), value=b'{"name": "Ada Lovelace"}')])
    row = await database["outbox"].find_one({})
    (event,) = row["events"]
    assert event["topic"] == "care-plan.dead-letters"
    assert b"Ada" not in event["body"]
    assert b'"reason":"invalid_body"' in event["body"]


async def test_a_dead_letter_that_fails_again_stays_a_dead_letter(database: MongoDatabase) -> None:
    consumption = counting(database)
    await consumption.take([delivered(message("r1", 1, amount=13))])
    letter = await database[dead_letters.COLLECTION].find_one({})
    assert await consumption.replay(letter) == "dead_lettered"
    assert [row["state"] async for row in database[dead_letters.COLLECTION].find()] == ["open"]


async def test_a_dead_letter_replayed_twice_at_once_has_one_effect(database: MongoDatabase) -> None:
    await counting(database).take([delivered(message("r1", 1, amount=13))])
    letter = await database[dead_letters.COLLECTION].find_one({})
    mended = counting(database, when_intake_completed_count_even_13)
    outcomes = await asyncio.gather(*(mended.replay(letter) for _ in range(2)), return_exceptions=True)
    assert outcomes.count("processed") == 1
    assert await amounts(database) == {"r1": [13]}
    assert (await database[dead_letters.COLLECTION].find_one({}))["state"] == "replayed"


def when_intake_completed_claim_its_amount(fact: Any, work: Counting) -> None:
    """Every amount is to be claimed by one referral alone."""

    async def claim(txn: object) -> None:
        await work.database["claims"].insert_one({"_id": fact.amount}, session=txn)

    work.also(claim)
    when_intake_completed_count_it(fact, work)


async def test_a_message_that_doubles_a_key_every_time_is_set_aside_and_its_subject_goes_on(
    database: MongoDatabase,
) -> None:
    consumption = counting(database, when_intake_completed_claim_its_amount)
    await consumption.take([delivered(message("r1", 1, amount=7))])
    clash = [message("r2", 1, amount=7), message("r2", 2, amount=8), message("r3", 1, amount=9)]
    await consumption.take([delivered(one) for one in clash])
    assert await amounts(database) == {"r1": [7], "r2": [8], "r3": [9]}
    assert await reasons(database) == ["failed_DuplicateKeyError"]
    letter = await database[dead_letters.COLLECTION].find_one({})
    assert letter["about"]["subject"] == "r2"
    assert await consumption.replay(letter) == "dead_lettered"
    await database["claims"].delete_one({"_id": 7})
    assert await consumption.replay(letter) == "processed"
    assert (await amounts(database))["r2"] == [8, 7]


async def test_a_message_that_waited_for_its_gap_and_then_fails_is_an_open_dead_letter(
    database: MongoDatabase,
) -> None:
    consumption = counting(database)
    await consumption.take([delivered(message("r1", 3)), delivered(message("r1", 2, amount=13))])
    await database[HELD].update_many({}, {"$set": {"since": datetime.now(UTC) - timedelta(seconds=31)}})
    await consumption.sweep()
    await consumption.take([delivered(message("r1", 1))])
    letters = {row["about"]["sequence"]: row async for row in database[dead_letters.COLLECTION].find()}
    assert {number: row["state"] for number, row in letters.items()} == {2: "open", 3: "replayed"}
    assert await amounts(database) == {"r1": [1, 3]}


async def test_one_crisis_record_that_fails_is_told_to_its_service_in_the_same_transaction(
    database: MongoDatabase,
) -> None:
    told: list[dead_letters.MessageDeadLettered] = []

    async def note(letter: dead_letters.MessageDeadLettered, work: object) -> None:
        told.append(letter)

    await counting(database, on_dead_letter=note).take([delivered(message("r1", 1), value=b"{")])
    assert [(letter.patient_id, letter.reason) for letter in told] == [("pat-r1", "not_json")]


async def test_letters_are_listed_page_by_page_in_the_order_in_which_they_were_set_aside(
    database: MongoDatabase,
) -> None:
    consumption = counting(database)
    offsets = [7, 100, 9, 11, 3]
    for offset in offsets:
        await consumption.take([delivered(message(f"r{offset}", 1), value=b"{", offset=offset)])
    found, after, first = [], None, True
    while first or after is not None:
        rows, after = await dead_letters.page(database, "open", after=after, limit=2)
        found += [row["offset"] for row in rows]
        first = False
    assert sorted(found) == sorted(offsets)
    moments = {row["offset"]: row["at"] async for row in database[dead_letters.COLLECTION].find({})}
    assert [moments[offset] for offset in found] == sorted(moments.values())
    with pytest.raises(ValueError, match="isoformat"):
        await dead_letters.page(database, "open", after="yesterday", limit=2)
