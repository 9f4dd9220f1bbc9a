"""The scheduler over HTTP: calendar, schedules, moving, cancelling, leave, clinics."""

from datetime import timedelta
from typing import Any

import httpx2
import pytest

from shared.http.paging import encode_cursor
from tests.integration.scheduler.conftest import START, Scheduler, body, plans, started
from tests.support.http_sample import bearer

SPAN = {"from": "2026-03-02T00:00:00Z", "to": "2026-04-01T00:00:00Z"}


async def calendar(scheduler: Scheduler, **asked: Any) -> httpx2.Response:
    headers = bearer("coordinator", clinic=asked.pop("clinic", "riverside"))
    return await scheduler.http.get("/appointments", params=SPAN | asked, headers=headers)


async def test_the_calendar_shows_a_span_in_order_page_by_page(scheduler: Scheduler) -> None:
    await scheduler.start(*plans(5))
    seen, cursor = [], None
    while True:
        page = (await calendar(scheduler, limit=3, **({"cursor": cursor} if cursor else {}))).json()
        seen += page["items"]
        cursor = page["next"]
        if cursor is None:
            break
    assert len(seen) == 5 * 5
    assert [a["starts_at"] for a in seen] == sorted(a["starts_at"] for a in seen)
    assert len({a["appointment_id"] for a in seen}) == 25
    assert seen[0]["status"] == "booked"


async def test_the_calendar_of_a_clinician_or_a_patient_shows_theirs(scheduler: Scheduler) -> None:
    await scheduler.take(started("a", START), started("b", START, clinician_id="cln_r02"))
    clinicians = (await calendar(scheduler, clinician_id="cln_r02")).json()["items"]
    assert {a["plan_id"] for a in clinicians} == {"b"}
    patients = (await calendar(scheduler, patient_id="pat_a")).json()["items"]
    assert {a["plan_id"] for a in patients} == {"a"}


async def test_another_clinics_calendar_is_empty_and_its_schedules_are_absent(scheduler: Scheduler) -> None:
    await scheduler.start("plan_1")
    assert (await calendar(scheduler, clinic="lakeside")).json()["items"] == []
    foreign = bearer("coordinator", clinic="lakeside")
    for method, path, sent in (
        ("GET", "/schedules/plan_1", None),
        ("POST", "/appointments/plan_1.a1/cancel", {"reason": "patient_asked"}),
        ("POST", "/clinicians/cln_r01/leave", {"from": "2026-04-01", "to": "2026-04-01"}),
    ):
        assert (await scheduler.http.request(method, path, json=sent, headers=foreign)).status_code == 404
    assert len((await calendar(scheduler, clinic="*")).json()["items"]) == 5


@pytest.mark.parametrize(
    "asked",
    [
        {"to": "2026-05-01T00:00:00Z"},
        {"to": "2026-03-01T00:00:00Z"},
        {"from": "2026-03-02T00:00:00"},
        {"from": "yesterday"},
        {"limit": 201},
        {"cursor": "bm90LW91cnM"},
        {"cursor": encode_cursor("0001-01-01T00:00:00+14:00 x")},
        {"clinician_id": "../x"},
    ],
)
async def test_a_span_that_cannot_be_is_refused(scheduler: Scheduler, asked: dict[str, Any]) -> None:
    assert (await calendar(scheduler, **asked)).status_code == 422


async def test_a_schedule_shows_every_appointment_with_its_version(scheduler: Scheduler) -> None:
    await scheduler.start("plan_1")
    response = await scheduler.ask("GET", "/schedules/plan_1")
    assert len(response.json()["appointments"]) == 12
    assert response.headers["ETag"] == '"1"'
    assert (await scheduler.ask("GET", "/schedules/nobody")).status_code == 404


async def test_an_appointment_is_moved_and_everybody_is_told(scheduler: Scheduler) -> None:
    await scheduler.start("plan_1")
    response = await scheduler.ask("POST", "/appointments/plan_1.a2/move", {"local_time": "2026-03-11T14:00"})
    assert response.status_code == 200, response.text
    assert response.json()["local_time"] == "2026-03-11T14:00"
    moved = [body(e) for e in await scheduler.announced() if e.type == "SessionMoved"]
    assert [event["reason"] for event in moved] == ["asked"]
    assert "cln_r01|2026-03-11T18:00Z" in await scheduler.slots()


@pytest.mark.parametrize(
    ("local_time", "reason"),
    [
        ("2026-03-11T19:00", "outside_clinic_hours"),
        ("2026-03-14T10:00", "outside_clinic_hours"),
        ("2026-05-25T10:00", "holiday"),
        ("2026-03-17T09:00", "slot_taken"),
        ("2026-03-02T09:00", "in_the_past"),
        ("2062-03-09T10:00", "too_far_ahead"),
    ],
)
async def test_a_move_that_cannot_be_is_refused_with_its_reason(
    scheduler: Scheduler, local_time: str, reason: str
) -> None:
    await scheduler.start("plan_1")
    response = await scheduler.ask("POST", "/appointments/plan_1.a2/move", {"local_time": local_time})
    assert (response.status_code, response.json()["reason"]) == (409, reason)


@pytest.mark.parametrize(
    "local_time", ["2026-03-11T14:00:60", "2026-03-11", "2026-03-11T14:00Z", "2026-02-30T10:00", 5]
)
async def test_what_is_no_wall_time_is_refused_without_an_echo(
    scheduler: Scheduler, local_time: object
) -> None:
    await scheduler.start("plan_1")
    response = await scheduler.ask("POST", "/appointments/plan_1.a2/move", {"local_time": local_time})
    assert response.status_code == 422
    assert str(local_time) not in response.text.replace("2026-03-09T10:00", "") or local_time == 5


async def test_what_was_seen_in_another_version_is_not_changed(scheduler: Scheduler) -> None:
    await scheduler.start("plan_1")
    move = {"local_time": "2026-03-11T14:00"}
    stale = await scheduler.ask("POST", "/appointments/plan_1.a2/move", move, **{"If-Match": '"7"'})
    assert stale.status_code == 412
    fresh = await scheduler.ask("POST", "/appointments/plan_1.a2/move", move, **{"If-Match": '"1"'})
    assert fresh.headers["ETag"] == '"2"'


async def test_a_cancellation_sent_twice_with_one_key_is_one(scheduler: Scheduler) -> None:
    await scheduler.start("plan_1")
    for _ in range(2):
        response = await scheduler.ask(
            "POST", "/appointments/plan_1.a2/cancel", {"reason": "clinic_asked"}, **{"Idempotency-Key": "k1"}
        )
        assert response.json()["asked_by"] == "clinic_asked"
    again = await scheduler.ask("POST", "/appointments/plan_1.a2/cancel", {"reason": "clinic_asked"})
    assert (again.status_code, again.json()["reason"]) == (409, "already_cancelled")
    assert (await scheduler.types()).count("AppointmentCancelled") == 1


async def test_leave_moves_what_stands_in_its_way_and_can_be_taken_back(scheduler: Scheduler) -> None:
    await scheduler.start(*plans(4))
    response = await scheduler.ask(
        "POST", "/clinicians/cln_r01/leave", {"from": "2026-03-16", "to": "2026-03-20"}
    )
    assert response.status_code == 201, response.text
    given = response.json()
    assert given["from"] == "2026-03-16"
    assert len(given["moved"]) == 4
    moved = [body(e) for e in await scheduler.announced() if e.type == "SessionMoved"]
    assert {event["reason"] for event in moved} == {"clinician_leave"}
    assert not any("2026-03-16" <= slot.rpartition("|")[2] < "2026-03-21" for slot in await scheduler.slots())
    refused = await scheduler.ask(
        "POST", "/appointments/plan_000.a1/move", {"local_time": "2026-03-18T10:00"}
    )
    assert refused.json()["reason"] == "clinician_on_leave"
    listed = (await scheduler.ask("GET", "/clinicians/cln_r01/leave")).json()["items"]
    assert [entry["leave_id"] for entry in listed] == [given["leave_id"]]
    assert (await scheduler.ask("DELETE", response.headers["Location"])).status_code == 204
    assert (await scheduler.ask("DELETE", response.headers["Location"])).status_code == 404
    allowed = await scheduler.ask(
        "POST", "/appointments/plan_000.a1/move", {"local_time": "2026-03-18T10:00"}
    )
    assert allowed.status_code == 200


async def test_a_plan_booked_into_leave_while_it_was_entered_is_moved_a_minute_later(
    scheduler: Scheduler,
) -> None:
    fact = started("plan_1", START)
    work = scheduler.work()
    await work.prefetch([fact])
    leave = {"from": "2026-03-09", "to": "2026-03-13"}
    assert (await scheduler.ask("POST", "/clinicians/cln_r01/leave", leave)).json()["moved"] == []
    from services.scheduler.handlers import when_care_plan_started_book_the_course

    when_care_plan_started_book_the_course(fact, work)
    await work.commit()
    rechecking = scheduler.rechecking()
    due = await rechecking.due()
    assert due == START + timedelta(minutes=1)
    assert await rechecking.tick(due) == 1
    assert await rechecking.tick(due) == 0
    assert await rechecking.due() is None
    assert (await scheduler.types()).count("SessionMoved") == 1


@pytest.mark.parametrize(
    "leave",
    [
        {"from": "2026-03-20", "to": "2026-03-16"},
        {"from": "2026-03-20", "to": "2028-03-16"},
        {"from": "0001-01-01", "to": "0001-01-02"},
        {"from": "9999-12-30", "to": "9999-12-31"},
        {"from": "2026-03-20"},
        {"from": 5, "to": 6},
        {"from": "2026-03-20", "to": "2026-03-21", "why": "private"},
    ],
)
async def test_leave_that_is_no_span_of_days_is_refused(scheduler: Scheduler, leave: dict[str, Any]) -> None:
    assert (await scheduler.ask("POST", "/clinicians/cln_r01/leave", leave)).status_code == 422


async def test_only_coordinators_enter_leave(scheduler: Scheduler) -> None:
    leave = {"from": "2026-03-16", "to": "2026-03-20"}
    clinician = bearer("clinician", clinic="riverside")
    assert (await scheduler.ask("POST", "/clinicians/cln_r01/leave", leave, **clinician)).status_code == 403
    assert (await scheduler.ask("POST", "/clinicians/nobody/leave", leave)).status_code == 404


async def test_past_leave_is_refused_by_name(scheduler: Scheduler) -> None:
    response = await scheduler.ask(
        "POST", "/clinicians/cln_r01/leave", {"from": "2026-02-02", "to": "2026-02-03"}
    )
    assert response.json()["reason"] == "in_the_past"


async def test_clinics_show_their_zone_and_hours_to_those_who_may_see_them(scheduler: Scheduler) -> None:
    own = (await scheduler.ask("GET", "/clinics")).json()["items"]
    assert [(c["id"], c["zone"], c["opens"], c["closes"]) for c in own] == [
        ("riverside", "America/New_York", "09:00", "17:00")
    ]
    everywhere = bearer("coordinator", clinic="*")
    assert len((await scheduler.ask("GET", "/clinics", **everywhere)).json()["items"]) == 2
