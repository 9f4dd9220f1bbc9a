"""What open pages are told."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Any

import orjson
import pytest

from services.dashboard.domain.person import UNKNOWN
from services.dashboard.web.live import Listener, Live, audiences_of
from services.dashboard.web.viewer import Viewer
from shared.http.caller import Role
from tests.integration.dashboard.conftest import Dashboard
from tests.support.courses import BEGIN, alert_raised, history, sealed


def viewer(*roles: Role, clinic: str = "riverside") -> Viewer:
    return Viewer("somebody", frozenset(roles), clinic, BEGIN + timedelta(hours=1), "token")


@asynccontextmanager
async def listening(dashboard: Dashboard, *viewers: Viewer) -> AsyncIterator[list[Listener]]:
    """Pages that were told of the open stream, and of nothing since."""
    live = Live(dashboard.database, dashboard.service.clock)
    listeners = [live.listen(audiences_of(each)) for each in viewers]
    running = asyncio.create_task(live.run(asyncio.Event()))
    try:
        for listener in listeners:
            while b"*" not in (await asyncio.wait_for(listener.waiting.get(), 10))[1]:
                pass
        yield listeners
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


async def heard(listener: Listener, event: str) -> dict[str, Any]:
    while True:
        name, data = await asyncio.wait_for(listener.waiting.get(), 10)
        if name == event and b"*" not in data:
            return dict(orjson.loads(data))


def left(listener: Listener) -> bytes:
    return b"".join(listener.waiting.get_nowait()[1] for _ in range(listener.waiting.qsize()))


async def test_a_crisis_raised_and_told_in_one_batch_is_an_alarm_on_open_pages_of_its_clinic(
    dashboard: Dashboard,
) -> None:
    pages = viewer("coordinator"), viewer("coordinator", clinic="lakeside")
    async with listening(dashboard, *pages) as (own, other):
        await dashboard.take(history("pat_1")[-1][:3])
        assert await heard(own, "change") == {"people": ["pat_1"], "alerts": ["alr_pat_1"]}
        alarm = await heard(own, "alarm")
    assert alarm == {"alert_id": "alr_pat_1", "severity": "high", "kind": "crisis"}
    assert b"pat_1" not in left(other)


async def test_a_crisis_of_a_clinic_nobody_knows_is_an_alarm_on_every_carers_page(
    dashboard: Dashboard,
) -> None:
    pages = viewer("coordinator"), viewer("clinician", clinic="lakeside"), viewer("engineer", clinic="*")
    async with listening(dashboard, *pages) as (one, another, engineer):
        lost = alert_raised(at=BEGIN, alert_id="alr_lost", patient_id=UNKNOWN, clinic_id=UNKNOWN)
        await dashboard.take(sealed("alr_lost", [lost]))
        assert (await heard(one, "alarm"))["alert_id"] == "alr_lost"
        assert (await heard(another, "alarm"))["alert_id"] == "alr_lost"
    assert b"alr_lost" not in left(engineer)


@pytest.mark.parametrize("clinic", ["riverside", UNKNOWN])
async def test_dead_letters_reach_the_pages_of_engineers_alone(dashboard: Dashboard, clinic: str) -> None:
    pages = viewer("engineer", clinic="lakeside"), viewer("coordinator", clinic="*")
    async with listening(dashboard, *pages) as (engineer, carer):
        letter = alert_raised(at=BEGIN, alert_id="alr_letter", kind="dead_letter", clinic_id=clinic)
        await dashboard.take(sealed("alr_letter", [letter]))
        assert "alr_letter" in (await heard(engineer, "change"))["alerts"]
    assert b"alr_letter" not in left(carer)
