"""Compares what the page shows of everybody with the owners' databases."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from tests.chaos.checks.violation import Violation
from tests.chaos.history import PAGE, History, Row

Place = tuple[str, str]
"""(part, id)"""

REFERRALS = {"in_review": "review"}
APPOINTMENTS = {"booked": "planned", "fulfilled": "attended", "noshow": "missed"}
ALERTS = {"informed": "resolved"}
"""The owners' codes → the page's, where they differ."""

LIVE = ("open", "acknowledged", "assessed")
AT_RISK = {"high": 0, "moderate": 1, "low": 2}
TAKEN = 3
"""The caseload's sort keys for people in a crisis; others sort after them."""


def shown(history: History) -> Iterator[Violation]:
    """Referrals, courses, appointments, flags, alerts and open crises are shown as the owners store them."""
    should, is_ = dict(_owned(history)), dict(_shown(history))
    for place in sorted(should.keys() | is_.keys()):
        if is_.get(place) != should.get(place):
            yield Violation("shown_wrong", place, f"{is_.get(place)} instead of {should.get(place)}")


def _owned(history: History) -> Iterator[tuple[Place, Any]]:
    for row in history.documents["intake.referrals"]:
        status = row["stage"]["status"]
        yield ("referral", row["_id"]), (row["patient_id"], REFERRALS.get(status, status))
    for row in history.documents["care_plan.plans"]:
        yield ("course", row["_id"]), _plan(row)
    for row in history.documents["scheduler.schedules"]:
        for one in row["appointments"]:
            status = APPOINTMENTS.get(one["state"], one["state"])
            yield ("appointment", one["id"]), (row["_id"], one["number"], one["starts_at"], status)
    for event in history.announced:
        if event.type == "CrisisFlagRaised":
            yield ("flag", event.body["flag_id"]), (event.body["patient_id"], event.body["severity"])
    yield from _owned_alerts(history)


def _plan(row: Row) -> tuple[Any, ...]:
    return (
        row["patient_id"],
        row["referral_id"],
        row["clinician_id"],
        row["episode"],
        row["phase"]["name"],
        row["attended"],
        row["contract"]["sessions"],
        row.get("hold") is not None,
        [*row["focus"]],
    )


def _course(patient_id: str, row: Row) -> tuple[Any, ...]:
    phase = row["phases"][-1]["phase"] if row["phases"] else "initial"
    return (
        patient_id,
        row["referral_id"],
        row["clinician_id"],
        row["episode"],
        "closed" if row["closed"] is not None else phase,
        row["attended"],
        row["sessions"],
        row["hold"] is not None,
        [*row["focus"]],
    )


def _owned_alerts(history: History) -> Iterator[tuple[Place, Any]]:
    """Each alert, each live alert with its person, and each person's resulting urgency."""
    urgent: dict[str, int] = defaultdict(lambda: TAKEN + 1)
    for row in history.documents["alerts.alerts"]:
        patient_id, state = row["patient_id"], ALERTS.get(row["state"], row["state"])
        told = (row["kind"], row["severity"], state)
        yield ("alert", row["_id"]), (patient_id, *told)
        if state not in LIVE or row["kind"] == "dead_letter" or patient_id == "unknown":
            continue
        yield ("live alert", row["_id"]), (patient_id, *told)
        if row["kind"] == "crisis":
            risk = AT_RISK[row["severity"]] if state == "open" else TAKEN
            urgent[patient_id] = min(urgent[patient_id], risk)
    for patient_id, risk in urgent.items():
        yield ("in a crisis", patient_id), risk


def _shown(history: History) -> Iterator[tuple[Place, Any]]:
    for row in history.documents[f"{PAGE}.people"]:
        id = row["_id"]
        for referral in row["referrals"] if id not in history.strangers else ():
            yield ("referral", referral["id"]), (id, referral["state"])
        for course in row["courses"]:
            yield ("course", course["id"]), _course(id, course)
            for one in course["appointments"]:
                place = (course["id"], one["number"], one["starts_at"], one["status"])
                yield ("appointment", one["id"]), place
        for flag in row["flags"]:
            yield ("flag", flag["id"]), (id, flag["severity"])
        for alert in row["alerts"]:
            yield ("live alert", alert["id"]), (id, alert["kind"], alert["severity"], alert["state"])
        if row["risk"] <= TAKEN:
            yield ("in a crisis", id), row["risk"]
    for row in history.documents[f"{PAGE}.alerts"]:
        yield ("alert", row["_id"]), (row["patient_id"], row["kind"], row["severity"], row["state"])
