"""Support for upgrade tests: a load, the schema versions announced under it, and final checks."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

from deploy import books
from deploy.demo.desks import Desks
from deploy.embedded.plan import SERVICES
from shared.mongo import MongoDatabase
from tests.support.eventually import eventually
from tests.support.world import CALM, LOW_MOOD

AT_LEAST = 3
"""Least announcements of a version before the next step."""

PACE = 0.5
"""Seconds between referrals."""


class Load:
    """Sends referrals at a steady pace until ended."""

    def __init__(self, desks: Desks) -> None:
        self._desks, self.people = desks, 0
        self._enough = asyncio.Event()
        self._working = asyncio.create_task(self._run())

    async def end(self) -> None:
        self._enough.set()
        await self._working

    async def _run(self) -> None:
        for number in itertools.count():
            if self._enough.is_set():
                return
            await self._desks.send("intake", "POST", "/referrals", _form(number), key=f"person {number}")
            self.people = number + 1
            with suppress(TimeoutError):
                await asyncio.wait_for(self._enough.wait(), PACE)


@asynccontextmanager
async def referred(desks: Desks) -> AsyncIterator[Load]:
    load = Load(desks)
    try:
        yield load
    finally:
        await load.end()


def _form(number: int) -> dict[str, object]:
    return {
        "clinic_id": "riverside",
        "person": {"given_name": "Zuzanna", "family_name": f"Brzęczyszczykiewicz {number}"},
        "age": 41,
        "consent": True,
        "screening": {"phq9": {"items": LOW_MOOD}, "cssrs": CALM},
    }


class Started:
    """Counts the announced `CarePlanStarted` events by schema version."""

    def __init__(self, database: MongoDatabase) -> None:
        self._database = database

    async def count(self, version: int) -> int:
        chosen = {"events.type": "CarePlanStarted", "events.schema_version": version}
        rows = await self._database.aggregate(
            "outbox", [{"$unwind": "$events"}, {"$match": chosen}, {"$count": "events"}]
        )
        return int(rows[0]["events"]) if rows else 0

    async def more(self, *versions: int) -> None:
        """Wait until `AT_LEAST` more were announced in each of these versions."""
        targets = {version: await self.count(version) + AT_LEAST for version in versions}

        async def enough() -> bool:
            return all([await self.count(version) >= target for version, target in targets.items()])

        await eventually(enough, within=120, pause=0.2, that=f"plans started in versions {versions}")


@asynccontextmanager
async def counting(mongodb: str) -> AsyncIterator[Started]:
    database = MongoDatabase(mongodb, "kith_care_plan")
    try:
        yield Started(database)
    finally:
        await database.close()


async def letters(desks: Desks, service: str = "scheduler") -> list[dict[str, str]]:
    """A service's open dead letters."""
    answer = await desks.get(service, "/dead-letters", role="engineer", limit=200)
    found: list[dict[str, str]] = answer["items"]
    return found


async def replay(desks: Desks) -> int:
    """Replay the scheduler's dead letters, all plan starts of a newer schema; return their number."""
    replayed = 0
    while found := await letters(desks):
        assert {letter["reason"] for letter in found} == {"newer_schema"}
        assert {letter["topic"] for letter in found} == {"care-plan.plans"}
        for letter in found:
            path = f"/dead-letters/{letter['id']}/replay"
            answer = await desks.send("scheduler", "POST", path, role="engineer")
            assert answer["outcome"] == "processed"
        replayed += len(found)
    return replayed


async def nothing_is_set_aside(desks: Desks, services: Sequence[str] = SERVICES) -> None:
    assert [letter for service in services for letter in await letters(desks, service)] == []


async def everybody_has_a_course(desks: Desks, people: int) -> None:
    """Check that each person has one plan with all appointments booked once, and that the books balance."""
    plans = await desks.all_pages("care_plan", "/plans")
    assert len(plans) == len({plan["patient_id"] for plan in plans}) == people
    for plan in plans:
        schedule = await desks.get("scheduler", f"/schedules/{plan['id']}")
        booked = [a for a in schedule["appointments"] if a["status"] == "booked"]
        assert len(booked) == len(schedule["appointments"]) == plan["sessions"], plan["id"]
    answers = [await desks.get(service, "/books", role="engineer") for service in SERVICES]
    assert [line for line in books.join(books.entries(answers)) if not line.balanced] == []
