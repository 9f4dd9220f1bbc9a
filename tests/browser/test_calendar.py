"""The calendar: who sees whom when, leave and what it moves, and feeds for other programs."""

from datetime import date, datetime, timedelta
from typing import Any

import httpx2
from icalendar import Calendar
from playwright.async_api import Page, expect

from tests.browser.conftest import SignIn, keep_picture, require_accessible, sign_in_again, tab_until
from tests.support.world import World

HOSTILE = '<script>alert("x")</script> \u202e\u05d0\u05d1\u05d2 😀'


async def booked(kith: World, clinician: str, given: str = "Leda") -> tuple[str, dict[str, Any]]:
    """Somebody whose course has just begun: their id, and their second appointment."""
    view = await kith.refer(clinician_id=clinician, person={"given_name": given, "family_name": "Vasari"})
    plan = await kith.plan_of(view["patient_id"])
    return view["patient_id"], (await kith.appointments(plan["id"]))[1]


def day_of(appointment: dict[str, Any]) -> date:
    return datetime.fromisoformat(appointment["local_time"]).date()


def week_of(day: date) -> str:
    year, week, _ = day.isocalendar()
    return f"{year}-W{week:02d}"


async def leave_of(kith: World, clinician: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = (await kith.desks.get("scheduler", f"/clinicians/{clinician}/leave"))[
        "items"
    ]
    return items


async def enter_leave(page: Page, first: date, last: date) -> None:
    await page.get_by_label("First day").fill(first.isoformat())
    await page.get_by_label("Last day").fill(last.isoformat())
    await page.get_by_role("button", name="Enter leave").click()


async def test_leave_moves_a_session_and_says_which_and_is_withdrawn_again(
    kith: World, sign_in: SignIn
) -> None:
    patient, session = await booked(kith, "cln_r05", HOSTILE)
    day = day_of(session)
    page = await sign_in("coordinator", clinic="riverside")
    await page.goto(f"/calendar?week={week_of(day)}")
    await page.get_by_role("link", name="cln_r05", exact=True).click()
    slot = page.locator(f'#calendar-grid a[href="/people/{patient}"]')
    await expect(slot).to_contain_text("Session 2 of 12")
    await expect(slot).to_contain_text('<script>alert("x")</script>')
    await enter_leave(page, day, day)
    told = page.get_by_role("status").filter(has_text="1 session was moved")
    await expect(told).to_contain_text("Vasari")
    moved = await kith.desks.get("scheduler", f"/schedules/{session['plan_id']}")
    now_at = next(a for a in moved["appointments"] if a["appointment_id"] == session["appointment_id"])
    assert (day_of(now_at) != day, now_at["adjusted"]) == (True, ["clinician_leave"])
    await expect(told).to_contain_text(f"{datetime.fromisoformat(now_at['local_time']):%a %d %b, %H:%M}")
    await expect(page.locator("#calendar-grid .slot-leave")).to_have_text("Leave, all day")
    await require_accessible(page)
    await keep_picture(page, "calendar-week")
    await page.get_by_role("button", name="Withdraw the leave of cln_r05").click()
    await expect(page.get_by_text("Leave is withdrawn")).to_be_visible()
    assert await leave_of(kith, "cln_r05") == []


async def test_two_coordinators_withdraw_the_same_leave_and_the_second_is_told(
    kith: World, sign_in: SignIn
) -> None:
    day = kith.now.date() + timedelta(days=30)
    first = await sign_in("coordinator", clinic="riverside")
    await first.goto("/calendar?clinician=cln_r06")
    await enter_leave(first, day, day + timedelta(days=1))
    await expect(first.get_by_text("No session stood on these days")).to_be_visible()
    second = await sign_in("coordinator", clinic="riverside")
    await second.goto("/calendar?clinician=cln_r06")
    for page in (first, second):
        await page.get_by_role("button", name="Withdraw the leave of cln_r06").click()
    await expect(first.get_by_text("Leave is withdrawn")).to_be_visible()
    await expect(second.locator(".notice-conflict")).to_contain_text("Somebody else changed this")
    assert await leave_of(kith, "cln_r06") == []


async def test_leave_sent_twice_is_entered_once_and_past_leave_is_refused_with_its_reason(
    kith: World, sign_in: SignIn
) -> None:
    page = await sign_in("coordinator", clinic="riverside")
    await page.goto("/calendar?clinician=cln_r04")
    form = page.locator('form[action^="/calendar/leave#"]')
    sent = await form.evaluate("form => Object.fromEntries(new FormData(form))")
    day = (kith.now.date() + timedelta(days=40)).isoformat()
    for _ in range(2):
        await page.request.post("/calendar/leave", form={**sent, "from": day, "to": day})
    assert [(one["from"], one["to"]) for one in await leave_of(kith, "cln_r04")] == [(day, day)]
    past = (kith.now.date() - timedelta(days=3)).isoformat()
    await page.reload()
    await form.evaluate("form => { form.noValidate = true; }")
    await enter_leave(page, date.fromisoformat(past), date.fromisoformat(past))
    refusal = page.get_by_role("alert").filter(has_text="Not done")
    await expect(refusal).to_contain_text("These days are past")
    await expect(page.get_by_label("First day")).to_have_value(past)
    assert len(await leave_of(kith, "cln_r04")) == 1


async def test_leave_that_is_not_answered_may_have_been_entered_and_sent_again_is_entered_once(
    kith: World, sign_in: SignIn
) -> None:
    page = await sign_in("coordinator", clinic="riverside")
    await page.goto("/calendar?clinician=cln_r02")
    day = kith.now.date() + timedelta(days=50)
    async with kith.silent("scheduler"):
        await enter_leave(page, day, day)
        await expect(page.get_by_text("It is not certain that this was done")).to_be_visible()
        await expect(page.get_by_label("First day")).to_have_value(day.isoformat())
        await expect(page.get_by_text("Nothing was changed")).to_have_count(0)
    await page.get_by_role("button", name="Enter leave").click()
    await expect(page.get_by_text("Leave is entered")).to_be_visible()
    assert [one["from"] for one in await leave_of(kith, "cln_r02")] == [day.isoformat()]


async def test_leave_outlives_another_sign_in(kith: World, sign_in: SignIn) -> None:
    page = await sign_in("coordinator", clinic="riverside")
    await page.goto("/calendar?clinician=cln_r01")
    day = kith.now.date() + timedelta(days=60)
    await sign_in_again(page, subject="dev-other", clinic="riverside")
    await enter_leave(page, day, day)
    await expect(page.get_by_text("Nothing was sent yet")).to_be_visible()
    await expect(page.get_by_label("Last day")).to_have_value(day.isoformat())
    assert await leave_of(kith, "cln_r01") == []
    await page.get_by_role("button", name="Enter leave").click()
    await expect(page.get_by_text("Leave is entered")).to_be_visible()


async def test_a_clinician_subscribes_to_their_own_calendar_by_keyboard_alone(
    kith: World, sign_in: SignIn
) -> None:
    _, session = await booked(kith, "cln_r03")
    page = await sign_in("clinician", subject="cln_r03", clinic="riverside")
    await expect(page.locator("#live")).to_have_text("Live")
    await page.keyboard.press("g")
    await page.keyboard.press("w")
    await expect(page.get_by_role("heading", name="Calendar", exact=True)).to_be_visible()
    await expect(page.locator(".head-row")).to_contain_text("cln_r03")
    await expect(page.get_by_role("button", name="Enter leave")).to_have_count(0)
    await tab_until(page, 'here.textContent.trim() === "Next week"')
    await page.keyboard.press("Enter")
    await expect(page.locator("#calendar-grid")).to_contain_text("Leda Vasari")
    await tab_until(page, 'here.textContent.trim() === "Make the address"')
    await page.keyboard.press("Enter")
    field = page.get_by_label("The new address, shown once")
    await expect(field).to_be_visible()
    address = await field.input_value()
    async with httpx2.AsyncClient(trust_env=False) as program:
        answer = await program.get(address)
    found = {str(event["uid"]): event for event in Calendar.from_ical(answer.content).walk("VEVENT")}
    assert found[session["appointment_id"]].start == datetime.fromisoformat(session["starts_at"])
    assert "Vasari" not in answer.text


async def test_a_session_nobody_recorded_is_marked_and_an_open_page_shows_it_recorded(
    kith: World, sign_in: SignIn
) -> None:
    view = await kith.refer(clinician_id="cln_l04", clinic_id="lakeside")
    plan = await kith.plan_of(view["patient_id"])
    (first, *_) = await kith.appointments(plan["id"])
    await kith.until(datetime.fromisoformat(first["starts_at"]) + timedelta(hours=2))
    page = await sign_in("coordinator", clinic="lakeside", viewport={"width": 360, "height": 740})
    await page.goto(f"/calendar?clinician=cln_l04&week={week_of(day_of(first))}")
    told = page.get_by_role("status").filter(has_text="not recorded")
    await expect(told).to_contain_text("1 session is not recorded")
    await expect(page.locator("#calendar-grid")).to_be_hidden()
    await expect(page.locator(".agenda .slot-missed")).to_contain_text("not recorded")
    assert await page.evaluate("document.documentElement.scrollWidth") <= 360
    await require_accessible(page)
    await keep_picture(page, "calendar-phone")
    await kith.record(plan["id"], first, {"outcome": "missed"})
    await expect(page.locator(".agenda .slot-missed")).to_contain_text("missed")
    await expect(told).to_have_count(0)


async def test_a_clinics_week_leads_to_its_days_and_an_ended_sign_in_comes_back_here(
    kith: World, sign_in: SignIn
) -> None:
    page = await sign_in("coordinator", clinic="lakeside")
    await page.goto("/calendar")
    rows = page.locator("#clinic-week tbody tr")
    await expect(rows).to_have_count(6)
    await require_accessible(page)
    await keep_picture(page, "calendar-clinic")
    await page.locator("#clinic-week thead a").nth(2).click()
    await expect(page.locator("#calendar-grid thead a")).to_have_count(6)
    await require_accessible(page)
    await page.get_by_role("link", name="Next day").click()
    await page.context.clear_cookies()
    await page.reload()
    await expect(page.get_by_text("Your sign-in has ended")).to_be_visible()
    await page.get_by_text("As somebody in particular").click()
    await page.get_by_label("Role").select_option("dev-coordinator")
    await page.get_by_label("Clinic").fill("lakeside")
    await page.get_by_role("button", name="Sign in", exact=True).click()
    await expect(page.get_by_role("link", name="Next day")).to_be_visible()
    await page.goto("/calendar?clinic=riverside")
    await expect(page.get_by_role("heading", level=1)).not_to_have_text("Calendar")
