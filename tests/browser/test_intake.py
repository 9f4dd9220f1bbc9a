"""From a referral to its decision, at the page, and what the other services then know."""

import asyncio
import re
from pathlib import Path
from typing import Any

from playwright.async_api import Locator, Page, Route, expect

from tests.browser.conftest import SignIn, keep_picture, require_accessible, sign_in_again, tab_until
from tests.support.eventually import eventually
from tests.support.world import CALM, World

LITTLE_INTEREST, BETTER_OFF_DEAD = "Little interest", "Thoughts that you would be better off dead"
SEVERE = [3, 3, 3, 3, 2, 2, 2, 2, 0]
HOSTILE = "<script>document.title='taken'</script> \u202egnp.exe 🙂 مرحبا"
PHONE = {"width": 360, "height": 740}


async def answer(page: Page, question: str, said: str) -> None:
    choice = re.compile(rf"^(\d )?{said}$")
    await page.get_by_role("group", name=question).get_by_role("radio", name=choice).check()


async def answer_mildly(page: Page, *, item9: str = "Not at all") -> None:
    """A PHQ-9 of 8 with a calm C-SSRS."""
    questions = page.locator("[data-counts='9'] fieldset")
    for place in range(8):
        await questions.nth(place).get_by_role("radio", name="Several days").check()
    await answer(page, BETTER_OFF_DEAD, item9)
    for question in ("wished you were dead", "any thoughts of killing yourself", "prepared to do anything"):
        await answer(page, question, "No")


async def plans(kith: World, patient_id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await kith.desks.get("care_plan", f"/patients/{patient_id}/plans"))[
        "plans"
    ]
    return found


async def referral_on(kith: World, page: Page) -> dict[str, Any]:
    """The referral whose page this is, as intake has it."""
    id = page.url.partition("/intake/")[2].partition("?")[0]
    found: dict[str, Any] = await kith.desks.get("intake", f"/referrals/{id}")
    return found


async def test_a_mild_referral_is_enrolled_by_the_rules_and_has_a_plan(kith: World, sign_in: SignIn) -> None:
    page = await sign_in("coordinator", clinic="riverside")
    await page.get_by_role("link", name="Refer someone").first.click()
    await page.get_by_label("Given name").fill("Ida")
    await page.get_by_label("Family name").fill("Mild")
    await page.get_by_label("Age", exact=True).fill("34")
    await page.get_by_label("Clinician").select_option("cln_r05")
    await page.get_by_role("radio", name="Given", exact=True).check()
    await answer_mildly(page)
    await expect(page.get_by_text("9 of 9 answered")).to_be_visible()
    await require_accessible(page)
    await keep_picture(page, "intake-new")
    await page.get_by_role("button", name="Refer").click()
    await expect(page.get_by_text("The person is enrolled.")).to_be_visible()
    await expect(page.get_by_role("heading", name="Referral of Ida Mild")).to_be_visible()
    assert "Ida" not in page.url
    assert "988" not in await page.locator("#standing").inner_text()
    referral = await referral_on(kith, page)
    assert (referral["state"], referral["clinician_id"], referral["phq9"]["total"]) == (
        "completed",
        "cln_r05",
        8,
    )
    assert await eventually(lambda: plans(kith, referral["patient_id"]))
    await page.get_by_role("link", name="Open the person").click()
    assert page.url.endswith(f"/people/{referral['patient_id']}")


async def test_a_crisis_in_the_form_alerts_people_and_shows_the_lines(kith: World, sign_in: SignIn) -> None:
    page = await sign_in("clinician", subject="cln_r06", clinic="riverside", viewport=PHONE)
    await page.goto("/intake/new")
    method, recent = (
        page.get_by_role("group", name="how you might do this"),
        page.get_by_role("group", name="within the past three months"),
    )
    await answer_mildly(page, item9="More than half the days")
    await expect(method).to_be_hidden()
    await answer(page, "any thoughts of killing yourself", "Yes")
    await answer(page, "how you might do this", "Yes")
    await answer(page, "any thoughts of killing yourself", "No")
    await expect(method).to_be_visible()  # what was answered with yes is never hidden
    await answer(page, "any thoughts of killing yourself", "Yes")
    await answer(page, "intention of acting", "Yes")
    await answer(page, "details of how", "No")
    await expect(recent).to_be_hidden()
    await answer(page, "prepared to do anything", "Yes")
    await answer(page, "within the past three months", "No")
    await page.get_by_role("radio", name="Given", exact=True).check()
    await page.get_by_role("button", name="Refer").click()
    standing = page.locator("#standing")
    await expect(standing).to_contain_text("Crisis evidence, moderate or high")
    await expect(standing.get_by_role("link", name="988")).to_be_visible()
    await expect(standing).to_contain_text("Kith is not an emergency service")
    await require_accessible(page)
    await keep_picture(page, "intake-crisis-phone")
    patient_id = (await referral_on(kith, page))["patient_id"]
    raised = await eventually(lambda: kith.alerts(patient_id=patient_id))
    assert [alert["severity"] for alert in raised if alert["kind"] == "crisis"] == ["high"]


async def test_what_is_wrong_stands_at_its_field_and_nothing_entered_is_lost(
    kith: World, sign_in: SignIn
) -> None:
    page = await sign_in("coordinator", clinic="riverside")
    await page.goto("/intake/new")
    await page.get_by_label("Given name").fill(HOSTILE)
    await page.get_by_label("Family name").fill("Ω" * 10_000)
    await page.get_by_label("Phone").fill("call me")
    await page.get_by_label("Note").fill("'\"><img src=x onerror=alert(1)>")
    await answer(page, LITTLE_INTEREST, "Nearly every day")
    await answer(page, BETTER_OFF_DEAD, "Several days")
    await page.get_by_role("button", name="Refer").click()
    summary = page.locator(".error-summary")
    await expect(summary).to_be_focused()
    await expect(summary.get_by_role("link")).to_have_count(2)
    await expect(page.get_by_text("People are alerted all the same")).to_be_visible()
    await expect(page.get_by_label("Given name")).to_have_value(HOSTILE)
    await expect(page.get_by_label("Family name")).to_have_value("Ω" * 10_000)
    await expect(page.get_by_label("Family name")).to_have_attribute("aria-invalid", "true")
    await expect(page.get_by_label("Note")).to_have_value("'\"><img src=x onerror=alert(1)>")
    await expect(
        page.get_by_role("group", name=LITTLE_INTEREST).get_by_label("Nearly every day")
    ).to_be_checked()
    await require_accessible(page)
    await keep_picture(page, "intake-errors")
    assert page.url.endswith("/intake/new")
    await page.get_by_label("Family name").fill("")
    await page.get_by_label("Phone").fill("")
    await page.get_by_role("button", name="Refer").click()
    await expect(page.get_by_role("heading", name="Referral of")).to_contain_text("<script>")
    assert "taken" not in await page.title()
    referral = await referral_on(kith, page)
    assert referral["phq9"]["items"][:2] == [3, None]
    assert referral["state"] == "incomplete"


async def test_a_clinician_decides_by_keyboard_alone(kith: World, sign_in: SignIn) -> None:
    await kith.refer(
        person={"given_name": "Severin", "family_name": "Tab"},
        screening={"phq9": {"items": SEVERE}, "cssrs": CALM},
    )
    page = await sign_in("clinician", subject="cln_r01", clinic="riverside")
    await expect(page.locator("#live")).to_have_text("Live")
    await page.keyboard.press("g")
    await page.keyboard.press("i")
    link = page.get_by_role("link", name="Severin Tab")
    await expect(link).to_be_visible()
    await expect(page.locator("tr", has=link)).to_contain_text("Severe depression (PHQ-9 20 or more)")
    await require_accessible(page)
    await keep_picture(page, "intake")
    await tab_until(page, 'here.textContent.trim() === "Severin Tab"')
    await page.keyboard.press("Enter")
    variant = page.get_by_label("Variant and number of sessions")
    await expect(variant).to_be_visible()
    await require_accessible(page)
    await keep_picture(page, "intake-referral")
    await tab_until(page, 'here.name === "variant"')
    await page.keyboard.type("IPT, 14")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await expect(page.locator("#standing")).to_contain_text("IPT, 14 sessions")
    referral = await referral_on(kith, page)
    assert (referral["stage"]["decider"], referral["stage"]["sessions"]) == ("cln_r01", 14)
    (plan,) = await eventually(lambda: plans(kith, referral["patient_id"]))
    assert plan["id"]
    await page.goto("/intake?tab=recent")
    await expect(page.locator("tr", has_text="Severin Tab")).to_contain_text("Enrolled")


async def test_an_unassessed_crisis_refuses_the_decision_with_its_reason(
    kith: World, sign_in: SignIn
) -> None:
    view = await kith.refer(screening={"phq9": {"items": SEVERE}, "cssrs": {**CALM, "q2": True, "q3": True}})
    page = await sign_in("clinician", subject="cln_r01", clinic="riverside")
    await page.goto(f"/intake/{view['id']}")
    await answers_are_complete(page)
    await decline(page, "IPT is not indicated")
    refusal = page.get_by_role("alert").filter(has_text="crisis unassessed")
    await expect(refusal).to_contain_text("assess it, and say here that it was assessed")
    form = page.get_by_role("form", name="Decline")
    await expect(form.get_by_label("Reason")).to_have_value("not_indicated")
    await expect(form.get_by_role("radio", name="Yes")).to_be_checked()
    await form.get_by_label("The crisis evidence was assessed").check()
    await form.get_by_role("button", name="Decline").click()
    await expect(page.locator("#standing")).to_contain_text("IPT is not indicated, decided by cln_r01")
    stage = (await referral_on(kith, page))["stage"]
    assert (stage["reason"], stage["alternative_offered"]) == ("not_indicated", True)


async def answers_are_complete(page: Page) -> None:
    """Complete the screening: what was not answered is added, what was stays."""
    form = page.get_by_role("form", name="Screening")
    for question in ("intention of acting", "details of how"):
        await form.get_by_role("group", name=question).get_by_role("radio", name="No", exact=True).check()
    await form.get_by_role("button", name="Record the answers").click()
    await expect(page.get_by_text("Answers recorded")).to_be_visible()


async def decline(page: Page, reason: str) -> None:
    await page.locator("summary", has_text="Decline").click()
    form = page.get_by_role("form", name="Decline")
    await form.get_by_label("Reason").select_option(label=reason)
    await form.get_by_role("radio", name="Yes").check()
    await form.get_by_role("button", name="Decline").click()


async def test_two_people_editing_the_same_referral_overwrite_nothing(kith: World, sign_in: SignIn) -> None:
    view = await kith.refer(consent=None, screening={"phq9": {"items": SEVERE}, "cssrs": CALM})
    page = await sign_in("coordinator", clinic="riverside")
    await page.goto(f"/intake/{view['id']}")
    form = page.get_by_role("form", name="Consent")
    await form.get_by_role("radio", name="Not given").check()
    await kith.desks.send(
        "intake", "PUT", f"/referrals/{view['id']}/consent", {"given": True}, key=view["id"]
    )
    await form.get_by_role("button", name="Record consent").click()
    await expect(page.get_by_text("Somebody else changed this")).to_be_visible()
    await expect(form.get_by_role("radio", name="Not given")).to_be_checked()
    await expect(page.get_by_text("given, recorded by dev-clinician")).to_be_visible()
    assert (await referral_on(kith, page))["consent"]["given"] is True
    await form.get_by_role("button", name="Record consent").click()
    await expect(page.get_by_text("Consent recorded")).to_be_visible()
    assert (await referral_on(kith, page))["consent"]["given"] is False


async def test_two_people_answering_one_screening_keep_each_others_answers(
    kith: World, sign_in: SignIn
) -> None:
    items = [1, 1, None, 1, 1, 1, 1, 1, 0]
    view = await kith.refer(screening={"phq9": {"items": items}, "cssrs": CALM})
    page = await sign_in("coordinator", clinic="riverside")
    await page.goto(f"/intake/{view['id']}")
    form = page.get_by_role("form", name="Screening")
    await answer_in(form, "Little interest", "Nearly every day")
    await answer_in(form, "Trouble falling", "Several days")
    theirs = {"phq9": {"items": [2, 3, *items[2:]]}}
    await kith.desks.send("intake", "PUT", f"/referrals/{view['id']}/screening", theirs, key=view["id"])
    await form.get_by_role("button", name="Record the answers").click()
    await expect(page.get_by_text("Somebody else changed this")).to_be_visible()
    await expect(
        form.get_by_role("group", name="Feeling down").get_by_label("Nearly every day")
    ).to_be_checked()
    await expect(form.get_by_role("group", name="Little interest")).to_contain_text("More than half the days")
    await expect(form.locator(".item-theirs")).to_have_text("Recorded: More than half the days")
    await require_accessible(page)
    await keep_picture(page, "intake-conflict")
    await form.get_by_role("button", name="Record the answers").click()
    await expect(page.get_by_text("Answers recorded")).to_be_visible()
    assert (await referral_on(kith, page))["phq9"]["items"] == [3, 3, 1, 1, 1, 1, 1, 1, 0]


async def test_a_printed_referral_holds_its_answers_and_no_forms(kith: World, sign_in: SignIn) -> None:
    view = await kith.refer(screening={"phq9": {"items": SEVERE}, "cssrs": CALM})
    page = await sign_in("clinician", clinic="riverside")
    await page.goto(f"/intake/{view['id']}")
    item = page.get_by_role("row", name="Little interest or pleasure in doing things")
    await expect(item).to_be_hidden()
    await page.emulate_media(media="print")
    await expect(item).to_be_visible()
    await expect(item).to_contain_text("nearly every day")
    await expect(page.get_by_role("form", name="Enrol")).to_be_hidden()


async def answer_in(form: Locator, question: str, said: str) -> None:
    await form.get_by_role("group", name=question).get_by_label(said).check()


async def test_forms_outlive_another_sign_in_and_say_that_nobody_was_alerted_by_them(
    kith: World, sign_in: SignIn
) -> None:
    page = await sign_in("coordinator", clinic="riverside")
    await page.goto("/intake/new")
    await page.get_by_label("Given name").fill("Tabitha")
    await answer(page, BETTER_OFF_DEAD, "Several days")
    await sign_in_again(page, subject="dev-other", clinic="riverside")
    await page.get_by_role("button", name="Refer").click()
    await expect(page.get_by_text("Nothing was sent yet")).to_be_visible()
    await expect(page.get_by_text("Nobody was alerted by this form")).to_be_visible()
    await expect(page.get_by_label("Given name")).to_have_value("Tabitha")
    await require_accessible(page)
    await page.get_by_role("button", name="Refer").click()
    await expect(page.get_by_role("heading", name="Referral of Tabitha")).to_be_visible()

    await page.locator("summary", has_text="Raise a crisis").click()
    await page.get_by_label("Who says so?").select_option("relative")
    await sign_in_again(page, subject="dev-third", clinic="riverside")
    await page.get_by_role("button", name="Raise the crisis now").click()
    await expect(page.get_by_text("Nobody was alerted by this form")).to_be_visible()
    await expect(page.get_by_label("Who says so?")).to_have_value("relative")
    await page.get_by_role("button", name="Raise the crisis now").click()
    await expect(page.get_by_text("people are being alerted")).to_be_visible()


async def test_a_form_sent_twice_is_one_referral_and_roles_and_clinics_hold(
    kith: World, sign_in: SignIn
) -> None:
    page = await sign_in("coordinator", clinic="riverside")
    await page.goto("/intake/new")
    sent: dict[str, str | float | bool] = {"csrf": await page.locator("#referral [name=csrf]").input_value()}
    sent["idempotency_key"] = await page.locator("#referral [name=idempotency_key]").input_value()
    asked = await page.request.post("/intake/new", form=sent)
    assert asked.status == 422
    assert "Nobody could find this person again" in await asked.text()
    sent["about_nobody"] = "yes"
    answers = [await page.request.post("/intake/new", form=sent, max_redirects=0) for _ in range(2)]
    assert [answer.status for answer in answers] == [303, 303]
    assert answers[0].headers["location"] == answers[1].headers["location"]
    id = answers[0].headers["location"].removeprefix("/intake/").partition("?")[0]
    foreign = await page.request.post("/intake/new", form={**sent, "csrf": "guessed"}, max_redirects=0)
    assert foreign.status == 403
    await page.goto(f"/intake/{id}")
    await expect(page.get_by_text("Enrolling and declining are for clinicians.")).to_be_visible()
    await expect(page.get_by_role("button", name="Enrol")).to_have_count(0)
    refused = await page.request.post(
        f"/intake/{id}", form={**sent, "task": "enrol", "variant": "ipt-16", "idempotency_key": "other"}
    )
    assert refused.status == 403
    elsewhere = await sign_in("clinician", clinic="lakeside")
    answer = await elsewhere.goto(f"/intake/{id}")
    assert answer is not None
    assert answer.status == 404
    assert id not in await elsewhere.inner_text("main")


async def test_whoever_is_signed_out_comes_back_to_where_they_were(kith: World, sign_in: SignIn) -> None:
    page = await sign_in("coordinator", clinic="riverside")
    await page.context.clear_cookies()
    await page.goto("/intake?tab=incomplete")
    await expect(page).to_have_url("/sign-in?next=%2Fintake%3Ftab%3Dincomplete")
    await page.get_by_role("button", name="Sign in as coordinator").click()
    await expect(page).to_have_url("/intake?tab=incomplete")
    await expect(page.get_by_role("link", name="Incomplete")).to_have_attribute("aria-current", "page")


async def test_a_crisis_can_be_raised_from_any_referral(kith: World, sign_in: SignIn) -> None:
    view = await kith.refer(consent=None)
    page = await sign_in("coordinator", clinic="riverside")
    await page.goto(f"/intake/{view['id']}")
    await page.locator("summary", has_text="Raise a crisis").click()
    await page.get_by_label("Who says so?").select_option("relative")
    await page.get_by_role("button", name="Raise the crisis now").click()
    await expect(page.get_by_text("people are being alerted")).to_be_visible()
    await expect(page.locator("#standing").get_by_role("link", name="988")).to_be_visible()
    raised = await eventually(lambda: kith.alerts(patient_id=view["patient_id"]))
    assert "crisis" in [alert["kind"] for alert in raised]


def a_file(path: Path, rows: int) -> Path:
    """Row 3 has an age nobody can read, row 5 an item 9 above zero, row 7 a name over two lines."""
    items = ",".join(f"phq9_{number}" for number in range(1, 10))
    lines = [f"external_id,given_name,age,{items}"]
    for number in range(1, rows + 1):
        age = "old" if number == 3 else "40"
        name = '"Two\nlines <b>"' if number == 7 else f"Row {number}"
        lines.append(f"{path.stem}-{number},{name},{age},1,1,1,1,1,1,1,1,{int(number == 5)}")
    path.write_text("\r\n".join(lines))
    return path


async def test_a_file_is_imported_in_parts_with_a_report_of_what_to_mend(
    kith: World, sign_in: SignIn, tmp_path: Path
) -> None:
    page = await sign_in("coordinator", clinic="lakeside")
    await page.goto("/intake")
    await page.get_by_role("link", name="Import a file").click()
    await page.get_by_label("File", exact=True).set_input_files(a_file(tmp_path / "parts.csv", 420))
    await pause_after_the_first_part(page)
    await page.context.clear_cookies()
    await page.get_by_role("button", name="Resume").click()
    await expect(page.locator("#import-said")).to_contain_text("You were signed out.")
    await sign_in_again(page, subject="dev-other", clinic="lakeside")
    await page.get_by_role("button", name="Resume").click()
    await expect(page.get_by_text("419 rows were imported")).to_be_visible()
    assert await counts(page) == {
        "created": "419",
        "updated": "0",
        "unchanged": "0",
        "refused": "1",
        "flagged": "1",
    }
    await expect(page.locator("#import-crisis").get_by_role("link", name="988")).to_be_visible()
    async with page.expect_download() as download:
        await page.get_by_role("link", name="Download the error report").click()
    report = (await (await download.value).path()).read_text()
    assert report.splitlines() == ["row,code,what to mend", '3,"age:int_type","Write a whole number in age."']
    await require_accessible(page)
    await keep_picture(page, "intake-import")
    await page.get_by_role("button", name="Import").click()
    await expect(page.locator("[data-count=unchanged]")).to_have_text("419")
    await expect(page.get_by_text("0 rows were imported")).to_be_visible()
    await expect(page.get_by_text("419 rows were known already and changed nothing.")).to_be_visible()
    found = await kith.desks.all_pages("intake", "/referrals", state="incomplete")
    assert sum((item["external_id"] or "").startswith("parts-") for item in found) == 419
    await every_page_shows_others(page)


async def every_page_shows_others(page: Page) -> None:
    """They were received at the same instant: the queue's places tell them apart all the same."""
    links = page.locator("#queue-table .row-link")
    await page.goto("/intake?tab=incomplete")
    await expect(page.get_by_role("link", name=re.compile("Incomplete 4(19|26)"))).to_be_visible()
    await expect(links).to_have_count(50)
    first = await links.evaluate_all("all => all.map(link => link.href)")
    await page.get_by_role("link", name="Next").click()
    await expect(page).to_have_url(re.compile("after="))
    await expect(links).to_have_count(50)
    assert not {*first} & {*await links.evaluate_all("all => all.map(link => link.href)")}


async def pause_after_the_first_part(page: Page) -> None:
    paused = asyncio.Event()

    async def hold(route: Route) -> None:
        await paused.wait()
        await route.continue_()

    await page.route("**/intake/import/parts", hold)
    await page.wait_for_load_state()  # before its script is there, the page sends the file whole
    await page.get_by_role("button", name="Import").click()
    await page.get_by_role("button", name="Pause").click()
    paused.set()
    await expect(page.get_by_role("status").filter(has_text="Paused after 200 rows.")).to_be_attached()


async def counts(page: Page) -> dict[str, str]:
    tiles = await page.locator("[data-count]").all()
    return {str(await tile.get_attribute("data-count")): await tile.inner_text() for tile in tiles}


async def test_without_script_everything_can_be_asked_and_a_file_uploaded(
    kith: World, sign_in: SignIn, tmp_path: Path
) -> None:
    page = await sign_in("coordinator", clinic="lakeside", java_script_enabled=False)
    await page.goto("/intake/new")
    await expect(page.get_by_text("Ask 1 and 2. If 2 is no, go on to 6")).to_be_visible()
    await expect(page.get_by_role("group", name="within the past three months")).to_be_visible()
    await page.goto("/intake/import")
    await page.get_by_label("File", exact=True).set_input_files(a_file(tmp_path / "whole.csv", 8))
    await page.get_by_role("button", name="Import").click()
    await expect(page.get_by_role("heading", name="Imported")).to_be_visible()
    assert (await counts(page))["created"] == "7"
    await expect(page.get_by_role("row", name="Write a whole number in age.")).to_be_visible()
    (tmp_path / "picture.csv").write_bytes(b"\xff\xfe\x00")
    await page.get_by_label("File", exact=True).set_input_files(tmp_path / "picture.csv")
    await page.get_by_role("button", name="Import").click()
    await expect(page.get_by_text("not UTF-8 text")).to_be_visible()
