"""What alerts tells of crises, pages and answers, as Prometheus would read it."""

from datetime import timedelta
from typing import get_args

import pytest
from prometheus_client import REGISTRY

from services.alerts.domain.reasons import AttemptFailure
from shared.gauges import Gauges
from shared.messaging import dead_letters, outbox
from tests.integration.alerts.conftest import ASSESSMENT, DISPOSITION, Alerts, MakeAlerts, person
from tests.integration.alerts.receivers import hook
from tests.unit.alerts.cases import MONDAY


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


async def refreshed(alerts: Alerts) -> None:
    await Gauges(alerts.process).refresh()


async def test_what_waits_is_as_old_as_its_oldest(alerts: Alerts) -> None:
    await alerts.flag(patient="pat_1")
    alerts.at(alerts.now + timedelta(seconds=30))
    await alerts.flag(patient="pat_2", flag_id="flg_2")
    alerts.at(alerts.now + timedelta(seconds=60))
    await refreshed(alerts)
    assert value("kith_outbox_oldest_seconds", service="alerts", lane="work") == 90
    assert value("kith_outbox_oldest_seconds", service="alerts", lane="crisis") == 0
    assert value("kith_outbox_pending_documents", service="alerts") == 2
    assert value("kith_due_oldest_seconds", service="alerts", ticker="deliveries") == 90
    assert value("kith_due_oldest_seconds", service="alerts", ticker="escalations") == 0
    assert value("kith_crises_unacknowledged") == 2
    assert value("kith_crisis_answer_overdue_seconds", severity="high") == 0
    assert value("kith_ready", service="alerts", check="database") == 0, "its tasks have not prepared it"


async def test_what_was_replayed_waits_since_it_was(alerts: Alerts) -> None:
    await alerts.flag()
    alerts.at(alerts.now + timedelta(days=3))
    await outbox.replay(alerts.database, {"$lt": alerts.now}, after=None, now=alerts.now, dry_run=False)
    alerts.at(alerts.now + timedelta(seconds=5))
    await refreshed(alerts)
    assert value("kith_outbox_oldest_seconds", service="alerts", lane="work") == 5


async def test_an_answer_is_overdue_from_when_it_was_due_and_a_low_crisis_may_wait(alerts: Alerts) -> None:
    await alerts.flag(patient="pat_1")
    await alerts.flag("low", patient="pat_2", flag_id="flg_2")
    await alerts.later(minutes=20)
    await refreshed(alerts)
    assert value("kith_crises_unacknowledged") == 2
    assert value("kith_crisis_answer_overdue_seconds", severity="high") == 15 * 60
    assert value("kith_crisis_answer_overdue_seconds", severity="low") == 0


async def test_a_crisis_somebody_took_waits_no_longer_and_its_answer_counts_once(alerts: Alerts) -> None:
    labels = {"kind": "crisis", "severity": "high", "in_time": "true"}
    counted = value("kith_acknowledgement_seconds_count", **labels)
    seconds = value("kith_acknowledgement_seconds_sum", **labels)
    await alerts.flag()
    await alerts.later(minutes=2)
    alert = await alerts.alert(kind="crisis")
    clinician = alerts.as_("clinician")
    await clinician.do(alert["_id"], "acknowledge")
    await clinician.do(alert["_id"], "acknowledge")
    assert value("kith_acknowledgement_seconds_count", **labels) == counted + 1
    assert value("kith_acknowledgement_seconds_sum", **labels) == seconds + 120
    await refreshed(alerts)
    assert value("kith_crises_unacknowledged") == 0
    assert value("kith_crisis_answer_overdue_seconds", severity="high") == 0
    await clinician.do(alert["_id"], "assess", ASSESSMENT)
    await clinician.do(alert["_id"], "resolve", DISPOSITION)
    assert value("kith_acknowledgement_seconds_count", **labels) == counted + 1


async def test_an_answer_to_a_hand_over_or_after_a_lease_that_ended_is_not_counted_again(
    alerts: Alerts,
) -> None:
    def counted() -> float:
        labels = {"kind": "crisis", "severity": "high"}
        return sum(
            value("kith_acknowledgement_seconds_count", **labels, in_time=t) for t in ("true", "false")
        )

    before = counted()
    await alerts.flag()
    await alerts.later(minutes=6)
    alert = await alerts.alert(kind="crisis")
    await alerts.as_("clinician", "cln_r01").do(alert["_id"], "acknowledge")
    assert counted() == before + 1
    await alerts.as_("clinician", "cln_r01").do(alert["_id"], "hand-over", {"contact_id": "con_r03"})
    await alerts.as_("clinician", "cln_r03").do(alert["_id"], "acknowledge")
    await alerts.later(minutes=40)
    await alerts.as_("clinician", "cln_r02").do(alert["_id"], "acknowledge")
    assert counted() == before + 1


async def test_the_first_answer_counts_though_it_was_asked_for_more_than_once(alerts: Alerts) -> None:
    labels = {"kind": "crisis", "severity": "high", "in_time": "true"}
    before = value("kith_acknowledgement_seconds_count", **labels)
    await alerts.flag("moderate")
    await alerts.later(minutes=31)
    await alerts.flag("high", flag_id="flg_2")
    await alerts.later(minutes=1)
    alert = await alerts.alert(kind="crisis")
    await alerts.as_("clinician", "cln_r01").do(alert["_id"], "acknowledge")
    assert value("kith_acknowledgement_seconds_count", **labels) == before + 1


async def test_time_to_page_begins_when_the_flag_was_accepted_and_counts_once_a_flag(
    make_alerts: MakeAlerts,
) -> None:
    async with hook() as telephone:
        alerts = await make_alerts(
            [
                person("con_a", "on_call", webhook=telephone.url),
                person("con_b", "on_call", webhook=telephone.url),
            ]
        )
        before = _pages()
        alerts.at(MONDAY + timedelta(seconds=7))
        await alerts.flag(raised_at=MONDAY)
        await alerts.settle()
        assert len(telephone.bodies) == 2
        assert _pages() == {stage: (count + 1, total + 7) for stage, (count, total) in before.items()}
        await alerts.later(minutes=16)
        assert len(telephone.bodies) > 2, "it climbed"
        assert _pages() == {stage: (count + 1, total + 7) for stage, (count, total) in before.items()}


async def test_a_page_that_arrives_at_the_second_attempt_is_delivered_later_than_tried(
    make_alerts: MakeAlerts,
) -> None:
    async with hook(500) as telephone:
        alerts = await make_alerts([person("con_a", "on_call", webhook=telephone.url)])
        before = _pages()
        await alerts.flag()
        await alerts.settle()
        assert _gained(before) == {"attempted": (1, 0), "delivered": (0, 0)}
        await alerts.later(seconds=2)
        assert _gained(before) == {"attempted": (1, 0), "delivered": (1, 2)}


def _pages() -> dict[str, tuple[float, float]]:
    return {
        stage: (
            value("kith_crisis_time_to_page_seconds_count", stage=stage),
            value("kith_crisis_time_to_page_seconds_sum", stage=stage),
        )
        for stage in ("attempted", "delivered")
    }


def _gained(before: dict[str, tuple[float, float]]) -> dict[str, tuple[float, float]]:
    after = _pages()
    return {s: (after[s][0] - before[s][0], after[s][1] - before[s][1]) for s in after}


async def test_how_attempts_end_is_counted_from_0_for_every_channel_of_the_policy(
    make_alerts: MakeAlerts,
) -> None:
    """Prometheus sees no increase in what a series begins with."""
    name, people = "kith_notification_attempts_total", [person("con_a", "on_call", email="a@example.org")]
    await make_alerts(people, smtp_host="127.0.0.1", smtp_tls="none")
    ends = set(get_args(AttemptFailure))
    assert {"timed_out", "connection_failed", "credentials_refused", "recipient_refused"} < ends
    for reason in ends:
        labels = {"channel": "email", "result": "failed", "reason": reason}
        assert REGISTRY.get_sample_value(name, labels) is not None
    delivered = {"channel": "email", "result": "delivered", "reason": "delivered"}
    assert REGISTRY.get_sample_value(name, delivered) is not None


async def test_dead_letters_are_counted_crises_apart(alerts: Alerts) -> None:
    rows = alerts.database[dead_letters.COLLECTION]
    await rows.insert_many(
        [
            {"_id": "one", "state": "open", "crisis": True},
            {"_id": "two", "state": "open", "crisis": False},
            {"_id": "three", "state": "replayed", "crisis": True},
        ]
    )
    await refreshed(alerts)
    assert value("kith_dead_letters_open", service="alerts", crisis="true") == 1
    assert value("kith_dead_letters_open", service="alerts", crisis="false") == 1


async def test_books_are_stated_by_the_replica_that_relays_and_by_no_other(
    alerts: Alerts, monkeypatch: pytest.MonkeyPatch
) -> None:
    await alerts.flag()
    gauges = Gauges(alerts.process)
    await gauges.count_books()
    assert REGISTRY.get_sample_value("kith_books", _alert_expected()) is None
    monkeypatch.setattr(type(alerts.process.messaging), "leads", True)
    await gauges.count_books()
    assert value("kith_books", **_alert_expected()) == 1
    monkeypatch.setattr(type(alerts.process.messaging), "leads", False)
    await gauges.count_books()
    assert REGISTRY.get_sample_value("kith_books", _alert_expected()) is None


def _alert_expected() -> dict[str, str]:
    return {"service": "alerts", "kind": "alert", "column": "expected"}
