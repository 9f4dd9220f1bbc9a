"""Real people at a real browser: Debian's Chromium, the whole stack behind it, in stepped time."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, Literal

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, BrowserContext, Page, async_playwright, expect

from deploy.embedded.plan import PAGE
from tests.support.world import World, world

CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))),
    None,
)
SHOTS = Path(os.environ.get("KITH_SHOTS", "build/screenshots"))
"""Where pictures of the pages are left, light and dark."""

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
PATIENCE_MS = 45_000

expect.set_options(timeout=PATIENCE_MS)

SignIn = Callable[..., Awaitable[Page]]


@pytest.fixture(scope="module")
async def kith(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """A stack with its dashboard for the tests of a module: every test refers people of its own."""
    async with world(tmp_path_factory.mktemp("page"), page=True) as running:
        yield running


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no Chromium here: apt-get install chromium")
    async with async_playwright() as playwright:
        yield await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])


@pytest.fixture
async def sign_in(kith: World, browser: Browser) -> AsyncIterator[SignIn]:
    """`await sign_in("clinician", subject="cln_r01", clinic="riverside")`: a page of somebody's own.

    Further arguments are the browser context's (`viewport`, `color_scheme`). Whatever the page says in its
    console as an error fails the test, unless the test takes it out of `page.said`.
    """
    contexts: list[BrowserContext] = []
    said: list[str] = []

    async def signed_in(
        role: str = "coordinator", *, subject: str = "", clinic: str = "", **options: Any
    ) -> Page:
        context = await browser.new_context(base_url=kith.stack.plan.url(PAGE), **options)
        context.set_default_timeout(PATIENCE_MS)
        contexts.append(context)
        page = await context.new_page()
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on(
            "console",
            lambda message: said.append(message.text) if "Content Security" in message.text else None,
        )
        await fill_in(page, role, subject, clinic)
        if options.get("java_script_enabled", True):
            # A page is there before its scripts, and only they hear keys: this is the last that they begin.
            await expect(page.locator("#live")).not_to_have_attribute("data-state", "still")
        return page

    yield signed_in
    for context in contexts:
        await context.close()
    assert said == []


async def sign_in_again(page: Page, role: str = "coordinator", *, subject: str, clinic: str) -> None:
    """In another tab of the same browser: the open page keeps what was drawn for the sign-in before."""
    tab = await page.context.new_page()
    await fill_in(tab, role, subject, clinic)
    await tab.close()


async def fill_in(page: Page, role: str, subject: str, clinic: str) -> None:
    """The development sign-in, as somebody in particular."""
    await page.goto("/sign-in")
    await page.get_by_text("As somebody in particular").click()
    await page.get_by_label("Role").select_option(f"dev-{role}")
    await page.get_by_label("Subject").fill(subject or f"dev-{role}")
    await page.get_by_label("Clinic").fill(clinic)
    await page.get_by_role("button", name="Sign in", exact=True).click()
    await expect(page.get_by_role("button", name="Sign out")).to_be_visible()


async def tab_until(page: Page, is_there: str) -> None:
    """Press Tab until the focused element `here` is the one, as somebody without a mouse does."""
    for _ in range(150):
        await page.keyboard.press("Tab")
        if await page.evaluate(f"(() => {{ const here = document.activeElement; return {is_there}; }})()"):
            return
    raise AssertionError(f"never reached: {is_there}")


async def require_accessible(page: Page) -> None:
    """No violation of WCAG 2.2 A and AA that axe-core can see."""
    results = await Axe().run(page, options={"runOnly": {"type": "tag", "values": RULES}})
    assert results.violations_count == 0, results.generate_report()


async def keep_picture(page: Page, name: str) -> None:
    """Leave the page as it looks, in light and dark, for people to look at."""
    await asyncio.to_thread(SHOTS.mkdir, parents=True, exist_ok=True)
    schemes: tuple[Literal["light", "dark"], ...] = ("light", "dark")
    for scheme in schemes:
        await page.emulate_media(color_scheme=scheme)
        await page.screenshot(path=SHOTS / f"{name}-{scheme}.png", full_page=True)
    await page.emulate_media(color_scheme="light")
