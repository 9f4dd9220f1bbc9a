"""No sign of danger is lost, and a crisis holds a plan where it is."""

import pytest

from services.care_plan import handlers, inbound
from services.care_plan.domain.measures import Phq9
from services.care_plan.domain.sessions import Attended
from services.care_plan.store import CarePlanWork
from shared.http.caller import Call, Caller
from shared.messaging.work import Conflict
from tests.integration.care_plan.conftest import CLINIC, CarePlan, Json, answers
from tests.support.http_sample import bearer

FLAGS = "care-plan.crisis-flags"
CLINICIAN = Call(Caller("somebody", frozenset({"clinician"}), CLINIC), "request", None, None, b"")


async def test_a_positive_item_nine_is_flagged_at_once_and_answered_with_988(care_plan: CarePlan) -> None:
    plan = await care_plan.start()
    recorded = await care_plan.attend(plan, total=4, item9=1)
    assert recorded["crisis"] == "open"
    assert recorded["crisis_notice"]["evidence"] == ["phq9_item9"]
    assert "988" in recorded["crisis_notice"]["support"]
    assert "741741" in recorded["crisis_notice"]["support"]
    assert await care_plan.announced(FLAGS) == ["CrisisFlagRaised"]


async def test_an_item_nine_of_zero_clears_nothing(care_plan: CarePlan) -> None:
    plan = await care_plan.start()
    await care_plan.done("POST", f"/plans/{plan}/crisis-flag")
    recorded = await care_plan.attend(plan, total=0)
    assert recorded["crisis"] == "open"
    assert recorded["crisis_notice"] is None


@pytest.mark.parametrize("answer", ["often", 7, True, 1.5, [], {"$ne": None}])
async def test_an_unreadable_item_nine_is_kept_as_missing_and_flagged(
    care_plan: CarePlan, answer: object
) -> None:
    plan = await care_plan.start()
    body = {"phq9": {"items": [0] * 8 + [answer]}}
    recorded = await care_plan.done("POST", f"/plans/{plan}/measures", body)
    assert recorded["crisis_notice"]["severity"] == "moderate"
    assert recorded["crisis_notice"]["evidence"] == ["unassessable"]
    assert recorded["measures"][0]["total"] is None


async def test_a_high_screener_is_flagged_high(care_plan: CarePlan) -> None:
    plan = await care_plan.start()
    screener = {"q1": True, "q2": "yes", "q3": False, "q4": True, "q5": False, "q6": "no"}
    recorded = await care_plan.done("POST", f"/plans/{plan}/measures", {"cssrs": screener})
    assert recorded["crisis_notice"]["severity"] == "high"


async def test_a_crisis_holds_back_phase_and_closure_until_it_is_resolved(care_plan: CarePlan) -> None:
    plan = await care_plan.start()
    await care_plan.prepare(plan)
    await care_plan.attend(plan)
    await care_plan.attend(plan)
    await care_plan.alert("raised")
    assert (await care_plan.attend(plan))["phase"] == "initial"
    close = {"outcome": "withdrawn", "reason": "moved_away"}
    refused = await care_plan.ask("POST", f"/plans/{plan}/close", close)
    assert (refused.status_code, refused.json()["reason"]) == (409, "crisis_unresolved")
    for state, seen in [("acknowledged", "acknowledged"), ("assessed", "assessed")]:
        await care_plan.alert(state)
        assert (await care_plan.done("GET", f"/plans/{plan}"))["crisis"] == seen
    await care_plan.alert("resolved")
    read = await care_plan.done("GET", f"/plans/{plan}")
    assert (read["crisis"], read["phase"]) == ("resolved", "middle")


@pytest.mark.parametrize("first", ["recorded", "resolved"])
async def test_a_crisis_resolved_while_the_last_session_is_recorded_lets_the_plan_go_on(
    care_plan: CarePlan, first: str
) -> None:
    """Each reads what the other has not written yet: one of the two must decide again."""
    plan = await care_plan.start()
    await care_plan.prepare(plan)
    await care_plan.prevent(plan)
    for _ in range(11):
        await care_plan.attend(plan)
    await care_plan.alert("raised")
    recording, resolving = (CarePlanWork(care_plan.database, now=care_plan.clock.now()) for _ in range(2))
    resolved = inbound.AlertResolved(
        patient_id="pat_1",
        clinic_id=CLINIC,
        alert_id="al_1",
        kind="crisis",
        resolved_at=care_plan.clock.now(),
    )
    last = Attended(appointment_id="the_last", phq9=Phq9(items=(0,) * 9))
    await recording.load_plan(plan)
    await resolving.prefetch([resolved])
    handlers.record_session(recording, CLINICIAN, plan, last, None)
    handlers.when_alert_resolved_let_plans_go_on(resolved, resolving)
    works = [recording, resolving] if first == "recorded" else [resolving, recording]
    await works[0].commit()
    with pytest.raises(Conflict):
        await works[1].commit()
    if first == "recorded":
        await care_plan.alert("resolved")
    else:
        body = {"outcome": "attended", "appointment_id": "the_last", "phq9": {"items": [0] * 9}}
        await care_plan.done("POST", f"/plans/{plan}/sessions", body)
    assert (await care_plan.done("GET", f"/plans/{plan}"))["phase"] == "ended"


async def test_a_flag_on_its_way_holds_the_plan_when_an_older_crisis_is_resolved(
    care_plan: CarePlan,
) -> None:
    plan = await care_plan.start()
    await care_plan.prepare(plan)
    await care_plan.attend(plan)
    await care_plan.attend(plan)
    await care_plan.alert("raised")
    await care_plan.attend(plan)
    await care_plan.done("POST", f"/plans/{plan}/crisis-flag")
    await care_plan.alert("resolved")
    read = await care_plan.done("GET", f"/plans/{plan}")
    assert (read["crisis"], read["phase"]) == ("open", "initial")
    [flag] = await care_plan.bodies(FLAGS)
    await care_plan.alert("raised", "al_2", evidence=flag["flag_id"])
    await care_plan.alert("resolved", "al_2")
    read = await care_plan.done("GET", f"/plans/{plan}")
    assert (read["crisis"], read["phase"]) == ("resolved", "middle")


async def test_a_flag_that_joins_an_open_crisis_ends_with_it(care_plan: CarePlan) -> None:
    plan = await care_plan.start()
    await care_plan.alert("raised")
    await care_plan.done("POST", f"/plans/{plan}/crisis-flag")
    [flag] = await care_plan.bodies(FLAGS)
    await care_plan.alert("joined", evidence=flag["flag_id"])
    await care_plan.alert("resolved")
    assert (await care_plan.done("GET", f"/plans/{plan}"))["crisis"] == "resolved"


async def test_a_crisis_that_new_evidence_reopens_is_open_again(care_plan: CarePlan) -> None:
    plan = await care_plan.start()
    for state in ("raised", "acknowledged", "assessed"):
        await care_plan.alert(state)
    await care_plan.alert("joined")
    assert (await care_plan.done("GET", f"/plans/{plan}"))["crisis"] == "assessed"
    await care_plan.alert("joined", reopened=True)
    assert (await care_plan.done("GET", f"/plans/{plan}"))["crisis"] == "open"


async def test_a_flag_is_waited_for_although_an_alert_is_about_a_message_nobody_could_read(
    care_plan: CarePlan,
) -> None:
    plan = await care_plan.start()
    await care_plan.prepare(plan)
    await care_plan.attend(plan)
    await care_plan.attend(plan)
    await care_plan.alert("raised")
    await care_plan.attend(plan)
    await care_plan.done("POST", f"/plans/{plan}/crisis-flag")
    await care_plan.alert("joined", evidence="dead_1", reason="crisis_message_unreadable")
    await care_plan.alert("resolved")
    read = await care_plan.done("GET", f"/plans/{plan}")
    assert (read["crisis"], read["phase"]) == ("open", "initial")
    [flag] = await care_plan.bodies(FLAGS)
    await care_plan.alert("raised", "al_2", evidence=flag["flag_id"])
    await care_plan.alert("resolved", "al_2")
    assert (await care_plan.done("GET", f"/plans/{plan}"))["phase"] == "middle"


async def test_an_alert_of_a_release_that_names_no_evidence_answers_every_flag(care_plan: CarePlan) -> None:
    plan = await care_plan.start()
    await care_plan.done("POST", f"/plans/{plan}/crisis-flag")
    await care_plan.alert("raised", evidence=None)
    await care_plan.alert("resolved")
    assert (await care_plan.done("GET", f"/plans/{plan}"))["crisis"] == "resolved"


async def test_an_alert_that_arrives_before_the_plan_is_known_to_it(care_plan: CarePlan) -> None:
    await care_plan.alert("raised")
    plan = await care_plan.start()
    assert (await care_plan.done("GET", f"/plans/{plan}"))["crisis"] == "open"


async def test_alerts_of_other_kinds_hold_nothing_back(care_plan: CarePlan) -> None:
    plan = await care_plan.start()
    await care_plan.alert("raised", kind="missed_session")
    assert (await care_plan.done("GET", f"/plans/{plan}"))["crisis"] == "none"


async def test_a_flag_is_raised_on_a_plan_on_hold_and_on_a_closed_one(care_plan: CarePlan) -> None:
    plan = await care_plan.start()
    await care_plan.done("POST", f"/plans/{plan}/hold", {"reason": "illness", "review_on": "2026-02-01"})
    await care_plan.done("POST", f"/plans/{plan}/measures", {"phq9": {"items": answers(3, 1)}})
    close = {"outcome": "withdrawn", "reason": "moved_away", "crisis_handed_over_to": "another_provider"}
    await care_plan.done("POST", f"/plans/{plan}/close", close)
    measured = await care_plan.done("POST", f"/plans/{plan}/measures", {"phq9": {"items": answers(3, 1)}})
    assert len(measured["measures"]) == 2
    await care_plan.done("POST", f"/plans/{plan}/crisis-flag")
    assert len(await care_plan.announced(FLAGS)) == 3


BAD: list[tuple[int, Json]] = [
    (422, {"outcome": "attended", "appointment_id": "a", "phq9": {"items": [0] * 8 + [2]}, "typo": 1}),
    (422, {"outcome": "atended", "appointment_id": "a", "phq9": {"items": [0] * 8 + [2]}}),
    (422, {"outcome": "attended", "appointment_id": "a", "phq9": {"items": [9] * 8 + ["2"]}}),
    (422, {"outcome": "missed", "appointment_id": "a", "crisis": True}),
    (422, {"outcome": "attended", "appointment_id": "a", "cssrs": "yes"}),
]


@pytest.mark.parametrize(("status", "body"), BAD)
async def test_signs_in_an_invalid_form_are_flagged_once_before_it_is_refused(
    care_plan: CarePlan, status: int, body: Json
) -> None:
    plan = await care_plan.start()
    for _ in range(2):
        response = await care_plan.ask("POST", f"/plans/{plan}/sessions", body)
        assert response.status_code == status, response.text
        assert "988" in response.json()["crisis_notice"]["support"]
    assert await care_plan.announced(FLAGS) == ["CrisisFlagRaised"]


async def test_signs_in_a_session_that_a_rule_refuses_are_flagged(care_plan: CarePlan) -> None:
    plan = await care_plan.start()
    await care_plan.done("POST", f"/plans/{plan}/close", {"outcome": "withdrawn", "reason": "moved_away"})
    body = {"outcome": "attended", "appointment_id": "a", "phq9": {"items": answers(3, 1)}}
    response = await care_plan.ask("POST", f"/plans/{plan}/sessions", body)
    assert (response.status_code, response.json()["reason"]) == (409, "plan_closed")
    assert "988" in response.json()["crisis_notice"]["support"]
    assert await care_plan.announced(FLAGS) == ["CrisisFlagRaised"]


async def test_a_stale_version_does_not_silence_a_sign(care_plan: CarePlan) -> None:
    plan = await care_plan.start()
    body = {"phq9": {"items": answers(3, 1)}}
    response = await care_plan.ask("POST", f"/plans/{plan}/measures", body, **{"If-Match": '"99"'})
    assert response.status_code == 412
    assert "988" in response.json()["crisis_notice"]["support"]
    assert await care_plan.announced(FLAGS) == ["CrisisFlagRaised"]


@pytest.mark.parametrize("headers", [{"If-Match": 'W/"7"'}, {"Idempotency-Key": "a b"}])
async def test_a_header_nobody_understands_does_not_silence_a_sign(
    care_plan: CarePlan, headers: dict[str, str]
) -> None:
    plan = await care_plan.start()
    body = {"phq9": {"items": answers(3, 1)}}
    for path, sent, times in [("measures", body, 1), ("crisis-flag", None, 2), ("crisis-flag", None, 3)]:
        response = await care_plan.ask("POST", f"/plans/{plan}/{path}", sent, **headers)
        assert response.status_code == 400
        assert "988" in response.json()["crisis_notice"]["support"]
        assert len(await care_plan.announced(FLAGS)) == times


async def test_a_key_used_before_does_not_silence_a_flag(care_plan: CarePlan) -> None:
    first, second = await care_plan.start("ref_1"), await care_plan.start("ref_2", patient="pat_2")
    for plan in (first, second, second):
        response = await care_plan.ask("POST", f"/plans/{plan}/crisis-flag", **{"Idempotency-Key": "k"})
        assert response.status_code == 200
    assert await care_plan.announced(FLAGS) == ["CrisisFlagRaised"] * 2


NEWER = [
    ("plans", {"contract.protocol_version": "2099.1"}),
    ("plans", {"novel": 1}),
    ("crises", {"novel": 1}),
]


@pytest.mark.parametrize(("collection", "change"), NEWER)
async def test_what_a_newer_release_wrote_does_not_silence_a_flag(
    care_plan: CarePlan, collection: str, change: Json
) -> None:
    plan = await care_plan.start()
    await care_plan.done("POST", f"/plans/{plan}/crisis-flag")
    await care_plan.database[collection].update_one({}, {"$set": change})
    flagged = await care_plan.ask("POST", f"/plans/{plan}/crisis-flag")
    assert flagged.status_code == 200
    assert flagged.json()["crisis"] == "open"
    assert "988" in flagged.json()["crisis_notice"]["support"]
    danger = {"phq9": {"items": answers(3, 1)}}
    recorded = await care_plan.ask("POST", f"/plans/{plan}/measures", danger)
    assert recorded.status_code in (409, 503), "nothing is recorded in what we cannot read"
    assert "988" in recorded.json()["crisis_notice"]["support"]
    assert await care_plan.announced(FLAGS) == ["CrisisFlagRaised"] * 3
    (stored,) = [row async for row in care_plan.database["plans"].find()]
    assert (stored["crisis_flags"], stored["version"]) == (3, 4)
    assert stored.get("novel") == (change.get("novel") if collection == "plans" else None)


async def test_a_plan_that_a_newer_release_wrote_keeps_no_crisis_from_opening(care_plan: CarePlan) -> None:
    plan = await care_plan.start()
    await care_plan.database["plans"].update_one({}, {"$set": {"novel": 1}})
    await care_plan.alert("raised")
    await care_plan.database["plans"].update_one({}, {"$unset": {"novel": ""}})
    assert (await care_plan.done("GET", f"/plans/{plan}"))["crisis"] == "open"


async def test_a_region_that_the_release_before_wrote_is_read_and_lifted(care_plan: CarePlan) -> None:
    plan = await care_plan.start()
    await care_plan.alert("raised")
    before = {"flagged_at": None, "resolved_at": None}
    await care_plan.database["crises"].update_one({}, {"$set": before, "$unset": {"unanswered": ""}})
    assert (await care_plan.done("GET", f"/plans/{plan}"))["crisis"] == "open"
    await care_plan.alert("resolved")
    assert (await care_plan.done("GET", f"/plans/{plan}"))["crisis"] == "resolved"


async def test_nobody_flags_another_clinics_patient(care_plan: CarePlan) -> None:
    plan = await care_plan.start()
    other = bearer("clinician", clinic="lakeside")
    for path, body in [("crisis-flag", None), ("sessions", BAD[0][1])]:
        response = await care_plan.ask("POST", f"/plans/{plan}/{path}", body, **other)
        assert response.status_code == 404
    engineer = bearer("engineer", clinic=CLINIC)
    assert (await care_plan.ask("POST", f"/plans/{plan}/sessions", BAD[0][1], **engineer)).status_code == 403
    assert await care_plan.announced(FLAGS) == []
