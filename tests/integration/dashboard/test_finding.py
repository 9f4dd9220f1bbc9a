"""Finding a person from the head of every page: for carers, by our own form, also while intake is away."""

import html
import re

import httpx2
import pytest

from tests.integration.dashboard.conftest import Dashboard

HTML = {"Accept": "text/html"}
AWAY = "Names cannot be looked up just now; the caseload by id still works"
PAGES = ("/", "/alerts", "/intake", "/intake/new", "/calendar", "/outcomes", "/find")
HOSTILE = "\"><script>alert('Quimby')</script>"


async def ask(carer: httpx2.AsyncClient, text: str | None) -> httpx2.Response:
    """Send the form as it stands in the head of the caseload; `None`: without its field."""
    page = (await carer.get("/", headers=HTML)).text
    form = re.search(r'<form class="find".*?</form>', page, re.DOTALL)
    assert form is not None
    csrf = re.search(r'name="csrf" value="([^"]+)"', form[0])
    assert csrf is not None
    sent = {"csrf": csrf[1]} | ({} if text is None else {"text": text})
    return await carer.post("/find", data=sent, headers=HTML)


@pytest.mark.parametrize("path", PAGES)
async def test_every_page_of_a_carer_has_the_field_in_its_head(dashboard: Dashboard, path: str) -> None:
    async with dashboard.as_("clinician") as carer:
        page = await carer.get(path, headers=HTML)
    assert page.status_code == 200
    assert page.text.count('action="/find"') == 1
    assert re.search(r'<label[^>]* for="find">[^<]+</label>', page.text)


async def test_while_intake_is_away_the_page_says_what_still_works_and_keeps_the_text(
    dashboard: Dashboard,
) -> None:
    async with dashboard.as_("coordinator") as carer:
        answer = await ask(carer, "  Quimby Jane ")
    assert answer.status_code == 503
    assert AWAY in answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert answer.text.count("Quimby") == 1
    assert 'value="Quimby Jane"' in answer.text


@pytest.mark.parametrize("text", [None, "", " ", "Q", " Q ", "\0Q", "Quimby " * 15, "Q" * 10_000])
async def test_a_text_too_short_or_too_long_is_asked_for_anew(dashboard: Dashboard, text: str | None) -> None:
    async with dashboard.as_("coordinator") as carer:
        answer = await ask(carer, text)
    assert answer.status_code == 422
    assert "Type at" in answer.text
    kept = re.search(r'id="find"[^>]* value="([^"]*)"', answer.text)
    assert kept is not None
    assert len(html.unescape(kept[1])) <= 100
    assert answer.text.count("Quimby") == kept[1].count("Quimby")


async def test_a_hostile_text_stands_in_the_field_as_text(dashboard: Dashboard) -> None:
    async with dashboard.as_("coordinator") as carer:
        answer = await ask(carer, HOSTILE)
    assert "<script>alert" not in answer.text
    assert f'value="{html.escape(HOSTILE, quote=False)}' not in answer.text
    assert html.unescape(answer.text).count(HOSTILE) == 1


async def test_a_form_that_we_did_not_draw_is_refused(dashboard: Dashboard) -> None:
    async with dashboard.as_("coordinator") as carer:
        for sent in ({"text": "Quimby"}, {"text": "Quimby", "csrf": "x"}):
            answer = await carer.post("/find", data=sent, headers=HTML)
            assert answer.status_code == 403
            assert "Quimby" not in answer.text


async def test_an_engineer_finds_nobody_and_is_not_offered_to(dashboard: Dashboard) -> None:
    async with dashboard.as_("engineer") as engineer:
        assert (await engineer.get("/find", headers=HTML)).status_code == 403
        answer = await engineer.post("/find", data={"text": "Quimby"}, headers=HTML)
        assert 'action="/find"' not in (await engineer.get("/alerts", headers=HTML)).text
    assert answer.status_code == 403
    assert "Quimby" not in answer.text


async def test_the_typed_text_is_never_asked_for_in_an_address(dashboard: Dashboard) -> None:
    async with dashboard.as_("coordinator") as carer:
        page = await carer.get("/find?text=Quimby", headers=HTML)
    assert "Quimby" not in page.text
