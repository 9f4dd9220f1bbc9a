"""The image and the next one side by side on Apache Kafka and MongoDB, there and back, under load."""

import asyncio
from functools import partial
from pathlib import Path

from tests.integration.containers.building import build_next
from tests.integration.containers.fleet import Fleet, fleet
from tests.support.eventually import eventually
from tests.support.upgrading import (
    Started,
    counting,
    everybody_has_a_course,
    letters,
    nothing_is_set_aside,
    referred,
    replay,
)

REPLICAS = {"intake": 1, "care_plan": 2, "scheduler": 2, "alerts": 1}


async def test_replicas_rolled_one_by_one_there_and_back_lose_nothing_and_double_nothing(
    image: str, tmp_path: Path
) -> None:
    newer = await asyncio.to_thread(build_next, tmp_path / "next")
    async with (
        fleet(image, REPLICAS, tmp_path) as kith,
        referred(kith.desks) as load,
        counting(kith.mongodb) as started,
    ):
        await there(kith, started, newer)
        await back_in_the_wrong_order(kith, started, image)
        await the_reader_again(kith, newer)
        await load.end()
        await kith.time.settle()
        assert await replay(kith.desks) > 0
        await kith.time.settle()
        await nothing_is_set_aside(kith.desks)
        await everybody_has_a_course(kith.desks, load.people)
        assert await started.count(1) + await started.count(2) == load.people


async def there(kith: Fleet, started: Started, newer: str) -> None:
    """The reader first, then the writer, which for a while announces in both. Nothing is set aside."""
    await started.more(1)
    await kith.roll_all("scheduler", newer)
    await kith.roll("care_plan", 0, newer)
    await started.more(1, 2)
    await kith.roll("care_plan", 1, newer)
    await started.more(2)
    await nothing_is_set_aside(kith.desks)


async def back_in_the_wrong_order(kith: Fleet, started: Started, older: str) -> None:
    """The reader meets what it does not know, and sets it aside."""
    await kith.roll("scheduler", 0, older)
    await started.more(2)
    await eventually(partial(letters, kith.desks), within=120, pause=0.2, that="something is set aside")
    await kith.roll("scheduler", 1, older)
    await kith.roll("care_plan", 0, older)
    await started.more(1, 2)
    await kith.roll("care_plan", 1, older)
    await started.more(1)


async def the_reader_again(kith: Fleet, newer: str) -> None:
    await kith.roll_all("scheduler", newer)
