"""A crisis from its flag to its end: on a real database, through the service's own wiring."""

import asyncio
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest

from services.alerts.store import AlertsWork
from services.care_plan.events import (
    CarePlanResumed,
    ContractRevised,
    MaintenanceContracted,
    PhaseEntered,
    PhaseOverdue,
    SessionAttended,
    SessionMissed,
)
from services.scheduler.events import (
    AnnouncementSettled,
    CaseReviewDue,
    DueEvent,
    HoldReviewDue,
    MaintenanceReviewDue,
    SessionOverdue,
)
from shared.messaging import dead_letters
from shared.messaging.dead_letters import MessageDeadLettered
from shared.messaging.envelope import unseal
from shared.messaging.event import Event
from shared.messaging.work import Documents
from shared.mongo import OperationFailure
from tests.integration.alerts.conftest import ASSESSMENT, DISPOSITION, Alerts, MakeAlerts, flag_of
from tests.support.letters import delivered
from tests.unit.alerts.cases import MONDAY, minutes

COURSE = {"clinic_id": "riverside", "plan_id": "pln_1", "clinician_id": "cln_r05"}
EVERYONE = 7


def missed(patient: str = "pat_1", consecutive: int = 1) -> SessionMissed:
    return SessionMissed(
        patient_id=patient,
        appointment_id=f"apt_{consecutive}",
        phase="middle",
        consecutive=consecutive,
        missed_at=MONDAY,
        **COURSE,
    )


async def test_a_flag_pages_at_once_and_ends_with_a_disposition(alerts: Alerts) -> None:
    await alerts.flag("high")
    await alerts.settle()
    clinician = alerts.as_("clinician", "cln_r01")
    (notice,) = (await clinician.get("/inbox")).json()["items"]
    (alert_id,) = notice["alert_ids"]
    assert notice["severity"] == "high"
    alerts.at(MONDAY + minutes(3))
    taken = await clinician.do(alert_id, "acknowledge")
    assert (taken["state"], taken["acknowledgement"]["in_time"]) == ("acknowledged", True)
    assert (await clinician.do(alert_id, "assess", ASSESSMENT))["state"] == "assessed"
    ended = await clinician.do(alert_id, "resolve", DISPOSITION)
    assert ended["state"] == "resolved"
    assert [d["reason"] for d in ended["decisions"]] == [
        "acknowledge",
        "contact",
        "assess",
        "page_at_once",
        "resolved",
    ]
    assert {o["state"] for o in ended["obligations"]} == {"met"}
    types = [event["type"] for event in await alerts.announced()]
    assert [type for type in types if type != "AlertNotified"] == [
        "AlertRaised",
        "AlertAcknowledged",
        "AlertAssessed",
        "AlertResolved",
    ]


async def test_a_crisis_nobody_acknowledges_climbs_to_everyone_and_goes_on(alerts: Alerts) -> None:
    await alerts.flag("high")
    await alerts.settle()
    told = [len({row["contact_id"] for row in await alerts.stored("notices")})]
    for _ in range(3):
        await alerts.later(minutes=5)
        told.append(len({row["contact_id"] for row in await alerts.stored("notices")}))
    assert told == [1, 2, 3, EVERYONE]
    before = len(await alerts.stored("notices"))
    await alerts.later(minutes=15)
    assert len(await alerts.stored("notices")) == before + EVERYONE
    alert = await alerts.alert()
    assert alert["state"] == "open"
    assert alert["waiting"]


async def test_every_replica_reads_the_same_flag_and_one_crisis_comes_of_it(make_alerts: MakeAlerts) -> None:
    replicas: list[Alerts] = [await make_alerts() for _ in range(3)]
    record = replicas[0].record(flag_of("high"), "ref_pat_1")
    await asyncio.gather(*(replica.take(record) for replica in replicas))
    await asyncio.gather(*(replica.settle() for replica in replicas))
    alert = await replicas[0].alert()
    assert len(alert["evidence"]) == 1
    assert len(await replicas[0].stored("notices")) == 1


async def test_flags_of_two_services_at_once_are_one_crisis_of_the_worst_severity(alerts: Alerts) -> None:
    records = [
        alerts.record(flag_of(severity, flag_id=f"flg_{number}"), f"ref_{number}")
        for number, severity in enumerate(("low", "high", "moderate"))
    ]
    await asyncio.gather(*(alerts.take(record) for record in records))
    alert = await alerts.alert()
    assert alert["severity"] == "high"
    assert len(alert["evidence"]) == 3
    (history,) = await alerts.stored("crisis_histories")
    assert (history["number"], history["open"]) == (1, alert["_id"])


async def test_a_crisis_message_nobody_can_read_pages_by_ids_alone(alerts: Alerts) -> None:
    unreadable = alerts.record(flag_of("high"), "ref_1", value=b'{"severity": "catastrophic"}')
    headless = delivered(unseal(alerts.record(flag_of("high", "pat_9"), "ref_9")), headers=[])
    await alerts.take(unreadable)
    await alerts.take(headless)
    await alerts.settle()
    found = await alerts.stored("alerts", kind="crisis")
    assert {(row["patient_id"], row["severity"]) for row in found} == {
        ("pat_1", "moderate"),
        ("unknown", "moderate"),
    }
    assert {row["evidence"][0]["source"] for row in found} == {"dead_letter"}
    assert await alerts.stored("notices")
    nothing = {"open": 0, "done": 0, "breached": 0, "cancelled": 0}
    assert (await alerts.books())["crisis_flag"] == nothing | {"breached": 1}
    async for letter in alerts.database[dead_letters.COLLECTION].find():
        given_up = {"reason": "answered_by_ids", "by": "engineer", "now": MONDAY}
        assert await dead_letters.discard(alerts.database, letter["_id"], **given_up)
    assert (await alerts.books())["crisis_flag"] == nothing | {"cancelled": 1}, (
        "given up, and counted as such"
    )
    somebody = alerts.as_("clinician", "cln_l01", clinic="lakeside")
    unknown = next(row["_id"] for row in found if row["patient_id"] == "unknown")
    assert (await somebody.do(unknown, "acknowledge"))["state"] == "acknowledged"


async def test_an_acknowledgement_racing_an_escalation_is_never_followed_by_its_page(alerts: Alerts) -> None:
    clinician = alerts.as_("clinician", "cln_r01")
    for number in range(12):
        await alerts.flag("high", patient=f"pat_{number}", flag_id=f"flg_{number}")
    await alerts.settle()
    alerts.at(MONDAY + minutes(5))
    ids = [row["_id"] for row in await alerts.stored("alerts")]
    await asyncio.gather(
        alerts.settle(),
        *(clinician.do(alert_id, "acknowledge") for alert_id in ids),
        alerts.settle(),
    )
    await alerts.settle()
    for alert in await alerts.stored("alerts"):
        assert alert["state"] == "acknowledged"
        events = [e for e in await alerts.announced() if e.get("alert_id") == alert["_id"]]
        order = [e["type"] for e in events]
        after = events[order.index("AlertAcknowledged") + 1 :]
        assert all(e["type"] == "AlertNotified" for e in after), "nothing was escalated after it"
        assert all(e["outcome"] == "skipped" for e in after), "and nobody was paged after it"


async def test_a_lease_that_runs_out_escalates_again(alerts: Alerts) -> None:
    await alerts.flag("high")
    await alerts.settle()
    alert = await alerts.alert()
    await alerts.as_("clinician", "cln_r01").do(alert["_id"], "acknowledge")
    await alerts.later(minutes=29)
    assert await alerts.announced("AlertEscalated") == []
    await alerts.later(minutes=1)
    (escalated,) = await alerts.announced("AlertEscalated")
    assert (escalated["reason"], escalated["step"]) == ("lease_expired", 1)


async def test_a_missed_session_with_an_open_crisis_alerts_the_clinician_at_once(alerts: Alerts) -> None:
    await alerts.flag("moderate")
    await alerts.take(alerts.record(missed(), "pln_1"))
    absence = await alerts.alert(kind="missed_session")
    assert (absence["severity"], absence["reason"]) == ("moderate", "session_missed_in_crisis")
    await alerts.settle()
    assert [row["contact_id"] for row in await alerts.stored("notices", severity="moderate")] != []


async def test_an_absence_ends_by_rule_when_the_next_session_is_attended(alerts: Alerts) -> None:
    await alerts.take(alerts.record(missed(), "pln_1"))
    attended = SessionAttended(
        patient_id="pat_1",
        appointment_id="apt_9",
        attended=5,
        sessions=16,
        phase="middle",
        attended_at=MONDAY,
        **COURSE,
    )
    await alerts.take(alerts.record(attended, "pln_1"))
    absence = await alerts.alert(kind="missed_session")
    assert (absence["state"], absence["ending"]["reason"]) == ("resolved", "session_attended")


async def test_an_unrecorded_session_ends_by_rule_when_it_is_recorded(alerts: Alerts) -> None:
    overdue = SessionOverdue(appointment_id="apt_1", number=4, starts_at=MONDAY, **DUE)
    await alerts.take(alerts.record(overdue, "apt_1"))
    await alerts.take(alerts.record(missed(), "pln_1"))
    assert (await alerts.alert(kind="session_unrecorded"))["ending"]["reason"] == "session_recorded"


DUE: dict[str, Any] = {"patient_id": "pat_1", "due_at": MONDAY, "late_by_seconds": 0, **COURSE}


@pytest.mark.parametrize(
    ("due", "reason", "kind", "ending"),
    [
        (
            SessionOverdue(appointment_id="apt_1", number=4, starts_at=MONDAY, **DUE),
            "recorded",
            "session_unrecorded",
            "session_recorded",
        ),
        (HoldReviewDue(review_on=MONDAY.date(), **DUE), "resumed", "hold_review", "plan_resumed"),
        (HoldReviewDue(review_on=MONDAY.date(), **DUE), "changed", "hold_review", "superseded"),
        (
            MaintenanceReviewDue(review_on=MONDAY.date(), **DUE),
            "contracted",
            "maintenance_review",
            "maintenance_contracted",
        ),
        (CaseReviewDue(week=8, **DUE), "plan_closed", "case_review", "plan_closed"),
    ],
)
async def test_what_is_due_is_asked_for_until_the_scheduler_says_why_no_more_whatever_else_is_read_before(
    alerts: Alerts, due: DueEvent, reason: str, kind: str, ending: str
) -> None:
    facts = {"settled": type(due).__name__, "appointment_id": getattr(due, "appointment_id", None)}
    settled = AnnouncementSettled.model_validate({**facts, "reason": reason, **DUE})
    await alerts.take(alerts.record(missed(), "pln_1"))
    await alerts.take(alerts.record(due, "pln_1"))
    assert (await alerts.alert(kind=kind))["state"] == "open"
    await alerts.take(alerts.record(settled, "pln_1"))
    assert (await alerts.alert(kind=kind))["ending"]["reason"] == ending


REVIEW_ON = {"review_on": MONDAY.date()}
WEEK = timedelta(days=7)


@pytest.mark.parametrize(
    ("asks", "answer", "kind"),
    [
        (
            HoldReviewDue(**REVIEW_ON, **DUE),
            CarePlanResumed(patient_id="pat_1", resumed_at=MONDAY, **COURSE),
            "hold_review",
        ),
        (
            MaintenanceReviewDue(**REVIEW_ON, **DUE),
            MaintenanceContracted(
                patient_id="pat_1",
                frequency="monthly",
                first_on_or_after=MONDAY.date(),
                **REVIEW_ON,
                **COURSE,
            ),
            "maintenance_review",
        ),
        (
            PhaseOverdue(patient_id="pat_1", phase="initial", attended=4, missing=("focus",), **COURSE),
            PhaseEntered(
                patient_id="pat_1",
                phase="middle",
                previous="initial",
                attended=4,
                entered_at=MONDAY,
                **COURSE,
            ),
            "phase_overdue",
        ),
    ],
)
async def test_what_is_asked_for_is_settled_by_what_came_of_it_and_by_nothing_older(
    alerts: Alerts, asks: Event, answer: Event, kind: str
) -> None:
    older = alerts.record(answer, "pln_0")
    alerts.at(MONDAY + WEEK)
    await alerts.take(alerts.record(asks, "pln_1"))
    await alerts.take(older)
    assert (await alerts.alert(kind=kind))["state"] == "open"
    alerts.at(MONDAY + 2 * WEEK)
    await alerts.take(alerts.record(answer, "pln_0"))
    assert (await alerts.alert(kind=kind))["state"] == "resolved"


async def test_what_the_scheduler_asks_for_no_more_is_not_what_it_asked_for_later(alerts: Alerts) -> None:
    settled = AnnouncementSettled(settled="HoldReviewDue", appointment_id=None, reason="changed", **DUE)
    set_aside = alerts.record(settled, "pln_0")
    alerts.at(MONDAY + WEEK)
    await alerts.take(alerts.record(HoldReviewDue(**REVIEW_ON, **{**DUE, "due_at": alerts.now}), "pln_1"))
    await alerts.take(set_aside)
    assert (await alerts.alert(kind="hold_review"))["state"] == "open"


@pytest.mark.parametrize(
    ("phase", "attended", "sessions", "state"),
    [
        ("termination", 12, 16, "resolved"),
        ("termination", 12, 12, "open"),
        ("initial", 3, 16, "resolved"),
        ("initial", 4, 16, "open"),
    ],
)
async def test_more_sessions_settle_the_overdue_phase_that_has_some_of_them_to_come(
    alerts: Alerts, phase: Any, attended: int, sessions: int, state: str
) -> None:
    overdue = PhaseOverdue(patient_id="pat_1", phase=phase, attended=attended, missing=("focus",), **COURSE)
    revised = ContractRevised(
        patient_id="pat_1",
        sessions=sessions,
        previous_sessions=13,
        initial_sessions=4,
        termination_sessions=4,
        attended=attended,
        reason="extra_sessions_needed",
        **COURSE,
    )
    await alerts.take(alerts.record(overdue, "pln_1"))
    await alerts.take(alerts.record(revised, "pln_1"))
    assert (await alerts.alert(kind="phase_overdue"))["state"] == state


async def test_what_was_asked_for_and_settled_in_an_outage_of_alerts_is_asked_for_no_more(
    alerts: Alerts,
) -> None:
    asks = alerts.record(
        PhaseOverdue(patient_id="pat_1", phase="initial", attended=4, missing=("focus",), **COURSE), "pln_1"
    )
    alerts.at(MONDAY + minutes(5))
    entered = {"phase": "middle", "previous": "initial", "attended": 4, "entered_at": alerts.now}
    answer = alerts.record(PhaseEntered.model_validate({"patient_id": "pat_1", **entered, **COURSE}), "pln_1")
    alerts.at(MONDAY + WEEK)
    await alerts.take(asks)
    await alerts.take(answer)
    assert (await alerts.alert(kind="phase_overdue"))["state"] == "resolved"


async def test_dead_letters_join_one_alert_and_a_crisis_among_them_is_a_crisis_too(alerts: Alerts) -> None:
    def letter(number: int, *, crisis: bool = False) -> MessageDeadLettered:
        return MessageDeadLettered(
            patient_id="pat_1",
            clinic_id="unknown",
            dead_letter_id=f"dl_{number}",
            service="care_plan",
            group="care_plan.work",
            origin="intake.referrals",
            partition=0,
            offset=number,
            reason="not_json",
            type=None,
            crisis=crisis,
            set_aside_at=MONDAY,
        )

    for number in range(3):
        record = alerts.record(letter(number), f"dl_{number}", topic="care-plan.dead-letters")
        await alerts.take(record)
    alert = await alerts.alert(kind="dead_letter")
    assert (alert["severity"], alert["evidence_count"]) == ("moderate", 3)
    await alerts.take(alerts.record(letter(3, crisis=True), "dl_3", topic="care-plan.dead-letters"))
    assert (await alerts.alert(kind="dead_letter"))["severity"] == "high"
    assert (await alerts.alert(kind="crisis"))["patient_id"] == "pat_1"


async def test_one_alert_nobody_can_read_does_not_hold_up_the_others(alerts: Alerts) -> None:
    for number in range(3):
        await alerts.flag("high", patient=f"pat_{number}", flag_id=f"flg_{number}")
    await alerts.settle()
    (spoilt, *_) = await alerts.stored("alerts")
    await alerts.database["alerts"].update_one({"_id": spoilt["_id"]}, {"$set": {"step": "three"}})
    await alerts.later(minutes=5)
    others = await alerts.stored("alerts", kind="crisis", _id={"$ne": spoilt["_id"]})
    assert {row["step"] for row in others} == {1}
    said = await alerts.alert(kind="dead_letter")
    assert (said["reason"], said["severity"]) == ("alert_unreadable", "high")
    assert said["evidence"][0]["id"].startswith(spoilt["_id"])


async def test_where_the_server_ends_long_transactions_escalations_are_decided_in_fewer_at_a_time(
    alerts: Alerts, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        await alerts.flag("high", patient=f"pat_{number}", flag_id=f"flg_{number}")
    alerts.at(alerts.now + minutes(5))
    commit = AlertsWork.commit

    async def ends_after_two(work: AlertsWork) -> None:
        if len(list(work.alerts)) > 2:
            raise OperationFailure("lived too long", 290)
        await commit(work)

    monkeypatch.setattr(AlertsWork, "commit", ends_after_two)
    (escalations,) = [ticker for ticker in alerts.service.tickers if ticker.name == "escalations"]
    for _ in range(12):
        with suppress(OperationFailure):
            await escalations.tick(alerts.now)
    assert {row["step"] for row in await alerts.stored("alerts")} == {1}


async def test_a_routine_alert_nobody_can_read_keeps_no_flag_from_being_taken(alerts: Alerts) -> None:
    await alerts.flag("moderate", patient="pat_1", flag_id="flg_1")
    await alerts.database["alerts"].insert_one(
        {"_id": "alr_spoilt", "patient_id": "pat_1", "kind": "missed_session", "about": "x", "live": True}
    )
    await alerts.flag("high", patient="pat_1", flag_id="flg_2")
    assert (await alerts.alert(kind="crisis"))["severity"] == "high"
    assert await alerts.stored("dead_letters") == []


async def test_a_crisis_nobody_can_read_is_paged_beside_it_and_holds_up_nobody_else(alerts: Alerts) -> None:
    await alerts.flag("high", patient="pat_1", flag_id="flg_1")
    spoilt = (await alerts.alert(patient_id="pat_1"))["_id"]
    await alerts.database["alerts"].update_one({"_id": spoilt}, {"$set": {"step": "three"}})
    await alerts.take(
        alerts.record(flag_of("high", "pat_1", flag_id="flg_2"), "ref_pat_1"),
        alerts.record(flag_of("high", "pat_2", flag_id="flg_3"), "ref_pat_2"),
    )
    assert (await alerts.alert(patient_id="pat_2"))["severity"] == "high"
    beside = await alerts.alert(patient_id="unreadable-pat_1")
    assert (beside["kind"], beside["reason"]) == ("crisis", "crisis_message_unreadable")
    assert beside["clinic_id"] == "riverside"
    assert await alerts.stored("deliveries", alert_ids=beside["_id"])


@pytest.mark.parametrize(
    ("collection", "by_hand"),
    [
        ("alerts", None),
        ("alerts", {"state": "resolved", "live": False}),
        ("alerts", {"state": "resolved"}),
        ("crisis_histories", None),
        ("crisis_histories", {"open": None}),
        ("crisis_histories", {"open": "alr_other"}),
    ],
)
async def test_whatever_somebody_changed_by_hand_a_flag_pages_at_once_and_holds_up_nobody_else(
    alerts: Alerts, collection: str, by_hand: dict[str, Any] | None
) -> None:
    await alerts.flag("low", flag_id="flg_1")
    if by_hand is None:
        await alerts.database[collection].delete_many({})
    else:
        await alerts.database[collection].update_many({}, {"$set": by_hand})
    async with asyncio.timeout(20):
        await alerts.take(
            alerts.record(flag_of("high", flag_id="flg_2"), "ref_pat_1"),
            alerts.record(flag_of("high", "pat_2", flag_id="flg_3"), "ref_pat_2"),
        )
    for patient, flag in (("pat_1", "flg_2"), ("pat_2", "flg_3")):
        crisis = await alerts.alert(patient_id=patient, live=True)
        assert (crisis["state"], crisis["severity"]) == ("open", "high")
        assert crisis["evidence"][-1]["id"] == flag
        assert await alerts.stored("deliveries", alert_ids=crisis["_id"])
        (history,) = await alerts.stored("crisis_histories", _id=patient)
        assert history["open"] == crisis["_id"]
    assert await alerts.stored("dead_letters") == []


async def test_the_next_crisis_after_a_history_that_was_deleted_is_another_one(alerts: Alerts) -> None:
    clinician = alerts.as_("clinician", "cln_r01")
    for number in (1, 2):
        await alerts.flag("high", flag_id=f"flg_{number}")
        crisis = (await alerts.alert(live=True))["_id"]
        await clinician.do(crisis, "assess", ASSESSMENT)
        await clinician.do(crisis, "resolve", DISPOSITION)
        await alerts.database["crisis_histories"].delete_many({})
    assert len(await alerts.stored("alerts", state="resolved", patient_id="pat_1")) == 2


async def test_a_crisis_whose_history_was_deleted_can_be_resolved(alerts: Alerts) -> None:
    await alerts.flag("high")
    await alerts.database["crisis_histories"].delete_many({})
    clinician, crisis = alerts.as_("clinician", "cln_r01"), (await alerts.alert())["_id"]
    await clinician.do(crisis, "assess", ASSESSMENT)
    assert (await clinician.do(crisis, "resolve", DISPOSITION))["state"] == "resolved"


async def test_a_flag_read_while_its_crisis_is_resolved_opens_the_next_one(
    alerts: Alerts, monkeypatch: pytest.MonkeyPatch
) -> None:
    await alerts.flag("high", flag_id="flg_1")
    clinician, first = alerts.as_("clinician", "cln_r01"), (await alerts.alert())["_id"]
    await clinician.do(first, "assess", ASSESSMENT)
    find, resolved = Documents.find, asyncio.Event()

    async def resolved_between_two_reads(self: Any, query: Any, **changes: Any) -> Any:
        if self._collection == "alerts" and not resolved.is_set():
            resolved.set()
            await clinician.do(first, "resolve", DISPOSITION)
        return await find(self, query, **changes)

    monkeypatch.setattr(Documents, "find", resolved_between_two_reads)
    await alerts.flag("high", flag_id="flg_2")
    (history,) = await alerts.stored("crisis_histories")
    assert (history["number"], history["open"]) == (2, (await alerts.alert(live=True))["_id"])
    assert history["ended_at"] is not None, "the end was read, and nothing was decided against it"


async def test_engineers_hear_of_a_flag_that_was_set_aside_beside_a_crisis_nobody_can_read(
    alerts: Alerts,
) -> None:
    await alerts.flag("high", patient="pat_1", flag_id="flg_1")
    spoilt = (await alerts.alert(patient_id="pat_1"))["_id"]
    await alerts.database["alerts"].update_one({"_id": spoilt}, {"$set": {"step": "three"}})
    await alerts.flag("high", patient="pat_1", flag_id="flg_2")
    (about,) = await alerts.announced("MessageDeadLettered")
    letter = MessageDeadLettered.model_validate(about)
    elsewhere = letter.model_copy(update={"dead_letter_id": "dl_2", "patient_id": "pat_2"})
    await alerts.take(
        *(alerts.record(e, e.dead_letter_id, topic="alerts.dead-letters") for e in (letter, elsewhere))
    )
    told = await alerts.alert(kind="dead_letter")
    assert (told["severity"], told["evidence_count"]) == ("high", 2)
    assert (await alerts.alert(patient_id="unreadable-pat_1"))["evidence_count"] == 1
    assert (await alerts.alert(patient_id="pat_2"))["reason"] == "crisis_message_unreadable"
    assert len(await alerts.stored("dead_letters")) == 1, "no letter about the letter"


async def test_the_books_balance_through_a_busy_day_and_show_what_is_lost(alerts: Alerts) -> None:
    clinician = alerts.as_("clinician", "cln_r01")
    for number, severity in enumerate(("high", "moderate", "low", "high")):
        await alerts.flag(severity, patient=f"pat_{number}", flag_id=f"flg_{number}")
    await alerts.flag("high", patient="pat_1", flag_id="flg_9")
    await alerts.settle()
    first = (await alerts.alert(patient_id="pat_0"))["_id"]
    await clinician.do(first, "assess", ASSESSMENT)
    await clinician.do(first, "resolve", DISPOSITION)
    for _ in range(8):
        await alerts.later(minutes=20)
    books = await alerts.books()
    assert books["crisis_flag"] == {"open": 4, "done": 1, "breached": 0, "cancelled": 0}
    for kind in ("alert", "obligation", "notification"):
        expected = books[kind].pop("expected")
        assert expected == sum(books[kind].values()), kind
        assert expected > 0
    await alerts.database["deliveries"].delete_one({"state": "delivered"})
    lost = (await alerts.books())["notification"]
    assert lost.pop("expected") == sum(lost.values()) + 1
