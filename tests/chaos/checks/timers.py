"""Timers: each due one was announced, or its skip was, exactly once; wall times do not drift."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from tests.chaos.checks.doubles import CLOCKED
from tests.chaos.checks.violation import Violation
from tests.chaos.history import History, Row

Told = tuple[str, str, str, str]
"""(plan, appointment or -, kind of timer, session start or due moment)"""


def timers(history: History) -> Iterator[Violation]:
    told = Counter(_told(event.type, event.body) for event in history.of_type(*CLOCKED))
    for schedule in history.rows("scheduler.schedules"):
        for appointment, timer in _timers(schedule):
            if timer["state"] == "armed" and timer["due_at"] <= history.now:
                due = f"due {timer['due_at'].isoformat()}"
                yield Violation("timer_overdue", (schedule["_id"], appointment, timer["kind"]), due)
            elif timer["state"] in ("fired", "skipped"):
                place = _place(schedule["_id"], appointment, timer)
                if not told[place]:
                    yield Violation("timer_not_announced", place, timer["state"])
    for place, count in told.items():
        if count > 1:
            yield Violation("timer_announced_twice", place, f"{count} announcements")


def _timers(schedule: Row) -> Iterator[tuple[str, Row]]:
    for appointment in schedule["appointments"]:
        for timer in appointment["timers"]:
            yield appointment["id"], timer
    for timer in schedule["timers"]:
        yield "-", timer


def _place(plan: str, appointment: str, timer: Row) -> Told:
    moment = timer["session_at"] or timer["due_at"]
    if timer["kind"] == "TerminationPhaseDue":
        return (plan, appointment, timer["kind"], "-")
    return (plan, appointment, timer["kind"], moment.isoformat())


def _told(type: str, body: Row) -> Told:
    kind = str(body.get("skipped") or type)
    moment = body.get("starts_at") or body["due_at"]
    if kind == "TerminationPhaseDue":
        return (body["plan_id"], "-", kind, "-" if type == kind else "skipped")
    moment = datetime.fromisoformat(moment).isoformat()
    return (body["plan_id"], str(body.get("appointment_id") or "-"), kind, moment)


def alerts(history: History) -> Iterator[Violation]:
    """Nothing in alerts is overdue: steps, leases, obligations, deliveries."""
    for place, name in (("alerts.alerts", "next_due"), ("alerts.deliveries", "next_attempt")):
        for row in history.documents[place]:
            due = row.get(name)
            if row.get("waiting") and due is not None and due <= history.now:
                yield Violation("timer_overdue", (place, row["_id"]), f"{name} {due.isoformat()}")


def wall_times(history: History) -> Iterator[Violation]:
    """An appointment's instant matches its wall time in the clinic's zone, also across clock changes."""
    for schedule in history.rows("scheduler.schedules"):
        for appointment in schedule["appointments"]:
            local = _local(appointment)
            if local != appointment["local_time"][:16]:
                evidence = f"{local} instead of {appointment['local_time']}"
                yield Violation("wall_time_drifted", (schedule["_id"], appointment["id"]), evidence)


def _local(appointment: Row) -> Any:
    return appointment["starts_at"].astimezone(ZoneInfo(appointment["zone"])).strftime("%Y-%m-%dT%H:%M")
