"""Prometheus metrics of the infrastructure: the four golden signals, and backlogs.

Counted per batch rather than per message. Label values are codes, names of groups, topics, routes and
classes: never an id, an address or text from a person. Ages are in seconds.
"""

import platform
import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from prometheus_client import Counter, Gauge, Histogram

CONSUMED = Counter("kith_consumed_messages", "Messages taken in, by consumer group", ["group"])
DEAD_LETTERS = Counter("kith_dead_letters", "Messages set aside", ["group", "reason"])
NOTED = Counter(
    "kith_decisions", "Decisions not to act, with their named reason", ["service", "decision", "reason"]
)
PUBLISHED = Counter("kith_published_messages", "Messages published from the outbox", ["service", "lane"])
BATCH_SECONDS = Histogram("kith_batch_seconds", "From batch read to effects committed", ["group"])
MESSAGE_SECONDS = Histogram(
    "kith_message_seconds",
    "From publication to committed effect, of the first message of each batch",
    ["group"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300, 3600),
)
RETRIES = Counter("kith_retries", "Work that failed for now and is tried again", ["service", "what", "error"])
REQUESTS = Histogram(
    "kith_http_request_seconds",
    "HTTP requests until the answer began",
    ["service", "method", "route", "status"],
)
IN_FLIGHT = Gauge("kith_http_requests_in_flight", "HTTP requests under way", ["service"])
LOOP_LAG = Histogram(
    "kith_event_loop_lag_seconds",
    "How much later than asked the process was woken",
    ["service"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)

# Refreshed in the background (`shared.gauges`), never by a scrape.

LAG = Gauge("kith_consumer_lag", "Messages behind the end of the log, by group", ["group"])
STANDING = Gauge(
    "kith_partitions_standing", "Partitions that stand because a record cannot be read", ["group"]
)
OUTBOX_PENDING = Gauge(
    "kith_outbox_pending_documents", "Outbox documents not yet published, up to 10000", ["service"]
)
OUTBOX_OLDEST = Gauge(
    "kith_outbox_oldest_seconds", "Age of the oldest outbox document not yet published", ["service", "lane"]
)
DUE_OLDEST = Gauge(
    "kith_due_oldest_seconds", "How long the oldest work that is due has not been done", ["service", "ticker"]
)
MIGRATED = Counter(
    "kith_migrated_documents", "Stored documents lifted to their present shape", ["service", "migration"]
)
MIGRATION_STUCK = Gauge(
    "kith_migration_stuck_documents", "Stored documents that cannot be lifted", ["service", "migration"]
)
HELD = Gauge("kith_held_messages", "Messages held until a missing one comes, up to 10000", ["service"])
LETTERS_OPEN = Gauge(
    "kith_dead_letters_open", "Dead letters nobody has replayed, up to 10000", ["service", "crisis"]
)
READY = Gauge("kith_ready", "1 where a readiness check passes", ["service", "check"])
BOOKS = Gauge(
    "kith_books", "The books as this service sees them; stated by one replica", ["service", "kind", "column"]
)
BOOKS_COUNTED = Gauge(
    "kith_books_counted_timestamp_seconds", "When the count that the books state was begun", ["service"]
)
REFRESHED = Gauge(
    "kith_gauges_refreshed_timestamp_seconds", "When all gauges were last refreshed", ["service"]
)

DECLARED = Path(__file__).parents[1] / "pyproject.toml"
"""Located next to `shared`, both in a checkout and in the image."""

BUILD = Gauge("kith_build_info", "1, with the version that runs", ["service", "version", "python"])


def running_version() -> str:
    try:
        return version("kith")
    except PackageNotFoundError:  # run from a checkout or an image that installs only its dependencies
        return _declared_version()


def _declared_version() -> str:
    try:
        return str(tomllib.loads(DECLARED.read_text())["project"]["version"])
    except (OSError, ValueError, LookupError, TypeError):
        return "unknown"


def name_build(service: str) -> None:
    BUILD.labels(service, running_version(), platform.python_version()).set(1)
