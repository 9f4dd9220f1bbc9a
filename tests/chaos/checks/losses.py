"""Nothing acknowledged is lost, and nothing happens without a request."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from tests.chaos.checks.violation import Violation
from tests.chaos.desks import request_id
from tests.chaos.history import SERVICES, Announced, History
from tests.chaos.ledger import Entry

RECORDED = {"attended": "SessionAttended", "missed": "SessionMissed", "cancelled": "SessionCancelled"}
ANNOUNCES = {
    "acknowledge": "AlertAcknowledged",
    "assess": "AlertAssessed",
    "resolve": "AlertResolved",
    "hold": "CarePlanHeld",
    "resume": "CarePlanResumed",
    "close": "CarePlanClosed",
    "contract": "ContractRevised",
    "focus": "FocusSelected",
    "maintenance": "MaintenanceContracted",
    "crisis-flag": "CrisisFlagRaised",
    "relapse": "CarePlanClosed",
}
"""The last part of a request's path → the event its service announces."""

REOPENED = ("lease_expired", "severity_raised", "new_evidence")
"""Reasons for which an acknowledged alert must be acknowledged again."""

DECIDED = {"enrol": "IntakeCompleted", "decline": "IntakeDeclined"}


def acknowledged_requests(history: History) -> Iterator[Violation]:
    """Each acknowledged request has its answer stored and its event announced, with its correlation id."""
    answered = _answers(history)
    said = {
        (event.type, subject, event.correlation)
        for event in history.announced
        for subject in (event.subject, *(str(event.body[name]) for name in _about(event.body)))
    }
    for entry in history.known.acknowledged.values():
        if entry.key not in answered:
            yield _lost(entry, "its answer is not in the database")
        elif (wanted := _announcement(entry)) is None or (*wanted, request_id(entry.key)) in said:
            continue
        elif entry.action != "acknowledge" or not _was_taken(history, entry):
            yield _lost(entry, f"{wanted[0]} was never announced")


def _was_taken(history: History, entry: Entry) -> bool:
    """Whether the alert was acknowledged before: the request then changes and announces nothing."""
    told = [event for event in history.announced if event.subject == entry.subject]
    asked, taken = datetime.fromisoformat(entry.clock), False
    for event in sorted(told, key=lambda event: event.sequence):
        if event.type == "AlertAcknowledged" and _before(event, "acknowledged_at", asked):
            taken = True
        elif event.type == "AlertEscalated" and _before(event, "escalated_at", asked):
            taken = taken and event.body["reason"] not in REOPENED
    return taken


def _before(event: Announced, name: str, moment: datetime) -> bool:
    return datetime.fromisoformat(event.body[name]) <= moment


def _about(body: dict[str, Any]) -> list[str]:
    return [name for name in ("appointment_id", "plan_id", "referral_id", "alert_id") if body.get(name)]


def _answers(history: History) -> set[str]:
    """Idempotency keys, without any suffix that a route appended."""
    rows = [row for service in SERVICES for row in history.documents[f"{service}.idempotency"]]
    return {str(row["_id"]).rpartition(":")[2].partition(" ")[0] for row in rows}


def _announcement(entry: Entry) -> tuple[str, str] | None:
    if entry.action == "refer":
        return ("ReferralReceived", entry.subject)
    if entry.action == "sessions":
        return (RECORDED[entry.about["outcome"]], str(entry.about["appointment_id"]))
    if entry.action == "decision":
        return (DECIDED[entry.about["decision"]], entry.subject)
    return (ANNOUNCES[entry.action], entry.subject) if entry.action in ANNOUNCES else None


def _lost(entry: Entry, why: str) -> Violation:
    return Violation("acknowledged_request_lost", (entry.action, entry.subject, entry.key), why)


def effects(history: History) -> Iterator[Violation]:
    """Every referral and every stored answer belongs to a request."""
    asked = {entry.key for entry in history.entries}
    subjects = {e.subject for e in history.known.acknowledged.values() if e.action == "refer"}
    unknown = sum(entry.action == "refer" for entry in history.known.unknown.values())
    strange = [row["_id"] for row in history.rows("intake.referrals") if row["_id"] not in subjects]
    for id in strange[unknown:]:
        yield Violation("effect_nobody_asked_for", ("referral", id), "no request made it")
    for key in sorted(_answers(history) - asked):
        yield Violation("effect_nobody_asked_for", ("answer", key), "no request had this key")


def publication(history: History) -> Iterator[Violation]:
    """The present log holds every announcement in every outbox, and no outbox row is pending."""
    there = {record.id for record in history.published if record.epoch == history.epoch}
    for event in history.announced:
        if event.id not in there:
            yield Violation("announcement_not_published", (event.type, event.id), f"of {event.service}")
    for service in SERVICES:
        for row in history.documents[f"{service}.pending"]:
            yield Violation(
                "announcement_not_published", (service, str(row["_id"])), "the outbox row is pending"
            )


def processing(history: History) -> Iterator[Violation]:
    """Each completed intake has a plan, and each started plan a schedule."""
    plans = Counter(row["referral_id"] for row in history.rows("care_plan.plans"))
    schedules = {row["_id"] for row in history.rows("scheduler.schedules")}
    for event in history.of_type("IntakeCompleted"):
        if not plans[event.body["referral_id"]]:
            yield Violation("plan_missing", (event.body["referral_id"],), "its intake is complete")
    for event in history.of_type("CarePlanStarted"):
        if event.body["plan_id"] not in schedules:
            yield Violation("schedule_missing", (event.body["plan_id"],), "its plan has started")
