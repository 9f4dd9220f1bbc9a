"""Scripts on pages of a few lines: crises beyond the third, and a form whose sending was stopped."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, Route, expect

from services.dashboard.attention import Alarm, Crises
from services.dashboard.web.drawing import Drawing
from shared.clock import SystemClock

STATIC = Path("services/dashboard/static")
AROUND = "<p id='alarm'></p><section id='alarms'></section><main id='main' tabindex='-1'>{}</main>"
FORM = """<form method="post" action="/"><button>Send</button></form>
<script type="module" src="/static/kith.js"></script>"""

STOPPED = "sent = 0; window.addEventListener('submit', event => (event.preventDefault(), sent += 1))"
"""Every sending is stopped on its way, as Esc does while a server hangs."""


@pytest.fixture
async def page(browser: Browser) -> AsyncIterator[Page]:
    page = await browser.new_page()

    async def serve(route: Route) -> None:
        path = route.request.url.removeprefix("http://kith.test/")
        if path.startswith("static/"):
            await route.fulfill(path=STATIC / path.removeprefix("static/"))
        else:
            await route.fulfill(body=AROUND.format(FORM), content_type="text/html")

    await page.route("**/*", serve)
    await page.goto("http://kith.test/")
    yield page
    await page.close()


async def draw(page: Page, *severities: str) -> None:
    """The alarms as the server draws them, heeded."""
    alarms = [
        Alarm(f"/alerts/{n}", "crisis alert", severity, datetime.now(UTC), f"{n}.{severity}")
        for n, severity in enumerate(severities)
    ]
    drawing = Drawing(SystemClock(), idle_minutes=15)
    text = drawing.text("parts/alarms.html", path="/", viewer=None, crises=Crises(alarms, len(alarms)))
    await page.evaluate(
        """async (text) => {
          document.getElementById("alarms").innerHTML = text;
          (await import("/static/alarm.js")).heed();
        }""",
        text,
    )


async def test_a_fourth_crisis_is_said_and_takes_the_place_of_those_that_were_dismissed(page: Page) -> None:
    said, fourth, more = (
        page.locator("#alarm"),
        page.locator("a[href='/alerts/3']"),
        page.locator("#more-alarms"),
    )
    await draw(page, "high", "high", "high")
    await expect(said).to_have_text("3 new crisis alerts, 3 of them high")
    await draw(page, "high", "high", "high", "moderate")
    await expect(said).to_have_text("New moderate crisis alert")
    await expect(fourth).to_be_hidden()
    await expect(more).to_have_text("1 more")
    await page.get_by_role("button", name="Dismiss").click()
    await expect(fourth).to_be_visible()
    await expect(more).to_be_hidden()
    await draw(page, "high", "high", "high", "moderate", "low", "low", "low")
    await expect(page.locator("[data-alarm]:visible")).to_have_count(3)
    await expect(more).to_have_text("1 more")
    await expect(said).to_have_text("3 new crisis alerts, 0 of them high")


async def test_a_form_whose_sending_was_stopped_can_be_sent_again(page: Page) -> None:
    await page.clock.install()
    await page.reload()
    send = page.get_by_role("button", name="Send")
    await page.evaluate(STOPPED)
    await send.click()
    await page.clock.fast_forward(1_000)
    await expect(send).to_be_disabled()
    await page.clock.fast_forward(10_000)
    await expect(send).to_be_enabled()
    await send.click()
    assert await page.evaluate("sent") == 2
