"""What open pages are told."""

import asyncio
from contextlib import suppress

import orjson

from services.dashboard.web.live import Live
from tests.integration.dashboard.conftest import Dashboard
from tests.support.courses import history


async def test_a_crisis_raised_and_told_in_one_batch_is_an_alarm_on_open_pages_of_its_clinic(
    dashboard: Dashboard,
) -> None:
    live = Live(dashboard.database, dashboard.service.clock)
    running = asyncio.create_task(live.run(asyncio.Event()))
    own, other = live.listen("riverside"), live.listen("lakeside")
    try:
        while (await asyncio.wait_for(own.waiting.get(), 10))[0] != "change":
            pass  # the stream is open: everybody looks at everything once
        await dashboard.take(history("pat_1")[-1][:3])
        told: dict[str, object] = {}
        while "alarm" not in told:
            event, data = await asyncio.wait_for(own.waiting.get(), 10)
            told[event] = orjson.loads(data)
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
    assert told["alarm"] == {"alert_id": "alr_pat_1", "severity": "high", "kind": "crisis"}
    assert told["change"] == {"people": ["pat_1"], "alerts": ["alr_pat_1"]}
    heard = [other.waiting.get_nowait() for _ in range(other.waiting.qsize())]
    assert all(b"pat_1" not in data for _, data in heard)
