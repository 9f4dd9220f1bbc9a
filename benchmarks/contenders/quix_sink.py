"""Quix Streams with its own batching sink for MongoDB: consume and store, at least once; or announce too.

No inbox, no outbox, no transaction; upserts, so that redelivered messages are harmless. An announcement may
be published before its plan is stored, or without it.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from pymongo import MongoClient
from quixstreams import Application
from quixstreams.sinks.community.mongodb import MongoDBSink

from benchmarks.contenders.filling import INTAKE_TOPIC, PLAN_TOPIC, Document, Filling, envelope, task

WAITING = {"fetch.wait.max.ms": 20, "session.timeout.ms": 3000, "heartbeat.interval.ms": 500}


def sink(told: dict[str, Any]) -> MongoDBSink:
    server = urlsplit(told["mongodb"])
    return MongoDBSink(
        host=server.hostname,
        port=server.port,
        db=told["database"],
        collection="plans",
        document_matcher=lambda item: {"_id": item.value["_id"]},
        update_method="ReplaceOne",
        w="majority",
        journal=True,
    )


def make_indexes(told: dict[str, Any]) -> None:
    plans: Any = MongoClient(told["mongodb"])[told["database"]].plans
    plans.create_index([("patient_id", 1), ("episode", 1)], unique=True)
    plans.create_index([("clinic_id", 1), ("_id", 1)])


def main() -> None:
    told = task()
    make_indexes(told)
    app = Application(
        broker_address=told["kafka"],
        consumer_group=told["group"],
        auto_offset_reset="earliest",
        auto_create_topics=False,
        use_changelog_topics=False,
        commit_every=1000,
        commit_interval=0.5,
        loglevel="WARNING",
        consumer_extra_config=WAITING,
        state_dir=Path(told["folder"]) / "state",
    )
    filling = Filling.read(told["template"])
    plans = app.dataframe(app.topic(INTAKE_TOPIC, value_deserializer="json")).apply(filling.plan_for)
    if told["announce"]:
        announce(plans, app.topic(PLAN_TOPIC, value_serializer="json"), filling)
    plans.sink(sink(told))
    app.run()


def announce(plans: Any, topic: Any, filling: Filling) -> None:
    """Announce each plan's start, under the patient's key and in the same envelope as other sides."""

    def headers(plan: Document, key: Any, timestamp: int, came: Any) -> list[tuple[str, bytes]]:
        now = datetime.now(UTC).isoformat()
        return envelope(str(uuid4()), plan, dict(came), now)

    def event(plan: Document) -> Document:
        return filling.event_for(plan, plan["started_at"].isoformat())

    plans.set_headers(headers).apply(event).to_topic(topic)


if __name__ == "__main__":
    main()
