"""APScheduler 3 with its MongoDB job store: one job per timer, which announces one event and is removed.

Writes are acknowledged by the majority and journalled. A job is removed from the store when it is submitted
to the pool, before it runs: a crash in between loses it.
"""

import json
import signal
from datetime import UTC, datetime
from threading import Event, Thread
from typing import Any
from uuid import uuid4

from apscheduler.jobstores.mongodb import MongoDBJobStore
from apscheduler.schedulers.background import BackgroundScheduler
from confluent_kafka import Producer
from pymongo import MongoClient

from benchmarks.contenders.filling import task

told: dict[str, Any] = task()
producer = Producer({"bootstrap.servers": told["kafka"], "acks": "all", "linger.ms": 2})


def announce(body: str) -> None:
    """Publish one event; the function of every job."""
    event = json.loads(body)
    now = datetime.now(UTC).isoformat()
    headers = [
        ("ce_specversion", "1.0"),
        ("ce_id", str(uuid4())),
        ("ce_type", "SessionReminderDue"),
        ("ce_source", "scheduler"),
        ("ce_subject", event["plan_id"]),
        ("ce_time", now),
        ("ce_sequence", "1"),
        ("content-type", "application/json"),
    ]
    producer.produce(told["topic"], body, key=event["patient_id"], headers=headers)


def deliver(stopping: Event) -> None:
    """Poll the producer for its delivery callbacks."""
    while not stopping.is_set():
        producer.poll(0.05)


def main() -> None:
    stopping = Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    client: Any = MongoClient(told["mongodb"], w="majority", journal=True)
    store = MongoDBJobStore(database=told["database"], collection="jobs", client=client)
    scheduler = BackgroundScheduler(
        jobstores={"default": store}, job_defaults={"misfire_grace_time": None}, timezone="UTC"
    )
    scheduler.start(paused=True)
    Thread(target=deliver, args=(stopping,), daemon=True).start()
    due = datetime.now(UTC)
    for number in range(1, told["timers"] + 1):
        event = told["event"] | {"plan_id": f"pln_{number:032x}", "patient_id": f"pat_{number:032x}"}
        scheduler.add_job(announce, "date", run_date=due, args=[json.dumps(event)])
    client[told["database"]].stage.insert_one({"_id": "filled"})
    scheduler.resume()
    stopping.wait()
    producer.flush(5)


if __name__ == "__main__":
    main()
