"""A person's page: what is seen of a course of care, and everything that can be done about it."""

from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from playwright.async_api import Page, expect

from tests.browser.conftest import SignIn, keep_picture, require_accessible, sign_in_again, tab_until
from tests.support.eventually import eventually
from tests.support.world import LOW_MOOD, World

HOSTILE = '<script>alert("x")</script> \u202e\u05d0\u05d1\u05d2 😀'


async def begun(kith: World, clinician: str, **person: str) -> tuple[str, str]:
    """Somebody whose plan has just begun: their id and the plan's."""
    name = {"given_name": "Rosa", "family_name": "Lindqvist"} | person
    view = await kith.refer(clinician_id=clinician, person=name)
    return view["patient_id"], (await kith.plan_of(view["patient_id"]))["id"]


async def attend(kith: World, plan_id: str, items: list[int]) -> None:
    """Hold the next session now: weeks would be long in a world where somebody's crisis is open."""
    (next_one, *_) = await kith.appointments(plan_id)
    await kith.record(plan_id, next_one, {"outcome": "attended", "phq9": {"items": items}})


async def answer(page: Page, form: str, items: list[int]) -> None:
    """Choose the answers of the PHQ-9."""
    for place, item in enumerate(items, 1):
        await page.locator(f'#{form}-phq9_{place} input[value="{item}"]').check()


async def test_a_session_is_recorded_with_its_measures_by_keyboard_alone(
    kith: World, sign_in: SignIn
) -> None:
    patient, _ = await begun(kith, "cln_r01", given_name="Keyboard")
    page = await sign_in("coordinator", clinic="riverside")
    await page.goto(f"/people/{patient}")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Keyboard Lindqvist")
    await tab_until(page, 'here.textContent.trim() === "Record a session"')
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Record a session")).to_be_visible()
    for place in range(1, 10):
        await tab_until(page, f'here.name === "phq9_{place}"')
        await page.keyboard.press("ArrowRight")  # past the last choice, not answered: round to the first
        if place <= 3:
            await page.keyboard.press("ArrowRight")
    await tab_until(page, 'here.textContent.trim() === "Record the session"')
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("The session is recorded.")).to_be_visible()
    after = await kith.plan_of(patient)
    assert after["attended"] == 1
    assert after["progress"]["last"] == 3
    await expect(page.locator(".tiles")).to_contain_text("session 1 of")
    await require_accessible(page)


async def test_an_unanswered_item_is_missing_and_the_page_says_so(kith: World, sign_in: SignIn) -> None:
    patient, _ = await begun(kith, "cln_r02")
    page = await sign_in("coordinator", clinic="riverside")
    await page.goto(f"/people/{patient}/actions/take-measures")
    await page.get_by_role("button", name="Record the measures").click()
    await expect(page.locator("main").get_by_role("alert")).to_contain_text("Nothing was answered")
    await answer(page, "f", [1] * 8)
    await require_accessible(page)
    await page.get_by_role("button", name="Record the measures").click()
    await expect(page.get_by_text("The measures are recorded.")).to_be_visible()
    (measure,) = (await kith.plan_of(patient))["measures"]
    assert measure["total"] is None
    await page.get_by_text("The measures as a table").click()
    await expect(page.get_by_role("row", name="PHQ-9 missing")).to_be_visible()


async def test_a_sign_of_danger_says_where_help_is_and_keeps_the_plan_from_closing(
    kith: World, sign_in: SignIn
) -> None:
    patient, _ = await begun(kith, "cln_r03")
    page = await sign_in("clinician", clinic="riverside")
    await page.goto(f"/people/{patient}/actions/take-measures")
    await answer(page, "f", [*LOW_MOOD[:8], 2])
    await page.get_by_role("button", name="Record the measures").click()
    await expect(page.get_by_role("heading", name="A crisis flag was raised")).to_be_visible()
    await expect(page.locator("main").get_by_text("call or text 988")).to_be_visible()
    await require_accessible(page)
    await keep_picture(page, "person-crisis")
    await kith.time.settle()
    (alert,) = await kith.alerts(patient_id=patient, kind="crisis")
    await page.get_by_role("link", name="Back to the person").click()
    await expect(page.locator("#person")).to_contain_text("Crisis, moderate")
    await expect(page.get_by_role("link", name="Take the crisis now")).to_have_attribute(
        "href", f"/alerts/{alert['id']}"
    )
    await page.get_by_role("link", name="Close the plan").click()
    await page.get_by_label("Outcome").select_option("withdrawn")
    await page.get_by_label("Reason").select_option("moved_away")
    await page.get_by_role("button", name="Close the plan").click()
    await expect(page.locator("main").get_by_role("alert").filter(has_text="Not done")).to_contain_text(
        "A crisis is not resolved"
    )
    await expect(page.get_by_label("Reason")).to_have_value("moved_away")
    assert (await kith.plan_of(patient))["closed"] is None


async def test_two_people_editing_one_plan_overwrite_nothing(kith: World, sign_in: SignIn) -> None:
    patient, plan = await begun(kith, "cln_r04", family_name=HOSTILE)
    page = await sign_in("clinician", clinic="riverside")
    await page.goto(f"/people/{patient}")
    await page.get_by_role("link", name="Record the inventory").click()
    await page.get_by_label("What is the issue").first.fill(f"Mine {HOSTILE}")
    theirs = {"entries": [{"text": f"Theirs {HOSTILE}", "problem_area": "grief", "rank": 1}]}
    await kith.change("PUT", f"/plans/{plan}/inventory", theirs)
    await page.get_by_role("button", name="Save the inventory").click()
    await expect(page.get_by_text("Somebody else changed this while you had it open")).to_be_visible()
    await expect(page.get_by_label("What is the issue").first).to_have_value(f"Mine {HOSTILE}")
    await expect(page.locator(".person-inventory")).to_contain_text(f"Theirs {HOSTILE}")
    assert (await kith.plan_of(patient))["inventory"][0]["text"] == f"Theirs {HOSTILE}"
    await page.get_by_role("button", name="Save the inventory").click()
    await expect(page.get_by_text("The inventory is saved.")).to_be_visible()
    assert (await kith.plan_of(patient))["inventory"][0]["text"] == f"Mine {HOSTILE}"

    # Unranked, it is not complete; ranked, it is, and the focus can be chosen.
    await page.get_by_role("link", name="Complete the inventory").click()
    await page.get_by_role("button", name="The inventory is complete").click()
    await expect(page.locator("main").get_by_role("alert")).to_contain_text(
        "Not every issue has a rank of its own"
    )
    await page.goto(f"/people/{patient}/actions/inventory")
    await page.get_by_label("Rank").first.fill("1")
    await page.get_by_label("Problem area").first.select_option("grief")
    await require_accessible(page)
    await page.get_by_role("button", name="Save the inventory").click()
    await page.get_by_role("link", name="Complete the inventory").click()
    await page.get_by_role("button", name="The inventory is complete").click()
    await page.get_by_role("link", name="Select the focus").click()
    await page.get_by_label("Focus", exact=True).select_option("grief")
    await page.get_by_role("button", name="Select the focus").click()
    await expect(page.get_by_text("The focus is selected.")).to_be_visible()
    after = await kith.plan_of(patient)
    assert after["focus"] == ["grief"]
    assert after["inventory_completed_at"]
    assert await page.locator("#person script").count() == 0

    # A coordinator sees that there is one, never the words, and decides nothing.
    other = await sign_in("coordinator", clinic="riverside")
    await other.goto(f"/people/{patient}")
    await expect(other.locator(".person-inventory")).to_contain_text("Grief")
    assert "Mine" not in await other.inner_text("main")
    await expect(other.get_by_role("link", name="Close the plan")).to_have_count(0)
    refused = await other.goto(f"/people/{patient}/actions/close")
    assert refused is not None
    assert refused.status == 403


async def test_ten_thousand_characters_are_sent_back_and_kept(kith: World, sign_in: SignIn) -> None:
    patient, plan = await begun(kith, "cln_r05")
    page = await sign_in("clinician", clinic="riverside")
    await page.goto(f"/people/{patient}/actions/relapse-prevention")
    await page.get_by_label("Plan for afterwards").evaluate("e => e.removeAttribute('maxlength')")
    await page.get_by_label("Plan for afterwards").fill("x" * 10_000)
    await page.get_by_label("Contingency signs").fill("early waking\n\nnot going out")
    await page.get_by_role("button", name="Save relapse prevention").click()
    await expect(page.locator("main").get_by_role("alert")).to_contain_text("too long")
    await expect(page.get_by_label("Plan for afterwards")).to_have_value("x" * 10_000)
    await expect(page.locator("[data-focus]")).to_be_focused()  # the script has run: it moves no focus later
    await page.get_by_label("Plan for afterwards").fill("Call the sister")
    await page.get_by_role("button", name="Save relapse prevention").click()
    await expect(page.get_by_text("Relapse prevention is saved.")).to_be_visible()
    written = (await kith.desks.get("care_plan", f"/plans/{plan}"))["relapse_prevention"]
    assert written == {"plan": "Call the sister", "contingency_signs": ["early waking", "not going out"]}


async def test_a_form_that_is_sent_twice_is_done_once(kith: World, sign_in: SignIn) -> None:
    patient, _ = await begun(kith, "cln_r06")
    page = await sign_in("coordinator", clinic="riverside")
    address = f"/people/{patient}/actions/hold"
    await page.goto(address)
    review = (kith.now + timedelta(days=14)).date().isoformat()
    fields = await page.evaluate(
        "Object.fromEntries(new FormData(document.querySelector('main form')).entries())"
    )
    sent = urlencode(fields | {"reason": "travel", "review_on": review})
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    for _ in range(2):
        done = await page.request.post(address, data=sent, headers=headers, max_redirects=0)
        assert done.status == 303
    await kith.time.settle()
    assert len(await kith.announced(patient, "CarePlanHeld")) == 1
    foreign = urlencode(fields | {"csrf": "f" * 64})
    assert (await page.request.post(address, data=foreign, headers=headers)).status == 403

    await page.goto(f"/people/{patient}")
    await expect(page.locator(".tiles")).to_contain_text("Travel")
    await page.get_by_role("link", name="Go on after the hold").click()
    await page.get_by_role("button", name="Go on with the course").click()
    await expect(page.get_by_text("The course goes on.").first).to_be_visible()
    assert (await kith.plan_of(patient))["hold"] is None


async def test_an_appointment_is_moved_and_cancelled_and_a_closed_clinic_says_so(
    kith: World, sign_in: SignIn
) -> None:
    patient, plan = await begun(kith, "cln_r01", given_name="Moving")
    (_, second, *_) = await kith.appointments(plan)
    page = await sign_in("coordinator", clinic="riverside")
    await page.goto(f"/people/{patient}")
    number = second["number"]
    await page.get_by_role("link", name=f"Move appointment {number}", exact=True).click()
    night = second["local_time"][:11] + "22:00"
    await page.get_by_label("To", exact=True).fill(night)
    await page.get_by_role("button", name="Move it").click()
    await expect(page.locator("main").get_by_role("alert")).to_contain_text("The clinic is closed then.")
    await expect(page.get_by_label("To", exact=True)).to_have_value(night)
    free = second["local_time"][:11] + ("15:00" if second["local_time"][11:13] != "15" else "16:00")
    await page.get_by_label("To", exact=True).fill(free)
    await page.get_by_role("button", name="Move it").click()
    await expect(page.get_by_text("The appointment is moved.")).to_be_visible()
    (moved,) = [a for a in await kith.appointments(plan) if a["number"] == number]
    assert moved["local_time"] == free
    await page.get_by_role("link", name=f"Cancel appointment {number}", exact=True).click()
    await page.get_by_role("button", name="Cancel the appointment").click()
    assert await page.get_by_label("Patient asked").is_checked() is False, "no reason is chosen for anybody"
    await page.get_by_label("Patient asked").check()
    await page.get_by_role("button", name="Cancel the appointment").click()
    await expect(page.get_by_text("The appointment is cancelled.")).to_be_visible()
    assert [a["number"] for a in await kith.appointments(plan, "cancelled")] == [number]


async def test_the_open_page_follows_what_others_do(kith: World, sign_in: SignIn) -> None:
    patient, plan = await begun(kith, "cln_r02", given_name="Open")
    page = await sign_in("clinician", clinic="riverside")
    await page.goto(f"/people/{patient}")
    await expect(page.get_by_role("status").filter(has_text="Live")).to_be_visible()
    await attend(kith, plan, [2] * 8 + [0])
    await expect(page.locator(".tiles")).to_contain_text("session 1 of")
    await expect(page.locator(".person-story")).to_contain_text("Session 1 of")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Open Lindqvist")
    cause = page.locator(".cause a").first
    await cause.click()
    assert "#e-" in page.url
    await keep_picture(page, "person")
    await require_accessible(page)
    await page.set_viewport_size({"width": 360, "height": 800})
    assert await page.evaluate("document.documentElement.scrollWidth") <= 360
    await require_accessible(page)
    await keep_picture(page, "person-phone")


async def test_without_an_answer_the_rest_stands_and_danger_is_never_taken_for_sent(
    kith: World, sign_in: SignIn
) -> None:
    patient, _ = await begun(kith, "cln_r03", given_name="Silent")
    page = await sign_in("coordinator", clinic="riverside")
    await page.goto(f"/people/{patient}/actions/take-measures")
    await answer(page, "f", [*LOW_MOOD[:8], 1])
    async with kith.silent("care_plan"):
        await page.get_by_role("button", name="Record the measures").click()
        await expect(page.get_by_text("Act now: it is not certain that anybody was alerted")).to_be_visible()
        await expect(page.locator('#f-phq9_9 input[value="1"]')).to_be_checked()
        person = await page.context.new_page()
        await person.goto(f"/people/{patient}")
        await expect(person.get_by_text("The care plan could not be reached")).to_be_visible()
        await expect(person.get_by_role("heading", name="Appointments")).to_be_visible()
    await page.get_by_role("button", name="Record the measures").click()
    await expect(page.get_by_role("heading", name="A crisis flag was raised")).to_be_visible()
    await kith.time.settle()
    assert len((await kith.plan_of(patient))["measures"]) == 1, "sent twice, taken once"


async def test_a_crisis_flag_that_is_not_answered_is_told_as_an_alarm_that_may_not_have_rung(
    kith: World, sign_in: SignIn
) -> None:
    patient, _ = await begun(kith, "cln_r01", given_name="Unheard")
    page = await sign_in("coordinator", clinic="riverside")
    await page.goto(f"/people/{patient}/actions/crisis-flag")
    async with kith.silent("care_plan"):
        await page.get_by_role("button", name="Raise the crisis flag now").click()
        told = page.locator("main").get_by_role("alert").first
        await expect(told).to_contain_text("Act now: it is not certain that anybody was alerted")
        await expect(told).to_contain_text("call or text 988")
        await expect(told).to_contain_text("Call whoever is on call yourself")
        await require_accessible(page)
        await keep_picture(page, "person-flag-unheard")
    await page.get_by_role("button", name="Raise the crisis flag now").click()
    await expect(page.get_by_role("heading", name="A crisis flag was raised")).to_be_visible()
    await kith.time.settle()
    assert len(await kith.announced(patient, "CrisisFlagRaised")) == 1, "sent twice, raised once"


async def test_an_appointment_that_somebody_else_took_off_is_named_and_no_other_is_cancelled_for_it(
    kith: World, sign_in: SignIn
) -> None:
    patient, plan = await begun(kith, "cln_r06", given_name="Both")
    second, third, *_ = (await kith.appointments(plan))[1:]
    page = await sign_in("coordinator", clinic="riverside")
    address = f"/people/{patient}/actions/cancel-appointment?appointment={second['appointment_id']}"
    await page.goto(address)
    await page.get_by_label("Patient asked").check()
    theirs = f"/appointments/{second['appointment_id']}/cancel"
    await kith.desks.send("scheduler", "POST", theirs, {"reason": "clinic_asked"}, key="theirs")
    await kith.time.settle()
    await page.get_by_role("button", name="Cancel the appointment").click()
    await expect(page.get_by_text("Somebody else changed this while you had it open")).to_be_visible()
    choice = page.get_by_label("Appointment", exact=True)
    await expect(choice).to_have_value("")
    await expect(choice).to_contain_text(f"Appointment {second['number']}")
    await expect(choice).to_contain_text("is not open to this any more: choose one")
    await page.get_by_role("button", name="Cancel the appointment").click()
    assert [a["number"] for a in await kith.appointments(plan, "cancelled")] == [second["number"]]
    await choice.select_option(third["appointment_id"])
    await page.get_by_role("button", name="Cancel the appointment").click()
    await expect(page.get_by_text("The appointment is cancelled.")).to_be_visible()


async def test_an_entry_outlives_another_sign_in_and_says_that_nobody_was_alerted_yet(
    kith: World, sign_in: SignIn
) -> None:
    patient, _ = await begun(kith, "cln_r03", given_name="Tabs")
    page = await sign_in("coordinator", clinic="riverside")
    await page.goto(f"/people/{patient}/actions/take-measures")
    await answer(page, "f", [*LOW_MOOD[:8], 1])
    await sign_in_again(page, subject="dev-other", clinic="riverside")
    await page.get_by_role("button", name="Record the measures").click()
    await expect(page.get_by_text("Nothing was sent yet")).to_be_visible()
    await expect(page.get_by_text("Nobody was alerted yet")).to_be_visible()
    await page.get_by_role("button", name="Record the measures").click()
    await expect(page.get_by_role("heading", name="A crisis flag was raised")).to_be_visible()


async def test_nobody_of_another_clinic_is_there_and_an_ended_sign_in_comes_back(
    kith: World, sign_in: SignIn
) -> None:
    patient, _ = await begun(kith, "cln_r04")
    page = await sign_in("clinician", clinic="lakeside")
    for address in (f"/people/{patient}", f"/parts/people/{patient}", f"/people/{patient}/actions/close"):
        answered = await page.goto(address)
        assert answered is not None
        assert answered.status == 404
    page = await sign_in("clinician", clinic="riverside")
    await page.context.clear_cookies()
    await page.goto(f"/people/{patient}")
    await expect(page.get_by_role("button", name="Sign in as clinician")).to_be_visible()
    await page.get_by_role("button", name="Sign in as clinician").click()
    await expect(page.locator("#person")).to_be_visible()
    assert page.url.endswith(f"/people/{patient}")


async def brief_course(kith: World) -> str:
    """Somebody whose eight sessions are attended, with all that the ending needs but relapse prevention."""
    mild: dict[str, Any] = {
        "phq9": {"items": [1, 1, 1, 0, 0, 0, 0, 0, 0]},
        "cssrs": {"q1": False, "q2": False, "q6": False},
    }
    view = await kith.refer(clinician_id="cln_r05", screening=mild)
    decision = {"decision": "enrol", "variant": "ipt-b", "sessions": 8}
    await kith.desks.send("intake", "POST", f"/referrals/{view['id']}/decision", decision, key=view["id"])
    await kith.time.settle()
    plan = (await kith.plan_of(view["patient_id"]))["id"]
    entries = {"entries": [{"text": "A move", "problem_area": "role_transitions", "rank": 1}]}
    await kith.change("PUT", f"/plans/{plan}/inventory", entries)
    await kith.change("POST", f"/plans/{plan}/inventory/complete")
    await kith.change("PUT", f"/plans/{plan}/focus", {"problem_areas": ["role_transitions"]})
    for _ in range(8):
        await attend(kith, plan, [1, 1, 1, 0, 0, 0, 0, 0, 0])
    return str(view["patient_id"])


async def test_the_ending_maintenance_a_relapse_and_the_close(kith: World, sign_in: SignIn) -> None:
    patient = await brief_course(kith)
    page = await sign_in("clinician", clinic="riverside")
    await page.goto(f"/people/{patient}")
    await page.get_by_role("link", name="Revise the contract").click()
    await page.get_by_label("Number of sessions").fill("40")
    await expect(page.get_by_label("Reason")).to_have_value("")
    await page.get_by_label("Reason").select_option("extra_sessions_needed")
    await page.get_by_role("button", name="Revise the contract").click()
    await expect(page.locator("main").get_by_role("alert")).to_contain_text(
        "does not allow this number of sessions"
    )
    await expect(page.locator("main").get_by_role("alert")).to_contain_text("12")
    await expect(page.get_by_label("Number of sessions")).to_have_value("40")

    await page.goto(f"/people/{patient}/actions/relapse-prevention")
    await page.get_by_label("Plan for afterwards").fill("Go on walking")
    await page.get_by_label("Contingency signs").fill("No sleep")
    await page.get_by_role("button", name="Save relapse prevention").click()
    await expect(page.locator(".tiles")).to_contain_text("Ended")
    await page.get_by_role("link", name="Offer an alternative").click()
    await page.get_by_role("button", name="An alternative was offered").click()
    await expect(page.get_by_text("The offer of an alternative is recorded.")).to_be_visible()
    await page.get_by_role("link", name="Discuss maintenance or close").click()
    await page.get_by_label("How often").select_option("twice_monthly")
    await page.get_by_role("button", name="Contract maintenance").click()
    await expect(page.locator(".tiles")).to_contain_text("twice monthly")
    assert (await kith.plan_of(patient))["maintenance"]["frequency"] == "twice_monthly"

    await page.get_by_role("link", name="Review maintenance").click()
    await page.get_by_label("How often").select_option("monthly")
    await page.get_by_role("button", name="Maintenance goes on").click()
    await expect(page.locator(".tiles")).to_contain_text("monthly")
    await page.get_by_role("link", name="Confirm a relapse").click()
    await page.get_by_role("button", name="Confirm relapse").click()
    await expect(page.get_by_text("Episode 1:")).to_be_visible()
    await kith.time.settle()
    following = await kith.plan_of(patient)
    assert (following["episode"], following["phase"]) == (2, "initial")
    await require_accessible(page)
    await keep_picture(page, "person-episodes")

    await page.goto(f"/people/{patient}/actions/close")
    await page.get_by_label("Outcome").select_option("completed")
    await page.get_by_label("Reason").select_option("patient_request")
    await page.get_by_role("button", name="Close the plan").click()
    await expect(page.locator("main").get_by_role("alert")).to_contain_text(
        "Only an ended course is completed"
    )
    await page.get_by_label("Outcome").select_option("not_started")
    await page.get_by_label("Reason").select_option("patient_request")
    await keep_picture(page, "person-close")
    await page.get_by_role("button", name="Close the plan").click()
    await expect(page.get_by_text("The plan is closed.")).to_be_visible()

    async def closed() -> bool:
        known = await kith.plan_of(patient)
        return bool(known["closed"] and known["closed"]["outcome"] == "not_started")

    await eventually(closed)
    await page.get_by_role("link", name="Raise a crisis flag").click()
    await page.get_by_role("button", name="Raise the crisis flag now").click()
    await expect(page.locator("main").get_by_text("call or text 988")).to_be_visible()
    await kith.time.settle()
    (alert,) = await kith.alerts(patient_id=patient, kind="crisis")
    assert alert["severity"] == "high", "never refused, not even after closure"
