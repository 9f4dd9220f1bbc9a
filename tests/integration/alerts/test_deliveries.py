"""Deliveries to real far ends: verified, retried, given up, passed on."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import orjson
import pytest

from services.alerts import deliveries
from services.alerts.domain.delivery import Delivery
from services.alerts.store import AlertsWork
from services.care_plan.events import PhaseEntered
from tests.integration.alerts.conftest import Alerts, MakeAlerts, person
from tests.integration.alerts.receivers import hook, mailbox, nobody
from tests.support.eventually import eventually
from tests.unit.alerts.cases import MONDAY


def outcome(row: dict[str, object]) -> tuple[object, ...]:
    return row["contact_id"], row["channel"], row["state"], row["reason"]


async def outward(alerts: Alerts) -> list[tuple[object, ...]]:
    rows = [row for row in await alerts.stored("deliveries") if row["channel"] != "inbox"]
    return [outcome(row) for row in rows]


async def test_a_webhook_is_signed_and_says_nothing_about_a_person(make_alerts: MakeAlerts) -> None:
    async with hook() as far_end:
        alerts: Alerts = await make_alerts([person("one", "on_call", webhook=far_end.url)])
        await alerts.flag("moderate")
        await alerts.settle()
        alert = await alerts.alert()
    (said,) = far_end.verified
    assert said == {
        "type": "alert",
        "alert_ids": [alert["_id"]],
        "severity": "moderate",
        "link": f"https://kith.example/alerts/{alert['_id']}",
    }
    assert await outward(alerts) == [("one", "webhook", "delivered", "delivered")]
    assert len(await alerts.stored("notices", contact_id="one")) == 1


async def test_a_failing_webhook_is_tried_again_with_the_same_id_and_bytes(make_alerts: MakeAlerts) -> None:
    async with hook(500, 503) as far_end:
        alerts: Alerts = await make_alerts([person("one", "on_call", webhook=far_end.url)])
        await alerts.flag("moderate")
        await alerts.settle()
        for seconds, tries in ((1.9, 1), (0.1, 2), (4.9, 2), (0.1, 3)):
            await alerts.later(seconds=seconds)
            assert len(far_end.bodies) == tries
    assert len(set(far_end.ids)) == len(set(far_end.bodies)) == 1
    (row,) = [row for row in await alerts.stored("deliveries") if row["channel"] == "webhook"]
    assert (row["state"], row["attempts"]) == ("delivered", 3)


async def test_a_refused_connection_falls_through_to_mail_and_then_to_the_next_contact(
    make_alerts: MakeAlerts,
) -> None:
    async with mailbox() as box, hook() as far_end:
        box.refuse["one@example.org"] = ["550 no such person"]
        alerts: Alerts = await make_alerts(
            [
                person("one", "on_call", webhook=nobody(), email="one@example.org"),
                person("two", "on_call", webhook=far_end.url),
            ],
            smtp_host="127.0.0.1",
            smtp_port=box.port,
            smtp_tls="none",
        )
        await alerts.flag("moderate")
        await alerts.settle()
        for seconds in (2, 5, 10):
            await alerts.later(seconds=seconds)
    assert await outward(alerts) == [
        ("one", "webhook", "failed", "connection_failed"),
        ("one", "email", "failed", "recipient_refused"),
        ("two", "webhook", "delivered", "delivered"),
    ]
    assert len(far_end.bodies) == 1
    told = await alerts.announced("AlertNotified")
    assert [(t["contact_id"], t["outcome"]) for t in told if t["channel"] != "inbox"] == [
        ("one", "failed"),
        ("one", "failed"),
        ("two", "delivered"),
    ]
    assert len(await alerts.stored("notices", contact_id="two")) == 1, "the next contact's inbox is told too"


async def test_a_hanging_webhook_is_given_up_and_holds_up_nobody_else(make_alerts: MakeAlerts) -> None:
    async with hook("hang", "hang", "hang", "hang") as stuck, hook() as far_end:
        alerts: Alerts = await make_alerts(
            [person("one", "on_call", webhook=stuck.url), person("two", "backup", webhook=far_end.url)],
            webhook_timeout=0.3,
        )
        await alerts.flag("moderate")
        await alerts.deliveries.tick(MONDAY)
        await eventually(lambda: len(stuck.bodies) == 1, that="the first attempt hangs")
        await alerts.flag("moderate", patient="pat_2", clinician_id="sub_two", flag_id="flg_2")
        await alerts.deliveries.tick(MONDAY)
        await eventually(lambda: len(far_end.bodies) == 1, that="the other person is told meanwhile")
        await alerts.deliveries.idle()
        for seconds in (2, 5, 10):
            await alerts.later(seconds=seconds)
    given_up = ("one", "webhook", "failed", "timed_out")
    assert given_up in await outward(alerts)


async def test_when_nobody_of_a_step_can_be_reached_the_next_step_is_paged_at_once(
    make_alerts: MakeAlerts,
) -> None:
    async with hook() as far_end:
        alerts: Alerts = await make_alerts(
            [person("one", "on_call", webhook=nobody()), person("two", "backup", webhook=far_end.url)]
        )
        await alerts.flag("high")
        await alerts.settle()
        for seconds in (2, 5, 10):
            await alerts.later(seconds=seconds)
    assert len(far_end.bodies) == 1
    (escalated,) = await alerts.announced("AlertEscalated")
    assert escalated["reason"] == "step_unreachable"


async def test_mail_names_nobody_and_keeps_its_id(make_alerts: MakeAlerts) -> None:
    async with mailbox() as box:
        box.refuse["one@example.org"] = ["451 later"]
        alerts: Alerts = await make_alerts(
            [person("one", "on_call", email="one@example.org")],
            smtp_host="127.0.0.1",
            smtp_port=box.port,
            smtp_tls="none",
            smtp_from="kith@clinic.example",
        )
        await alerts.flag("moderate", patient="pat_secret")
        await alerts.settle()
        await alerts.later(seconds=2)
    (mail,) = box.mails
    alert = await alerts.alert()
    assert mail["Subject"] == "Kith alert: moderate"
    assert f"https://kith.example/alerts/{alert['_id']}" in str(mail.get_payload())
    (row,) = [row for row in await alerts.stored("deliveries") if row["channel"] == "email"]
    assert mail["Message-ID"] == f"<{row['_id']}@clinic.example>"
    assert (row["state"], row["attempts"]) == ("delivered", 2)
    for word in ("pat_secret", "cssrs", "crisis", "riverside", "ref_"):
        assert word not in mail.as_string()


async def test_a_redirect_is_not_followed(make_alerts: MakeAlerts) -> None:
    async with hook(302) as far_end:
        alerts: Alerts = await make_alerts([person("one", "on_call", webhook=far_end.url)])
        await alerts.flag("moderate")
        await alerts.settle()
    assert far_end.paths == {"/hook"}
    assert (await outward(alerts))[0] == ("one", "webhook", "failed", "redirected")


async def test_a_webhook_to_this_machine_is_blocked_when_it_is_sent(make_alerts: MakeAlerts) -> None:
    async with hook() as far_end:
        named = far_end.url.replace("http://127.0.0.1", "https://localtest.invalid")
        alerts: Alerts = await make_alerts(
            [person("one", "on_call", webhook=named)], allow_private_webhooks=False
        )

        async def rebound(host: str, port: int) -> list[str]:
            return ["127.0.0.1"]

        alerts.deliveries._channels["webhook"]._resolve = rebound  # type: ignore[attr-defined]
        await alerts.flag("moderate")
        await alerts.settle()
    assert far_end.bodies == []
    assert (await outward(alerts))[0] == ("one", "webhook", "failed", "address_private")


async def test_a_page_is_sent_as_soon_as_it_is_decided_without_being_looked_for(
    make_alerts: MakeAlerts,
) -> None:
    async with hook() as far_end:
        alerts: Alerts = await make_alerts([person("one", "on_call", webhook=far_end.url)])
        await alerts.flag("moderate")
        await alerts.deliveries.idle()
    assert len(far_end.bodies) == 1
    assert await outward(alerts) == [("one", "webhook", "delivered", "delivered")]


async def test_what_was_acknowledged_before_it_was_tried_again_is_not_sent_again(
    make_alerts: MakeAlerts,
) -> None:
    async with hook(500) as far_end:
        alerts: Alerts = await make_alerts([person("one", "on_call", webhook=far_end.url)])
        await alerts.flag("moderate")
        await alerts.deliveries.idle()
        alert = await alerts.alert()
        await alerts.as_().do(alert["_id"], "acknowledge")
        await alerts.later(seconds=2)
    assert len(far_end.bodies) == 1
    assert {outcome(row)[2:] for row in await alerts.stored("deliveries")} == {("skipped", "acknowledged")}
    assert await alerts.stored("notices") == []


async def test_a_delivery_whose_worker_died_is_tried_again_under_the_same_id(
    make_alerts: MakeAlerts, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with hook() as far_end:
        alerts: Alerts = await make_alerts([person("one", "on_call", webhook=far_end.url)])
        monkeypatch.setattr(alerts.deliveries, "begin", lambda *_: None)  # it dies when it has committed
        await alerts.flag("moderate")
        (page,) = await alerts.stored("deliveries", channel="webhook")
        assert await alerts.deliveries.claims.take("page", MONDAY, 1) == [], "it is leased"
        await alerts.database["deliveries"].update_one(
            {"_id": page["_id"]}, {"$set": {"leased_until": MONDAY - timedelta(days=365)}}
        )
        await alerts.settle()
        assert far_end.ids == [page["_id"]]
        work = alerts.deliveries._open_work()
        await alerts.deliveries._carry_out(page["_id"], page["claim"], work)
    assert far_end.ids == [page["_id"]], "who lost the claim does nothing"


@asynccontextmanager
async def late_to_begin(alerts: Alerts, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    """What happens inside happens between the commit of a page and the moment its worker hears of it."""
    begun: list[tuple[Delivery, AlertsWork]] = []
    begin = alerts.deliveries.begin
    with monkeypatch.context() as patched:
        patched.setattr(alerts.deliveries, "begin", lambda page, work: begun.append((page, work)))
        await alerts.flag("moderate")
        yield
    assert begun
    monkeypatch.setattr(deliveries, "FRESH_SECONDS", 0)
    for page, work in begun:
        begin(page, work)
    await alerts.deliveries.idle()


async def test_what_was_acknowledged_before_a_late_worker_heard_of_its_commit_is_not_sent(
    make_alerts: MakeAlerts, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with hook() as far_end:
        alerts: Alerts = await make_alerts([person("one", "on_call", webhook=far_end.url)])
        async with late_to_begin(alerts, monkeypatch):
            await alerts.as_().do((await alerts.alert())["_id"], "acknowledge")
    assert far_end.bodies == []
    assert await outward(alerts) == [("one", "webhook", "skipped", "acknowledged")]


async def test_a_worker_that_was_stopped_until_another_had_its_page_sends_nothing(
    make_alerts: MakeAlerts, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with hook() as far_end:
        contacts = [person("one", "on_call", webhook=far_end.url)]
        alerts, other = await make_alerts(contacts), await make_alerts(contacts)
        async with late_to_begin(alerts, monkeypatch):
            await alerts.database["deliveries"].update_many(
                {}, {"$set": {"leased_until": MONDAY - timedelta(days=365)}}
            )
            await other.settle()
            assert len(far_end.bodies) == 1
    assert len(far_end.bodies) == 1


async def test_a_lease_is_by_the_clock_of_the_database_server(
    make_alerts: MakeAlerts, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with hook("hang") as far_end:
        alerts: Alerts = await make_alerts([person("one", "on_call", webhook=far_end.url)])

        async def an_hour_ahead() -> datetime:
            return datetime.now(UTC) + timedelta(hours=1)

        monkeypatch.setattr(alerts.database, "server_time", an_hour_ahead)
        await alerts.deliveries.tick(MONDAY)
        await alerts.flag("moderate")
        (page,) = await alerts.stored("deliveries", channel="webhook")
        assert page["leased_until"] > datetime.now(UTC) + timedelta(minutes=59)
        far_end.let_go()
        await alerts.deliveries.idle()


async def test_a_lease_by_a_clock_that_is_somewhat_ahead_is_respected(make_alerts: MakeAlerts) -> None:
    async with hook("hang") as far_end:
        contacts = [person("one", "on_call", webhook=far_end.url)]
        alerts, other = await make_alerts(contacts), await make_alerts(contacts)
        await alerts.flag("moderate")
        ahead = {"leased_until": datetime.now(UTC) + timedelta(seconds=30)}
        await alerts.database["deliveries"].update_many({}, {"$set": ahead})
        assert await other.deliveries.claims.take("page", MONDAY, 1) == []
        far_end.let_go()
        await alerts.deliveries.idle()


@pytest.mark.parametrize("channel", ["inbox", "webhook"])
async def test_a_notification_nobody_can_read_holds_up_no_other_and_is_told_to_engineers(
    make_alerts: MakeAlerts, monkeypatch: pytest.MonkeyPatch, channel: str
) -> None:
    async with hook() as far_end:
        alerts: Alerts = await make_alerts([person("one", "on_call", webhook=far_end.url)])
        monkeypatch.setattr(
            alerts.deliveries, "reserve", lambda page, _: page
        )  # looked for, as after a death
        await alerts.flag("moderate")
        await alerts.flag("moderate", patient="pat_2", flag_id="flg_2")
        (spoilt, _) = await alerts.stored("deliveries", channel=channel)
        await alerts.database["deliveries"].update_one({"_id": spoilt["_id"]}, {"$set": {"attempts": "many"}})
        await alerts.settle()
        states = {row["_id"]: row["state"] for row in await alerts.stored("deliveries", channel=channel)}
        assert states.pop(spoilt["_id"]) == "pending"
        assert set(states.values()) == {"delivered"}
        said = await alerts.alert(kind="dead_letter")
        assert (said["reason"], said["severity"]) == ("delivery_unreadable", "high")
        assert [evidence["id"] for evidence in said["evidence"]] == [f"{spoilt['_id']}@{MONDAY.date()}"]
        taken = await alerts.as_("clinician").do(spoilt["alert_ids"][0], "acknowledge")
        assert taken["state"] == "acknowledged"


async def test_what_engineers_ended_and_did_not_mend_is_told_again_on_the_next_day(
    make_alerts: MakeAlerts,
) -> None:
    alerts: Alerts = await make_alerts()
    await alerts.flag("moderate")
    (spoilt, *_) = await alerts.stored("deliveries", channel="inbox")
    await alerts.database["deliveries"].update_one({"_id": spoilt["_id"]}, {"$set": {"attempts": "many"}})
    await alerts.settle()
    said = await alerts.alert(kind="dead_letter")
    engineer = alerts.as_("engineer", "eng_01", clinic="*")
    ended = await engineer.do(said["_id"], "resolve", {"disposition": "no_action_needed"})
    assert ended["state"] == "resolved"
    await alerts.later(minutes=2)
    assert len(await alerts.stored("alerts", kind="dead_letter")) == 1
    await alerts.later(days=1)
    states = [row["state"] for row in await alerts.stored("alerts", kind="dead_letter")]
    assert sorted(states) == ["open", "resolved"]


async def test_pages_beyond_what_one_process_sends_at_once_wait_for_the_next_worker(
    make_alerts: MakeAlerts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(deliveries.SLOTS, "page", 1)
    async with hook("hang") as stuck, hook() as far_end:
        contacts = [person("one", "on_call", webhook=stuck.url), person("two", "backup", webhook=far_end.url)]
        alerts: Alerts = await make_alerts(contacts, webhook_timeout=0.3)
        await alerts.flag("moderate")
        await alerts.flag("moderate", patient="pat_2", clinician_id="sub_two", flag_id="flg_2")
        claims = {row["contact_id"]: row["claim"] for row in await alerts.stored("deliveries", lane="page")}
        assert claims["two"] is None
        await alerts.settle()
        assert len(far_end.bodies) == 1


async def test_an_attempt_that_hangs_keeps_its_short_lease_as_long_as_its_worker_lives(
    make_alerts: MakeAlerts,
) -> None:
    async with hook("hang") as far_end:
        contacts = [person("one", "on_call", webhook=far_end.url)]
        alerts, other = await make_alerts(contacts), await make_alerts(contacts)
        await alerts.flag("moderate")
        await alerts.deliveries.tick(MONDAY)
        (first,) = await alerts.stored("deliveries", channel="webhook")
        assert first["leased_until"] - datetime.now(UTC) < timedelta(seconds=6)
        alerts.deliveries.claims._renewed = float("-inf")
        await alerts.deliveries.tick(MONDAY)
        (renewed,) = await alerts.stored("deliveries", channel="webhook")
        assert renewed["leased_until"] > first["leased_until"]
        assert renewed["claim"] == first["claim"]
        assert await other.deliveries.claims.take("page", MONDAY, 1) == []
        far_end.let_go()
        await alerts.deliveries.idle()
    assert [row["state"] for row in await alerts.stored("deliveries", channel="webhook")] == ["delivered"]


async def test_two_workers_deliver_once(make_alerts: MakeAlerts) -> None:
    async with hook() as far_end:
        contacts = [person("one", "on_call", webhook=far_end.url)]
        workers: list[Alerts] = [await make_alerts(contacts), await make_alerts(contacts)]
        for number in range(20):
            await workers[0].flag("moderate", patient=f"pat_{number}", flag_id=f"flg_{number}")
        await asyncio.gather(*(worker.settle() for worker in workers))
    assert len(far_end.ids) == len(set(far_end.ids)) == 20
    assert len(await workers[0].stored("notices")) == 20


def termination(number: str, *, clinician_id: str) -> PhaseEntered:
    return PhaseEntered(
        patient_id=f"pat_{number}",
        clinic_id="riverside",
        plan_id=f"pln_{number}",
        clinician_id=clinician_id,
        phase="termination",
        previous="middle",
        attended=12,
        entered_at=MONDAY,
    )


async def test_what_only_informs_reaches_every_reader_of_its_digest(make_alerts: MakeAlerts) -> None:
    async with hook() as far_end:
        clinician = person("two", "treating_clinician", webhook=far_end.url)
        alerts: Alerts = await make_alerts([person("one", "coordinator"), clinician])
        await alerts.take(alerts.record(termination("1", clinician_id="sub_two"), "pln_1"))
        await alerts.later(hours=6)
    assert {row["state"] for row in await alerts.stored("deliveries")} == {"delivered"}
    assert {row["contact_id"] for row in await alerts.stored("notices")} == {"one", "two"}
    assert len(far_end.bodies) == 1


async def test_where_nobody_was_reached_outwardly_what_only_informs_comes_back_in_the_next_digest(
    make_alerts: MakeAlerts,
) -> None:
    """The inbox is our own: it never fails, and wakes nobody."""
    async with hook(500, 500, 500, 500) as far_end:
        alerts: Alerts = await make_alerts([person("one", "coordinator", webhook=far_end.url)])
        await alerts.take(alerts.record(termination("1", clinician_id="sub_one"), "pln_1"))
        await alerts.later(hours=6)
        for seconds in (2, 5, 10):
            await alerts.later(seconds=seconds)
        assert (await alerts.alert())["state"] == "open"
        await alerts.later(hours=18)
    assert len(far_end.bodies) == 5
    assert (await alerts.alert())["state"] == "informed"


async def test_routine_alerts_come_as_one_digest_per_contact(make_alerts: MakeAlerts) -> None:
    async with hook() as far_end:
        alerts: Alerts = await make_alerts([person("one", "coordinator", webhook=far_end.url)])
        for number in range(3):
            event = termination(str(number), clinician_id="sub_one")
            await alerts.take(alerts.record(event, f"pln_{number}"))
        await alerts.settle()
        assert far_end.bodies == []
        await alerts.later(hours=6)
    (body,) = far_end.bodies
    said = orjson.loads(body)
    assert len(said["alert_ids"]) == 3
    assert (said["severity"], said["link"]) == ("routine", "https://kith.example/alerts/notices")
    assert {row["state"] for row in await alerts.stored("alerts")} == {"informed"}
    books = await alerts.books()
    assert books["notification"] == {"expected": 2, "open": 0, "done": 2, "cancelled": 0, "breached": 0}
    assert books["alert"] == {"expected": 3, "open": 0, "done": 3}
