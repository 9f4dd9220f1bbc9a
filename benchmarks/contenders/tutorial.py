"""FastStream as in tutorials: one typed message at a time, a transaction each, publish, acknowledge."""

import asyncio
import json
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from faststream import AckPolicy, FastStream
from faststream.kafka import KafkaBroker
from faststream.kafka.annotations import KafkaMessage
from motor.motor_asyncio import AsyncIOMotorClient
from pydantic import AwareDatetime, BaseModel
from pymongo.write_concern import WriteConcern

from benchmarks.contenders.filling import INTAKE_TOPIC, PLAN_TOPIC, Filling, envelope, task

MAJORITY = WriteConcern("majority", j=True)


class IntakeCompleted(BaseModel):
    patient_id: str
    clinic_id: str
    referral_id: str
    completed_at: AwareDatetime
    variant: str
    sessions: int
    clinician_id: str
    phq9_total: int
    gad7_total: int | None
    maintenance_indications: tuple[str, ...]


def build(told: dict[str, Any]) -> FastStream:
    filling = Filling.read(told["template"])
    client: Any = AsyncIOMotorClient(told["mongodb"], w="majority", journal=True)
    db = client[told["database"]]
    broker = KafkaBroker(told["kafka"], logger=None, acks="all")

    async def prepare() -> None:
        for name in ("inbox", "plans", "outbox"):
            await db.create_collection(name)
        await db.plans.create_index([("patient_id", 1), ("episode", 1)], unique=True)
        await db.plans.create_index([("clinic_id", 1), ("_id", 1)])

    @broker.subscriber(
        INTAKE_TOPIC,
        group_id=told["group"],
        auto_offset_reset="earliest",
        ack_policy=AckPolicy.NACK_ON_ERROR,
        fetch_max_wait_ms=20,
        session_timeout_ms=3000,
        heartbeat_interval_ms=500,
    )
    async def start_care_plan(intake: IntakeCompleted, message: KafkaMessage) -> None:
        fields = intake.model_dump(mode="json")
        plan = filling.plan_for(fields)
        id, now = str(uuid4()), datetime.now(UTC)
        cause = {name: str(value).encode() for name, value in message.headers.items()}
        event = filling.event_for(plan, fields["completed_at"])
        row = {"_id": id, "pending": True, "at": now, "key": plan["patient_id"], "body": json.dumps(event)}
        async with await client.start_session() as txn, txn.start_transaction(write_concern=MAJORITY):
            await db.inbox.insert_one({"_id": cause["ce_id"].decode(), "at": now}, session=txn)
            await db.plans.insert_one(plan, session=txn)
            await db.outbox.insert_one(row, session=txn)
        headers = {name: value.decode() for name, value in envelope(id, plan, cause, now.isoformat())}
        await broker.publish(event, PLAN_TOPIC, key=plan["patient_id"].encode(), headers=headers)
        await db.outbox.update_one({"_id": id}, {"$unset": {"pending": ""}})

    return FastStream(broker, on_startup=[prepare], logger=None)


if __name__ == "__main__":
    asyncio.run(build(task()).run())
