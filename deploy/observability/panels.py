"""What the dashboards show: panels by dashboard, each line as a legend and its PromQL."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Panel:
    """A time series. `limit`: where the alert rule begins, drawn as a line."""

    title: str
    unit: str
    lines: dict[str, str]
    """Legend → PromQL."""
    limit: float | None = None
    says: str = ""


def quantile(share: float, metric: str, by: str) -> str:
    return f"histogram_quantile({share}, sum by ({by}, le) (rate({metric}_bucket[$__rate_interval])))"


def rate(metric: str, by: str, chosen: str = "") -> str:
    return f"sum by ({by}) (rate({metric}{{{chosen}}}[$__rate_interval]))"


SIGNALS = [
    Panel("Up and ready", "short", {"{{service}} {{check}}": "min by (service, check) (kith_ready)"}),
    Panel("Traffic: requests", "reqps", {"{{service}}": rate("kith_http_request_seconds_count", "service")}),
    Panel("Traffic: messages taken in", "ops", {"{{group}}": rate("kith_consumed_messages_total", "group")}),
    Panel(
        "Latency: requests, 95 %",
        "s",
        {"{{service}}": quantile(0.95, "kith_http_request_seconds", "service")},
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
            "{{service}}": rate("kith_http_request_seconds_count", "service", 'status=~"5.."')
            + " / "
            + rate("kith_http_request_seconds_count", "service")
        },
        0.01,
    ),
    Panel(
        "Errors: tried again",
        "ops",
        {"{{service}} {{what}} {{error}}": rate("kith_retries_total", "service, what, error")},
        0.1,
    ),
    Panel(
        "Errors: set aside", "ops", {"{{group}} {{reason}}": rate("kith_dead_letters_total", "group, reason")}
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

CRISIS = [
    Panel(
        "Flag to first attempt and first page delivered, slowest",
        "s",
        {"{{stage}}": quantile(1, "kith_crisis_time_to_page_seconds", "stage")},
        30,
        "Points lead to traces.",
    ),
    Panel("Crises nobody has taken", "short", {"crises": "max(kith_crises_unacknowledged)"}),
    Panel("The oldest of them", "s", {"open for": "max(kith_crisis_oldest_unacknowledged_seconds)"}, 1200),
    Panel(
        "Flag to page of the synthetic crisis, 90 %",
        "s",
        {
            "{{job}}": quantile(0.9, "kith_watchdog_time_to_page_seconds", "job"),
        },
        15,
    ),
    Panel(
        "Since the watchdog last succeeded",
        "s",
        {"seconds": "time() - max(kith_watchdog_last_success_timestamp_seconds)"},
        180,
    ),
    Panel("Watchdog's rounds", "ops", {"{{outcome}}": rate("kith_watchdog_rounds_total", "outcome")}),
    Panel(
        "Acknowledged after, half and 95 %",
        "s",
        {
            "{{severity}} half": quantile(0.5, "kith_acknowledgement_seconds", "severity"),
            "{{severity}} 95 %": quantile(0.95, "kith_acknowledgement_seconds", "severity"),
        },
    ),
    Panel(
        "Acknowledged in time or not, crises",
        "ops",
        {
            "{{severity}} in time: {{in_time}}": rate(
                "kith_acknowledgement_seconds_count", "severity, in_time", 'kind="crisis"'
            )
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
    Panel("Books: difference", "short", {"{{kind}}": "kith:books_difference"}, 0),
    Panel(
        "Books counted ago",
        "s",
        {"{{service}}": "time() - max by (service) (kith_books_counted_timestamp_seconds)"},
        7200,
    ),
    Panel(
        "Decided not to act",
        "ops",
        {"{{service}} {{decision}} {{reason}}": rate("kith_decisions_total", "service, decision, reason")},
    ),
]

DASHBOARDS: dict[str, tuple[str, Sequence[Panel]]] = {
    "signals": ("Kith: golden signals", SIGNALS),
    "crisis": ("Kith: from a flag to a human", CRISIS),
    "flow": ("Kith: nothing disappears quietly", FLOW),
}
