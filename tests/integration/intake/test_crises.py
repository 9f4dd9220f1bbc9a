"""A crisis goes out whatever else is wrong, once, and the answer says where help is."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from shared.clock import step
from tests.integration.intake.conftest import NOW, Intake
from tests.integration.intake.forms import CSSRS_HIGH, JANE, MODERATE, SECRETS, SEVERE, answers, referral

ITEM9 = [*MODERATE[:8], 1]


def speaks_of_help(body: dict[str, Any]) -> bool:
    text = body["crisis_support"] or ""
    return "988" in text and "HOME to 741741" in text and "not an emergency service" in text


async def test_a_positive_item_9_flags_once_and_every_answer_after_it_carries_the_lines(
    intake: Intake,
) -> None:
    async with intake.as_("coordinator") as client:
        form = referral(screening={"phq9": {"items": ITEM9}}, consent=None)
        created = await client.post("/referrals", json=form)
        id = created.json()["id"]
        again = await client.post("/referrals", json=form)
        later = [
            again,
            await client.put(f"/referrals/{id}/screening", json={"gad7": {"items": [0] * 7}}),
            await client.put(f"/referrals/{id}/consent", json={"given": True}),
            await client.get(f"/referrals/{id}"),
        ]
        listed = (await client.get("/referrals")).json()["items"]
    assert created.json()["state"] == "incomplete"
    assert all(speaks_of_help(body) for body in [created.json(), *(r.json() for r in later), *listed])
    (flag,) = await intake.announced("CrisisFlagRaised")
    assert (flag["severity"], flag["evidence"], flag["referral_id"]) == ("moderate", ["phq9_item9"], id)


async def test_all_evidence_of_one_form_is_one_flag_on_its_own_topic(intake: Intake) -> None:
    async with intake.as_("coordinator") as client:
        form = referral(screening=answers(ITEM9, CSSRS_HIGH), crisis=True)
        body = (await client.post("/referrals", json=form)).json()
    assert (body["state"], body["stage"]["reasons"]) == ("in_review", ["crisis_open"])
    (flag,) = await intake.announced("CrisisFlagRaised")
    assert (flag["severity"], flag["evidence"]) == ("high", ["cssrs_high", "explicit", "phq9_item9"])
    lanes = [row["lane"] async for row in intake.database["outbox"].find().sort("lane", 1)]
    assert lanes == ["crisis", "work"]


@pytest.mark.parametrize("crisis", [None, "unknown", "perhaps", 1, {"$ne": False}])
async def test_a_crisis_field_that_is_neither_yes_nor_no_goes_to_review_and_alerts(
    intake: Intake, crisis: Any
) -> None:
    async with intake.as_("coordinator") as client:
        response = await client.post("/referrals", json=referral() | {"crisis": crisis})
    body = response.json()
    assert (response.status_code, body["state"]) == (201, "in_review")
    assert "crisis_unassessed" in body["stage"]["reasons"]
    (flag,) = await intake.announced("CrisisFlagRaised")
    assert (flag["severity"], flag["evidence"]) == ("moderate", ["unassessable"])


async def test_raising_a_crisis_outright_needs_no_body_and_flags_each_time(intake: Intake) -> None:
    async with intake.as_("clinician") as client:
        id = (await client.post("/referrals", json=referral())).json()["id"]
        first = await client.post(f"/referrals/{id}/crisis-flag")
        second = await client.post(
            f"/referrals/{id}/crisis-flag", json={"by": "patient"}, headers={"If-Match": '"1"'}
        )
        repeated = [
            await client.post(f"/referrals/{id}/crisis-flag", headers={"Idempotency-Key": "same"})
            for _ in range(2)
        ]
    assert first.status_code == second.status_code == 201
    assert speaks_of_help(first.json())
    assert repeated[0].json() == repeated[1].json()
    flags = await intake.announced("CrisisFlagRaised")
    assert [flag["severity"] for flag in flags] == ["high"] * 3
    assert len({flag["flag_id"] for flag in flags}) == 3


async def test_a_crisis_in_an_invalid_form_is_kept_aside_and_alerts_then_422(intake: Intake) -> None:
    form = referral(crisis=True, age="forty", colour="crimson", screening=answers(ITEM9))
    async with intake.as_("coordinator", subject="front-desk") as client:
        response = await client.post("/referrals", json=form)
        again = await client.post("/referrals", json=form)
    assert response.status_code == again.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    assert speaks_of_help(response.json())
    assert response.json()["errors"]
    (flag,) = await intake.announced("CrisisFlagRaised")
    assert flag["patient_id"].startswith("unknown-")
    assert (flag["severity"], flag["evidence"]) == ("high", ["explicit", "phq9_item9"])
    (kept,) = [row async for row in intake.database["set_aside_forms"].find()]
    assert (kept["clinic_id"], kept["caller"], kept["severity"]) == ("riverside", "front-desk", "high")
    assert kept["_id"] == flag["referral_id"]
    everything = await intake.everything_stored_and_announced() + response.text
    assert not [secret for secret in (*SECRETS, "crimson", "forty") if secret in everything]


async def test_a_refused_form_from_a_clinic_nobody_knows_is_everybodys_to_follow_up(intake: Intake) -> None:
    async with intake.as_("coordinator", clinic="northside") as client:
        for named in ({}, {"clinic_id": "northside"}, {"clinic_id": "riverside"}):
            await client.post("/referrals", json=referral(crisis=True, age="forty") | named)
    flags = await intake.announced("CrisisFlagRaised")
    assert [flag["clinic_id"] for flag in flags] == ["unknown"] * 3


async def test_an_invalid_form_that_comes_again_after_a_week_alerts_about_the_same_person_again(
    intake: Intake, tmp_path: Path
) -> None:
    form = referral(crisis=True, age="forty")
    async with intake.as_("coordinator") as client:
        for days in (0, 6, 7, 8):
            step(tmp_path / "clock", NOW + timedelta(days=days))
            await client.post("/referrals", json=form)
    first, again = await intake.announced("CrisisFlagRaised")
    assert first["patient_id"] == again["patient_id"]
    assert first["flag_id"] != again["flag_id"]


async def test_a_crisis_raised_outright_is_a_new_flag_each_time_however_it_is_refused(intake: Intake) -> None:
    async with intake.as_("service") as client:
        id = (await client.post("/referrals", json=referral())).json()["id"]
        for _ in range(2):
            refused = await client.post(f"/referrals/{id}/crisis-flag", json={"by": "school"})
            assert (refused.status_code, speaks_of_help(refused.json())) == (422, True)
    assert len(await intake.announced("CrisisFlagRaised")) == 2


async def test_the_same_invalid_form_sent_many_times_at_once_alerts_once(intake: Intake) -> None:
    form = referral(crisis=True, age="forty")
    async with intake.as_("coordinator") as client:
        responses = await asyncio.gather(*(client.post("/referrals", json=form) for _ in range(5)))
    assert {response.status_code for response in responses} == {422}
    assert len(await intake.announced("CrisisFlagRaised")) == 1


async def test_two_equal_forms_that_say_nothing_of_whom_they_are_about_alert_twice(intake: Intake) -> None:
    form = {"person": {}, "age": 300, "crisis": True}
    rows = {"rows": [{"row": 1, "crisis": True}]}
    async with intake.as_("coordinator") as client:
        for key in ("k1", "k2", "k2"):
            headers = {"Idempotency-Key": key}
            assert speaks_of_help((await client.post("/referrals", json=form, headers=headers)).json())
            await client.post("/referrals/bulk", json=rows, headers=headers)
    assert len(await intake.announced("CrisisFlagRaised")) == 4


async def test_a_refused_form_about_a_known_referral_flags_its_person_and_nobody_else(intake: Intake) -> None:
    bob = {"given_name": "Bob", "family_name": "Bell", "birth_date": "1999-09-09"}
    async with intake.as_("coordinator") as client:
        known = (await client.post("/referrals", json=referral())).json()
        statuses = [
            (await client.post("/referrals", json=referral(**changes) | {"crisis": True})).status_code
            for changes in ({"consent": False}, {"age": "forty"}, {"person": bob})
        ]
    assert statuses == [409, 422, 409]
    *theirs, other = [flag["patient_id"] for flag in await intake.announced("CrisisFlagRaised")]
    assert theirs == [known["patient_id"]] * 2
    assert other.startswith("unknown-")


async def test_an_invalid_form_that_speaks_of_no_crisis_is_just_refused(intake: Intake) -> None:
    async with intake.as_("coordinator") as client:
        response = await client.post("/referrals", json=referral(age="forty"))
    assert response.status_code == 422
    assert "crisis_support" not in response.json()
    assert await intake.announced() == []
    assert await intake.database["set_aside_forms"].count_documents({}) == 0


@pytest.mark.parametrize(
    "changes",
    [
        {"clinic_id": "atlantis"},
        {"clinic_id": "lakeside"},
        {"clinician_id": "nobody"},
        {"person": JANE | {"birth_date": "2030-01-01"}},
    ],
)
async def test_a_crisis_in_a_form_that_is_refused_for_any_other_reason_is_kept_too(
    intake: Intake, changes: dict[str, Any]
) -> None:
    async with intake.as_("coordinator") as client:
        response = await client.post("/referrals", json=referral(crisis=True, **changes))
    assert response.status_code in (404, 422)
    assert speaks_of_help(response.json())
    (flag,) = await intake.announced("CrisisFlagRaised")
    assert (flag["clinic_id"], flag["severity"]) == ("riverside", "high")


async def test_a_crisis_in_invalid_answers_to_a_known_referral_is_flagged_on_that_person(
    intake: Intake,
) -> None:
    async with intake.as_("coordinator") as client:
        created = (await client.post("/referrals", json=referral(screening=None))).json()
        bad = {"phq9": {"items": [*MODERATE[:8], 3], "difficulty": 17}}
        response = await client.put(f"/referrals/{created['id']}/screening", json=bad)
        shown = (await client.get(f"/referrals/{created['id']}")).json()
    assert response.status_code == 422
    (flag,) = await intake.announced("CrisisFlagRaised")
    assert (flag["patient_id"], flag["referral_id"]) == (created["patient_id"], created["id"])
    assert (shown["crisis"]["worst"], shown["phq9"]["total"]) == ("moderate", None)


async def test_a_flag_for_a_referral_nobody_knows_or_may_see_still_reaches_a_human(intake: Intake) -> None:
    async with intake.as_("coordinator") as client:
        known = (await client.post("/referrals", json=referral())).json()
    async with intake.as_("clinician", "lakeside") as elsewhere:
        foreign = await elsewhere.post(f"/referrals/{known['id']}/crisis-flag")
        nowhere = await elsewhere.post("/referrals/ref_nowhere/crisis-flag", json={"by": "martian"})
    assert (foreign.status_code, nowhere.status_code) == (404, 422)
    flags = await intake.announced("CrisisFlagRaised")
    assert [flag["clinic_id"] for flag in flags] == ["lakeside", "lakeside"]
    assert all(flag["patient_id"].startswith("unknown-") for flag in flags)
    about = f"/people/{flags[0]['patient_id']}/set-aside"
    async with intake.as_("clinician", "lakeside") as ours, intake.as_("clinician") as others:
        (form,) = (await ours.get(about)).json()["items"]
        assert (await others.get(about)).json()["items"] == []
    assert (form["severity"], form["evidence"], form["clinic_id"]) == ("high", ["explicit"], "lakeside")
    assert form["caller"] == "somebody"


async def test_callers_who_may_not_refer_raise_nothing(intake: Intake) -> None:
    async with intake.as_("engineer") as client:
        assert (await client.post("/referrals", json=referral(crisis=True, age="x"))).status_code == 403
        assert (await client.post("/referrals/ref_1/crisis-flag")).status_code == 403
        anonymous = await client.post("/referrals", json={"crisis": True}, headers={"Authorization": ""})
    assert anonymous.status_code == 401
    assert await intake.announced() == []


async def test_flags_are_expected_in_the_books(intake: Intake) -> None:
    async with intake.as_("coordinator") as client:
        id = (await client.post("/referrals", json=referral(crisis=True))).json()["id"]
        await client.post(f"/referrals/{id}/crisis-flag")
        await client.post("/referrals", json=referral(crisis=True, age="forty"))
    entries = {(entry.kind, entry.column): entry.count for entry in await intake.service.books()}
    assert entries["crisis_flag", "expected"] == 3


@pytest.mark.parametrize("unreadable", [{"age": "old"}, {"stage": {"status": "of_a_newer_release"}}])
async def test_a_flag_goes_out_although_another_referral_of_the_person_cannot_be_read(
    intake: Intake, unreadable: dict[str, Any]
) -> None:
    async with intake.as_("coordinator") as client:
        known = (await client.post("/referrals", json=referral())).json()
        other = (await client.post("/referrals", json=referral(external_id="R-2"))).json()
        await intake.database["referrals"].update_one({"_id": other["id"]}, {"$set": unreadable})
        flagged = await client.post(f"/referrals/{known['id']}/crisis-flag")
        answered = await client.put(f"/referrals/{known['id']}/screening", json=answers([3] * 9))
        added = await client.post("/referrals", json=referral(person=JANE | {"phone": "555"}))
    assert [answer.status_code for answer in (flagged, answered, added)] == [201, 200, 200]
    assert all(speaks_of_help(answer.json()) for answer in (flagged, answered))
    flags = await intake.announced("CrisisFlagRaised")
    assert [flag["referral_id"] for flag in flags] == [known["id"]] * 2


async def test_another_referral_that_cannot_be_read_counts_as_one_that_was_not_declined(
    intake: Intake,
) -> None:
    async with intake.as_("clinician") as client:
        first = (await client.post("/referrals", json=referral())).json()
        await intake.database["referrals"].update_one({"_id": first["id"]}, {"$set": {"age": "old"}})
        second = (await client.post("/referrals", json=referral(external_id="R-2"))).json()
        enrolment = {"decision": "enrol", "variant": "ipt-12", "sessions": 12}
        refused = await client.post(f"/referrals/{second['id']}/decision", json=enrolment)
        enrolled = await client.post(
            f"/referrals/{second['id']}/decision", json=enrolment | {"crisis_assessed": True}
        )
    assert {"referred_already", "crisis_unassessed"} <= set(second["stage"]["reasons"])
    assert (refused.json()["reason"], enrolled.status_code) == ("crisis_unassessed", 200)


@pytest.mark.parametrize(
    "newer",
    [
        {"stage.reasons": ["reason_of_a_newer_release"]},
        {"stage.reasons": ["reason_of_a_newer_release"], "crisis.evidence": ["evidence_of_a_newer_release"]},
    ],
)
async def test_a_referral_that_a_newer_release_keeps_is_flagged_and_nothing_else_of_it_changed(
    intake: Intake, newer: dict[str, Any]
) -> None:
    async with intake.as_("coordinator") as client:
        known = (await client.post("/referrals", json=referral(screening=answers(SEVERE)))).json()
        await intake.database["referrals"].update_one({"_id": known["id"]}, {"$set": newer})
        path = f"/referrals/{known['id']}"
        said = [
            await client.post(f"{path}/crisis-flag"),
            await client.put(f"{path}/screening", json=answers(ITEM9)),
            await client.post("/referrals", json=referral(crisis=True)),
        ]
    assert [(answer.status_code, answer.json()["reason"]) for answer in said] == [
        (503, "kept_by_newer_release")
    ] * 3
    assert all(speaks_of_help(answer.json()) for answer in said)
    flags = await intake.announced("CrisisFlagRaised")
    assert [flag["flag_id"] for flag in flags] == [f"flag_{known['id']}_{number}" for number in (1, 2, 3)]
    assert {(flag["patient_id"], flag["clinician_id"]) for flag in flags} == {
        (known["patient_id"], known["clinician_id"])
    }
    (stored,) = [row async for row in intake.database["referrals"].find()]
    assert stored["stage"]["reasons"] == ["reason_of_a_newer_release"]
    assert (stored["crisis"]["flags"], stored["crisis"]["worst"]) == (3, "high")
    assert {"explicit", *newer.get("crisis.evidence", [])} <= set(stored["crisis"]["evidence"])


async def test_of_a_person_who_cannot_be_read_a_flag_by_the_forms_names_is_of_nobody_known(
    intake: Intake,
) -> None:
    async with intake.as_("coordinator") as client:
        known = (await client.post("/referrals", json=referral())).json()
        await intake.database["people"].update_one({}, {"$set": {"sex": "of a newer release"}})
        by_name = [
            await client.post("/referrals", json=referral(crisis=True, external_id=number))
            for number in ("R-1", "R-2")
        ]
        by_path = await client.post(f"/referrals/{known['id']}/crisis-flag")
    assert [answer.status_code for answer in (*by_name, by_path)] == [503, 503, 201]
    *nobody, theirs = [flag["patient_id"] for flag in await intake.announced("CrisisFlagRaised")]
    assert [id.startswith("unknown-") for id in nobody] == [True, True]
    assert theirs == known["patient_id"]


@pytest.mark.parametrize(
    "wrong", [{"consent": "maybe"}, {"person": JANE | {"phone": "call me"}}, {"colour": "red"}]
)
async def test_a_wrong_field_of_a_form_or_row_keeps_no_flag_from_the_person_it_names(
    intake: Intake, wrong: dict[str, Any]
) -> None:
    form = referral(crisis=True, clinic_id=None) | wrong
    async with intake.as_("coordinator") as client:
        known = (await client.post("/referrals", json=referral())).json()
        single = await client.post("/referrals", json=form)
        rows = await client.post("/referrals/bulk", json={"rows": [form | {"row": 1}]})
    assert (single.status_code, rows.json()["errors"], rows.json()["results"][0]["flagged"]) == (422, 1, True)
    flags = await intake.announced("CrisisFlagRaised")
    assert [(flag["patient_id"], flag["clinician_id"]) for flag in flags] == [
        (known["patient_id"], known["clinician_id"])
    ] * 2


async def test_a_refused_form_of_whose_person_nothing_can_be_read_is_of_nobody_known(intake: Intake) -> None:
    async with intake.as_("coordinator") as client:
        await client.post("/referrals", json=referral())
        for person in ({"birth_date": "01/06/1985"}, "Jane", None):
            await client.post("/referrals", json=referral(crisis=True) | {"person": person})
    flags = await intake.announced("CrisisFlagRaised")
    assert [flag["patient_id"].startswith("unknown-") for flag in flags] == [True] * 3


async def test_a_new_referral_under_somebody_elses_patient_number_is_refused_and_its_crisis_told(
    intake: Intake,
) -> None:
    bob = {"external_id": "MRN-1", "given_name": "Bob", "family_name": "Xu", "birth_date": "1950-01-01"}
    form = referral(external_id="R-77", person=bob, crisis=True)
    async with intake.as_("coordinator") as client:
        jane = (await client.post("/referrals", json=referral())).json()
        single = await client.post("/referrals", json=form)
        rows = await client.post("/referrals/bulk", json={"rows": [form | {"row": 1}]})
        person = (await client.get(f"/people/{jane['patient_id']}")).json()
    assert (single.status_code, single.json()["reason"]) == (409, "person_differs")
    assert rows.json()["results"][0]["codes"] == ["person_differs"]
    assert (person["given_name"], person["birth_date"], person["phone"]) == (
        "Jane",
        "1985-06-01",
        "+1 555 0100",
    )
    flags = await intake.announced("CrisisFlagRaised")
    assert [flag["patient_id"].startswith("unknown-") for flag in flags] == [True] * 2
