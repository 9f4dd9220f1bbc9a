"""The dead man's switch: a heartbeat only while a crisis would reach somebody."""

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest
from fastapi import FastAPI, Response

from deploy.embedded.plan import ROOT
from deploy.embedded.ports import LOOPBACK, free_ports
from deploy.embedded.processes import spawn
from deploy.watchdog.clinic import CLINIC, write_files
from tests.integration.alerts.receivers import Hook, hook
from tests.support.eventually import eventually
from tests.support.http_wire import serving
from tests.support.world import World, world
from tests.unit.alerts.test_policy import SECRET


@dataclass
class Watched:
    kith: World
    receiver: Hook
    beats: list[str]
    metrics: str
    log: Path

    async def outcomes(self) -> dict[str, float]:
        """How many rounds ended how, as the watchdog itself measures it."""
        async with httpx2.AsyncClient(trust_env=False) as client:
            text = (await client.get(self.metrics)).text
        rows = [line for line in text.splitlines() if line.startswith("kith_watchdog_rounds_total{")]
        return {row.split('"')[1]: float(row.rsplit(" ", 1)[1]) for row in rows}


@asynccontextmanager
async def _heartbeats() -> AsyncIterator[tuple[str, list[str]]]:
    beats: list[str] = []
    app = FastAPI()

    @app.get("/beat")
    async def beat() -> Response:
        beats.append("beat")
        return Response(status_code=200)

    async with serving(app) as port:
        yield f"http://{LOOPBACK}:{port}/beat", beats


@pytest.fixture(scope="module")
async def watched(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Watched]:
    folder = tmp_path_factory.mktemp("watched")
    async with hook() as receiver, _heartbeats() as (address, beats):
        clinics, on_call = write_files(folder, receiver.url)
        alerts = {"on_call_file": str(on_call), "webhook_secret": SECRET, "allow_private_webhooks": "true"}
        async with world(folder / "kith", everywhere={"clinics_file": str(clinics)}, alerts=alerts) as kith:
            port = free_ports(1)
            environment = os.environ | {
                "KITH_WATCHDOG_INTAKE_URL": kith.stack.services["intake"].address,
                "KITH_WATCHDOG_ALERTS_URL": kith.stack.services["alerts"].address,
                "KITH_WATCHDOG_DEVELOPMENT_KEY": str(kith.stack.plan.signing_key),
                "KITH_WATCHDOG_HEARTBEAT_URL": address,
                "KITH_WATCHDOG_EVERY_SECONDS": "1",
                "KITH_WATCHDOG_HTTP_PORT": str(port),
            }
            log = folder / "watchdog.log"
            command = [sys.executable, "-m", "deploy.watchdog"]
            process = spawn(command, folder=ROOT, log=log, environment=environment)
            try:
                yield Watched(kith, receiver, beats, f"http://{LOOPBACK}:{port}/metrics", log)
            finally:
                process.kill()
                process.wait()


async def test_a_heartbeat_follows_a_synthetic_crisis_that_was_paged_and_ended(watched: Watched) -> None:
    await eventually(lambda: len(watched.beats) >= 2, within=60, that="two heartbeats arrived")
    assert len(watched.receiver.bodies) >= 2
    crises = [a for a in await watched.kith.alerts(kind="crisis") if a["clinic_id"] == CLINIC]
    assert len([crisis for crisis in crises if crisis["state"] == "resolved"]) >= 2
    referrals = (await watched.kith.desks.get("intake", "/referrals"))["items"]
    states = {referral["state"] for referral in referrals if referral["clinic_id"] == CLINIC}
    assert states == {"declined"}, "no referral of the watchdog waits for anybody"
    told = [
        delivery["contact_id"]
        for crisis in crises
        for delivery in (await watched.kith.desks.get("alerts", f"/alerts/{crisis['id']}"))["deliveries"]
    ]
    assert set(told) == {"con_watchdog"}, "nobody else is ever told of a synthetic crisis"


async def test_while_alerts_is_frozen_no_heartbeat_goes_out_and_afterwards_it_does(watched: Watched) -> None:
    await eventually(lambda: bool(watched.beats), within=60, that="a heartbeat arrived")
    async with watched.kith.silent("alerts"):
        failed = await eventually(
            lambda: _failed(watched), within=60, that="a round has failed while alerts is frozen"
        )
        silent_since = len(watched.beats)
        await eventually(lambda: _more_failed(watched, failed), within=60, that="and another")
        assert len(watched.beats) == silent_since
    await eventually(lambda: len(watched.beats) > silent_since, within=60, that="heartbeats are back")
    assert '"outcome"' in watched.log.read_text()


async def _failed(watched: Watched) -> float:
    return sum(count for outcome, count in (await watched.outcomes()).items() if outcome != "paged")


async def _more_failed(watched: Watched, before: float) -> bool:
    return await _failed(watched) > before
