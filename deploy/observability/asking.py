"""Runs a panel's queries against a Prometheus, as Grafana would."""

import math
import re
from dataclasses import dataclass
from typing import Any

import httpx2

from deploy.observability.panels import Panel

RATE_INTERVAL = "$__rate_interval"
SCRAPES_PER_RATE = 4
POINTS = 150
LABEL = re.compile(r"\{\{\s*(\w+)\s*\}\}")


class NotAccepted(Exception):
    """Prometheus refused a query; the message quotes its reason."""


@dataclass(frozen=True)
class Span:
    """Start and end in seconds since 1970, and the distance of points in seconds."""

    start: float
    end: float
    step: float


@dataclass(frozen=True)
class Line:
    """One series of a panel. `points`: (seconds since 1970, value), only finite values."""

    legend: str
    points: tuple[tuple[float, float], ...]


def span_of(start: float, end: float, scrape: float) -> Span:
    """A span whose points are no closer than scrapes."""
    return Span(start, end, max(scrape, math.ceil((end - start) / POINTS)))


def expanded(query: str, span: Span, scrape: float) -> str:
    """Expand Grafana's `$__rate_interval` for this step: always wide enough for a few scrapes."""
    seconds = max(span.step + scrape, SCRAPES_PER_RATE * scrape)
    return query.replace(RATE_INTERVAL, f"{seconds:g}s")


def legend(pattern: str, labels: dict[str, str]) -> str:
    """Fill a legend pattern; a label that the series lacks is left empty."""
    return LABEL.sub(lambda found: labels.get(found[1], ""), pattern).strip()


class Asking:
    """Client of the Prometheus at `address`."""

    def __init__(self, address: str) -> None:
        self._client = httpx2.Client(base_url=address, timeout=30, trust_env=False)

    def __enter__(self) -> "Asking":
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def get(self, path: str, **query: Any) -> Any:
        """The `data` of an answer. Raises `NotAccepted`, or httpx2's `TransportError` without an answer."""
        answer = self._client.get(f"/api/v1/{path}", params=query)
        body = answer.json()
        if body["status"] != "success":
            raise NotAccepted(f"{body['error']} ({query})")
        return body["data"]

    def scrape_seconds(self) -> float:
        """The longest scrape interval in seconds. Raises `LookupError` if nothing is scraped."""
        targets = self.get("targets", state="active")["activeTargets"]
        if not targets:
            raise LookupError("this Prometheus scrapes nothing")
        return max(_seconds(target["scrapeInterval"]) for target in targets)

    def panel(self, panel: Panel, span: Span, scrape: float) -> list[Line]:
        """All series of a panel, with their legends. Raises `NotAccepted`."""
        return [
            Line(legend(pattern, series["metric"]), _numbers(series["values"]))
            for pattern, query in panel.lines.items()
            for series in self.get(
                "query_range",
                query=expanded(query, span, scrape),
                start=span.start,
                end=span.end,
                step=span.step,
            )["result"]
        ]


def _seconds(text: str) -> float:
    units = {"ms": 0.001, "s": 1, "m": 60, "h": 3600}
    return sum(int(number) * units[unit] for number, unit in re.findall(r"(\d+)(ms|s|m|h)", text))


def _numbers(values: list[list[Any]]) -> tuple[tuple[float, float], ...]:
    points = ((float(at), float(value)) for at, value in values)
    return tuple((at, value) for at, value in points if math.isfinite(value))
