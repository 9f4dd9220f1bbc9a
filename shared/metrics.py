"""Prometheus metrics of the machinery, counted per batch rather than per message."""

from prometheus_client import Counter, Gauge, Histogram

CONSUMED = Counter("kith_consumed_messages", "Messages taken in, by consumer group", ["group"])
DEAD_LETTERS = Counter("kith_dead_letters", "Messages set aside", ["group", "reason"])
NOTED = Counter(
    "kith_decisions", "Decisions not to act, with their named reason", ["service", "decision", "reason"]
)
PUBLISHED = Counter("kith_published_messages", "Messages published from the outbox", ["service", "lane"])
OUTBOX_PENDING = Gauge("kith_outbox_pending_documents", "Outbox documents not yet published", ["service"])
BATCH_SECONDS = Histogram("kith_batch_seconds", "From batch read to effects committed", ["group"])
LAG = Gauge("kith_consumer_lag", "Messages behind, by group", ["group"])
REQUESTS = Histogram("kith_http_request_seconds", "HTTP requests", ["service", "method", "route", "status"])
