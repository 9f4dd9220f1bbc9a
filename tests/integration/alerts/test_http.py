"""Alerts over HTTP: who sees what, pages, conditions, repeats."""

from pathlib import Path

from services.care_plan.events import NotImproving
from shared.auth import mint
from shared.messaging.dead_letters import MessageDeadLettered
from tests.integration.alerts.conftest import ASSESSMENT, DISPOSITION, KEY, Alerts, MakeAlerts, person
from tests.support.http_schemathesis import schemathesis
from tests.support.http_wire import serving
from tests.unit.alerts.cases import MONDAY, minutes


async def some(alerts: Alerts) -> None:
    """A routine alert, three crises of rising severity, and a dead letter."""
    for number, severity in enumerate(("low", "moderate", "high")):
        await alerts.flag(severity, patient=f"pat_{number}", flag_id=f"flg_{number}")
    calm = NotImproving(
        patient_id="pat_7",
        clinic_id="riverside",
        plan_id="pln_7",
        clinician_id="cln_r05",
        week=8,
        baseline=14,
        total=13,
    )
    await alerts.take(alerts.record(calm, "pln_7"))
    letter = MessageDeadLettered(
        patient_id="pat_8",
        clinic_id="unknown",
        dead_letter_id="dl_1",
        service="scheduler",
        group="scheduler.work",
        origin="care-plan.plans",
        partition=0,
        offset=1,
        reason="not_json",
        type=None,
        crisis=False,
        set_aside_at=MONDAY,
    )
    await alerts.take(alerts.record(letter, "dl_1", topic="scheduler.dead-letters"))


async def test_the_list_begins_with_what_is_open_and_severe_and_pages_on(alerts: Alerts) -> None:
    await some(alerts)
    high = (await alerts.alert(severity="high"))["_id"]
    clinician = alerts.as_()
    await clinician.do(high, "assess", ASSESSMENT)
    await clinician.do(high, "resolve", DISPOSITION)
    listed, cursor = [], None
    while True:
        query = {"limit": 1} | ({"cursor": cursor} if cursor else {})
        page = (await clinician.get("/alerts", **query)).json()
        listed += [(item["severity"], item["state"]) for item in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert listed == [
        ("moderate", "open"),
        ("low", "open"),
        ("routine", "open"),
        ("high", "resolved"),
    ]
    only = (await clinician.get("/alerts", patient_id="pat_1", kind="crisis", state="open")).json()["items"]
    assert [item["patient_id"] for item in only] == ["pat_1"]


async def test_engineers_see_and_end_dead_letters_and_nothing_else(alerts: Alerts) -> None:
    await some(alerts)
    engineer = alerts.as_("engineer", "eng_01", clinic="*")
    (only,) = (await engineer.get("/alerts")).json()["items"]
    assert only["kind"] == "dead_letter"
    crisis = (await alerts.alert(severity="high"))["_id"]
    assert (await engineer.get(f"/alerts/{crisis}")).status_code == 404
    assert (await engineer.post(f"/alerts/{crisis}/acknowledge")).status_code == 404
    assert (await alerts.as_().get(f"/alerts/{only['id']}")).status_code == 404
    assert (await engineer.do(only["id"], "resolve", {"disposition": "replayed"}))["state"] == "resolved"


async def test_another_clinics_alert_is_as_if_absent(alerts: Alerts) -> None:
    await alerts.flag("high")
    alert = (await alerts.alert())["_id"]
    stranger = alerts.as_("clinician", "cln_l01", clinic="lakeside")
    assert (await stranger.get("/alerts")).json()["items"] == []
    for path in (f"/alerts/{alert}", f"/alerts/{alert}/deliveries"):
        assert (await stranger.get(path)).status_code == 404
    for action, body in (("acknowledge", None), ("assess", ASSESSMENT), ("resolve", DISPOSITION)):
        assert (await stranger.post(f"/alerts/{alert}/{action}", body)).status_code == 404
    assert (await alerts.alert())["state"] == "open"


async def test_whoever_is_paged_about_a_clinic_without_a_roster_sees_and_takes_the_alert(
    alerts: Alerts,
) -> None:
    """A clinic that was closed, or is named wrongly: the people of every clinic stand in for it."""
    await alerts.flag("high", clinic_id="northside")
    await alerts.flag("high", patient="pat_2", flag_id="flg_2")
    await alerts.later(minutes=16)
    (northside,) = await alerts.stored("alerts", clinic_id="northside")
    told = {
        row["contact_id"] for row in await alerts.stored("notices") if northside["_id"] in row["alert_ids"]
    }
    assert "con_l01" in told
    stranger = alerts.as_("clinician", "cln_l01", clinic="lakeside")
    listed = (await stranger.get("/alerts")).json()["items"]
    assert [item["id"] for item in listed] == [northside["_id"]]
    assert (await stranger.do(northside["_id"], "acknowledge"))["state"] == "acknowledged"


async def test_acknowledged_twice_is_200_and_the_first_is_kept(alerts: Alerts) -> None:
    await alerts.flag("high")
    alert = (await alerts.alert())["_id"]
    await alerts.as_("clinician", "cln_r01").do(alert, "acknowledge")
    again = await alerts.as_("clinician", "cln_r02").do(alert, "acknowledge")
    assert again["acknowledgement"]["by"] == "cln_r01"
    assert len(await alerts.announced("AlertAcknowledged")) == 1


async def test_an_alert_nobody_can_read_leaves_the_list_its_others_on_every_page(alerts: Alerts) -> None:
    await some(alerts)
    await alerts.database["alerts"].update_one({"patient_id": "pat_1"}, {"$set": {"step": "three"}})
    clinician, seen, after = alerts.as_(), list[str](), dict[str, str]()
    for _ in range(4):
        answer = await clinician.get("/alerts", limit=1, **after)
        assert answer.status_code == 200
        seen += [alert["patient_id"] for alert in answer.json()["items"]]
        after = {"cursor": answer.json()["next"]}
    assert seen == ["pat_2", "pat_0", "pat_7"]
    assert after == {"cursor": None}


async def test_refusals_name_their_reason(alerts: Alerts) -> None:
    await alerts.flag("high")
    alert = (await alerts.alert())["_id"]
    clinician = alerts.as_()
    early = await clinician.post(f"/alerts/{alert}/resolve", DISPOSITION)
    assert (early.status_code, early.json()["reason"]) == (409, "not_assessed")
    await clinician.do(alert, "assess", ASSESSMENT)
    half = await clinician.post(f"/alerts/{alert}/resolve", {"disposition": "no_current_risk"})
    assert (half.status_code, half.json()["reason"]) == (409, "disposition_incomplete")
    nobody = await clinician.post(f"/alerts/{alert}/hand-over", {"contact_id": "con_nobody"})
    assert (nobody.status_code, nobody.json()["reason"]) == (409, "contact_unknown")


async def test_an_alert_is_not_resolved_without_saying_how(alerts: Alerts) -> None:
    await alerts.flag("high")
    alert = (await alerts.alert())["_id"]
    assert (await alerts.as_().post(f"/alerts/{alert}/resolve")).status_code == 422


async def test_an_action_on_an_outdated_version_is_412_and_a_repeated_key_acts_once(alerts: Alerts) -> None:
    await alerts.flag("high")
    alert = (await alerts.alert())["_id"]
    clinician = alerts.as_()
    tag = (await clinician.get(f"/alerts/{alert}")).headers["etag"]
    await alerts.flag("high", flag_id="flg_2")
    stale = await clinician.post(f"/alerts/{alert}/acknowledge", None, **{"If-Match": tag})
    assert stale.status_code == 412
    answers = [
        await clinician.post(f"/alerts/{alert}/assess", ASSESSMENT, **{"Idempotency-Key": "k1"})
        for _ in range(2)
    ]
    assert answers[0].json() == answers[1].json()
    assert len(await alerts.announced("AlertAssessed")) == 1


async def test_handing_over_tells_the_other_person_who_takes_it(alerts: Alerts) -> None:
    await alerts.flag("high")
    await alerts.settle()
    alert = (await alerts.alert())["_id"]
    giver, taker = alerts.as_("clinician", "cln_r01"), alerts.as_("clinician", "cln_r03")
    await giver.do(alert, "acknowledge")
    await giver.do(alert, "hand-over", {"contact_id": "con_r03"})
    await alerts.settle()
    assert [n["alert_ids"] for n in (await taker.get("/inbox")).json()["items"]] == [[alert]]
    alerts.at(MONDAY + minutes(4))
    taken = await taker.do(alert, "acknowledge")
    assert taken["acknowledgement"]["by"] == "cln_r03"
    assert taken["handed_to"] is None


async def test_the_story_of_an_alert_says_who_was_told_and_why(alerts: Alerts) -> None:
    await alerts.flag("high")
    await alerts.settle()
    await alerts.later(minutes=5)
    alert = (await alerts.alert())["_id"]
    story = (await alerts.as_().get(f"/alerts/{alert}")).json()
    assert [d["reason"] for d in story["decisions"] if d["what"] == "notify"] == [
        "page_at_once",
        "not_acknowledged",
    ]
    told = (await alerts.as_().get(f"/alerts/{alert}/deliveries")).json()["items"]
    assert told == story["deliveries"]
    assert [(d["contact_id"], d["step"], d["state"]) for d in told] == [
        ("con_r01", 0, "delivered"),
        ("con_r02", 1, "delivered"),
    ]


async def test_the_policy_is_shown_without_addresses_or_other_clinics(
    make_alerts: MakeAlerts,
) -> None:
    hidden = "https://hooks.example/secret-path"
    alerts: Alerts = await make_alerts([person("one", "on_call", webhook=hidden)])
    shown = await alerts.as_().get("/on-call")
    assert shown.json()["clinics"] == {
        "riverside": [
            {"id": "one", "subject": "sub_one", "roles": ["on_call"], "channels": ["inbox", "webhook"]}
        ]
    }
    assert "secret-path" not in shown.text


async def test_no_generated_request_gets_a_5xx_or_an_undocumented_answer(
    alerts: Alerts, tmp_path: Path
) -> None:
    await some(alerts)
    async with serving(alerts.app) as port:
        token = mint(KEY, subject="cln_r01", roles=["clinician"], clinic="riverside")
        status, report = await schemathesis(f"http://127.0.0.1:{port}", token, tmp_path, examples=4)
    assert status == 0, report
