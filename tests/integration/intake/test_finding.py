"""Finding a person by name, on a real database: within one's clinic, and telling nobody what was typed."""

from typing import Any
from uuid import uuid4

import pytest
import structlog.testing

from services.intake.domain.names import Question
from services.intake.finding import MOST, matching
from shared.logs import QUIET
from shared.migrations import Migrations
from tests.integration.intake.conftest import Intake
from tests.integration.intake.forms import JANE, referral

PEOPLE = (
    {"given_name": "José", "family_name": "García", "birth_date": "1985-06-01", "external_id": "MRN-1"},
    {"given_name": "Josefa", "family_name": "de la Cruz"},
    {"given_name": "Kate", "family_name": "O'Brien", "external_id": "jo 7"},
    {"given_name": "小明", "family_name": "王"},
    {"given_name": "JOHN", "family_name": "Ångström"},
)


async def refer(intake: Intake, *people: dict[str, Any], clinic: str = "riverside") -> None:
    rows = [
        referral(row=n, external_id=uuid4().hex, person=person, clinic_id=clinic)
        for n, person in enumerate(people, start=1)
    ]
    async with intake.as_("coordinator", "*") as client:
        for start in range(0, len(rows), 500):
            answer = await client.post("/referrals/bulk", json={"rows": rows[start : start + 500]})
            assert answer.json()["errors"] == 0, answer.json()


async def found(intake: Intake, text: str, clinic: str = "riverside", role: str = "coordinator") -> list[str]:
    async with intake.as_(role, clinic) as client:
        answer = await client.post("/people/search", json={"text": text})
    assert answer.status_code == 200, answer.text
    return [f"{who['given_name']} {who['family_name']}" for who in answer.json()["items"]]


@pytest.mark.parametrize(
    ("text", "who"),
    [
        ("jose", ["Josefa de la Cruz", "José García"]),
        ("GARC jos", ["José García"]),
        ("obrien", ["Kate O'Brien"]),
        ("brien k", ["Kate O'Brien"]),
        ("王小", ["小明 王"]),
        ("ang", ["JOHN Ångström"]),
        ("MRN-1", ["José García"]),
        ("jo 7", ["Kate O'Brien"]),
        ("jos 1985-06-01", ["José García"]),
        ("jos 1985-06-02", []),
        ("MRN", []),
        ("nobody", []),
        ("--", []),
        ("jo", ["JOHN Ångström", "Josefa de la Cruz", "José García"]),
    ],
)
async def test_a_carer_finds_people_by_beginnings_of_names_or_number_in_order_of_names(
    intake: Intake, text: str, who: list[str]
) -> None:
    await refer(intake, *PEOPLE)
    assert await found(intake, text) == who
    assert await found(intake, text, "*", "clinician") == who


async def test_a_hit_says_the_name_the_birth_date_and_the_id_that_everything_else_is_about(
    intake: Intake,
) -> None:
    await refer(intake, *PEOPLE)
    async with intake.as_("coordinator") as client:
        answer = await client.post("/people/search", json={"text": "garcía"})
        (hit,) = answer.json()["items"]
        person = (await client.get(f"/people/{hit['patient_id']}")).json()
    assert answer.json()["more"] is False
    assert hit == {name: person[name] for name in ("patient_id", "given_name", "family_name", "birth_date")}
    assert not {"words", "filed_as"} & set(person)


async def test_everybody_finds_the_people_of_their_own_clinic_only(intake: Intake) -> None:
    await refer(intake, JANE)
    await refer(intake, JANE | {"family_name": "Quill"}, clinic="lakeside")
    assert await found(intake, "jane") == ["Jane Quimby"]
    assert await found(intake, "jane", "lakeside") == ["Jane Quill"]
    assert await found(intake, "MRN-1", "lakeside") == ["Jane Quill"]
    assert await found(intake, "jane", "*") == ["Jane Quill", "Jane Quimby"]
    assert await found(intake, "jane", "elsewhere") == []


@pytest.mark.parametrize("role", ["engineer", "service"])
async def test_whoever_does_not_care_for_people_finds_nobody(intake: Intake, role: str) -> None:
    async with intake.as_(role, "*") as client:
        answer = await client.post("/people/search", json={"text": "jane"})
    assert answer.status_code == 403


async def test_a_person_told_anew_is_found_by_the_new_name_and_no_more_by_the_old(intake: Intake) -> None:
    await refer(intake, JANE)
    await refer(intake, JANE | {"family_name": "Álvarez"})
    assert await found(intake, "quimby") == []
    assert await found(intake, "alv") == ["Jane Álvarez"]


async def test_people_stored_before_there_were_words_are_found_and_otherwise_stay_as_they_are(
    intake: Intake,
) -> None:
    await refer(intake, *PEOPLE, *({"given_name": f"Old {n}"} for n in range(600)), {})
    people = intake.database["people"]
    before = {row["_id"]: row async for row in people.find()}
    forget: dict[str, Any] = {"$unset": {"words": "", "filed_as": ""}}
    await people.update_many({}, forget)
    assert await found(intake, "jos garc") == ["José García"]
    assert {row["_id"]: row async for row in people.find()} == before
    await people.update_many({}, forget)
    service = intake.service
    migrations = Migrations(intake.database, service.migrations, service=service.name, instance="test")
    assert await migrations.once() == len(before)
    assert {row["_id"]: row | {"version": 1} async for row in people.find()} == before
    assert await migrations.once() == 0


async def test_of_many_the_first_by_name_are_answered_and_that_there_are_more(intake: Intake) -> None:
    names = [f"Same{chr(ord('a') + n // 26)}{chr(ord('a') + n % 26)}" for n in range(MOST + 1)]
    await refer(intake, *({"family_name": name, "given_name": "Ida"} for name in reversed(names)))
    async with intake.as_("coordinator") as client:
        many = (await client.post("/people/search", json={"text": "same"})).json()
        few = (await client.post("/people/search", json={"text": "same ida samea"})).json()
    assert [hit["family_name"] for hit in many["items"]] == names[:MOST]
    assert (many["more"], few["more"], len(few["items"])) == (True, False, 26)


@pytest.mark.parametrize(
    ("clinic", "read"), [("riverside", {"keys": 12, "people": 5}), (None, {"keys": 12, "people": 10})]
)
async def test_a_search_reads_the_people_it_finds_and_hardly_anybody_else(
    intake: Intake, clinic: str | None, read: dict[str, int]
) -> None:
    others = [{"given_name": f"Walter {n}", "family_name": "Filler"} for n in range(300)]
    for place in ("riverside", "lakeside"):
        await refer(intake, *others, *PEOPLE, {}, clinic=place)
    find = {"find": "people", "filter": {"$or": matching(Question.of("jose garcia"), clinic)}}
    plan = await intake.database.db.command({"explain": find, "verbosity": "executionStats"})
    assert plan["executionStats"]["totalKeysExamined"] <= read["keys"], plan
    assert plan["executionStats"]["totalDocsExamined"] <= read["people"], plan
    nameless = {"find": "people", "filter": {"words": None}}
    plan = await intake.database.db.command({"explain": nameless, "verbosity": "executionStats"})
    assert plan["executionStats"]["totalDocsExamined"] == 0, plan


@pytest.mark.parametrize(
    "body",
    [
        {"text": "Q"},
        {"text": "Quimby" * 20},
        {"text": ["Quimby"]},
        {"text": {"$gt": "Quimby"}},
        {"text": "Jane", "Quimby": 1},
        {"name": "Quimby"},
        "Quimby",
    ],
)
async def test_a_bad_text_is_refused_without_repeating_it(intake: Intake, body: Any) -> None:
    with structlog.testing.capture_logs() as logged:
        async with intake.as_("coordinator") as client:
            answer = await client.post("/people/search", json=body)
    assert answer.status_code == 422
    assert "Quimby" not in answer.text
    assert "Quimby" not in str(logged)


async def test_what_was_typed_is_neither_logged_nor_stored_nor_announced(
    intake: Intake, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level("DEBUG")
    for name, level in QUIET.items():  # as every service has it
        caplog.set_level(level, name)
    await refer(intake, JANE)
    before = await intake.everything_stored_and_announced()
    with structlog.testing.capture_logs() as logged:
        async with intake.as_("coordinator") as client:
            key = {"Idempotency-Key": "once"}
            assert (await client.post("/people/search", json={"text": "Quimby Jane"}, headers=key)).is_success
    said = capfd.readouterr()
    assert "Quimby" not in str(logged) + said.out + said.err + caplog.text
    assert await intake.everything_stored_and_announced() == before
