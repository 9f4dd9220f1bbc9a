"""The caseload, as coordinators keep it open all day."""

import re

from playwright.async_api import expect

from tests.browser.conftest import SignIn, keep_picture, require_accessible
from tests.support.world import HIGH, LOW_MOOD, World


async def test_a_crisis_stands_above_the_others_on_the_open_page_and_is_announced(
    kith: World, sign_in: SignIn
) -> None:
    await kith.refer(person={"given_name": "Anna", "family_name": "Calm"})
    page = await sign_in("coordinator", clinic="riverside")
    await expect(page.get_by_role("rowheader", name="Anna Calm")).to_be_visible()
    await expect(page.get_by_role("status").first).to_contain_text("Live")
    await kith.refer(
        clinician_id="cln_r04",
        person={"given_name": "Berta", "family_name": "Danger"},
        screening={"phq9": {"items": [*LOW_MOOD[:8], 2]}, "cssrs": HIGH},
    )
    rows = page.locator("#caseload-table tbody tr")
    crisis = rows.filter(has_text="Berta Danger")
    await expect(crisis).to_contain_text("Crisis, high")
    await expect(crisis).to_contain_text("Take the crisis now")
    texts = await rows.all_inner_texts()
    calm = next(place for place, text in enumerate(texts) if "Anna Calm" in text)
    assert next(place for place, text in enumerate(texts) if "Berta Danger" in text) < calm
    await expect(page.locator("#groups")).to_contain_text(re.compile(r"Crisis\s*[1-9]"))
    await expect(page.locator("#alarm")).to_contain_text(re.compile("crisis", re.IGNORECASE))
    await require_accessible(page)
    await keep_picture(page, "caseload")


async def test_nobody_sees_the_people_of_another_clinic(kith: World, sign_in: SignIn) -> None:
    view = await kith.refer(person={"given_name": "Only", "family_name": "Riverside"})
    page = await sign_in("coordinator", clinic="lakeside")
    await expect(page.get_by_role("heading", name="Caseload")).to_be_visible()
    assert view["patient_id"] not in await page.content()
    await page.goto(f"/people/{view['patient_id']}")
    assert "Riverside" not in await page.inner_text("main")
