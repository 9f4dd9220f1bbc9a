"""Alerts in the hands of those who answer them, from the first click to what the alerts service says then."""

import re
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import pytest
from playwright.async_api import Page, expect

from deploy.demo.desks import Answered
from tests.browser.conftest import SignIn, keep_picture, require_accessible, tab_until
from tests.support.world import World

HOSTILE = '<script>alert("x")</script> \u202e\u05d0\u05d1\u05d2 😀'
NEW_YORK = ZoneInfo("America/New_York")


async def detail(kith: World, id: str) -> dict[str, Any]:
    answer: dict[str, Any] = await kith.desks.get("alerts", f"/alerts/{id}")
    return answer


async def acknowledged(kith: World, id: str) -> None:
    """Taken by somebody elsewhere."""
    await kith.desks.send("alerts", "POST", f"/alerts/{id}/acknowledge")
    await kith.time.settle()


async def press(page: Page, button: str) -> None:
    await tab_until(page, f'here.tagName === "BUTTON" && here.textContent.trim() === "{button}"')
    await page.keyboard.press("Enter")


async def test_a_crisis_is_heard_taken_assessed_and_resolved_by_keyboard_alone(
    kith: World, sign_in: SignIn
) -> None:
    page = await sign_in("clinician", subject="cln_r04", clinic="riverside")
    elsewhere = await sign_in("coordinator", clinic="riverside")
    await page.goto("/alerts")
    await expect(page.locator("#live")).to_have_text("Live")
    await expect(elsewhere.locator("#live")).to_have_text("Live")
    id = await kith.crisis("Keyboard")
    for heard in (page, elsewhere):
        await expect(heard.locator("#alarm")).to_contain_text("New high crisis alert")
    card = page.locator(f'article[data-row="{id}"]')
    await expect(card).to_contain_text("Keyboard Danger")
    await expect(card).to_contain_text("cln_r04, cln_r01")
    await expect(card).to_contain_text(re.compile(r"by \d\d:\d\d [45]:\d\d left"))
    await expect(page.get_by_role("link", name="988").first).to_be_visible()
    await require_accessible(page)
    await keep_picture(page, "alerts")

    await tab_until(page, f'here.closest("[data-row=\\"{id}\\"]") && here.tagName === "BUTTON"')
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("You have it: Crisis, high")).to_be_visible()
    assert (await detail(kith, id))["acknowledgement"]["by"] == "cln_r04"

    await tab_until(page, 'here.name === "result"')
    await page.keyboard.press("ArrowDown")
    await tab_until(page, 'here.name === "contact_made"')
    await page.keyboard.press("Space")
    await press(page, "Record the assessment")
    await expect(page.get_by_text("Assessment recorded")).to_be_visible()
    assert (await detail(kith, id))["assessment"]["contact_made"] is True

    await tab_until(page, 'here.name === "safety_plan"')
    await page.keyboard.press("Space")
    await tab_until(page, 'here.name === "next_contact"')
    await page.keyboard.type("01072026")
    await page.keyboard.press("Tab")
    await page.keyboard.type("0930AM")
    await require_accessible(page)
    await keep_picture(page, "alert")
    await press(page, "Resolve")
    await expect(page.get_by_text("Resolved: Crisis, high")).to_be_visible()
    ending = (await detail(kith, id))["ending"]
    assert ending["disposition"]["safety_plan"] is True
    contact = datetime.fromisoformat(ending["disposition"]["next_contact"]).astimezone(NEW_YORK)
    assert contact.strftime("%Y-%m-%d %H:%M") == "2026-01-07 09:30"
    await expect(page.locator("#alert-standing")).to_contain_text("cln_r04 resolved it")


async def test_it_is_told_who_was_told_and_why_it_climbed(kith: World, sign_in: SignIn) -> None:
    id = await kith.crisis("Climbing")
    page = await sign_in("coordinator", clinic="riverside", viewport={"width": 360, "height": 740})
    await page.goto(f"/alerts/{id}")
    await expect(page.get_by_role("heading", name="In nobody’s hands")).to_be_visible()
    await kith.advance(minutes=6)
    await expect(page.locator("#alert-standing")).to_contain_text("because nobody had acknowledged it")
    told = page.get_by_role("region", name="Who was told")
    await expect(told.get_by_role("row", name=re.compile("cln_r02 backup"))).to_contain_text("In the inbox")
    await expect(page.get_by_role("listitem").filter(has_text="Somebody takes it")).to_contain_text(
        "Too late"
    )
    await expect(page.get_by_text("C-SSRS screener: high risk")).to_be_visible()
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "fits a phone"
    await require_accessible(page)
    await page.goto("/alerts")
    await expect(page.locator(f'article[data-row="{id}"]')).to_contain_text("overdue since")
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "fits a phone"
    await require_accessible(page)


async def test_a_refusal_is_shown_with_its_reason_and_the_entry_is_kept(kith: World, sign_in: SignIn) -> None:
    id = await kith.crisis("Refused")
    page = await sign_in("clinician", subject="cln_r04", clinic="riverside")
    await page.goto(f"/alerts/{id}")
    await page.locator("#act-resolve summary").click()
    form = page.locator("#act-resolve")
    await form.get_by_label("Hospitalised").check()
    await form.get_by_label("No", exact=True).check()
    await form.get_by_label("Next contact").fill("2027-01-08T10:00")
    await form.get_by_role("button", name="Resolve").click()
    await expect(form.get_by_role("alert")).to_contain_text("Not done: no assessment was recorded")
    await expect(form.get_by_label("Hospitalised")).to_be_checked()
    await expect(form.get_by_label("Next contact")).to_have_value("2027-01-08T10:00")
    assert (await detail(kith, id))["state"] == "open"
    await require_accessible(page)
    await page.locator("#act-hand-over summary").click()
    handing = page.locator("#act-hand-over")
    await handing.get_by_label("To").select_option("con_r02")
    await handing.get_by_role("button", name="Hand it over").click()
    await expect(handing.get_by_role("alert")).to_contain_text("nobody has taken it")


async def test_two_people_at_once_are_told_and_nothing_is_overwritten(kith: World, sign_in: SignIn) -> None:
    id = await kith.crisis("Conflict")
    late = await sign_in("coordinator", subject="crd_r01", clinic="riverside", java_script_enabled=False)
    await late.goto("/alerts")
    page = await sign_in("clinician", subject="cln_r04", clinic="riverside")
    await page.goto(f"/alerts/{id}")
    assessing = page.locator("#act-assess")
    await assessing.locator("summary").click()
    await assessing.get_by_label("Referred on").check()
    await assessing.get_by_label("Yes").check()

    await acknowledged(kith, id)
    await late.locator(f'article[data-row="{id}"]').get_by_role("button", name="Acknowledge").click()
    await expect(late.get_by_text("dev-clinician was first")).to_be_visible()

    await assessing.get_by_role("button", name="Record the assessment").click()
    await expect(page.get_by_text("Somebody else changed this")).to_be_visible()
    await expect(assessing.get_by_label("Referred on")).to_be_checked()
    assert (await detail(kith, id))["assessment"] is None
    await require_accessible(page)
    await keep_picture(page, "alert-conflict")
    await assessing.get_by_role("button", name="Record the assessment").click()
    await expect(page.get_by_text("Assessment recorded")).to_be_visible()
    assert (await detail(kith, id))["assessment"]["by"] == "cln_r04"


async def test_a_page_that_goes_out_meanwhile_is_no_conflict(kith: World, sign_in: SignIn) -> None:
    id = await kith.crisis("Meanwhile")
    page = await sign_in("clinician", subject="cln_r04", clinic="riverside")
    await page.goto(f"/alerts/{id}")
    assessing = page.locator("#act-assess")
    await assessing.locator("summary").click()
    await assessing.get_by_label("False alarm").check()
    await assessing.get_by_label("Yes").check()
    before = (await detail(kith, id))["version"]
    await kith.advance(minutes=6)
    assert (await detail(kith, id))["version"] > before, "somebody else was paged"
    await assessing.get_by_role("button", name="Record the assessment").click()
    await expect(page.get_by_text("Assessment recorded")).to_be_visible()


async def test_handed_over_twice_by_one_form_they_are_told_once(kith: World, sign_in: SignIn) -> None:
    id = await kith.crisis("Handed")
    await acknowledged(kith, id)
    page = await sign_in("clinician", subject="dev-clinician", clinic="riverside")
    await page.goto(f"/alerts/{id}")
    form = page.locator("#act-hand-over form")
    fields = await form.evaluate("form => Object.fromEntries(new FormData(form))")
    for _ in range(2):
        path = await form.get_attribute("action") or ""
        answer = await page.request.post(path, form=fields | {"contact_id": "con_r02"}, max_redirects=0)
        assert answer.status == 303
    await kith.time.settle()
    told = await detail(kith, id)
    assert told["handed_to"] == "cln_r02"
    assert sum(decision["reason"] == "handed_over" for decision in told["decisions"]) == 1
    assert all(d.get("times", 1) == 1 for d in told["decisions"] if d["reason"] == "handed_over")

    theirs = await sign_in("clinician", subject="cln_r02", clinic="riverside")
    await theirs.goto("/alerts?mine=yes")
    card = theirs.locator(f'article[data-row="{id}"]')
    await expect(card).to_contain_text("Handed to")
    await card.get_by_role("button", name="Take it over").click()
    await expect(theirs.get_by_text("You have it: Crisis, high")).to_be_visible()
    assert (await detail(kith, id))["acknowledgement"]["by"] == "cln_r02"
    await theirs.get_by_role("link", name="Alerts", exact=True).first.click()
    await theirs.get_by_role("link", name="My notices").click()
    await expect(theirs.locator(f'a[href="/alerts/{id}"]').first).to_be_visible()
    await require_accessible(theirs)
    await keep_picture(theirs, "alert-notices")


async def test_a_notified_clinician_signs_in_and_lands_at_the_alert(kith: World, sign_in: SignIn) -> None:
    id = await kith.crisis("Linked")
    page = await sign_in("clinician", subject="cln_r04", clinic="riverside")
    await page.context.clear_cookies()
    await page.goto(f"/alerts/{id}")
    await expect(page.get_by_text("Your sign-in has ended")).to_have_count(0)
    await page.get_by_text("As somebody in particular").click()
    await page.get_by_label("Role").select_option("dev-clinician")
    await page.get_by_label("Clinic").fill("riverside")
    await page.get_by_role("button", name="Sign in", exact=True).click()
    await expect(page.get_by_role("heading", name="In nobody’s hands")).to_be_visible()
    assert urlsplit(page.url).path == f"/alerts/{id}"


async def test_a_hostile_name_is_text_and_another_clinic_sees_nothing(kith: World, sign_in: SignIn) -> None:
    id = await kith.crisis(HOSTILE)
    page = await sign_in("clinician", subject="cln_r04", clinic="riverside")
    await page.goto(f"/alerts/{id}")
    await expect(page.get_by_role("heading", level=1)).to_contain_text('<script>alert("x")</script>')
    assert "<script>alert" not in await (await page.request.get(f"/alerts/{id}")).text()
    other = await sign_in("coordinator", clinic="lakeside")
    await other.goto("/alerts")
    await expect(other.get_by_role("heading", name="Alerts", exact=True).first).to_be_visible()
    assert id not in await other.content()
    answer = await other.goto(f"/alerts/{id}")
    assert answer is not None
    assert answer.status == 404
    refused = await other.request.post(f"/alerts/{id}/acknowledge", form={"csrf": "guessed"})
    assert refused.status == 404


async def test_a_crisis_of_somebody_nobody_knows_says_who_sent_the_form(kith: World, sign_in: SignIn) -> None:
    form = {"person": {}, "crisis": True, "clinic_id": "riverside", "age": "forty"}
    with pytest.raises(Answered, match="422"):
        await kith.desks.send("intake", "POST", "/referrals", form)
    page = await sign_in("clinician", subject="cln_r04", clinic="riverside")
    await kith.time.settle()
    (alert,) = [a for a in await kith.alerts(kind="crisis") if a["patient_id"].startswith("unknown-")]
    await page.goto(f"/alerts/{alert['id']}")
    await expect(page.locator("#alert-standing")).to_contain_text(
        re.compile(r"sent by \S+.*and refused.*ask them")
    )
    await require_accessible(page)
    await page.get_by_role("link", name=re.compile("unknown")).first.click()
    await expect(page.locator("h1")).to_contain_text("unknown")


async def test_an_engineer_sees_dead_letters_alone(kith: World, sign_in: SignIn) -> None:
    id = await kith.crisis("Unseen")
    page = await sign_in("coordinator")
    await page.request.post("/sign-in", form={"as": "dev-engineer"})
    await page.goto("/alerts")
    await expect(page.get_by_role("heading", name="No dead letters")).to_be_visible()
    await expect(page.get_by_text("this says nothing about people")).to_be_visible()
    assert id not in await page.content()
    answer = await page.goto(f"/alerts/{id}")
    assert answer is not None
    assert answer.status == 404


async def test_while_the_alerts_service_is_away_the_list_stands_and_says_so(
    kith: World, sign_in: SignIn
) -> None:
    id = await kith.crisis("Away")
    page = await sign_in("clinician", subject="cln_r04", clinic="riverside")
    await page.goto(f"/alerts/{id}")
    assessing = page.locator("#act-assess")
    await assessing.locator("summary").click()
    await assessing.get_by_label("False alarm").check()
    await assessing.get_by_label("Yes").check()
    async with kith.silent("alerts"):
        await assessing.get_by_role("button", name="Record the assessment").click()
        await expect(page.get_by_text("It is not certain that this was done")).to_be_visible()
        await expect(assessing.get_by_label("False alarm")).to_be_checked()
        listed = await sign_in("coordinator", clinic="riverside")
        await listed.goto("/alerts")
        await expect(listed.get_by_text("The alerts service does not answer")).to_be_visible()
        await expect(listed.locator(f'article[data-row="{id}"]')).to_contain_text("Away Danger")
        await keep_picture(listed, "alerts-stale")
    await assessing.get_by_role("button", name="Record the assessment").click()
    await expect(page.get_by_text("Assessment recorded")).to_be_visible()
    await kith.time.settle()
    told = await kith.announced((await detail(kith, id))["patient_id"], "AlertAssessed")
    assert len(told) == 1, "sent twice, it happened once"
