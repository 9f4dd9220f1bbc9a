"""Simulated people in real time: referrals, some of them in danger, and clinicians who respond."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from deploy.demo.casting import synthetic
from deploy.demo.desks import Answered, Desks
from deploy.embedded.plan import ROOT, SERVICES

PACE = 0.8
"""Seconds between referrals, on average."""

IN_DANGER = 10
"""One referral in this many is in danger."""

LOOKS_SECONDS = 2.0
SOON, LATE = (5.0, 90.0), (320.0, 400.0)
"""Seconds until a crisis is acknowledged; the policy asks for five minutes."""

DANGER = {"q1": True, "q2": True, "q3": True, "q4": True, "q5": False, "q6": False}
ENOUGH = 10_000


async def work(desks: Desks, seed: int) -> None:
    """Work until cancelled."""
    random = Random(seed)  # noqa: S311 (a simulation, no secret)
    async with asyncio.TaskGroup() as group:
        group.create_task(_refer(desks, random))
        group.create_task(_answer(desks, random, group))
        group.create_task(_look(desks))


def _forms(seed: int) -> Iterator[dict[str, Any]]:
    for number, life in enumerate(synthetic(ENOUGH, seed, ROOT / "deploy/config/clinics.json")):
        form = life.referral()
        if number % IN_DANGER == 0:
            form["screening"]["cssrs"] = DANGER
        yield form


async def _refer(desks: Desks, random: Random) -> None:
    for form in _forms(random.randrange(ENOUGH)):
        await tried(desks.send("intake", "POST", "/referrals", form, key=form["external_id"]))
        await asyncio.sleep(random.expovariate(1 / PACE))


async def _look(desks: Desks) -> None:
    """Make the requests of open pages, and query the books."""
    while True:
        for service in SERVICES:
            await tried(desks.get(service, "/books"))
        await tried(desks.get("care_plan", "/plans", limit=50))
        await tried(desks.get("dashboard", "/flow", role="engineer"))
        await asyncio.sleep(LOOKS_SECONDS)


async def _answer(desks: Desks, random: Random, group: asyncio.TaskGroup) -> None:
    """Respond to each crisis once; to one in six too late."""
    seen: set[str] = set()
    while True:
        alerts = await tried(desks.all_pages("alerts", "/alerts", state="open"))
        for alert in alerts or ():
            if alert["kind"] == "crisis" and alert["clinic_id"] != "watchdog" and alert["id"] not in seen:
                seen.add(alert["id"])
                after = random.uniform(*(LATE if len(seen) % 6 == 0 else SOON))
                group.create_task(_see_to(desks, f"/alerts/{alert['id']}", after))
        await asyncio.sleep(LOOKS_SECONDS)


async def _see_to(desks: Desks, path: str, after: float) -> None:
    await asyncio.sleep(after)
    assessment = {"result": "managed_with_safety_plan", "contact_made": True}
    contact = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    end = {"disposition": "managed_with_safety_plan", "safety_plan": True, "next_contact": contact}
    for action, body in (("acknowledge", None), ("assess", assessment), ("resolve", end)):
        await tried(desks.send("alerts", "POST", f"{path}/{action}", body))
        await asyncio.sleep(LOOKS_SECONDS)


async def tried(asked: Any) -> Any:
    """The answer, or None if a service refused or stayed unreachable: the work goes on."""
    try:
        return await asked
    except (Answered, ConnectionError):
        return None
