"""Nothing happens twice: plans, appointments, announcements under different ids, pages, evidence."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from services.scheduler.events import DUE, AnnouncementSkipped
from tests.chaos.checks.violation import Kind, Violation
from tests.chaos.history import Announced, History, Row

CLOCKED = frozenset(event.__name__ for event in (*DUE, AnnouncementSkipped))


def plans(history: History) -> Iterator[Violation]:
    """There is one plan per referral from intake, and one per person and episode."""
    rows = history.rows("care_plan.plans")
    for row in rows:
        row.setdefault("origin", "intake")
    first = Counter(row["referral_id"] for row in rows if row["origin"] == "intake")
    episodes = Counter((row["patient_id"], str(row["episode"])) for row in rows)
    yield from _twice("plan_doubled", {("referral", id): n for id, n in first.items()})
    yield from _twice("plan_doubled", dict(episodes.items()))


def appointments(history: History) -> Iterator[Violation]:
    """A schedule has one appointment per kind and number, and one per day; a slot has one person."""
    for schedule in history.rows("scheduler.schedules"):
        alive = [a for a in schedule["appointments"] if a["state"] != "cancelled"]
        numbers = Counter((schedule["_id"], a["kind"], str(a["number"])) for a in schedule["appointments"])
        days = Counter((schedule["_id"], a["local_time"][:10]) for a in alive)
        yield from _twice("appointment_doubled", numbers)
        yield from _twice("appointment_doubled", days)
    slots = Counter(
        (schedule["clinician_id"], a["starts_at"].isoformat())
        for schedule in history.rows("scheduler.schedules")
        for a in schedule["appointments"]
        if a["state"] != "cancelled"
    )
    yield from _twice("appointment_doubled", slots)


def announcements(history: History) -> Iterator[Violation]:
    """Each fact has one id, and each place in a stream one fact."""
    by_fact: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for event in history.distinct:
        for fact in (_fact(event), ("place", event.topic, event.subject, str(event.sequence))):
            by_fact[fact].add(event.id)
    for fact, ids in by_fact.items():
        if len(ids) > 1:
            yield Violation("announcement_doubled", fact, f"{len(ids)} ids: {', '.join(sorted(ids)[:3])}")


def _fact(event: Announced) -> tuple[str, ...]:
    """An announcement's identity: the ids of what can happen only once, else its place in the stream."""
    told = FACTS.get(event.type)
    if event.type in CLOCKED:
        told = _clocked
    if told is None:
        return (event.type, event.topic, event.subject, str(event.sequence))
    return (event.type, *(str(part) for part in told(event.body)))


def _clocked(body: Row) -> Iterable[Any]:
    if body.get("skipped"):
        return (body["skipped"], body["plan_id"], body["appointment_id"], body["starts_at"], body["due_at"])
    if "appointment_id" in body:
        return (body["appointment_id"], body["starts_at"])
    return (body["plan_id"], body["due_at"])


FACTS: dict[str, Callable[[Row], Iterable[Any]]] = {
    "ReferralReceived": lambda b: (b["referral_id"],),
    "IntakeCompleted": lambda b: (b["referral_id"],),
    "IntakeDeclined": lambda b: (b["referral_id"],),
    "CrisisFlagRaised": lambda b: (b["flag_id"],),
    "CarePlanStarted": lambda b: (b["plan_id"],),
    "SessionAttended": lambda b: (b["appointment_id"],),
    "SessionMissed": lambda b: (b["appointment_id"],),
    "SessionCancelled": lambda b: (b["appointment_id"],),
    "SessionScheduled": lambda b: (b["appointment_id"],),
    "AppointmentCancelled": lambda b: (b["appointment_id"],),
    "AnnouncementSettled": lambda b: (b["settled"], b["plan_id"], b["appointment_id"], b["due_at"]),
    "AlertRaised": lambda b: (b["alert_id"],),
    "AlertNotified": lambda b: (b["alert_id"], b["delivery_id"]),
}


def pages(history: History) -> Iterator[Violation]:
    """A page has one id per step, round, contact and channel of an alert, both stored and received."""
    ids: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for row in history.documents["alerts.deliveries"]:
        step = (row["alert_ids"][0], str(row["step"]), str(row["round"]), row["contact_id"], row["channel"])
        ids[step].add(row["_id"])
    yield from _twice("page_doubled", {step: len(found) for step, found in ids.items()})
    recorded = {row["_id"]: row for row in history.documents["alerts.deliveries"]}
    for page in history.pages:
        if page.id not in recorded or recorded[page.id]["contact_id"] != page.contact:
            yield Violation("page_invented", (page.id, page.contact), "no delivery has this id and contact")
    reached = {page.id for page in history.pages if page.answered}
    for id, row in recorded.items():
        if row["state"] == "delivered" and row["channel"] != "inbox" and id not in reached:
            yield Violation("page_unrecorded", (id, row["contact_id"]), "delivered, but it never arrived")


def rings(history: History) -> Iterator[Violation]:
    """A delivery rings once.

    It may ring again if its record shows a retry, or, under the same id, in a window whose faults affected
    alerts, its database or the receivers: the guarantee is then at least once.
    """
    attempts = {row["_id"]: row.get("attempts", 1) for row in history.documents["alerts.deliveries"]}
    rough = {page.id for page in history.pages if page.window in history.rough}
    for id, count in Counter(page.id for page in history.pages).items():
        tried = max(1, attempts.get(id, 1))
        if id not in rough and count > tried:
            yield Violation("page_doubled", (id,), f"rang {count} times, tried {tried} by its record")


def evidence(history: History) -> Iterator[Violation]:
    """Evidence counts once in an alert; a crisis flag is in only one alert overall."""
    counted = Counter(
        (piece["id"],) if alert["kind"] == "crisis" else (alert["_id"], piece["id"])
        for alert in history.rows("alerts.alerts")
        for piece in alert.get("evidence", ())
    )
    yield from _twice("evidence_doubled", counted)


def _twice(kind: Kind, counts: Mapping[Any, int]) -> Iterator[Violation]:
    for ids, count in counts.items():
        if count > 1:
            yield Violation(kind, ids, f"{count} times")
