"""Quix Streams with its own batching sink for MongoDB: consume and store, at least once.

No inbox, no transaction, no announcement; upserts, so that a message that comes again does no harm.
"""

from typing import Any
from urllib.parse import urlsplit

from pymongo import MongoClient
from quixstreams import Application
from quixstreams.sinks.community.mongodb import MongoDBSink

from benchmarks.contenders.filling import INTAKE_TOPIC, Filling, task

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
    )
    intakes = app.dataframe(app.topic(INTAKE_TOPIC, value_deserializer="json"))
    intakes.apply(Filling.read(told["template"]).plan_for).sink(sink(told))
    app.run()


if __name__ == "__main__":
    main()
