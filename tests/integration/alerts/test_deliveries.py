"""Deliveries to real far ends: verified, retried, given up, passed on."""

import pytest

from tests.integration.alerts.conftest import Alerts, MakeAlerts, person
from tests.integration.alerts.receivers import hook, mailbox, nobody
from tests.support.eventually import eventually
from tests.unit.alerts.cases import MONDAY

UNSAFE = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS:UserWarning")
"""A mail server of a test asks for credentials in plain text."""


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
    assert await alerts.outward() == [("one", "webhook", "delivered", "delivered")]
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
    assert await alerts.outward() == [
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
    assert given_up in await alerts.outward()


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


async def test_evidence_on_a_crisis_that_somebody_took_and_nobody_hears_of_is_paged_to_the_next_step(
    make_alerts: MakeAlerts,
) -> None:
    """Whoever took it gave no other way to be reached, and left the house."""
    async with hook(200, 410, 410) as gone, hook() as far_end:
        people = [person("one", "on_call", webhook=gone.url), person("two", "backup", webhook=far_end.url)]
        alerts: Alerts = await make_alerts([*people, person("three", "supervisor", webhook=gone.url)])
        await alerts.flag("high")
        await alerts.settle()
        alert = await alerts.alert()
        await alerts.as_("clinician", "sub_three").do(alert["_id"], "acknowledge")
        await alerts.flag("high", flag_id="flg_2")
        await alerts.settle()
    assert (len(gone.bodies), len(far_end.bodies)) == (3, 1)
    assert (await alerts.alert())["state"] == "open"
    (escalated,) = await alerts.announced("AlertEscalated")
    assert (escalated["reason"], escalated["step"]) == ("step_unreachable", 1)


@UNSAFE
@pytest.mark.parametrize("credentials", [{"smtp_username": "kith", "smtp_password": "old"}, {}])
async def test_where_our_credentials_are_refused_the_next_channel_is_tried_at_once(
    make_alerts: MakeAlerts, credentials: dict[str, str]
) -> None:
    async with mailbox(sign_in="535 5.7.8 not these") as box, hook() as far_end:
        alerts: Alerts = await make_alerts(
            [person("one", "on_call", email="one@example.org", webhook=far_end.url)],
            smtp_host="127.0.0.1",
            smtp_port=box.port,
            smtp_tls="none",
            **credentials,
        )
        await alerts.flag("moderate")
        await alerts.settle()
    assert await alerts.outward() == [
        ("one", "email", "failed", "credentials_refused"),
        ("one", "webhook", "delivered", "delivered"),
    ]


@UNSAFE
async def test_a_mail_server_that_cannot_check_credentials_now_is_asked_again(
    make_alerts: MakeAlerts,
) -> None:
    async with mailbox(sign_in="454 4.7.0 try again later") as box:
        alerts: Alerts = await make_alerts(
            [person("one", "on_call", email="one@example.org")],
            smtp_host="127.0.0.1",
            smtp_port=box.port,
            smtp_tls="none",
            smtp_username="kith",
            smtp_password="right",
        )
        await alerts.flag("moderate")
        await alerts.settle()
    assert await alerts.outward() == [("one", "email", "pending", "deferred")]


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
    assert (await alerts.outward())[0] == ("one", "webhook", "failed", "redirected")


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
    assert (await alerts.outward())[0] == ("one", "webhook", "failed", "address_private")


async def test_a_page_is_sent_as_soon_as_it_is_decided_without_being_looked_for(
    make_alerts: MakeAlerts,
) -> None:
    async with hook() as far_end:
        alerts: Alerts = await make_alerts([person("one", "on_call", webhook=far_end.url)])
        await alerts.flag("moderate")
        await alerts.deliveries.idle()
    assert len(far_end.bodies) == 1
    assert await alerts.outward() == [("one", "webhook", "delivered", "delivered")]


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
    assert {(row["state"], row["reason"]) for row in await alerts.stored("deliveries")} == {
        ("skipped", "acknowledged")
    }
    assert await alerts.stored("notices") == []
