"""The calendar's forms and feeds by request: who may do what, once, and what is said when others are away."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from icalendar import Calendar

from services.dashboard import feeds
from services.dashboard.calendar import with_appointment
from services.dashboard.domain.person import Appointment, Course, Person
from services.dashboard.feeds import Feed
from services.dashboard.store import FEEDS, PEOPLE, STORY, Row
from tests.integration.dashboard.conftest import Dashboard

NEXT = (datetime.now(UTC) + timedelta(days=7)).replace(hour=15, minute=0, second=0, microsecond=0)
ADDRESS = re.compile(r'value="(http://dashboard/calendar/feeds/[^"]+)"')
HIDDEN = re.compile(r'name="(csrf|idempotency_key)" value="([^"]+)"')
OF = {"clinician": "cln_r01"}


async def keep_person(dashboard: Dashboard) -> None:
    """Somebody with a session in a week, one that was taken off, and a name that nobody here knows."""
    known = {"clinician_id": "cln_r01", "minutes": 60, "zone": "America/New_York"}
    local = NEXT.replace(tzinfo=None).isoformat()
    sessions = (
        Appointment(id="pln_1.a5", number=5, starts_at=NEXT, local_time=local, **known),
        Appointment(id="pln_1.a6", number=6, starts_at=NEXT, local_time=local, withdrawn="held", **known),
    )
    course = Course(id="pln_1", sessions=16, started_at=NEXT, appointments=sessions)
    row = Row.of(Person(id="pat_1", clinic_id="riverside", courses=(course,))).model_dump()
    await dashboard.database[PEOPLE].insert_one({"_id": row.pop("id"), **row})
    for place, type in enumerate(("SessionScheduled", "SessionMoved")):
        said = {"appointment_id": "pln_1.a5"}
        entry = {"_id": f"s{place}", "patient_id": "pat_1", "type": type, "at": NEXT, "said": said}
        await dashboard.database[STORY].insert_one(entry)


async def form_of(viewer: httpx2.AsyncClient, path: str = "/calendar?clinician=cln_r01") -> dict[str, str]:
    page = await viewer.get(path)
    assert page.status_code == 200
    return {**dict(HIDDEN.findall(page.text)), "clinician_id": "cln_r01"}


async def address_of(viewer: httpx2.AsyncClient, form: dict[str, str]) -> str:
    """Make the address, and read it from the page that follows."""
    made = await viewer.post("/calendar/feeds", data=form)
    assert made.status_code == 303
    page = await viewer.get(made.headers["location"])
    (address,) = ADDRESS.findall(page.text)
    again = await viewer.get(made.headers["location"])
    assert not ADDRESS.findall(again.text), "it is shown once"
    return str(address)


async def test_a_feed_is_read_by_its_address_alone_until_it_is_renewed_or_withdrawn(
    dashboard: Dashboard,
) -> None:
    await keep_person(dashboard)
    async with (
        dashboard.as_("clinician", "riverside", "cln_r01") as clinician,
        dashboard.nobody() as program,
    ):
        first = await address_of(clinician, await form_of(clinician))
        answer = await program.get(first)
        assert answer.headers["cache-control"].startswith("private")
        events = {str(one["uid"]): one for one in Calendar.from_ical(answer.content).walk("VEVENT")}
        assert events["pln_1.a5"].start == NEXT
        assert (str(events["pln_1.a5"]["summary"]), int(events["pln_1.a5"]["sequence"])) == (
            "Session 5 of 16",
            1,
        )
        assert str(events["pln_1.a6"]["status"]) == "CANCELLED"
        second = await address_of(clinician, await form_of(clinician))
        assert (await program.get(first)).status_code == 404
        assert (await program.get(second)).status_code == 200
        await clinician.post("/calendar/feeds/withdraw", data=await form_of(clinician))
        assert (await program.get(second)).status_code == 404


async def test_a_feed_made_by_a_form_sent_twice_is_one(dashboard: Dashboard) -> None:
    async with dashboard.as_("clinician", "riverside", "cln_r01") as clinician:
        form = await form_of(clinician)
        once = await address_of(clinician, form)
        assert await address_of(clinician, form) == once
    kept = await dashboard.stored(FEEDS)
    assert len(kept) == 1
    assert once.rpartition("/")[2].removesuffix(".ics") not in repr(kept), "the secret itself is not kept"


@pytest.mark.parametrize("secret", ["x", "a" * 43, "..%2f", "%00"])
async def test_a_wrong_address_is_as_if_absent(dashboard: Dashboard, secret: str) -> None:
    async with dashboard.nobody() as program:
        answer = await program.get(f"/calendar/feeds/{secret}.ics")
    assert answer.status_code in (404, 422)
    assert "kith" not in answer.text.replace("urn:kith", "")


async def test_nobody_makes_the_address_of_somebody_elses_calendar(dashboard: Dashboard) -> None:
    async with dashboard.as_("clinician", "riverside", "cln_r02") as other:
        form = await form_of(other, "/calendar?clinician=cln_r02")
        assert (
            await other.post("/calendar/feeds", data={**form, **OF, "clinician_id": "cln_r01"})
        ).status_code == 403
    async with dashboard.as_("coordinator", "lakeside") as elsewhere:
        form = await form_of(elsewhere, "/calendar?clinician=cln_l01")
        assert (
            await elsewhere.post("/calendar/feeds", data={**form, "clinician_id": "cln_r01"})
        ).status_code == 404
    assert await dashboard.stored(FEEDS) == []


async def test_the_calendar_works_and_says_so_while_the_scheduler_is_away(dashboard: Dashboard) -> None:
    await keep_person(dashboard)
    year, week, _ = NEXT.isocalendar()
    async with dashboard.as_("coordinator", "riverside") as coordinator:
        page = await coordinator.get(f"/calendar?clinician=cln_r01&week={year}-W{week:02d}")
        assert page.status_code == 200
        assert "Leave is not shown" in page.text
        assert 'data-patient="pat_1"' in page.text
        day = (datetime.now(UTC) + timedelta(days=3)).date().isoformat()
        form = {**dict(HIDDEN.findall(page.text)), "clinician_id": "cln_r01", "clinic": "riverside"}
        unsure = await coordinator.post("/calendar/leave", data={**form, "from": day, "to": day})
        once = {**form, "idempotency_key": f"lv_1.{form['idempotency_key']}"}
        withdrawn = await coordinator.post("/calendar/leave/lv_1/withdraw", data=once)
    for answer in (unsure, withdrawn):
        assert answer.status_code == 503
        assert "It is not certain that this was done" in answer.text
        assert "Nothing was changed" not in answer.text
        assert f'name="idempotency_key" value="{form["idempotency_key"]}"' in answer.text, "sent again: once"
    assert unsure.text.count(f'value="{day}"') == 2, "what was entered is kept"


async def test_leave_entered_under_an_earlier_sign_in_is_kept_and_was_not_sent(dashboard: Dashboard) -> None:
    async with dashboard.as_("coordinator", "riverside") as coordinator:
        entered = {"clinician_id": "cln_r01", "clinic": "riverside", "from": "2030-01-07", "to": "2030-01-08"}
        answer = await coordinator.post("/calendar/leave", data={**entered, "csrf": "drawn before"})
    assert answer.status_code == 403
    assert "Nothing was sent yet" in answer.text
    assert 'value="2030-01-07"' in answer.text
    assert 'value="2030-01-08"' in answer.text


async def test_leave_is_refused_to_clinicians_to_strangers_and_without_the_forms_proof(
    dashboard: Dashboard,
) -> None:
    days = {"clinician_id": "cln_r01", "clinic": "riverside", "from": "2030-01-07", "to": "2030-01-07"}
    async with dashboard.as_("clinician", "riverside", "cln_r01") as clinician:
        page = await clinician.get("/calendar?clinician=cln_r01")
        assert "Enter leave" not in page.text
        form = dict(HIDDEN.findall(page.text))
        assert (await clinician.post("/calendar/leave", data={**days, **form})).status_code == 403
    async with dashboard.as_("coordinator", "lakeside") as elsewhere:
        form = dict(HIDDEN.findall((await elsewhere.get("/calendar")).text))
        assert (await elsewhere.post("/calendar/leave", data={**days, **form})).status_code == 404
    async with dashboard.as_("coordinator", "riverside") as coordinator:
        assert (await coordinator.post("/calendar/leave", data={**days, "csrf": "x"})).status_code == 403
        form = dict(HIDDEN.findall((await coordinator.get("/calendar")).text))
        elsewhere_id = {**days, **form, "clinician_id": "../../x"}
        assert (await coordinator.post("/calendar/leave", data=elsewhere_id)).status_code == 404
        mistaken = await coordinator.post("/calendar/leave", data={**days, **form, "to": "2029-01-07"})
    assert mistaken.status_code == 422
    assert "must not come before the first day" in mistaken.text


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/calendar?clinic=lakeside", 404),
        ("/calendar?clinician=cln_l01", 404),
        ("/calendar?clinician=cln_r99", 404),
        ("/calendar?clinic=riverside&clinician=cln_r99", 200),
        ("/calendar?week=2026-W99", 422),
        ("/calendar?view=month", 422),
        ("/calendar/parts/week?clinic=lakeside", 404),
    ],
)
async def test_an_address_that_is_not_theirs_or_none_is_refused(
    dashboard: Dashboard, path: str, status: int
) -> None:
    async with dashboard.as_("coordinator", "riverside") as coordinator:
        assert (await coordinator.get(path)).status_code == status


def found_in(plan: dict[str, Any], name: str) -> Any:
    return plan[name] if name in plan else found_in(plan["inputStage"], name)


async def test_a_week_is_found_along_the_index_between_its_two_ends(dashboard: Dashboard) -> None:
    await keep_person(dashboard)
    span = {"starts_at": {"$gte": NEXT, "$lt": NEXT + timedelta(days=7)}}
    asked = {"clinic_id": "riverside", **with_appointment(span)}
    along = [("clinic_id", 1), ("courses.appointments.starts_at", 1)]
    plan = await dashboard.database[PEOPLE].find(asked).hint(along).explain()
    bounds = found_in(plan["queryPlanner"]["winningPlan"], "indexBounds")["courses.appointments.starts_at"][0]
    assert "MinKey" not in bounds
    assert "MaxKey" not in bounds
    assert bounds.count("Date") == 2


async def test_a_feed_of_somebody_who_left_leads_nowhere_and_can_be_withdrawn(dashboard: Dashboard) -> None:
    secret = "s" * 43
    left = Feed("cln_gone", "riverside", datetime(2026, 1, 5, tzinfo=UTC))
    await feeds.make(dashboard.database, left, secret)
    async with dashboard.nobody() as program:
        assert (await program.get(f"/calendar/feeds/{secret}.ics")).status_code == 404
    gone = {"clinician_id": "cln_gone"}
    async with dashboard.as_("coordinator", "lakeside") as elsewhere:
        form = await form_of(elsewhere, "/calendar?clinician=cln_l01")
        assert (await elsewhere.post("/calendar/feeds/withdraw", data={**form, **gone})).status_code == 404
    assert len(await dashboard.stored(FEEDS)) == 1
    async with dashboard.as_("coordinator", "riverside") as coordinator:
        form = await form_of(coordinator, "/calendar?clinician=cln_r01")
        answer = await coordinator.post("/calendar/feeds/withdraw", data={**form, **gone})
    assert answer.status_code == 303
    assert "feed-withdrawn" in answer.headers["location"]
    assert await dashboard.stored(FEEDS) == []
