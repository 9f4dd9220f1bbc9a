"""A patient rings up, and somebody asks the page who that is."""

import re

from playwright.async_api import Page, expect

from tests.browser.conftest import SignIn, keep_picture, require_accessible
from tests.support.world import LOW_MOOD, World

HIGH = {"q1": True, "q2": True, "q3": True, "q4": True, "q5": False, "q6": False}
HOSTILE = "<img src=x onerror=alert(1)>"
RIGHT_TO_LEFT = "\u202eنورا"


async def look_for(page: Page, text: str) -> None:
    """From wherever the page stands, by keyboard, which is heard once the script runs."""
    await expect(page.get_by_role("button", name="Keyboard shortcuts")).to_be_visible()
    await page.keyboard.press("f")
    await expect(page.get_by_role("searchbox", name="Find a person")).to_be_focused()
    await page.keyboard.type(text)
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Find a person")).to_be_visible()
    await expect(page.locator("#found")).to_be_focused()


async def test_a_caller_is_found_by_keyboard_from_the_head_of_a_page_to_their_own(
    kith: World, sign_in: SignIn
) -> None:
    calm = await kith.refer(
        person={"given_name": "Noémi", "family_name": "Ångström", "birth_date": "1985-06-01"}
    )
    urgent = await kith.refer(
        person={"given_name": "Noemi", "family_name": "O'Zander"},
        screening={"phq9": {"items": [*LOW_MOOD[:8], 2]}, "cssrs": HIGH},
    )
    waiting = await kith.refer(
        person={"given_name": "Noémie", "family_name": "Brod"}, screening={"phq9": {"items": LOW_MOOD}}
    )
    page = await sign_in("coordinator", clinic="riverside")
    await page.goto("/outcomes")
    await look_for(page, "noemi")
    names = page.locator("#found-table tbody th")
    await expect(names).to_have_text(["Noemi O'Zander", "Noémie Brod", "Noémi Ångström"])
    first = page.locator("#found-table tbody tr").first
    await expect(first).to_contain_text("Crisis, high")
    await expect(first.get_by_role("link", name="Take the crisis now")).to_be_visible()
    await expect(page.get_by_role("searchbox", name="Find a person")).to_have_value("noemi")
    await expect(names.nth(1).get_by_role("link")).to_have_attribute("href", f"/intake/{waiting['id']}")
    await require_accessible(page)
    await keep_picture(page, "find")
    assert page.url.endswith("/find")
    await look_for(page, "ozan noe")
    await expect(names).to_have_text(["Noemi O'Zander"])
    await expect(names.get_by_role("link")).to_have_attribute("href", f"/intake/{urgent['id']}")
    await look_for(page, "ang 1985-06-01")
    await expect(names).to_have_text(["Noémi Ångström"])
    await page.keyboard.press("j")
    await page.keyboard.press("Enter")
    await expect(page).to_have_url(re.compile(f"/people/{calm['patient_id']}$"))


async def test_a_hostile_name_is_shown_as_text_also_on_a_phone(kith: World, sign_in: SignIn) -> None:
    await kith.refer(person={"given_name": "Nora", "family_name": HOSTILE})
    await kith.refer(person={"given_name": "Nora", "family_name": RIGHT_TO_LEFT})
    await kith.refer(person={"given_name": "Nora" * 50, "family_name": "🦊" * 200})
    page = await sign_in("coordinator", clinic="riverside", viewport={"width": 360, "height": 740})
    await page.get_by_role("searchbox", name="Find a person").fill("nora")
    await page.get_by_role("button", name="Find", exact=True).click()
    rows = page.locator("#found-table tbody tr")
    await expect(rows).to_have_count(3)
    await expect(rows.filter(has_text=f"Nora {HOSTILE}")).to_have_count(1)
    assert await page.locator("main img").count() == 0
    wide = await page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    assert wide[0] <= wide[1] == 360
    await require_accessible(page)
    await keep_picture(page, "find-phone")


async def test_nobody_of_another_clinic_is_found_and_the_page_says_how_to_look(
    kith: World, sign_in: SignIn
) -> None:
    await kith.refer(person={"given_name": "Only", "family_name": "Riverside"})
    page = await sign_in("clinician", clinic="lakeside")
    await look_for(page, "only")
    await expect(page.get_by_role("heading", name="Nobody found in your clinic")).to_be_visible()
    assert "Riverside" not in await page.inner_text("main")
    await require_accessible(page)
    await keep_picture(page, "find-nobody")


async def test_without_names_the_page_says_what_still_works_and_without_script_it_finds(
    kith: World, sign_in: SignIn
) -> None:
    view = await kith.refer(person={"given_name": "Silke", "family_name": "Still"})
    page = await sign_in("coordinator", clinic="riverside", java_script_enabled=False)
    field = page.get_by_role("searchbox", name="Find a person")
    async with kith.silent("intake"):
        await field.fill("silke")
        await field.press("Enter")
        await expect(page.locator("#found")).to_contain_text("Names cannot be looked up just now")
        await keep_picture(page, "find-away")
    await expect(field).to_have_value("silke")
    await field.press("Enter")
    await page.get_by_role("link", name="Silke Still").click()
    await expect(page).to_have_url(re.compile(f"/people/{view['patient_id']}$"))
