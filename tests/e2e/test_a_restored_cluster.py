"""Backup under load, everything destroyed, an empty cluster, restore: the same final state."""

import asyncio
import itertools
import shutil
from collections import Counter
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from deploy import books
from deploy.backup.manifest import read_manifest
from deploy.backup.restore import restore
from deploy.backup.take import take
from deploy.embedded.servers import Mongod, free_ports
from tests.support.eventually import eventually
from tests.support.world import CALM, LOW_MOOD, MONDAY, World, world

HIGH = {"q1": True, "q2": True, "q3": True, "q4": True, "q5": False, "q6": False}
BEFORE = 8
"""Referrals before the load begins."""

AT_LEAST = 16
LATER = timedelta(days=3)


def form(number: int) -> dict[str, Any]:
    """Every eighth person is in a crisis."""
    in_crisis = {"phq9": {"items": [*LOW_MOOD[:8], 2]}, "cssrs": HIGH}
    calm = {"phq9": {"items": LOW_MOOD}, "cssrs": CALM}
    return {
        "clinic_id": "riverside",
        "clinician_id": f"cln_r0{1 + number % 5}",
        "person": {"given_name": "Zuzanna", "family_name": f"Brzęczyszczykiewicz {number}"},
        "age": 20 + number,
        "consent": True,
        "screening": in_crisis if number % 8 == 3 else calm,
    }


async def enter(kith: World, numbers: range) -> None:
    """What people enter, one after the other; entered again with the same keys it is the same."""
    for number in numbers:
        await kith.desks.send("intake", "POST", "/referrals", form(number), key=f"person {number}")


async def enter_while(kith: World, first: int, under_way: "asyncio.Task[Any]") -> int:
    """Enter referrals until a task has ended, and at least `AT_LEAST`; how many there are then."""
    for number in itertools.count(first):
        if under_way.done() and number >= first + AT_LEAST:
            return number
        await enter(kith, range(number, number + 1))
    raise AssertionError("counting ends never")


async def outcome(kith: World) -> dict[str, Any]:
    """Where everybody stands and what was announced how often; ids differ, and so do places in calendars.

    Whether a page was delivered or had just become moot is left out: either may come first in an instant.
    """
    announced: Counter[str] = Counter()
    answers = []
    for service in kith.stack.services:
        counts = (await kith.desks.get(service, "/announced", role="engineer"))["counts"]
        announced.update({f"{service}.{name}": n for name, n in counts.items() if name != "AlertNotified"})
        answers.append(await kith.desks.get(service, "/books", role="engineer"))
    lines = books.join(books.entries(answers))
    assert [line for line in lines if not line.balanced] == []
    return {
        "announced": dict(announced),
        "books": {line.kind: line.expected for line in lines if line.kind != "notification"},
        "plans": Counter(p["phase"] for p in await kith.desks.all_pages("care_plan", "/plans")),
        "crises": Counter(a["state"] for a in await kith.alerts(kind="crisis")),
    }


async def restored(backup: Path, folder: Path) -> None:
    """Into a MongoDB that was never used."""
    mongod = Mongod(folder / "mongod", free_ports(1), folder / "restore.log")
    mongod.start()
    try:
        await mongod.ready()
        await restore(mongod.uri, backup, prefix="kith_")
    finally:
        await asyncio.to_thread(mongod.stop)


async def test_a_cluster_restored_from_a_backup_taken_under_load_ends_in_the_same_state(
    tmp_path: Path,
) -> None:
    backup = tmp_path / "backup"
    async with world(tmp_path / "first") as kith:
        await enter(kith, range(BEFORE))
        await kith.time.settle()
        taking = asyncio.create_task(take(kith.stack.mongod.uri, backup, prefix="kith_"))
        people = await enter_while(kith, BEFORE, taking)
        await taking
        await kith.time.settle()
        await kith.until(MONDAY + LATER)
        undisturbed = await outcome(kith)
    shutil.rmtree(tmp_path / "first")

    kept = {f"{k.service}.{k.collection}": k.documents for k in read_manifest(backup).collections}
    assert BEFORE <= kept["intake.referrals"] <= people
    await restored(backup, tmp_path / "second")
    async with world(tmp_path / "second") as kith:
        await eventually(partial(refilled, kith, kept["intake.outbox"]))
        await enter(kith, range(people))  # people know what they entered last, and enter it again
        await kith.time.settle()
        await kith.until(MONDAY + LATER)
        assert await outcome(kith) == undisturbed
        letters = await kith.desks.get("alerts", "/dead-letters", role="engineer")
        assert letters["items"] == []


async def refilled(kith: World, messages: int) -> bool:
    """Whether the new log has got so many messages of intake's."""
    flow = await kith.desks.get("intake", "/flow", role="engineer")
    return int(sum(flow["published"].values())) >= messages
