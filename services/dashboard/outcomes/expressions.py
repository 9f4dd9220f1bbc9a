"""MongoDB expressions shared by several figures."""

from datetime import timedelta

from shared.mongo import Document

HOUR_MS, DAY_MS = 3_600_000, 86_400_000
RUNS_LATE = timedelta(days=366)
"""A course that ends in a window has a session planned in the window, or at most this long before it."""


def filtered(of: str | Document, kept: Document) -> Document:
    return {"$filter": {"input": of, "as": "one", "cond": kept}}


def counted_if(condition: Document) -> Document:
    return {"$sum": {"$cond": [condition, 1, 0]}}


def if_set(value: str, otherwise: Document) -> Document:
    return {"$ifNull": [value, otherwise]}


def rounded_up(span: Document, unit: int) -> Document:
    """The span in units, rounded up and at least 0; null if an instant is missing."""
    known = {"$ne": [{"$ifNull": [span, None]}, None]}
    return {"$cond": [known, {"$max": [0, {"$ceil": {"$divide": [span, unit]}}]}, None]}


def milliseconds(span: timedelta) -> int:
    return int(span.total_seconds() * 1000)
