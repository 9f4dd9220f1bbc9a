"""A page that stays open all day: it survives restarts, catches up by itself, and needs no script."""

from playwright.async_api import expect

from deploy.embedded.plan import PAGE, SERVICES
from tests.browser.conftest import SignIn
from tests.support.eventually import eventually
from tests.support.world import World


def someone(name: str) -> dict[str, str]:
    return {"given_name": name, "family_name": "Returning"}


async def test_an_open_page_survives_the_death_of_every_service_and_catches_up(
    kith: World, sign_in: SignIn
) -> None:
    page = await sign_in("coordinator", clinic="lakeside")
    live = page.locator("#live")
    await expect(live).to_have_text("Live")
    kith.stack.services[PAGE].kill()
    await expect(live).to_contain_text("Reconnecting. Showing data as of")
    for name in SERVICES:
        kith.stack.services[name].kill()
    for name in (*SERVICES, PAGE):
        service = kith.stack.services[name]
        await eventually(lambda service=service: service.is_running, that=f"{name} is brought back")
        await service.ready(60)
    await kith.refer(clinic_id="lakeside", clinician_id="cln_l01", person=someone("Wanda"))
    await expect(live).to_have_text("Live", timeout=60_000)
    await expect(page.get_by_role("rowheader", name="Wanda Returning")).to_be_visible(timeout=60_000)


async def test_a_rebuild_while_the_page_is_open_takes_nobody_from_it(kith: World, sign_in: SignIn) -> None:
    await kith.refer(clinic_id="lakeside", clinician_id="cln_l02", person=someone("Ruth"))
    page = await sign_in("coordinator", clinic="lakeside")
    row = page.get_by_role("rowheader", name="Ruth Returning")
    await expect(row).to_be_visible()
    await kith.desks.send(PAGE, "POST", "/rebuild", role="engineer")
    while (progress := await kith.desks.get(PAGE, "/rebuild", role="engineer"))["stage"] not in (
        "done",
        "failed",
    ):
        await expect(row).to_be_visible()
    assert (progress["stage"], progress["equal"]) == ("done", True), progress
    await kith.refer(clinic_id="lakeside", clinician_id="cln_l03", person=someone("Noa"))
    await expect(page.get_by_role("rowheader", name="Noa Returning")).to_be_visible()
    await expect(row).to_be_visible()


async def test_without_script_the_caseload_is_there_all_the_same(kith: World, sign_in: SignIn) -> None:
    view = await kith.refer(clinic_id="lakeside", clinician_id="cln_l04", person=someone("Still"))
    page = await sign_in("coordinator", clinic="lakeside", java_script_enabled=False)
    await expect(page.locator(f"a[href='/people/{view['patient_id']}']")).to_be_visible()
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
