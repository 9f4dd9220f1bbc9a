"""One person through referral, initial, middle and termination phase, end and maintenance."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from deploy import books
from deploy.demo.desks import Answered
from tests.support.world import World

WELL = [0, 1, 0, 1, 0, 0, 0, 0, 0]
NEW_YORK = ZoneInfo("America/New_York")


async def test_a_person_goes_through_a_whole_course_and_nothing_disappears(kith: World) -> None:
    # Referral: complete and indicated, so a plan starts by itself.
    referral = await kith.refer()
    patient = referral["patient_id"]
    assert referral["state"] == "completed"
    plan = await kith.plan_of(patient)
    id = plan["id"]
    assert (plan["phase"], plan["attended"], plan["sessions"]) == ("initial", 0, 12)

    # The whole course stands in the calendar on day one: within 48 hours, then weekly at the same local time.
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

    # Nothing advances without the work of the initial phase, and the overdue phase is announced.
    for _ in range(3):
        view = await kith.attend(id)
    assert view["phase"] == "initial"
    (overdue,) = await kith.announced(patient, "PhaseOverdue")
    assert set(overdue["body"]["missing"]) >= {"inventory"} or overdue["body"]["missing"]
    with pytest.raises(Answered, match="409"):
        await kith.change(
            "POST", f"/plans/{id}/close", {"outcome": "completed", "reason": "treatment_finished"}
        )
    entries = [{"text": "conflict at home", "problem_area": "role_disputes", "rank": 1}]
    await kith.change("PUT", f"/plans/{id}/inventory", {"entries": entries})
    await kith.change("POST", f"/plans/{id}/inventory/complete")
    view = await kith.change("PUT", f"/plans/{id}/focus", {"problem_areas": ["role_disputes"]})
    assert view["phase"] == "middle"

    # A missed session is made up for at the end and never advances anything.
    (next_one, *_) = await kith.appointments(id)
    await kith.until(datetime.fromisoformat(next_one["starts_at"]) + timedelta(hours=1))
    view = await kith.record(id, next_one, {"outcome": "missed"})
    assert view["attended"] == 3
    assert len(await kith.appointments(id)) == 12 - 3

    # One that nobody records is announced as overdue, and can still be recorded.
    (forgotten, *_) = await kith.appointments(id)
    await kith.until(datetime.fromisoformat(forgotten["starts_at"]) + timedelta(days=4))
    (overdue,) = await kith.announced(patient, "SessionOverdue")
    assert overdue["body"]["appointment_id"] == forgotten["appointment_id"]
    assert [a["kind"] for a in await kith.alerts(patient_id=patient, kind="session_unrecorded", state="open")]
    view = await kith.record(id, forgotten, {"outcome": "attended", "phq9": {"items": WELL}})
    assert view["attended"] == 4
    assert not await kith.alerts(patient_id=patient, kind="session_unrecorded", state="open")

    # The termination phase is announced one session ahead of its start.
    while view["attended"] < 8:
        view = await kith.attend(id, WELL)
    (near,) = await kith.announced(patient, "TerminationPhaseDue")
    assert near["body"]["attended"] == 8
    assert view["phase"] == "middle"
    view = await kith.attend(id, WELL)
    assert view["phase"] == "termination"

    # The last session ends nothing while the plan for afterwards is missing.
    while view["attended"] < 12:
        view = await kith.attend(id, WELL)
    assert view["phase"] == "termination"
    signs = {"plan": "what helped", "contingency_signs": ["sleeping badly for a week"]}
    view = await kith.change("PUT", f"/plans/{id}/relapse-prevention", signs)
    assert view["phase"] == "ended"
    assert await kith.announced(patient, "MaintenanceDiscussed")

    # Maintenance: its own contract, monthly sessions announced in the morning of their day.
    view = await kith.change("POST", f"/plans/{id}/maintenance", {"frequency": "monthly"})
    assert view["phase"] == "maintenance"
    view = await kith.attend(id, WELL)
    assert view["maintenance"]["attended"] == 1
    (due, *_) = await kith.announced(patient, "MaintenanceSessionDue")
    assert datetime.fromisoformat(due["body"]["due_at"]).astimezone(NEW_YORK).hour == 8

    # Every phase was entered once, in order.
    phases = [e["body"]["phase"] for e in await kith.announced(patient, "PhaseEntered")]
    assert phases == ["middle", "termination", "ended", "maintenance"]

    # Each session was announced once, on its day; nobody learned a name.
    due_events = await kith.announced(patient, "WeeklySessionDue")
    assert len({e["body"]["appointment_id"] for e in due_events}) == len(due_events)
    assert "Brz" not in repr(await kith.story(patient))

    answers = [await kith.desks.get(s, "/books", role="engineer") for s in kith.stack.services]
    lines = books.join(books.entries(answers))
    assert [line for line in lines if not line.balanced] == []


async def test_what_caused_what_can_be_followed_from_the_referral_on(kith: World) -> None:
    patient = (await kith.refer())["patient_id"]
    story = {entry["id"]: entry for entry in await kith.story(patient)}
    scheduled = next(e for e in story.values() if e["type"] == "SessionScheduled")
    started = story[scheduled["causation_id"]]
    completed = story[started["causation_id"]]
    assert (started["type"], completed["type"]) == ("CarePlanStarted", "IntakeCompleted")
    assert {e["correlation_id"] for e in (scheduled, started, completed)} == {completed["correlation_id"]}
