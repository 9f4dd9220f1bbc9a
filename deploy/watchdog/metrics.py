"""The watchdog's metrics."""

from prometheus_client import Counter, Gauge, Histogram

ROUNDS = Counter("kith_watchdog_rounds", "Synthetic crises, by how the round ended", ["outcome"])
ROUNDS.labels("paged")  # create it at the start: Prometheus counts no increase in a first sample
TIME_TO_PAGE = Histogram(
    "kith_watchdog_time_to_page_seconds",
    "From raising the synthetic flag until alerts says that its page arrived",
    buckets=(0.25, 0.5, 1, 2.5, 5, 10, 15, 30, 60, 120),
)
LAST_SUCCESS = Gauge("kith_watchdog_last_success_timestamp_seconds", "When a page last arrived in time")
HEARTBEATS = Counter("kith_watchdog_heartbeats", "Heartbeats to the outside address", ["outcome"])
