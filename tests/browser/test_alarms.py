"""Crises in nobody's hands are said, heard and shown on every page; several tabs are one browser."""

import re

from playwright.async_api import Page, expect

from deploy.embedded.plan import PAGE
from tests.browser.conftest import SignIn, keep_picture, require_accessible
from tests.support.world import World


async def open_one(page: Page, id: str) -> None:
    await page.locator(f'#alarms a[href="/alerts/{id}"]').click()
    await page.wait_for_url(f"**/alerts/{id}")


async def test_two_crises_stand_side_by_side_until_somebody_has_them_and_are_said_once(
    kith: World, sign_in: SignIn
) -> None:
    page = await sign_in("clinician", subject="cln_r04", clinic="riverside")
    await expect(page.locator("#live")).to_have_text("Live")
    first = await kith.crisis("First")
    await expect(page.locator("#alarm")).to_contain_text("New high crisis alert")
    second = await kith.crisis("Second")
    for id in (first, second):
        await expect(page.locator(f'#alarms a[href="/alerts/{id}"]')).to_be_visible()
    await expect(page.locator("#open-crises")).to_contain_text("2 open crises")
    await require_accessible(page)
    await keep_picture(page, "alarms")
    await open_one(page, first)
    assert await page.locator("#alarm").text_content() == "", "it was said on the page before"
    await page.get_by_role("button", name=re.compile("^Acknowledge")).first.click()
    await expect(page.get_by_text("You have it: Crisis")).to_be_visible()
    await expect(page.locator(f'#alarms a[href="/alerts/{first}"]')).to_have_count(0)
    await expect(page.locator(f'#alarms a[href="/alerts/{second}"]')).to_be_visible()
    await page.get_by_role("button", name="Dismiss").click()
    await expect(page.locator(f'#alarms a[href="/alerts/{second}"]')).to_be_hidden()
    await page.goto("/")
    await expect(page.locator(f'#alarms a[href="/alerts/{second}"]')).to_be_hidden()
    await expect(page.locator("#open-crises")).to_contain_text("1 open crisis")


async def test_eight_tabs_of_one_browser_hear_the_same_and_none_waits_for_another(
    kith: World, sign_in: SignIn
) -> None:
    first = await sign_in("coordinator", clinic="riverside")
    tabs = [first, *[await first.context.new_page() for _ in range(7)]]
    for tab in tabs[1:]:
        await tab.goto("/alerts")
    for tab in tabs:
        await expect(tab.locator("#live")).to_have_text("Live")
    id = await kith.crisis("Eight")
    for tab in tabs:
        await expect(tab.locator(f'#alarms a[href="/alerts/{id}"]')).to_be_visible()
    await first.close()
    another = await kith.crisis("Nine")
    for tab in tabs[1:]:
        await expect(tab.locator(f'#alarms a[href="/alerts/{another}"]')).to_be_visible()


async def test_signing_out_in_one_tab_leaves_nobody_on_screen_in_the_others(
    kith: World, sign_in: SignIn
) -> None:
    page = await sign_in("coordinator", clinic="riverside")
    other = await page.context.new_page()
    await other.goto("/alerts")
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    await expect(other.get_by_role("heading", name="Sign in")).to_be_visible()


async def test_whoever_works_on_a_page_without_leaving_it_stays_signed_in(
    kith: World, sign_in: SignIn
) -> None:
    page = await sign_in("coordinator", clinic="riverside")
    await page.evaluate("Date.now = (now => () => now() + 60_000)(Date.now)")
    async with page.expect_response("**/touch") as touched:
        await page.keyboard.press("Shift")
    answer = await touched.value
    assert answer.status == 204
    assert "kith_token=" in (await answer.all_headers())["set-cookie"]


async def test_a_page_whose_sign_in_ended_says_so_and_a_form_sent_from_it_says_that_nobody_was_alerted(
    kith: World, sign_in: SignIn
) -> None:
    listed = await sign_in("coordinator", clinic="riverside")
    page = await listed.context.new_page()
    await page.goto("/intake/new")
    await expect(listed.locator("#live")).to_have_text("Live")
    await listed.context.clear_cookies()
    await kith.refer(clinician_id="cln_r04", person={"given_name": "Late", "family_name": "Change"})
    await listed.bring_to_front()
    await expect(listed.locator("#live")).to_contain_text("Signed out")
    await page.locator("main form").first.evaluate("form => { form.noValidate = true; form.requestSubmit() }")
    await expect(page.get_by_text("nobody was alerted")).to_be_visible()
    assert page.url.startswith(kith.stack.plan.url(PAGE) + "/sign-in?reason=unsent")
