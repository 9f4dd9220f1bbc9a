"""Referring a person: the good days and the bad ones."""

import asyncio
from typing import Any

import pytest

from services.intake.app import read_rules
from services.intake.clinics import Clinics
from services.intake.forms import ReferralForm
from services.intake.handlers import Desk, refer
from services.intake.naming import filing, load_filings
from services.intake.store import IntakeWork
from shared.http.caller import Call, Caller
from shared.messaging.work import Conflict
from tests.integration.intake.conftest import CLINICS, NOW, Intake
from tests.integration.intake.forms import JANE, MODERATE, SECRETS, SEVERE, answers, referral


async def test_a_complete_referral_is_enrolled_and_announced(intake: Intake) -> None:
    async with intake.as_("coordinator") as client:
        response = await client.post("/referrals", json=referral())
    body = response.json()
    assert response.status_code == 201, body
    assert response.headers["location"] == f"/referrals/{body['id']}"
    assert response.headers["etag"] == '"1"'
    assert (body["state"], body["stage"]["variant"], body["stage"]["sessions"]) == ("completed", "ipt-16", 16)
    assert (body["phq9"]["total"], body["phq9"]["band"], body["phq9"]["loinc"]) == (10, "moderate", "44261-6")
    assert (body["age"], body["crisis_support"]) == (40, None)
    events = await intake.announced()
    assert [event["type"] for event in events] == ["ReferralReceived", "IntakeCompleted"]
    assert events[1]["patient_id"] == body["patient_id"]
    assert events[1]["clinician_id"] in ("cln_r01", "cln_r02")


async def test_a_bare_referral_waits_until_answers_and_consent_come(intake: Intake) -> None:
    async with intake.as_("coordinator") as client:
        created = await client.post("/referrals", json=referral(screening=None, consent=None))
        where = f"/referrals/{created.json()['id']}"
        assert created.json()["state"] == "received"
        part = await client.put(f"{where}/screening", json={"phq9": {"items": MODERATE}})
        assert (part.json()["state"], part.json()["stage"]["missing"]) == ("incomplete", ["cssrs", "consent"])
        rest = await client.put(f"{where}/screening", json=answers([None] * 9, gad7={"items": [1] * 7}))
        assert rest.json()["stage"]["missing"] == ["consent"]
        assert (rest.json()["phq9"]["total"], rest.json()["gad7"]["total"]) == (10, 7)
        last = await client.put(f"{where}/consent", json={"given": True})
    assert last.json()["state"] == "completed"
    assert last.json()["consent"]["recorded_by"] == "somebody"
    assert [event["type"] for event in await intake.announced()] == [
        "ReferralReceived",
        "ScreeningIncomplete",
        "ScreeningIncomplete",
        "IntakeCompleted",
    ]


async def test_another_clinician_takes_over_until_the_referral_is_decided_and_is_refused_after(
    intake: Intake,
) -> None:
    async with intake.as_("clinician") as client:
        form = referral(clinician_id="cln_r01", screening=answers(SEVERE))
        first = (await client.post("/referrals", json=form)).json()
        second = await client.post("/referrals", json=form | {"clinician_id": "cln_r02"})
        unnamed = await client.post("/referrals", json=referral(screening=answers(SEVERE)))
        declining = {"decision": "decline", "reason": "not_indicated", "alternative_offered": True}
        await client.post(f"/referrals/{first['id']}/decision", json=declining)
        after = await client.post("/referrals", json=form)
    assert [body["clinician_id"] for body in (first, second.json(), unnamed.json())] == [
        "cln_r01",
        "cln_r02",
        "cln_r02",
    ]
    assert (after.status_code, after.json()["reason"]) == (409, "already_declined")
    asked = await intake.announced("IntakeReviewRequired")
    assert [event["clinician_id"] for event in asked] == ["cln_r01", "cln_r02"]


async def test_a_referral_without_number_and_age_is_completed_by_recording_the_age(intake: Intake) -> None:
    form = referral(external_id=None, person={"given_name": "Jo", "family_name": "Bell"})
    async with intake.as_("clinician") as client:
        waiting = (await client.post("/referrals", json=form)).json()
        where = f"/referrals/{waiting['id']}"
        enrolment = {"decision": "enrol", "variant": "ipt-12", "sessions": 12}
        refused = await client.post(f"{where}/decision", json=enrolment)
        wrong = await client.put(f"{where}/age", json={"age": 131})
        complete = await client.put(f"{where}/age", json={"age": 40})
    assert (waiting["stage"]["reasons"], refused.json()["reason"]) == (["no_exact_variant"], "age_unknown")
    assert (wrong.status_code, complete.json()["age"], complete.json()["state"]) == (422, 40, "completed")
    assert await intake.database["people"].count_documents({}) == 1


async def test_the_same_referral_twice_is_one_referral(intake: Intake) -> None:
    async with intake.as_("coordinator") as client:
        first = await client.post("/referrals", json=referral())
        second = await client.post("/referrals", json=referral())
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json() == second.json()
    assert second.headers["etag"] == first.headers["etag"]
    assert len(await intake.announced()) == 2


async def test_the_same_person_in_two_referrals_is_one_patient_also_when_both_come_at_once(
    intake: Intake,
) -> None:
    async with intake.as_("coordinator") as client:
        responses = await asyncio.gather(
            *(client.post("/referrals", json=referral(external_id=f"R-{n}")) for n in range(6))
        )
    assert {response.status_code for response in responses} == {201}
    assert len({response.json()["patient_id"] for response in responses}) == 1
    assert await intake.database["people"].count_documents({}) == 1


async def test_a_second_referral_of_somebody_in_an_open_crisis_is_enrolled_by_no_rule(intake: Intake) -> None:
    async with intake.as_("coordinator") as client:
        await client.post("/referrals", json=referral(external_id="R-1", screening=None, crisis=True))
        second = (await client.post("/referrals", json=referral(external_id="R-2"))).json()
        assert second["stage"]["status"] == "in_review"
        assert second["stage"]["reasons"] == ["crisis_open", "referred_already"]
        again = {"gad7": {"items": [1] * 7}}
        answered = (await client.put(f"/referrals/{second['id']}/screening", json=again)).json()
    assert answered["stage"]["status"] == "in_review"
    assert await intake.announced("IntakeCompleted") == []


@pytest.mark.parametrize("begun_first_is", ["first", "last"])
async def test_of_two_referrals_of_one_person_at_once_only_the_first_is_enrolled_by_rule(
    intake: Intake, begun_first_is: str
) -> None:
    call = Call(Caller("somebody", frozenset({"coordinator"}), "riverside"), "r", None, None, b"")
    desk = Desk(read_rules(), Clinics.model_validate(CLINICS))
    async with intake.as_("clinician") as client:
        first = await client.post("/referrals", json=referral(consent=None))
        no = {"decision": "decline", "reason": "not_reachable", "alternative_offered": False}
        await client.post(f"/referrals/{first.json()['id']}/decision", json=no)
    both = [
        (IntakeWork(intake.database, now=NOW), filing(call.caller, ReferralForm(**referral(external_id=id))))
        for id in ("R-2", "R-3")
    ]
    for work, filed in both:
        await load_filings(work, [filed])
        refer(work, desk, call, filed)
    (one, _), (other, again) = both if begun_first_is == "first" else reversed(both)
    await one.commit()
    with pytest.raises(Conflict):
        await other.commit()
    anew = IntakeWork(intake.database, now=NOW)
    await load_filings(anew, [again])
    refer(anew, desk, call, again)
    assert anew.referrals[again.referral_id].stage.status == "in_review"


async def test_the_same_number_in_another_clinic_is_another_person(intake: Intake) -> None:
    async with intake.as_("coordinator", "*") as client:
        here = await client.post("/referrals", json=referral(clinic_id="riverside"))
        there = await client.post("/referrals", json=referral(clinic_id="lakeside"))
    assert here.json()["patient_id"] != there.json()["patient_id"]
    assert there.json()["clinician_id"] == "cln_l01"


async def test_a_known_referral_about_somebody_else_is_refused(intake: Intake) -> None:
    async with intake.as_("coordinator") as client:
        await client.post("/referrals", json=referral())
        refused = await client.post("/referrals", json=referral(person={"external_id": "MRN-2"}))
    assert (refused.status_code, refused.json()["reason"]) == (409, "person_differs")


async def test_a_repeated_idempotency_key_gets_the_same_answer_and_one_referral(intake: Intake) -> None:
    headers = {"Idempotency-Key": "k1"}
    async with intake.as_("coordinator") as client:
        form = referral(external_id=None)
        first = await client.post("/referrals", json=form, headers=headers)
        again = await client.post("/referrals", json=form, headers=headers)
        other = await client.post("/referrals", json=form | {"age": 30}, headers=headers)
    assert first.json() == again.json()
    assert (other.status_code, other.json()["reason"]) == (409, "idempotency_key_reused")
    assert await intake.database["referrals"].count_documents({}) == 1


async def test_names_and_free_text_are_stored_with_the_person_only_and_never_announced(
    intake: Intake,
) -> None:
    async with intake.as_("coordinator") as client:
        created = await client.post("/referrals", json=referral(), headers={"Idempotency-Key": "k"})
        listed = await client.get("/referrals")
    everything = await intake.everything_stored_and_announced() + created.text + listed.text
    assert not [secret for secret in SECRETS if secret in everything]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"colour": "crimson"}, "body"),
        ({"person": JANE | {"birth_date": "2030-01-01"}}, "person.birth_date"),
        ({"person": JANE | {"external_id": {"$ne": None}}}, "body.person.external_id"),
        ({"person": None}, "body.person"),
        ({"screening": {"phq9": {"items": [4, *MODERATE[1:]]}}}, "body.screening.phq9.items.0"),
        ({"screening": {"phq9": {"items": [True, *MODERATE[1:]]}}}, "body.screening.phq9.items.0"),
        ({"screening": {"phq9": {"items": [*MODERATE, 0]}}}, "body.screening.phq9.items"),
        ({"clinic_id": "riverside", "clinician_id": "cln_l01"}, "clinician_id"),
        ({"history": {"episodes": 2**70}}, ""),
        ({"age": 5.0}, "body.age"),
    ],
)
async def test_a_form_that_does_not_fit_names_the_field_and_echoes_nothing(
    intake: Intake, changes: dict[str, Any], field: str
) -> None:
    async with intake.as_("coordinator") as client:
        response = await client.post("/referrals", json=referral(**changes))
    assert response.status_code == 422, response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert not field or any(error["field"].startswith(field) for error in response.json()["errors"])
    assert not [secret for secret in (*SECRETS, "crimson", "2030") if secret in response.text]
    assert await intake.database["referrals"].count_documents({}) == 0
    assert await intake.announced() == []


async def test_an_unknown_clinic_is_422_and_another_ones_is_as_if_absent(intake: Intake) -> None:
    async with intake.as_("service", "*") as client:
        nowhere = await client.post("/referrals", json=referral(clinic_id="atlantis"))
        unsaid = await client.post("/referrals", json=referral())
    async with intake.as_("coordinator") as client:
        foreign = await client.post("/referrals", json=referral(clinic_id="lakeside"))
    assert [r.status_code for r in (nowhere, unsaid, foreign)] == [422, 422, 404]
    assert nowhere.json()["errors"][0]["problem"] == "unknown_clinic"


async def test_engineers_do_not_refer_or_read_people(intake: Intake) -> None:
    async with intake.as_("engineer") as client:
        assert (await client.post("/referrals", json=referral())).status_code == 403
        assert (await client.get("/people/pat_1")).status_code == 403


async def test_who_somebody_is_is_told_to_their_clinics_carers_only(intake: Intake) -> None:
    async with intake.as_("coordinator") as client:
        patient = (await client.post("/referrals", json=referral())).json()["patient_id"]
        person = await client.get(f"/people/{patient}")
        names = await client.post("/people/lookup", json={"ids": [patient, "pat_nobody"]})
    assert (person.json()["given_name"], person.json()["note"]) == ("Jane", "came with her sister")
    expected = {"patient_id": patient, "given_name": "Jane", "family_name": "Quimby"}
    assert names.json() == {"items": [expected]}
    async with intake.as_("clinician", "lakeside") as elsewhere:
        assert (await elsewhere.get(f"/people/{patient}")).status_code == 404
        assert (await elsewhere.post("/people/lookup", json={"ids": [patient]})).json() == {"items": []}
    async with intake.as_("service") as program:
        assert (await program.get(f"/people/{patient}")).status_code == 403


async def test_the_list_is_paged_filtered_and_scoped_to_the_clinic(intake: Intake) -> None:
    async with intake.as_("coordinator", "*") as client:
        for n in range(7):
            clinic = "lakeside" if n == 6 else "riverside"
            changes = {"screening": answers(SEVERE)} if n % 2 else {}
            person = {"external_id": f"P{n}", "birth_date": "1980-01-01"}
            form = referral(external_id=f"R{n}", clinic_id=clinic, person=person, **changes)
            assert (await client.post("/referrals", json=form)).status_code == 201
    seen: list[str] = []
    async with intake.as_("coordinator") as client:
        cursor: str | None = ""
        while cursor is not None:
            query = {"limit": "4"} | ({"cursor": cursor} if cursor else {})
            page = (await client.get("/referrals", params=query)).json()
            seen += [item["id"] for item in page["items"]]
            cursor = page["next"]
        waiting = (await client.get("/referrals", params={"state": "in_review"})).json()["items"]
        assert (await client.get("/referrals", params={"limit": "1000000000"})).status_code == 422
        assert (await client.get("/referrals", params={"state": "lost"})).status_code == 422
        assert (await client.get("/referrals", params={"cursor": "made-up"})).status_code == 422
    assert len(seen) == len(set(seen)) == 6
    assert seen == sorted(seen)
    assert [item["reasons"] for item in waiting] == [["severe"]] * 3


async def test_a_referral_of_another_clinic_is_404_for_reading_and_writing(intake: Intake) -> None:
    async with intake.as_("coordinator") as client:
        id = (await client.post("/referrals", json=referral())).json()["id"]
    async with intake.as_("clinician", "lakeside") as elsewhere:
        decision = {"decision": "decline", "reason": "duplicate", "alternative_offered": False}
        answered = [
            await elsewhere.get(f"/referrals/{id}"),
            await elsewhere.put(f"/referrals/{id}/screening", json={}),
            await elsewhere.put(f"/referrals/{id}/consent", json={"given": True}),
            await elsewhere.post(f"/referrals/{id}/decision", json=decision),
            await elsewhere.get("/referrals/ref_nowhere"),
        ]
    assert [response.status_code for response in answered] == [404] * 5


async def test_a_clinician_decides_and_a_stale_reader_is_told_so(intake: Intake) -> None:
    async with intake.as_("coordinator") as client:
        id = (await client.post("/referrals", json=referral(screening=answers(SEVERE)))).json()["id"]
        enrol = {"decision": "enrol", "variant": "ipt-14", "sessions": 14}
        assert (await client.post(f"/referrals/{id}/decision", json=enrol)).status_code == 403
    async with intake.as_("clinician", subject="dr") as client:
        stale = await client.post(f"/referrals/{id}/decision", json=enrol, headers={"If-Match": '"9"'})
        wrong = await client.post(f"/referrals/{id}/decision", json=enrol | {"sessions": 16})
        done = await client.post(f"/referrals/{id}/decision", json=enrol, headers={"If-Match": '"1"'})
        again = await client.post(f"/referrals/{id}/decision", json=enrol)
    assert stale.status_code == 412
    assert (wrong.status_code, wrong.json()["reason"]) == (409, "sessions_not_of_variant")
    assert (done.status_code, done.json()["stage"]["decider"]) == (200, "dr")
    assert (again.status_code, again.json()["reason"]) == (409, "already_completed")
    (completed,) = await intake.announced("IntakeCompleted")
    assert (completed["variant"], completed["sessions"], completed["decided_by"]) == (
        "ipt-14",
        14,
        "clinician",
    )


async def test_declining_is_announced_with_its_reason(intake: Intake) -> None:
    async with intake.as_("clinician") as client:
        id = (await client.post("/referrals", json=referral(screening=None))).json()["id"]
        decision = {"decision": "decline", "reason": "not_reachable", "alternative_offered": True}
        declined = await client.post(f"/referrals/{id}/decision", json=decision)
        late = await client.put(f"/referrals/{id}/consent", json={"given": False})
        unknown = await client.post(f"/referrals/{id}/decision", json=decision | {"reason": "bored"})
    assert declined.json()["state"] == "declined"
    assert (late.status_code, late.json()["reason"]) == (409, "already_declined")
    assert unknown.status_code == 422
    (event,) = await intake.announced("IntakeDeclined")
    assert (event["reason"], event["alternative_offered"]) == ("not_reachable", True)


async def test_the_books_of_referrals_balance(intake: Intake) -> None:
    async with intake.as_("clinician") as client:
        for n, screening in enumerate([answers(), answers(SEVERE), None, answers(SEVERE)]):
            form = referral(external_id=f"R{n}", person={"external_id": f"P{n}"}, age=40, screening=screening)
            id = (await client.post("/referrals", json=form)).json()["id"]
        decision = {"decision": "decline", "reason": "other_treatment", "alternative_offered": True}
        await client.post(f"/referrals/{id}/decision", json=decision)
    entries = {(entry.kind, entry.column): entry.count for entry in await intake.service.books()}
    assert entries == {
        ("referral", "expected"): 4,
        ("referral", "done"): 1,
        ("referral", "cancelled"): 1,
        ("referral", "open"): 2,
        ("crisis_flag", "expected"): 0,
        ("care_plan", "expected"): 1,
    }
