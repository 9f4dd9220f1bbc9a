"""The dashboards' panels, each line as a legend and its PromQL."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Panel:
    """A time series panel. `limit` is the alert rule's threshold, drawn as a line."""

    title: str
    unit: str
    lines: dict[str, str]
    """Legend → PromQL."""
    limit: float | None = None
    says: str = ""


def quantile(share: float, metric: str, by: str, chosen: str = "") -> str:
    buckets = f"{metric}_bucket{{{chosen}}}" if chosen else f"{metric}_bucket"
    return f"histogram_quantile({share}, sum by ({by}, le) (rate({buckets}[$__rate_interval])))"


RARE = "15m"
"""Window for rare events: a few an hour leave no line over the few seconds of `$__rate_interval`."""


def rare_quantile(share: float, metric: str, by: str, chosen: str = "") -> str:
    return f"histogram_quantile({share}, sum by ({by}, le) (increase({metric}_bucket{{{chosen}}}[{RARE}])))"


def rate(metric: str, by: str, chosen: str = "") -> str:
    return f"sum by ({by}) (rate({metric}{{{chosen}}}[$__rate_interval]))"


def or_zero(query: str, of: str) -> str:
    """Add a line at 0 for each series of `of`: errors that never happened have no series of their own."""
    return f"{query} or 0 * {of}"


COUNTED = "A count, not a rate: a rate does not see the first of its kind."
EVERY_SERVICE = "max by (service) (kith_ready)"
ASKED = 'route!~"/health/.*|/metrics"'
"""Excludes probes and scrapes, which count neither as traffic nor as errors."""

ALL_REQUESTS = rate("kith_http_request_seconds_count", "service", ASKED)

SIGNALS = [
    Panel("Up and ready", "short", {"{{service}} {{check}}": "min by (service, check) (kith_ready)"}),
    Panel("Traffic: requests", "reqps", {"{{service}}": ALL_REQUESTS}),
    Panel("Traffic: messages taken in", "ops", {"{{group}}": rate("kith_consumed_messages_total", "group")}),
    Panel(
        "Latency: requests, 95 %",
        "s",
        {"{{service}}": quantile(0.95, "kith_http_request_seconds", "service", ASKED)},
        1,
        "Points lead to traces.",
    ),
    Panel("Latency: batches, 95 %", "s", {"{{group}}": quantile(0.95, "kith_batch_seconds", "group")}),
    Panel(
        "Latency: from publication to effect, 95 %",
        "s",
        {"{{group}}": quantile(0.95, "kith_message_seconds", "group")},
        60,
    ),
    Panel(
        "Errors: answers of 5xx",
        "percentunit",
        {
            "{{service}}": "({}) / {}".format(
                or_zero(
                    rate("kith_http_request_seconds_count", "service", f'status=~"5..", {ASKED}'),
                    ALL_REQUESTS,
                ),
                ALL_REQUESTS,
            )
        },
        0.01,
    ),
    Panel(
        "Errors: tried again since the start",
        "short",
        {
            "{{service}} {{what}} {{error}}": or_zero(
                "sum by (service, what, error) (kith_retries_total)", EVERY_SERVICE
            )
        },
        says=COUNTED,
    ),
    Panel(
        "Errors: set aside since the start",
        "short",
        {
            "{{group}} {{reason}}": or_zero(
                "sum by (group, reason) (kith_dead_letters_total)", "max by (group) (kith_consumer_lag)"
            )
        },
        says=COUNTED,
    ),
    Panel(
        "Saturation: event loop, 95 %",
        "s",
        {"{{service}}": quantile(0.95, "kith_event_loop_lag_seconds", "service")},
        0.5,
    ),
    Panel(
        "Saturation: requests under way",
        "short",
        {"{{service}}": "sum by (service) (kith_http_requests_in_flight)"},
    ),
    Panel(
        "Saturation: processors and memory",
        "short",
        {
            "{{service_name}} processors": rate("process_cpu_seconds_total", "service_name"),
            "{{service_name}} GB": "sum by (service_name) (process_resident_memory_bytes) / 1e9",
        },
    ),
    Panel(
        "Age of what is shown here",
        "s",
        {"{{service}}": "time() - min by (service) (kith_gauges_refreshed_timestamp_seconds)"},
        60,
    ),
    Panel(
        "Versions that run",
        "short",
        {"{{service}} {{version}}": "count by (service, version) (kith_build_info)"},
    ),
]

REAL = 'kind="crisis"'
"""Only real people's crises: the watchdog acknowledges its own at once."""

CRISIS = [
    Panel(
        "Flag to first attempt and first page, slowest of 15 min",
        "s",
        {"{{stage}}": rare_quantile(1, "kith_crisis_time_to_page_seconds", "stage")},
        30,
        "Points lead to traces.",
    ),
    Panel("Crises nobody has taken", "short", {"crises": "max(kith_crises_unacknowledged)"}),
    Panel(
        "How long their answer is overdue",
        "s",
        {"{{severity}}": "max by (severity) (kith_crisis_answer_overdue_seconds)"},
        900,
    ),
    Panel(
        "Flag to page of the synthetic crisis, 90 % of 15 min",
        "s",
        {
            "{{job}}": rare_quantile(0.9, "kith_watchdog_time_to_page_seconds", "job"),
        },
        15,
    ),
    Panel(
        "Since the watchdog last succeeded",
        "s",
        {"seconds": "clamp_max(time() - max(kith_watchdog_last_success_timestamp_seconds), 600)"},
        180,
        "Ten minutes stand for longer, and for never.",
    ),
    Panel(
        "Watchdog's rounds since the start",
        "short",
        {"{{outcome}}": "max by (outcome) (kith_watchdog_rounds_total)"},
    ),
    Panel(
        "Crises acknowledged after, half and 95 % of 15 min",
        "s",
        {
            "{{severity}} half": rare_quantile(0.5, "kith_acknowledgement_seconds", "severity", REAL),
            "{{severity}} 95 %": rare_quantile(0.95, "kith_acknowledgement_seconds", "severity", REAL),
        },
    ),
    Panel(
        "Crises acknowledged in time or not, of 15 min",
        "short",
        {
            "{{severity}} in time: {{in_time}}": "sum by (severity, in_time) "
            f"(increase(kith_acknowledgement_seconds_count{{{REAL}}}[{RARE}]))"
        },
    ),
    Panel(
        "Attempts to notify",
        "ops",
        {
            "{{channel}} {{result}} {{reason}}": rate(
                "kith_notification_attempts_total", "channel, result, reason"
            )
        },
    ),
    Panel(
        "Flags not read yet",
        "short",
        {"{{group}}": 'max by (group) (kith_consumer_lag{group="alerts.crisis"})'},
        0,
    ),
    Panel(
        "Flags not published yet",
        "s",
        {"{{service}}": 'max by (service) (kith_outbox_oldest_seconds{lane="crisis"})'},
        15,
    ),
    Panel(
        "Pages and escalations due",
        "s",
        {"{{ticker}}": 'max by (ticker) (kith_due_oldest_seconds{service="alerts"})'},
        30,
    ),
]

FLOW = [
    Panel("Consumer lag", "short", {"{{group}}": "max by (group) (kith_consumer_lag)"}, 5000),
    Panel(
        "Outbox, oldest",
        "s",
        {"{{service}} {{lane}}": "max by (service, lane) (kith_outbox_oldest_seconds)"},
        60,
    ),
    Panel("Outbox, documents", "short", {"{{service}}": "max by (service) (kith_outbox_pending_documents)"}),
    Panel(
        "Published", "ops", {"{{service}} {{lane}}": rate("kith_published_messages_total", "service, lane")}
    ),
    Panel(
        "Due and not done, oldest",
        "s",
        {"{{service}} {{ticker}}": "max by (service, ticker) (kith_due_oldest_seconds)"},
        300,
    ),
    Panel("Held for a missing message", "short", {"{{service}}": "max by (service) (kith_held_messages)"}, 0),
    Panel(
        "Dead letters open",
        "short",
        {"{{service}} crisis: {{crisis}}": "max by (service, crisis) (kith_dead_letters_open)"},
        0,
    ),
    Panel(
        "Books: difference",
        "short",
        {"{{kind}}": "kith:books_difference"},
        0,
        "Where all services have counted at the same moment.",
    ),
    Panel(
        "Books counted ago",
        "s",
        {"{{service}}": "time() - max by (service) (kith_books_counted_timestamp_seconds)"},
        7200,
    ),
    Panel(
        "Decided not to act, since the start",
        "short",
        {
            "{{service}} {{decision}} {{reason}}": or_zero(
                "sum by (service, decision, reason) (kith_decisions_total)", EVERY_SERVICE
            )
        },
        says=COUNTED,
    ),
]

DASHBOARDS: dict[str, tuple[str, Sequence[Panel]]] = {
    "signals": ("Kith: golden signals", SIGNALS),
    "crisis": ("Kith: from a flag to a human", CRISIS),
    "flow": ("Kith: nothing disappears quietly", FLOW),
}
