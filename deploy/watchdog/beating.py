"""Runs rounds at an interval, and sends an outside heartbeat after each successful one."""

import asyncio
from time import monotonic, time

import httpx2
import structlog

from deploy.watchdog.crisis import Failed, SyntheticCrisis
from deploy.watchdog.metrics import HEARTBEATS, LAST_SUCCESS, ROUNDS, TIME_TO_PAGE
from deploy.watchdog.settings import WatchdogSettings

log = structlog.get_logger()

HEARTBEAT_SECONDS = 10.0


async def beat(settings: WatchdogSettings) -> None:
    """Run until cancelled."""
    async with httpx2.AsyncClient(trust_env=False) as inside, httpx2.AsyncClient() as outside:
        while True:
            began = monotonic()
            if await one_round(settings, inside):
                await _say_so(settings, outside)
            await asyncio.sleep(max(0.0, settings.every_seconds - (monotonic() - began)))


async def one_round(settings: WatchdogSettings, http: httpx2.AsyncClient) -> bool:
    """Run one round; True if the page arrived in time and the crisis is over."""
    outcome = "paged"
    try:
        seconds = await SyntheticCrisis(settings, http).play()
        TIME_TO_PAGE.observe(seconds)
        LAST_SUCCESS.set(time())
    except Failed as failed:
        outcome = failed.stage
    except Exception as error:  # any error: no success and no heartbeat, but another round
        outcome = type(error).__name__
    ROUNDS.labels(outcome).inc()
    if outcome != "paged":
        log.error("the synthetic crisis was not paged as it should", outcome=outcome)
    return outcome == "paged"


async def _say_so(settings: WatchdogSettings, http: httpx2.AsyncClient) -> None:
    address = settings.heartbeat_url.get_secret_value()
    if not address:
        return
    try:
        async with asyncio.timeout(HEARTBEAT_SECONDS):
            answer = await http.get(address)
        outcome = "answered" if answer.is_success else "refused"
    except Exception:  # any error: the watchdog must not end because of it
        outcome = "unreachable"
    HEARTBEATS.labels(outcome).inc()
    if outcome != "answered":
        log.warning("the heartbeat did not arrive", outcome=outcome)
