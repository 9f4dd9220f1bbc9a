"""The part of a schedule that is read and written to announce what is due, instead of the whole course.

A course holds dozens of announcements, and usually one of them is due. MongoDB selects the appointments that
have something due, and computes when the next announcement of all appointments is due.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import AwareDatetime

from services.scheduler.domain.schedule import Schedule
from shared.messaging.work import Excerpt
from shared.mongo import Document

STORED = [name for name in Schedule.model_fields if name not in ("id", "appointments")]


class DuePart(Schedule):
    """A schedule with only those appointments loaded that have something due."""

    later: AwareDatetime | None = None
    """When the earliest announcement of any appointment that is not due yet will be due."""

    @property
    def next_of_all(self) -> datetime | None:
        moments = [moment for moment in (self.next_due, self.later) if moment is not None]
        return min(moments, default=None)


def due_part(now: datetime) -> Excerpt[DuePart]:
    return Excerpt(projection=_projection(now), changes=_changes)


def _projection(now: datetime) -> Document:
    beside: Document = dict.fromkeys([*STORED, "version", "announced", "trail"], 1)
    due = {
        "input": "$appointments",
        "as": "a",
        "cond": {"$gt": [_count_armed({"$lte": ["$$t.due_at", now]}), 0]},
    }
    later = {
        "$map": {
            "input": "$appointments",
            "as": "a",
            "in": {"$min": _armed_moments({"$gt": ["$$t.due_at", now]})},
        }
    }
    return beside | {"appointments": {"$filter": due}, "later": {"$min": later}}


def _armed(condition: Document) -> Document:
    armed = {"$eq": ["$$t.state", "armed"]}
    return {"$filter": {"input": "$$a.timers", "as": "t", "cond": {"$and": [armed, condition]}}}


def _count_armed(condition: Document) -> Document:
    return {"$size": _armed(condition)}


def _armed_moments(condition: Document) -> Document:
    return {"$map": {"input": _armed(condition), "as": "t", "in": "$$t.due_at"}}


def _changes(part: DuePart) -> tuple[Document, list[Mapping[str, Any]]]:
    next_due = part.next_of_all
    fields: dict[str, Any] = {"next_due": next_due, "waiting": next_due is not None}
    fields["timers"] = [timer.model_dump() for timer in part.timers]
    filters: list[Mapping[str, Any]] = []
    for number, appointment in enumerate(part.appointments):
        fields[f"appointments.$[a{number}].timers"] = [timer.model_dump() for timer in appointment.timers]
        filters.append({f"a{number}.id": appointment.id})
    return fields, filters
