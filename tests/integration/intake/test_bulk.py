"""Bulk import: one transaction, a result per row, the same file twice makes nothing twice."""

import asyncio
from collections import Counter
from typing import Any

import pytest

from services.intake import bulk
from services.intake.importing import RowError, document, rows
from tests.integration.intake.conftest import Intake
from tests.integration.intake.forms import MODERATE, answers
from tests.unit.intake.test_importing import ANSWERS


def row(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "row": number,
        "external_id": f"X-{number}",
        "source_system": "file",
        "person": {"external_id": f"P-{number}", "given_name": "Jane"},
        "age": 40,
    } | changes


async def sent(intake: Intake, *sending: Any, clinic: str = "riverside") -> dict[str, Any]:
    async with intake.as_("coordinator", clinic) as client:
        response = await client.post("/referrals/bulk", json={"rows": sending})
    assert response.status_code == 200, response.text
    body: dict[str, Any] = response.json()
    return body


async def test_rows_are_created_then_unchanged_then_updated(intake: Intake) -> None:
    first = await sent(intake, row(1), row(2))
    second = await sent(intake, row(1), row(2))
    third = await sent(intake, row(1, consent=True), row(2, person={"external_id": "P-2", "phone": "555"}))
    outcomes = [[result["outcome"] for result in body["results"]] for body in (first, second, third)]
    assert outcomes == [["created"] * 2, ["unchanged"] * 2, ["updated"] * 2]
    assert first["results"][0]["referral_id"] == third["results"][0]["referral_id"]
    received = await intake.announced("ReferralReceived")
    assert [event["source"] for event in received] == ["import", "import"]


async def test_a_bad_row_says_why_and_never_blocks_the_others(intake: Intake) -> None:
    body = await sent(
        intake,
        row(1),
        row(2, age="forty"),
        "no object at all",
        row(4, clinic_id="lakeside"),
        row(5, person={"birth_date": "2030-01-01"}),
        row(6, colour="red"),
        row(7),
    )
    codes = {result["row"]: result["codes"] for result in body["results"]}
    assert (body["created"], body["errors"]) == (2, 5)
    assert codes[1] == codes[7] == []
    assert codes[2] == ["age:int_type"]
    assert codes[3] == ["row:model_type"]
    assert codes[4] == ["clinic_id:not_found"]
    assert codes[5] == ["person.birth_date:date_in_the_future"]
    assert codes[6] == ["row:extra_forbidden"]
    assert len(await intake.announced("ReferralReceived")) == 2


async def test_a_bad_row_that_speaks_of_a_crisis_alerts_once_and_answers_with_the_lines(
    intake: Intake,
) -> None:
    bad = row(1, crisis=True, age="forty")
    body = await sent(intake, bad, row(2))
    again = await sent(intake, bad, row(2))
    assert "988" in body["crisis_support"]
    assert [result["flagged"] for result in body["results"] + again["results"]] == [True, False, False, False]
    (flag,) = await intake.announced("CrisisFlagRaised")
    assert flag["patient_id"].startswith("unknown-")


async def test_a_refused_row_from_a_clinic_nobody_knows_is_everybodys_to_follow_up(intake: Intake) -> None:
    body = await sent(intake, row(1, crisis=True, age="forty"), row(2, crisis=True), clinic="northside")
    assert [result["outcome"] for result in body["results"]] == ["error", "error"]
    flags = await intake.announced("CrisisFlagRaised")
    assert [flag["clinic_id"] for flag in flags] == ["unknown"] * 2


async def test_a_refused_row_of_a_known_person_flags_that_person(intake: Intake) -> None:
    (created,) = (await sent(intake, row(1)))["results"]
    body = await sent(intake, row(1, clinician_id="cln_nobody", crisis=True))
    assert body["results"][0]["outcome"] == "error"
    (flag,) = await intake.announced("CrisisFlagRaised")
    assert flag["referral_id"] == created["referral_id"]


async def test_a_row_about_somebody_else_than_its_referral_flags_nobody_in_their_place(
    intake: Intake,
) -> None:
    (created,) = (await sent(intake, row(1)))["results"]
    body = await sent(intake, row(1, person={"external_id": "P-other"}, crisis=True))
    assert (body["results"][0]["codes"], body["results"][0]["flagged"]) == (["person_differs"], True)
    (flag,) = await intake.announced("CrisisFlagRaised")
    assert flag["patient_id"].startswith("unknown-")
    assert flag["referral_id"] != created["referral_id"]


async def test_two_files_that_both_begin_with_1_are_about_two_people(intake: Intake) -> None:
    anna = {"given_name": "Anna", "family_name": "Abel", "birth_date": "1980-01-01"}
    bob = {"given_name": "Bob", "family_name": "Bell", "birth_date": "1999-09-09"}
    (created,) = (await sent(intake, row(1, person=anna)))["results"]
    body = await sent(
        intake, row(1, person=bob, crisis=True), row(1, person=bob, crisis=True, clinician_id="x")
    )
    assert [(r["codes"], r["flagged"]) for r in body["results"]] == [
        (["person_differs"], True),
        (["clinician_id:unknown_clinician"], True),
    ]
    (person,) = [found async for found in intake.database["people"].find()]
    assert (person["given_name"], person["birth_date"]) == ("Anna", "1980-01-01")
    flags = await intake.announced("CrisisFlagRaised")
    assert len(flags) == 2
    assert created["referral_id"] not in {flag["referral_id"] for flag in flags}


async def test_nameless_rows_under_one_number_are_told_apart_by_sex_and_age(intake: Intake) -> None:
    item9 = {"phq9": {"items": [*MODERATE[:8], 2]}}
    first = await sent(intake, row(1, person={"sex": "female"}, age=30))
    later = await sent(intake, row(1, person={"sex": "female"}, age=31, consent=True))
    others = await sent(
        intake,
        row(1, person={"sex": "male"}, age=31, screening=item9),
        row(1, person={}, age=71, screening=item9),
    )
    assert [body["results"][0]["outcome"] for body in (first, later)] == ["created", "updated"]
    assert [(r["codes"], r["flagged"]) for r in others["results"]] == [(["person_differs"], True)] * 2
    flags = await intake.announced("CrisisFlagRaised")
    assert [flag["patient_id"].startswith("unknown-") for flag in flags] == [True, True]


async def test_one_person_or_referral_that_cannot_be_read_spoils_no_other_row(intake: Intake) -> None:
    await sent(intake, row(1), row(2), row(3), row(4))
    people, referrals = intake.database["people"], intake.database["referrals"]
    two = await people.find_one({"external_id": "P-2"})
    four = await people.find_one({"external_id": "P-4"})
    assert two is not None
    assert four is not None
    await people.update_one({"external_id": "P-1"}, {"$set": {"sex": "of a newer release"}})
    await referrals.update_one({"patient_id": two["_id"]}, {"$set": {"age": "old"}})
    await referrals.update_one({"patient_id": four["_id"]}, {"$set": {"patient_id": 4, "age": "old"}})
    body = await sent(
        intake,
        row(1, crisis=True),
        row(2, crisis=True),
        row(3, crisis=True),
        row(4, crisis=True),
        row(5, person={"external_id": "P-1"}),
        row(6, person={"external_id": "P-2"}, consent=True, screening=answers()),
        row(7, crisis=True),
    )
    kept = ("error", ["kept_by_newer_release"])
    assert [(r["outcome"], r["codes"]) for r in body["results"]] == [
        kept,
        kept,
        ("updated", []),
        kept,
        kept,
        ("created", []),
        ("created", []),
    ]
    assert [r["flagged"] for r in body["results"]] == [True, True, True, True, False, False, True]
    assert "988" in body["crisis_support"]
    flags = await intake.announced("CrisisFlagRaised")
    known = [flag["patient_id"] for flag in flags if not flag["patient_id"].startswith("unknown-")]
    assert (len(flags), len(known), two["_id"] in known) == (5, 3, True)
    assert await intake.announced("IntakeCompleted") == []


async def test_whoever_knows_the_persons_number_corrects_a_mistyped_birth_date(intake: Intake) -> None:
    who = {"external_id": "P-1", "given_name": "Anna", "birth_date": "1980-01-01"}
    body = [
        await sent(intake, row(1, person=who | {"birth_date": day})) for day in ("1980-01-01", "1981-01-01")
    ]
    assert [answer["results"][0]["outcome"] for answer in body] == ["created", "updated"]


async def test_the_same_referral_and_the_same_person_twice_in_one_request_are_one(intake: Intake) -> None:
    body = await sent(intake, row(1), row(1), row(3, person={"external_id": "P-1"}))
    assert [result["outcome"] for result in body["results"]] == ["created", "unchanged", "created"]
    assert await intake.database["people"].count_documents({}) == 1
    assert await intake.database["referrals"].count_documents({}) == 2


async def test_complete_rows_are_enrolled_and_positive_ones_flagged(intake: Intake) -> None:
    body = await sent(
        intake,
        row(1, consent=True, screening=answers()),
        row(2, screening={"phq9": {"items": [*MODERATE[:8], 2]}}),
    )
    assert [result["flagged"] for result in body["results"]] == [False, True]
    assert len(await intake.announced("IntakeCompleted")) == 1
    assert len(await intake.announced("CrisisFlagRaised")) == 1


async def test_a_row_that_may_hold_others_flags_nobody_known_in_their_place(intake: Intake) -> None:
    await sent(intake, row(1))
    body = await sent(intake, row(1, cells="rows_in_a_cell"), row(1, cells="wrong_number", crisis=True))
    assert [(r["codes"], r["flagged"]) for r in body["results"]] == [
        (["rows_in_a_cell"], True),
        (["row:extra_forbidden"], True),
    ]
    flags = await intake.announced("CrisisFlagRaised")
    assert [(flag["severity"], flag["patient_id"][:8]) for flag in flags] == [
        ("moderate", "unknown-"),
        ("high", "unknown-"),
    ]


async def test_a_line_of_a_file_that_is_no_document_is_refused_and_the_crisis_in_it_heard(
    intake: Intake,
) -> None:
    lines = [
        '{"external_id": "e1", "crisis": true',
        '[{"crisis": true}]',
        '{"external_id": "e3", "crisis": false',
        '{"external_id": "e4", "person": {}, "crisis": true, "crisis": false}',
    ]
    sending = [found.document for _, found in rows(lines, "ndjson") if isinstance(found, RowError)]
    results = (await sent(intake, *sending))["results"]
    assert [result["codes"] for result in results] == [
        ["not_json"],
        ["not_an_object"],
        ["not_json"],
        ["repeated_field"],
    ]
    assert [result["flagged"] for result in results] == [True, True, False, True]
    assert len(await intake.announced("CrisisFlagRaised")) == 3


async def test_more_than_500_rows_are_refused_and_500_are_taken(intake: Intake) -> None:
    async with intake.as_("coordinator") as client:
        many = await client.post("/referrals/bulk", json={"rows": [row(n) for n in range(1, 502)]})
        none = await client.post("/referrals/bulk", json={"rows": []})
    assert (many.status_code, none.status_code) == (422, 422)
    body = await sent(intake, *(row(n) for n in range(1, 501)))
    assert body["created"] == 500


async def test_a_row_without_a_clinic_takes_the_requests_clinic(intake: Intake) -> None:
    async with intake.as_("service", "*") as client:
        form = {"clinic_id": "lakeside", "rows": [row(1)]}
        named = (await client.post("/referrals/bulk", json=form)).json()
        unsaid = (await client.post("/referrals/bulk", json={"rows": [row(1)]})).json()
    assert named["created"] == 1
    assert unsaid["results"][0]["codes"] == ["clinic_id:missing"]


@pytest.mark.skipif(not ANSWERS.exists(), reason="the NHANES answers are not at ../shared/data")
async def test_the_published_answers_import_whole_and_twice_makes_nothing_twice(intake: Intake) -> None:
    sending = [
        entry.document if isinstance(entry, RowError) else document(entry)
        for _, entry in rows(ANSWERS.read_text().splitlines(), "nhanes")
    ]
    for expected in ("created", "unchanged"):
        counted = 0
        for start in range(0, len(sending), 500):
            counted += (await sent(intake, *sending[start : start + 500]))[expected]
        assert counted == 2772
    complete = {"screening.phq9": {"$not": {"$elemMatch": {"$not": {"$type": "number"}}}}}
    assert await intake.database["referrals"].count_documents(complete) == 2544
    flags = await intake.announced("CrisisFlagRaised")
    assert len(flags) == len({flag["patient_id"] for flag in flags}) == 107
    entries = {(entry.kind, entry.column): entry.count for entry in await intake.service.books()}
    assert (entries["referral", "expected"], entries["referral", "open"]) == (2772, 2772)
    assert entries["crisis_flag", "expected"] == 107


async def test_whoever_else_is_ready_goes_between_the_rows_of_a_large_import(
    intake: Intake, monkeypatch: pytest.MonkeyPatch
) -> None:
    turn, decided, take = 0, Counter[int](), bulk.take

    async def somebody_else() -> None:
        nonlocal turn
        while True:
            turn += 1
            await asyncio.sleep(0)

    def noted(*what: Any, **more: Any) -> Any:
        decided[turn] += 1
        return take(*what, **more)

    monkeypatch.setattr(bulk, "take", noted)
    others = asyncio.create_task(somebody_else())
    body = await sent(intake, *(row(number) for number in range(1, bulk.MAX_ROWS + 1)))
    others.cancel()
    assert body["created"] == decided.total() == bulk.MAX_ROWS
    assert max(decided.values()) == bulk.ROWS_AT_A_TURN
