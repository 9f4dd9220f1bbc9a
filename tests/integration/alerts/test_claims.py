"""Who delivers: leases that outlive no worker, and one delivery each."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest

from services.alerts import deliveries
from services.alerts.domain.delivery import Delivery
from services.alerts.store import AlertsWork
from tests.integration.alerts.conftest import Alerts, MakeAlerts, person
from tests.integration.alerts.receivers import hook
from tests.unit.alerts.cases import MONDAY


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
    assert await alerts.outward() == [("one", "webhook", "skipped", "acknowledged")]


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
