"""Alerts as it runs: flags from a real broker, pages to a real far end, by its own tickers."""

import asyncio
import json
from pathlib import Path

from aiokafka import AIOKafkaProducer
from structlog.testing import capture_logs

from tests.integration.alerts.conftest import Alerts, MakeAlerts, flag_of, person
from tests.integration.alerts.receivers import hook
from tests.support.eventually import eventually
from tests.support.http_wire import serving
from tests.support.servers import kafka_settings
from tests.unit.alerts.cases import SHIPPED, minutes


async def test_a_flag_on_the_broker_becomes_a_page_and_climbs_when_time_passes(
    make_alerts: MakeAlerts, kafka: str
) -> None:
    async with hook() as first, hook() as second:
        alerts: Alerts = await make_alerts(
            [person("one", "on_call", webhook=first.url), person("two", "backup", webhook=second.url)],
            kafka=kafka,
            **kafka_settings(),
        )
        producer = AIOKafkaProducer(bootstrap_servers=kafka)
        await producer.start()
        try:
            async with serving(alerts.app):
                await eventually(lambda: alerts.process.messaging.assigned, within=30, that="it reads")
                flag = alerts.record(flag_of("high", "pat_live"), "ref_pat_live")
                await producer.send_and_wait(flag.topic, flag.value, key=flag.key, headers=list(flag.headers))
                await eventually(lambda: first.ids, that="the first contact is paged")
                assert second.ids == []
                alerts.at(alerts.now + minutes(5))
                await eventually(lambda: second.ids, that="the backup is paged")
        finally:
            await producer.stop()
    assert first.verified[0]["severity"] == "high"


async def test_a_clinic_on_call_that_nobody_knows_is_said_at_the_start_and_keeps_nobody_from_being_paged(
    make_alerts: MakeAlerts, tmp_path: Path
) -> None:
    policy = json.loads(SHIPPED.read_text())
    policy["clinics"]["rivreside"] = [person("one", "on_call")]
    (tmp_path / "mistyped.json").write_text(json.dumps(policy))
    alerts: Alerts = await make_alerts(on_call_file=tmp_path / "mistyped.json")
    with capture_logs() as said:
        for run in alerts.service.background:
            await run(asyncio.Event())
    assert [(line["log_level"], line["clinics"]) for line in said] == [("error", ["rivreside"])]
    await alerts.flag("high")
    assert {row["contact_id"][:5] for row in await alerts.stored("deliveries")} == {"con_r"}
