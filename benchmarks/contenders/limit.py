"""The limit: a hand-written loop with every guarantee, optimised for speed, and nothing else.

aiokafka and PyMongo's async client, batches of 500, one transaction per batch (inbox rows, plans, outbox
rows), publish after the commit, mark as published, then commit the offsets. No fallback for duplicates,
no validation beyond the JSON's keys, no metrics, no logs.
"""

import asyncio
import gc
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import chain
from typing import Any
from uuid import uuid4

import orjson
import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from bson.codec_options import CodecOptions
from pymongo import AsyncMongoClient
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from benchmarks.contenders.filling import INTAKE_TOPIC, PLAN_TOPIC, Document, Filling, envelope, task

BATCH = 500


class Loop:
    def __init__(self, told: Document) -> None:
        self.filling = Filling.read(told["template"])
        self.client: AsyncMongoClient[Document] = AsyncMongoClient(
            told["mongodb"], w="majority", journal=True
        )
        self.db = self.client.get_database(told["database"], codec_options=CodecOptions(tz_aware=True))
        self.consumer = AIOKafkaConsumer(
            INTAKE_TOPIC,
            bootstrap_servers=told["kafka"],
            group_id=told["group"],
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=20,
            session_timeout_ms=3000,
            heartbeat_interval_ms=500,
        )
        self.producer = AIOKafkaProducer(bootstrap_servers=told["kafka"], acks="all", linger_ms=2)

    async def run(self) -> None:
        await self.prepare()
        await self.producer.start()
        await self.consumer.start()
        while True:
            found = await self.consumer.getmany(timeout_ms=500, max_records=BATCH)
            if records := list(chain.from_iterable(found.values())):
                await self.take(records)

    async def prepare(self) -> None:
        """Create collections and indexes like Kith's, but with pending outbox rows indexed by id alone:
        Kith's index is by lane and id, and there are no lanes here.
        """
        for name in ("inbox", "plans", "outbox"):
            await self.db.create_collection(name)
        await self.db.plans.create_index([("patient_id", 1), ("episode", 1)], unique=True)
        await self.db.plans.create_index([("clinic_id", 1), ("_id", 1)])
        await self.db.outbox.create_index(
            [("_id", 1), ("pending", 1)], partialFilterExpression={"pending": True}
        )

    async def take(self, records: Sequence[Any]) -> None:
        inbox, plans, rows = self.decide(records)

        async def write(txn: Any) -> None:
            await self.db.inbox.insert_many(inbox, ordered=False, session=txn)
            await self.db.plans.insert_many(plans, ordered=False, session=txn)
            await self.db.outbox.insert_many(rows, ordered=False, session=txn)

        async with self.client.start_session() as txn:
            await txn.with_transaction(
                write, read_concern=ReadConcern("snapshot"), write_concern=WriteConcern("majority", j=True)
            )
        await self.publish(rows)
        await self.consumer.commit(
            {TopicPartition(record.topic, record.partition): record.offset + 1 for record in records}
        )

    def decide(self, records: Sequence[Any]) -> tuple[list[Document], list[Document], list[Document]]:
        now = datetime.now(UTC)
        stamp = now.isoformat()
        inbox, plans, rows = [], [], []
        for record in records:
            intake, cause = orjson.loads(record.value), dict(record.headers)
            plan = self.filling.plan_for(intake)
            id = str(uuid4())
            inbox.append({"_id": cause["ce_id"].decode(), "at": now})
            plans.append(plan)
            rows.append(
                {
                    "_id": id,
                    "pending": True,
                    "at": now,
                    "key": plan["patient_id"],
                    "headers": [list(header) for header in envelope(id, plan, cause, stamp)],
                    "body": orjson.dumps(self.filling.event_for(plan, intake["completed_at"])),
                }
            )
        return inbox, plans, rows

    async def publish(self, rows: Sequence[Document]) -> None:
        sent = [
            await self.producer.send(
                PLAN_TOPIC, row["body"], key=row["key"].encode(), headers=[(n, v) for n, v in row["headers"]]
            )
            for row in rows
        ]
        await asyncio.gather(*sent)
        ids = [row["_id"] for row in rows]
        await self.db.outbox.update_many({"_id": {"$in": ids}}, {"$unset": {"pending": ""}})


async def main() -> None:
    await Loop(task()).run()


if __name__ == "__main__":
    gc.freeze()
    gc.set_threshold(50_000)
    uvloop.run(main())  # like Kith's services
