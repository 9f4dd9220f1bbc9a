"""A service that announces and one that reacts, with a real broker between them."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

from shared.messaging import outbox
from shared.messaging.consumer import Subscription
from shared.messaging.messaging import Messaging
from shared.messaging.reactions import Reactions
from shared.mongo import MongoDatabase
from shared.settings import Settings
from tests.support.letters import (
    Counting,
    IntakeCompleted,
    Told,
    amounts,
    inbound,
    when_intake_completed_count_it,
)
from tests.support.servers import kafka_settings


def settings(kafka: str, instance: str) -> Settings:
    return Settings(
        environment="development",
        instance=instance,
        kafka=kafka,
        fetch_wait_ms=5,
        jwks="unused",
        **kafka_settings(),
    )


@asynccontextmanager
async def sending(database: MongoDatabase, kafka: str, instance: str = "i1") -> AsyncIterator[Messaging]:
    messaging = Messaging(
        "intake",
        settings=settings(kafka, instance),
        database=database,
        subscriptions=[],
        open_work=lambda: Counting(database),
    )
    async with running(messaging):
        yield messaging


@asynccontextmanager
async def receiving(
    database: MongoDatabase, kafka: str, instance: str = "c1", **options: Any
) -> AsyncIterator[Messaging]:
    """`options`: of the subscription."""
    subscription = Subscription("work", Reactions({inbound(): when_intake_completed_count_it}), **options)
    messaging = Messaging(
        "care_plan",
        settings=settings(kafka, instance),
        database=database,
        subscriptions=[subscription],
        open_work=lambda: Counting(database),
    )
    async with running(messaging):
        yield messaging


@asynccontextmanager
async def running(messaging: Messaging) -> AsyncIterator[None]:
    task = asyncio.create_task(messaging.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def announce(database: MongoDatabase, referrals: Iterator[str] | list[str], count: int = 1) -> None:
    """Each referral announces `count` times, one transaction per round."""
    for number in range(1, count + 1):
        work = Counting(database, service="intake")
        names = list(referrals)
        await work.told.load(names)
        for name in names:
            told = work.told.get(name) or Told(id=name, patient_id=f"pat-{name}", clinic_id="riverside")
            event = IntakeCompleted(
                patient_id=told.patient_id, clinic_id="riverside", referral_id=name, amount=number
            )
            work.told.save(told, [event])
        await work.commit()


async def have_arrived(database: MongoDatabase, expected: dict[str, list[int]]) -> bool:
    return await amounts(database) == expected


async def nothing_pending(database: MongoDatabase) -> bool:
    return await database[outbox.COLLECTION].count_documents(outbox.PENDING) == 0


async def caught_up(one: Messaging, two: Messaging) -> bool:
    positions = await two.consumers[0].positions()
    return all(positions.get(place, 0) >= offset for place, offset in one.flow.published.items())
