"""How we are doing: figures that agree with what the services themselves know."""

import re
from datetime import timedelta
from typing import Any

from playwright.async_api import expect

from tests.browser.conftest import SignIn, keep_picture, require_accessible
from tests.support.world import HIGH, LOW_MOOD, World


async def crisis(kith: World, given: str) -> dict[str, Any]:
    view = await kith.refer(
        clinic_id="lakeside",
        person={"given_name": given, "family_name": "Orlov"},
        clinician_id="cln_l05",
        screening={"phq9": {"items": [*LOW_MOOD[:8], 2]}, "cssrs": HIGH},
    )
    found = await kith.alerts(patient_id=view["patient_id"], kind="crisis")
    return found[0]


async def taken(kith: World, alert: dict[str, Any]) -> None:
    await kith.desks.send("alerts", "POST", f"/alerts/{alert['id']}/acknowledge")
    await kith.time.settle()


async def test_the_figures_agree_with_the_services_and_say_what_they_are_of(
    kith: World, sign_in: SignIn
) -> None:
    """One crisis taken in time and one too late; others of this clinic count as well."""
    await kith.refer(clinic_id="lakeside", clinician_id="cln_l06")
    await taken(kith, await crisis(kith, "Ines"))
    late = await crisis(kith, "Olaf")
    await kith.advance(minutes=7)
    await taken(kith, late)
    page = await sign_in("coordinator", clinic="lakeside")
    since = (kith.now - timedelta(days=200)).date().isoformat()
    await page.goto(f"/outcomes?since={since}")
    await expect(page.get_by_role("heading", level=1)).to_have_text("How we are doing")
    high = page.get_by_role("row", name=re.compile("^High limit"))
    known = [a for a in await kith.alerts(kind="crisis", severity="high") if a["clinic_id"] == "lakeside"]
    await expect(high.get_by_role("cell").nth(0)).to_have_text(str(len(known)))
    await expect(high.get_by_role("cell").nth(4)).to_have_text(re.compile(r"^\s*[1-9]"))
    await expect(page.get_by_role("listitem").filter(has_text="Crises in time, high")).to_contain_text("few")
    await expect(page.get_by_text("Kroenke 2001").first).to_be_visible()
    await require_accessible(page)
    await keep_picture(page, "outcomes")


async def test_days_without_anything_say_so_and_a_phone_has_room_for_the_page(
    kith: World, sign_in: SignIn
) -> None:
    page = await sign_in("clinician", viewport={"width": 360, "height": 740})
    await page.goto("/outcomes?since=2020-01-01&until=2020-03-01")
    await expect(page.get_by_text("Nothing to count in these weeks")).to_be_visible()
    await page.get_by_label("Clinic", exact=True).select_option("")
    await page.get_by_label("From").fill("2025-12-01")
    await page.get_by_label("To, included").fill(kith.now.date().isoformat())
    await page.get_by_role("button", name="Show").click()
    await expect(page.locator(".head-row")).to_contain_text("All clinics")
    await expect(page.get_by_role("heading", name="How long do people wait?")).to_be_visible()
    assert await page.evaluate("document.documentElement.scrollWidth") <= 360
    await require_accessible(page)
    await keep_picture(page, "outcomes-phone")
    await page.goto("/outcomes?since=2020-03-01&until=2020-01-01")
    await expect(page.locator("main")).to_contain_text("The first day comes before the last one")
