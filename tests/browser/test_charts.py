"""Pictures on a phone: they begin at now, and what their marks mean stays in sight."""

from playwright.async_api import expect

from tests.browser.conftest import SignIn, keep_picture
from tests.support.world import World


async def test_on_a_phone_a_course_begins_at_now_and_its_legend_wraps(kith: World, sign_in: SignIn) -> None:
    page = await sign_in("coordinator", viewport={"width": 375, "height": 812})
    await page.goto("/gallery")
    room = page.get_by_role("region", name="Course of care")
    assert await room.evaluate("room => room.scrollLeft > 0")
    assert await room.evaluate(
        """room => {
          const now = room.querySelector(".now").getBoundingClientRect().left;
          const here = room.getBoundingClientRect();
          return here.left < now && now < here.right;
        }"""
    )
    assert await page.get_by_role("region", name="Outcomes").evaluate("room => room.scrollLeft") == 0
    legend = page.locator(".chart-legend").first
    await expect(legend).to_contain_text("cancelled")
    assert await legend.evaluate("legend => legend.scrollWidth <= legend.clientWidth")
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "fits a phone"
    await keep_picture(page, "charts-phone")
