"""faust-streaming with `take`: consume and store, at least once; or announce too.

No inbox, no outbox, no transaction; upserts, so that redelivered messages are harmless.
"""

import asyncio
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import faust
from pymongo import AsyncMongoClient, ReplaceOne

from benchmarks.contenders.filling import INTAKE_TOPIC, PLAN_TOPIC, Document, Filling, envelope, task

BATCH, WITHIN = 500, 0.05


def build(told: dict[str, Any]) -> faust.App:
    filling = Filling.read(told["template"])
    app = faust.App(
        told["group"],
        broker=f"kafka://{told['kafka']}",
        store="memory://",
        datadir=told["folder"],
        topic_disable_leader=True,
        topic_allow_declare=False,
        web_enabled=False,
        stream_wait_empty=False,
        broker_session_timeout=6.0,
        broker_heartbeat_interval=1.0,
        consumer_auto_offset_reset="earliest",
    )
    intakes = app.topic(INTAKE_TOPIC, value_serializer="json", key_serializer="raw")
    started = app.topic(PLAN_TOPIC, value_serializer="json", key_serializer="raw")
    database: list[Any] = []

    @app.task
    async def prepare() -> None:
        client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(
            told["mongodb"], w="majority", journal=True
        )
        plans = client[told["database"]].plans
        await plans.create_index([("patient_id", 1), ("episode", 1)], unique=True)
        await plans.create_index([("clinic_id", 1), ("_id", 1)])
        database.append(plans)

    async def announce(plans: list[Document], causes: list[Any]) -> None:
        now = datetime.now(UTC).isoformat()
        sent = [
            await started.send(
                key=plan["patient_id"].encode(),
                value=filling.event_for(plan, plan["started_at"].isoformat()),
                headers=envelope(str(uuid4()), plan, dict(cause), now),
            )
            for plan, cause in zip(plans, causes, strict=True)
        ]
        await asyncio.gather(*sent)

    @app.agent(intakes)
    async def store(stream: Any) -> None:
        while not database:
            await app.sleep(0.05)
        async for events in stream.take_events(BATCH, within=WITHIN):
            plans = [filling.plan_for(event.value) for event in events]
            upserts = [ReplaceOne({"_id": plan["_id"]}, plan, upsert=True) for plan in plans]
            await database[0].bulk_write(upserts, ordered=False)
            if told["announce"]:
                await announce(plans, [event.headers for event in events])

    return app


if __name__ == "__main__":
    application = build(task())
    application.finalize()
    faust.Worker(application, loglevel="WARNING").execute_from_commandline()
