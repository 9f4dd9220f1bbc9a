"""A small history in which every promise was kept: one person in danger, referred, planned and paged."""

from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.chaos.desks import request_id
from tests.chaos.history import Announced, History, Planted, Row, consumers_of
from tests.chaos.ledger import Entry
from tests.chaos.receivers import Page
from tests.chaos.tap import Published
from tests.integration.chaos.read_models import read_model

NOW = datetime(2026, 11, 10, 23, 30, tzinfo=UTC)
EPOCH, EARLIER = "kith-epoch-2", "kith-epoch-1"
PATIENT, REFERRAL, PLAN, ALERT, DELIVERY = "pat_1", "ref_1", "pln_1", "alr_1", "dlv_1"
SESSION = f"{PLAN}.a1"
STARTS = datetime(2026, 11, 9, 15, 0, tzinfo=UTC)
"""10:00 in New York, after the clocks went back."""

DUE = datetime(2026, 11, 9, 13, 0, tzinfo=UTC)
TORN = Planted(EPOCH, "intake.crisis-flags", 0, 7, "chaos-1", torn=True)
NAMELESS = Planted(EPOCH, "intake.crisis-flags", 0, 8, "chaos-1", torn=True, enveloped=False)


def clean() -> History:
    """A fresh one each time: tests spoil theirs."""
    announced = _announced()
    history = History(NOW, EPOCH, _entries(), announced, _published(announced), _pages(), [TORN, NAMELESS])
    history.documents.update(deepcopy(_documents(announced)))
    return history


def event(
    service: str, type: str, topic: str, subject: str, sequence: int, *, by: str = "k-refer", **body: Any
) -> Announced:
    """`by`: the key of the request whose story it belongs to."""
    id = f"{type}-{subject}-{sequence}"
    body = {"patient_id": PATIENT, **body}
    return Announced(service, f"row-{id}", id, type, topic, subject, sequence, PATIENT, request_id(by), body)


def published(what: Announced, offset: int, epoch: str = EPOCH) -> Published:
    return Published(
        epoch,
        what.topic,
        0,
        offset,
        what.key,
        what.id,
        what.type,
        what.subject,
        what.sequence,
        what.correlation,
        2.0,
    )


def entry(key: str, path: str, service: str = "care_plan", **more: Any) -> Entry:
    return Entry("acknowledged", key, service, "POST", path, 1, NOW.isoformat(), 1.0, 200, **more)


def _announced() -> list[Announced]:
    referrals, due = "intake.referrals", "scheduler.due"
    flag = {"flag_id": "flag_1", "severity": "high"}
    attended = {"plan_id": PLAN, "appointment_id": SESSION}
    told = {"alert_id": ALERT, "kind": "crisis", "delivery_id": DELIVERY}
    return [
        event("intake", "ReferralReceived", referrals, REFERRAL, 1, referral_id=REFERRAL),
        event("intake", "IntakeCompleted", referrals, REFERRAL, 2, referral_id=REFERRAL),
        event("intake", "CrisisFlagRaised", "intake.crisis-flags", REFERRAL, 1, **flag),
        event("care_plan", "CarePlanStarted", "care-plan.plans", PLAN, 1, plan_id=PLAN, referral_id=REFERRAL),
        event("care_plan", "SessionAttended", "care-plan.plans", PLAN, 2, by="k-session", **attended),
        event("scheduler", "WeeklySessionDue", due, PLAN, 1, plan_id=PLAN, appointment_id=SESSION,
              starts_at=STARTS.isoformat(), due_at=DUE.isoformat()),
        event("alerts", "AlertRaised", "alerts.alerts", ALERT, 1, alert_id=ALERT, kind="crisis"),
        event("alerts", "AlertNotified", "alerts.alerts", ALERT, 2, **told),
        event("alerts", "AlertAcknowledged", "alerts.alerts", ALERT, 3, by="k-acknowledge", alert_id=ALERT,
              kind="crisis", acknowledged_at=NOW.isoformat()),
    ]  # fmt: skip


def _entries() -> list[Entry]:
    session = {"appointment_id": SESSION, "outcome": "attended"}
    known = [
        entry("k-refer", "/referrals", "intake", answer={"id": REFERRAL}),
        entry("k-session", f"/plans/{PLAN}/sessions", about=session),
        entry("k-acknowledge", f"/alerts/{ALERT}/acknowledge", "alerts"),
    ]
    asked = [replace(one, outcome="asked", answer={}) for one in known]
    silence = replace(asked[0], outcome="unknown", reason="ReadTimeout")
    return [*asked, silence, *known]


def _published(announced: list[Announced]) -> list[Published]:
    """An epoch that was lost in the middle, then everything again, one of them twice."""
    first = [published(what, n, EARLIER) for n, what in enumerate(announced[:4])]
    again = [published(what, n) for n, what in enumerate(announced)]
    return [*first, *again, published(announced[0], 50)]


def _pages() -> list[Page]:
    """The first one rang twice: it was tried again."""
    page = Page(3.0, DELIVERY, "con_r01", "webhook", (ALERT,), answered=True)
    torn = [replace(page, id=f"dlv_torn_{n}", alert_ids=(f"alr_torn_{n}",)) for n in (1, 2)]
    return [replace(page, answered=False, at=2.5), page, *torn]


def _letter(service: str, planted: Planted) -> Row:
    """What a group that reads its topic keeps of a torn message."""
    place = {"topic": planted.topic, "partition": 0, "offset": planted.offset, "epoch": EPOCH}
    return {"_id": f"letter_{service}_{planted.offset}", **place, "reason": "not_json"}


def _torn(n: int, planted: Planted, delivery: Row, crisis: Row) -> tuple[Row, Row]:
    """What becomes of a torn crisis message: an alert, by everybody who set it aside, and a page."""
    patient = {"patient_id": planted.key if planted.enveloped else "unknown"}
    evidence = [{"id": _letter(service, planted)["_id"]} for service in consumers_of(planted.topic)]
    alert = {"_id": f"alr_torn_{n}", **patient, **crisis, "evidence": evidence}
    page = delivery | {"_id": f"dlv_torn_{n}", "alert_ids": [alert["_id"]], "attempts": 1, **patient}
    return alert, page


def _documents(announced: list[Announced]) -> dict[str, list[dict[str, Any]]]:
    timer = {"kind": "WeeklySessionDue", "due_at": DUE, "session_at": STARTS, "state": "fired"}
    later = {
        "kind": "SessionOverdue",
        "due_at": NOW + timedelta(days=1),
        "session_at": STARTS,
        "state": "armed",
    }
    appointment = {"id": SESSION, "number": 1, "kind": "acute", "state": "fulfilled", "starts_at": STARTS,
                   "local_time": "2026-11-09T10:00", "zone": "America/New_York",
                   "timers": [timer, later]}  # fmt: skip
    other = appointment | {"id": f"{PLAN}.a2", "number": 2, "local_time": "2026-11-16T10:00", "timers": [],
                           "starts_at": STARTS + timedelta(days=7), "state": "booked"}  # fmt: skip
    person = {"patient_id": PATIENT}
    delivery = {"_id": DELIVERY, "alert_ids": [ALERT], "step": 0, "round": 1, "contact_id": "con_r01",
                "channel": "webhook", "state": "delivered", "attempts": 2, **person}  # fmt: skip
    crisis = {"kind": "crisis", "state": "acknowledged", "severity": "high"}
    torn = [_torn(n, planted, delivery, crisis) for n, planted in enumerate((TORN, NAMELESS), start=1)]
    rows: dict[str, list[dict[str, Any]]] = {
        "intake.referrals": [{"_id": REFERRAL, "stage": {"status": "completed"}, **person}],
        "care_plan.plans": [{"_id": PLAN, "referral_id": REFERRAL, "episode": 1, "origin": "intake",
                             "attended": 1, "phase": {"name": "initial"}, "contract": {"sessions": 16},
                             "clinician_id": "cln_r01", "focus": ["grief"], **person}],
        "scheduler.schedules": [{"_id": PLAN, "clinician_id": "cln_r01", "started_at": NOW,
                                 "appointments": [appointment, other], "timers": [], **person}],
        "alerts.alerts": [{"_id": ALERT, **crisis, "evidence": [{"id": "flag_1"}], **person},
                          *(alert for alert, _ in torn)],
        "alerts.deliveries": [delivery, *(delivery for _, delivery in torn)],
        "intake.idempotency": [{"_id": "dev:POST /referrals:k-refer"}],
        "care_plan.idempotency": [{"_id": "dev:POST /plans/{plan_id}/sessions:k-session"}],
        "alerts.idempotency": [{"_id": "dev:POST /alerts/{alert_id}/acknowledge:k-acknowledge"}],
    }  # fmt: skip
    for planted in (TORN, NAMELESS):
        for consumer in consumers_of(planted.topic):
            rows.setdefault(f"{consumer}.dead_letters", []).append(_letter(consumer, planted))
    rows |= read_model(announced, rows)
    for what in announced:
        for consumer in consumers_of(what.topic):
            inbox = rows.setdefault(f"{consumer}.inbox", [])
            position = {"_id": f"{what.topic}|{what.subject}", "sequence": what.sequence}
            inbox[:] = [row for row in inbox if row["_id"] != position["_id"]] + [position]
    return rows
