"""One person through referral, initial, middle and termination phase, end and maintenance."""

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from deploy import books
from deploy.demo.desks import Answered
from tests.support.world import World

WELL = [0, 1, 0, 1, 0, 0, 0, 0, 0]
NEW_YORK = ZoneInfo("America/New_York")


async def test_a_person_goes_through_a_whole_course_and_nothing_disappears(kith: World) -> None:
    patient, id = await a_complete_referral_starts_a_plan_by_itself(kith)
    await the_whole_course_stands_in_the_calendar_on_day_one(kith, id)
    await the_initial_phase_does_not_end_before_its_work_is_done(kith, patient, id)
    await a_missed_session_is_made_up_for_and_advances_nothing(kith, id)
    await a_session_nobody_recorded_is_overdue_and_can_still_be_recorded(kith, patient, id)
    await the_termination_phase_is_announced_one_session_ahead(kith, patient, id)
    await the_last_session_ends_nothing_without_the_plan_for_afterwards(kith, patient, id)
    await maintenance_has_a_contract_of_its_own(kith, patient, id)
    await every_phase_was_entered_once_and_in_order(kith, patient)
    await each_session_was_announced_once_and_nobody_learned_a_name(kith, patient)
    await the_books_balance(kith)


async def a_complete_referral_starts_a_plan_by_itself(kith: World) -> tuple[str, str]:
    """Ids of the person and of the plan: complete and indicated, so nobody had to decide."""
    referral = await kith.refer()
    assert referral["state"] == "completed"
    plan = await kith.plan_of(referral["patient_id"])
    assert (plan["phase"], plan["attended"], plan["sessions"]) == ("initial", 0, 12)
    return referral["patient_id"], plan["id"]


async def the_whole_course_stands_in_the_calendar_on_day_one(kith: World, id: str) -> None:
    """Within 48 hours, then weekly at the same local time."""
    course = await kith.appointments(id)
    starts = [datetime.fromisoformat(a["starts_at"]) for a in course]
    assert len(course) == 12
    assert starts[0] - kith.now <= timedelta(hours=48)
    assert {a["zone"] for a in course} == {"America/New_York"}
    regular = [a for a in course if not a["adjusted"]]
    assert len({a["local_time"][11:] for a in regular}) == 1
    assert len({start.hour for start in starts}) > 1, (
        "UTC shifts with daylight saving, the wall clock does not"
    )


async def the_initial_phase_does_not_end_before_its_work_is_done(kith: World, patient: str, id: str) -> None:
    """It is announced as overdue and nothing advances, until inventory and focus are there."""
    for _ in range(3):
        view = await kith.attend(id)
    assert view["phase"] == "initial"
    (overdue,) = await kith.announced(patient, "PhaseOverdue")
    assert overdue["body"]["missing"] == ["inventory", "focus"]
    with pytest.raises(Answered, match="409"):
        await kith.change(
            "POST", f"/plans/{id}/close", {"outcome": "completed", "reason": "treatment_finished"}
        )
    entries = [{"text": "conflict at home", "problem_area": "role_disputes", "rank": 1}]
    await kith.change("PUT", f"/plans/{id}/inventory", {"entries": entries})
    await kith.change("POST", f"/plans/{id}/inventory/complete")
    view = await kith.change("PUT", f"/plans/{id}/focus", {"problem_areas": ["role_disputes"]})
    assert view["phase"] == "middle"


async def a_missed_session_is_made_up_for_and_advances_nothing(kith: World, id: str) -> None:
    (next_one, *_) = await kith.appointments(id)
    await kith.until(datetime.fromisoformat(next_one["starts_at"]) + timedelta(hours=1))
    view = await kith.record(id, next_one, {"outcome": "missed"})
    assert view["attended"] == 3
    assert len(await kith.appointments(id)) == 12 - 3


async def a_session_nobody_recorded_is_overdue_and_can_still_be_recorded(
    kith: World, patient: str, id: str
) -> None:
    async def asked_for() -> list[dict[str, Any]]:
        return await kith.alerts(patient_id=patient, kind="session_unrecorded", state="open")

    (forgotten, *_) = await kith.appointments(id)
    await kith.until(datetime.fromisoformat(forgotten["starts_at"]) + timedelta(days=4))
    (overdue,) = await kith.announced(patient, "SessionOverdue")
    assert overdue["body"]["appointment_id"] == forgotten["appointment_id"]
    assert len(await asked_for()) == 1
    view = await kith.record(id, forgotten, {"outcome": "attended", "phq9": {"items": WELL}})
    assert view["attended"] == 4
    assert await asked_for() == []


async def the_termination_phase_is_announced_one_session_ahead(kith: World, patient: str, id: str) -> None:
    view = await attend_up_to(8, kith, id)
    (near,) = await kith.announced(patient, "TerminationPhaseDue")
    assert near["body"]["attended"] == 8
    assert view["phase"] == "middle"
    view = await kith.attend(id, WELL)
    assert view["phase"] == "termination"


async def the_last_session_ends_nothing_without_the_plan_for_afterwards(
    kith: World, patient: str, id: str
) -> None:
    view = await attend_up_to(12, kith, id)
    assert view["phase"] == "termination"
    signs = {"plan": "what helped", "contingency_signs": ["sleeping badly for a week"]}
    view = await kith.change("PUT", f"/plans/{id}/relapse-prevention", signs)
    assert view["phase"] == "ended"
    assert len(await kith.announced(patient, "MaintenanceDiscussed")) == 1


async def maintenance_has_a_contract_of_its_own(kith: World, patient: str, id: str) -> None:
    """Monthly sessions, announced in the morning of their day."""
    view = await kith.change("POST", f"/plans/{id}/maintenance", {"frequency": "monthly"})
    assert view["phase"] == "maintenance"
    view = await kith.attend(id, WELL)
    assert view["maintenance"]["attended"] == 1
    (due, *_) = await kith.announced(patient, "MaintenanceSessionDue")
    assert datetime.fromisoformat(due["body"]["due_at"]).astimezone(NEW_YORK).hour == 8


async def every_phase_was_entered_once_and_in_order(kith: World, patient: str) -> None:
    phases = [e["body"]["phase"] for e in await kith.announced(patient, "PhaseEntered")]
    assert phases == ["middle", "termination", "ended", "maintenance"]


async def each_session_was_announced_once_and_nobody_learned_a_name(kith: World, patient: str) -> None:
    due_events = await kith.announced(patient, "WeeklySessionDue")
    assert len({e["body"]["appointment_id"] for e in due_events}) == len(due_events)
    assert "Brz" not in repr(await kith.story(patient))


async def the_books_balance(kith: World) -> None:
    answers = [await kith.desks.get(s, "/books", role="engineer") for s in kith.stack.services]
    lines = books.join(books.entries(answers))
    assert [line for line in lines if not line.balanced] == []


async def attend_up_to(count: int, kith: World, id: str) -> dict[str, Any]:
    """Attend, well by now, until so many sessions of the contract are attended; the plan then."""
    plan: dict[str, Any] = await kith.desks.get("care_plan", f"/plans/{id}")
    while plan["attended"] < count:
        plan = await kith.attend(id, WELL)
    return plan


async def test_what_caused_what_can_be_followed_from_the_referral_on(kith: World) -> None:
    patient = (await kith.refer())["patient_id"]
    story = {entry["id"]: entry for entry in await kith.story(patient)}
    scheduled = next(e for e in story.values() if e["type"] == "SessionScheduled")
    started = story[scheduled["causation_id"]]
    completed = story[started["causation_id"]]
    assert (started["type"], completed["type"]) == ("CarePlanStarted", "IntakeCompleted")
    assert {e["correlation_id"] for e in (scheduled, started, completed)} == {completed["correlation_id"]}
