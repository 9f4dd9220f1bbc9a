"""Regions fetched again while the page is open: what they show never goes back to what was drawn before."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, Route, expect

STATIC = Path("services/dashboard/static")
PAGE = "<section id='alarms' data-live-src='/parts/alarms'>As drawn</section><div id='live'></div>"
PATIENCE_MS = 10_000
CHANGED = "import('/static/regions.js').then(regions => regions.markAll(() => {}))"


class Opened:
    """A page with one region. `asked()` is its next request, to be answered whenever the test wants."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._requests: asyncio.Queue[Route] = asyncio.Queue()
        self.region = page.locator("#alarms")

    async def load(self) -> None:
        await self._page.route("**/*", self._serve)
        await self._page.goto("http://kith.test/")

    async def _serve(self, route: Route) -> None:
        path = route.request.url.removeprefix("http://kith.test/")
        if path.startswith("parts/"):
            await self._requests.put(route)
        elif path.startswith("static/"):
            await route.fulfill(path=STATIC / path.removeprefix("static/"))
        else:
            await route.fulfill(body=PAGE, content_type="text/html")

    async def asked(self) -> Route:
        """Something changed, so the region asks again."""
        await self._page.evaluate(CHANGED)
        return await asyncio.wait_for(self._requests.get(), 20)

    async def answer(self, route: Route, text: str, status: int = 200) -> None:
        """Returns once the page has read the answer and done with it what it does."""
        async with self._page.expect_event(
            "requestfinished", lambda request: request == route.request, timeout=PATIENCE_MS
        ):
            await route.fulfill(status=status, body=text, content_type="text/html")
        await self._page.evaluate("new Promise(drawn => requestAnimationFrame(() => setTimeout(drawn)))")


@pytest.fixture
async def opened(browser: Browser) -> AsyncIterator[Opened]:
    page = await browser.new_page()
    opened = Opened(page)
    await opened.load()
    yield opened
    await page.close()


async def test_an_answer_that_comes_late_takes_no_crisis_off_the_page(opened: Opened) -> None:
    slow, quick = await opened.asked(), await opened.asked()
    await opened.answer(quick, "Crisis")
    await opened.answer(slow, "No crisis")
    await expect(opened.region).to_have_text("Crisis", timeout=PATIENCE_MS)


async def test_a_late_failure_makes_nothing_stale_that_was_drawn_since(opened: Opened) -> None:
    slow, quick = await opened.asked(), await opened.asked()
    await opened.answer(quick, "Crisis")
    await opened.answer(slow, "Away", status=503)
    await expect(opened.region).not_to_have_attribute("data-stale", "yes", timeout=PATIENCE_MS)


async def test_answers_slower_than_changes_are_shown_all_the_same(opened: Opened) -> None:
    first, _ = await opened.asked(), await opened.asked()
    await opened.answer(first, "Crisis")
    await expect(opened.region).to_have_text("Crisis", timeout=PATIENCE_MS)
    await expect(opened.region).to_have_attribute("aria-busy", "true", timeout=PATIENCE_MS)


async def test_an_older_answer_is_shown_when_the_newer_one_failed_but_not_as_fresh(opened: Opened) -> None:
    slow, quick = await opened.asked(), await opened.asked()
    await opened.answer(quick, "Away", status=503)
    await opened.answer(slow, "Crisis")
    await expect(opened.region).to_have_text("Crisis", timeout=PATIENCE_MS)
    await expect(opened.region).to_have_attribute("data-stale", "yes", timeout=PATIENCE_MS)
