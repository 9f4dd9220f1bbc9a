"""Joins the answers of `GET /flow` from several replicas into one per service."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any


def as_services(flows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Join the answers of all replicas into one answer per service."""
    merged: dict[str, dict[str, Any]] = {}
    for flow in flows:
        service = flow["service"]
        merged[service] = joined(merged[service], flow) if service in merged else flow
    return list(merged.values())


def joined(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Join the answers of two replicas as if they were one: progress of either counts."""
    dues = [flow["due"] for flow in (one, other) if flow["due"]]
    return one | {
        "busy": one["busy"] or other["busy"] or one["epoch"] != other["epoch"],
        "outbox_pending": max(one["outbox_pending"], other["outbox_pending"]),
        "held": max(one["held"], other["held"]),
        "lag": one["lag"] + other["lag"],
        "due": min(dues, key=datetime.fromisoformat, default=None),
        "published": farthest(one["published"], other["published"]),
        "consumed": farthest(one["consumed"], other["consumed"]),
    }


def farthest(one: dict[str, int], other: dict[str, int]) -> dict[str, int]:
    return {place: max(one.get(place, 0), other.get(place, 0)) for place in {*one, *other}}
