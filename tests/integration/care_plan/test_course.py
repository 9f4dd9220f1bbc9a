"""A course of treatment over HTTP and messages, on a real mongod."""

import asyncio
from datetime import timedelta

from services.care_plan import inbound
from services.care_plan.domain.plan import plan_id_of
from tests.integration.care_plan.conftest import CLINIC, CarePlan


async def test_a_completed_intake_starts_a_plan_pinned_to_the_protocol(care_plan: CarePlan) -> None:
    plan = await care_plan.start()
    read = await care_plan.done("GET", f"/plans/{plan}")
    assert read["phase"] == "initial"
    assert read["contract"]["protocol_version"] == "2026.1"
    assert (read["sessions"], read["contract"]["termination_sessions"]) == (12, 3)
    assert len(read["techniques"]) == 7
    assert await care_plan.announced() == ["CarePlanStarted"]


async def test_the_same_referral_announced_twice_makes_one_plan(care_plan: CarePlan) -> None:
    await care_plan.take(care_plan.intake(), care_plan.intake(), care_plan.intake())
    await care_plan.take(care_plan.intake())
    assert await care_plan.announced() == ["CarePlanStarted"]
    assert await care_plan.letters() == []


async def test_episodes_count_a_patients_plans_within_and_across_batches(care_plan: CarePlan) -> None:
    await care_plan.take(care_plan.intake("ref_1"), care_plan.intake("ref_2"))
    await care_plan.take(care_plan.intake("ref_3"), care_plan.intake("ref_4", patient="pat_2"))
    found = await care_plan.done("GET", "/patients/pat_1/plans")
    assert [plan["episode"] for plan in found["plans"]] == [1, 2, 3]
    other = await care_plan.done("GET", f"/plans/{plan_id_of('ref_4')}")
    assert other["episode"] == 1


async def test_an_intake_that_no_protocol_knows_becomes_a_dead_letter(care_plan: CarePlan) -> None:
    await care_plan.take(
        care_plan.intake("ref_1"),
        care_plan.intake("ref_2", patient="pat_2", variant="cbt"),
        care_plan.intake("ref_3", patient="pat_3"),
    )
    assert await care_plan.announced() == ["CarePlanStarted", "CarePlanStarted"]
    assert await care_plan.letters() == ["failed_Refused"]


async def test_a_referral_id_that_another_patient_has_becomes_a_dead_letter(care_plan: CarePlan) -> None:
    await care_plan.start()
    await care_plan.take(care_plan.message(_as_somebody_else(care_plan), "ref_1"))
    assert await care_plan.letters() == ["failed_Refused"]


def _as_somebody_else(care_plan: CarePlan) -> inbound.IntakeCompleted:
    body = care_plan.intake("ref_1", patient="pat_2").body
    care_plan._told["intake.referrals", "ref_1"] -= 1
    return inbound.IntakeCompleted.model_validate_json(body)


async def test_a_course_goes_through_every_phase_to_maintenance_and_relapse(care_plan: CarePlan) -> None:
    plan = await care_plan.start()
    ended = await care_plan.end(plan)
    assert (ended["phase"], ended["attended"]) == ("ended", 12)
    contracted = await care_plan.done("POST", f"/plans/{plan}/maintenance", {"frequency": "twice_monthly"})
    assert contracted["maintenance"]["frequency"] == "twice_monthly"
    session = await care_plan.attend(plan, total=11)
    assert (session["attended"], session["maintenance"]["attended"]) == (12, 1)
    reviewed = await care_plan.done("POST", f"/plans/{plan}/maintenance/review", {"frequency": "weekly"})
    assert reviewed["maintenance"]["frequency"] == "weekly"

    response = await care_plan.ask("POST", f"/plans/{plan}/relapse", {})
    assert response.status_code == 201
    following = response.json()
    assert (following["episode"], following["phase"], following["patient_id"]) == (2, "initial", "pat_1")
    assert response.headers["location"] == f"/plans/{following['id']}"
    closed = await care_plan.done("GET", f"/plans/{plan}")
    assert closed["closed"]["outcome"] == "relapsed"

    said = await care_plan.announced()
    assert [name for name in said if name not in ("SessionAttended", "MeasureRecorded")] == [
        "CarePlanStarted",
        "FocusSelected",
        "PhaseEntered",
        "PhaseEntered",
        "ResponseReached",
        "RemissionReached",
        "PhaseEntered",
        "MaintenanceDiscussed",
        "PhaseEntered",
        "MaintenanceContracted",
        "RelapseSignalled",
        "MaintenanceContracted",
        "PhaseEntered",
        "CarePlanClosed",
        "CarePlanStarted",
    ]


async def test_the_last_session_without_final_work_is_overdue_until_it_is_recorded(
    care_plan: CarePlan,
) -> None:
    plan = await care_plan.start()
    await care_plan.prepare(plan)
    for _ in range(12):
        last = await care_plan.attend(plan)
    assert last["phase"] == "termination"
    assert last["missing"] == ["final_phq9", "relapse_prevention", "contingency_signs"]
    assert "PhaseOverdue" in await care_plan.announced()
    await care_plan.prevent(plan)
    items = {"items": [1, 1, 1, 1, 0, 0, 0, 0, 0]}
    ended = await care_plan.done("POST", f"/plans/{plan}/measures", {"phq9": items})
    assert ended["phase"] == "ended"


async def test_the_termination_phase_raised_and_the_case_review_leave_their_mark(care_plan: CarePlan) -> None:
    plan = await care_plan.start()
    about = {"patient_id": "pat_1", "clinic_id": CLINIC, "plan_id": plan, "due_at": care_plan.clock.now()}
    raised = inbound.TerminationPhaseDue(**about, attended=8, sessions=12)
    await care_plan.hear(raised, plan)
    await care_plan.hear(inbound.CaseReviewDue(**about, week=8), plan)
    read = await care_plan.done("GET", f"/plans/{plan}")
    assert read["ending_raised"]["attended"] == 8
    assert read["progress"]["not_improving_since"] is not None
    assert await care_plan.announced() == ["CarePlanStarted", "NotImproving"]


async def test_a_hold_keeps_the_plan_and_a_withdrawal_closes_it(care_plan: CarePlan) -> None:
    plan = await care_plan.start()
    held = await care_plan.done(
        "POST", f"/plans/{plan}/hold", {"reason": "travel", "review_on": "2026-02-01"}
    )
    assert held["hold"]["review_on"] == "2026-02-01"
    refused = await care_plan.ask(
        "POST", f"/plans/{plan}/sessions", {"outcome": "missed", "appointment_id": "a"}
    )
    assert (refused.status_code, refused.json()["reason"]) == (409, "on_hold")
    await care_plan.done("POST", f"/plans/{plan}/resume")
    closed = await care_plan.done(
        "POST", f"/plans/{plan}/close", {"outcome": "withdrawn", "reason": "moved_away"}
    )
    assert closed["closed"]["reason"] == "moved_away"


async def test_what_became_of_a_session_before_the_closure_is_recorded_after_it(care_plan: CarePlan) -> None:
    plan = await care_plan.start()
    took_place = care_plan.clock.now() - timedelta(hours=1)
    await care_plan.done("POST", f"/plans/{plan}/close", {"outcome": "withdrawn", "reason": "moved_away"})
    came = {"outcome": "attended", "appointment_id": "a"}
    refused = await care_plan.ask("POST", f"/plans/{plan}/sessions", came)
    assert (refused.status_code, refused.json()["reason"]) == (409, "plan_closed")
    recorded = await care_plan.done("POST", f"/plans/{plan}/sessions", came | {"at": took_place.isoformat()})
    assert (recorded["phase"], recorded["attended"]) == ("closed", 1)
    assert await care_plan.announced() == [
        "CarePlanStarted", "PhaseEntered", "CarePlanClosed", "SessionAttended",
    ]  # fmt: skip


async def test_the_books_count_each_plan_and_each_known_session_once(care_plan: CarePlan) -> None:
    finished = await care_plan.start("ref_1")
    await care_plan.end(finished)
    body = {"outcome": "completed", "reason": "treatment_finished"}
    await care_plan.done("POST", f"/plans/{finished}/close", body)
    left = await care_plan.start("ref_2", patient="pat_2")
    for outcome in ("missed", "cancelled"):
        more = {"by": "clinic", "reason": "holiday"} if outcome == "cancelled" else {}
        session = {"outcome": outcome, "appointment_id": outcome, **more}
        await care_plan.done("POST", f"/plans/{left}/sessions", session)
    await care_plan.done("POST", f"/plans/{left}/close", {"outcome": "withdrawn", "reason": "lost_contact"})
    relapsed = await care_plan.start("ref_3", patient="pat_3")
    await care_plan.end(relapsed)
    await care_plan.done("POST", f"/plans/{relapsed}/maintenance", {})
    await care_plan.done("POST", f"/plans/{relapsed}/relapse", {})
    assert await care_plan.books() == {
        "care_plan expected": 1,
        "care_plan done": 1,
        "care_plan cancelled": 2,
        "care_plan open": 1,
        "session done": 25,
        "crisis_flag expected": 0,
    }


async def test_the_same_session_recorded_by_many_at_once_counts_once(care_plan: CarePlan) -> None:
    plan = await care_plan.start()
    session = {"outcome": "attended", "appointment_id": "apt_1", "phq9": {"items": [1] * 8 + [0]}}
    answers = await asyncio.gather(
        *(care_plan.ask("POST", f"/plans/{plan}/sessions", session) for _ in range(6))
    )
    assert {answer.status_code for answer in answers} == {200}
    assert (await care_plan.announced()).count("SessionAttended") == 1


async def test_time_comes_from_the_clock(care_plan: CarePlan) -> None:
    plan = await care_plan.start()
    care_plan.clock.at += timedelta(days=3)
    session = {"outcome": "attended", "appointment_id": "apt_1"}
    recorded = await care_plan.done("POST", f"/plans/{plan}/sessions", session)
    assert recorded["recorded_sessions"][0]["at"].startswith("2026-01-08T15:00:00")
