"""The checker sees each kind of violation when it is planted, and none where there is none."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any, get_args

import pytest

from tests.chaos.checks import Kind, check
from tests.chaos.checks.state import differences, state
from tests.chaos.history import Announced, History
from tests.chaos.ledger import Entry
from tests.integration.chaos import histories
from tests.integration.chaos.histories import ALERT, DELIVERY, EPOCH, NOW, PLAN, REFERRAL, SESSION, clean
from tests.integration.chaos.read_models import told_in_the_story

Plant = Callable[[History], None]


def test_a_history_in_which_every_promise_was_kept_has_no_violation() -> None:
    assert check(clean()) == []


def rows(history: History, place: str) -> list[dict[str, Any]]:
    return history.documents[place]


def schedule(history: History) -> dict[str, Any]:
    return rows(history, "scheduler.schedules")[0]


def _answer_gone(history: History) -> None:
    rows(history, "care_plan.idempotency").clear()


def _record_gone(history: History) -> None:
    history.announced = [event for event in history.announced if event.type != "SessionAttended"]
    rows(history, "alerts.inbox").clear()


def _nobody_asked(history: History) -> None:
    refer_somebody_else(history)


def refer_somebody_else(history: History) -> None:
    """A referral that nothing was announced of, and that the page shows all the same."""
    rows(history, "intake.referrals").append(
        {"_id": "ref_9", "patient_id": "pat_9", "stage": {"status": "received"}}
    )
    referral = {"id": "ref_9", "state": "received"}
    empty: dict[str, list[Any]] = {"courses": [], "flags": [], "alerts": []}
    rows(history, "dashboard.people").append({"_id": "pat_9", "risk": 9, "referrals": [referral], **empty})


def show(history: History, event: Announced) -> None:
    """The page has read it, and tells it."""
    rows(history, "dashboard.story").append(told_in_the_story(event))
    inbox, stream = rows(history, "dashboard.inbox"), f"{event.topic}|{event.subject}"
    inbox[:] = [row for row in inbox if row["_id"] != stream]
    inbox.append({"_id": stream, "sequence": event.sequence})


def _not_published(history: History) -> None:
    history.published = [r for r in history.published if (r.epoch, r.type) != (EPOCH, "CarePlanStarted")]


def _still_pending(history: History) -> None:
    rows(history, "intake.pending").append({"_id": "row"})


def _plan_gone(history: History) -> None:
    rows(history, "care_plan.plans").clear()


def _schedule_gone(history: History) -> None:
    rows(history, "scheduler.schedules").clear()


def _second_plan(history: History) -> None:
    rows(history, "care_plan.plans").append({**rows(history, "care_plan.plans")[0], "_id": "pln_2"})


def _second_appointment(history: History) -> None:
    appointments = schedule(history)["appointments"]
    appointments.append({**appointments[1], "id": f"{PLAN}.a3", "number": 3})


def _second_id(history: History) -> None:
    due = next(event for event in history.announced if event.type == "WeeklySessionDue")
    history.announced.append(replace(due, id="another", sequence=2))


def _same_place(history: History) -> None:
    received = history.announced[0]
    history.announced.append(replace(received, id="another", type="ScreeningIncomplete"))


def _second_page(history: History) -> None:
    rows(history, "alerts.deliveries").append({**rows(history, "alerts.deliveries")[0], "_id": "dlv_2"})


def _rang_again(history: History) -> None:
    history.pages.append(replace(history.pages[-1], at=9.0))


def _rang_more_often_than_it_was_tried(history: History) -> None:
    history.pages.append(replace(history.pages[1], at=9.0))


def _evidence_twice(history: History) -> None:
    rows(history, "alerts.alerts")[0]["evidence"].append({"id": "flag_1"})


def _evidence_of_two_alerts(history: History) -> None:
    rows(history, "alerts.alerts").append({**rows(history, "alerts.alerts")[0], "_id": "alr_2"})


def _page_from_nowhere(history: History) -> None:
    history.pages.append(replace(history.pages[0], id="dlv_9"))


def _page_never_arrived(history: History) -> None:
    history.pages = [page for page in history.pages if not page.answered]


def _gap_in_the_log(history: History) -> None:
    history.published = [r for r in history.published if (r.epoch, r.type) != (EPOCH, "AlertNotified")]


def _backwards(history: History) -> None:
    ours = [r for r in history.published if r.epoch == EPOCH and r.offset < 50]
    others = [r for r in history.published if r.epoch != EPOCH]
    early, late = replace(ours[8], offset=7), replace(ours[7], offset=8, seen=9.0)
    history.published = [*others, *ours[:7], early, late]


def _two_partitions(history: History) -> None:
    history.published[-1] = replace(history.published[-1], partition=1)


def _left_behind(history: History) -> None:
    next(row for row in rows(history, "alerts.inbox") if PLAN in row["_id"])["sequence"] -= 1


def _set_aside(history: History) -> None:
    rows(history, "care_plan.inbox")[0]["set_aside"] = [1]


def _held(history: History) -> None:
    rows(history, "alerts.held").append({"stream": f"care-plan.plans|{PLAN}", "sequence": 4})


def _timer_forgotten(history: History) -> None:
    schedule(history)["appointments"][0]["timers"][1]["due_at"] = NOW - timedelta(hours=1)


def _step_forgotten(history: History) -> None:
    rows(history, "alerts.alerts")[0] |= {"waiting": True, "next_due": NOW - timedelta(minutes=1)}


def _timer_silent(history: History) -> None:
    history.announced = [event for event in history.announced if event.type != "WeeklySessionDue"]


def _drifted(history: History) -> None:
    schedule(history)["appointments"][1]["starts_at"] -= timedelta(hours=1)


def _flag_unheard(history: History) -> None:
    rows(history, "alerts.alerts")[0]["evidence"].clear()


def _torn_flag_unheard(history: History) -> None:
    del rows(history, "alerts.alerts")[1]


def _torn_flag_of_somebody_else(history: History) -> None:
    rows(history, "alerts.alerts")[1]["patient_id"] = "unknown"


def _nameless_flag_unheard(history: History) -> None:
    rows(history, "alerts.alerts")[2]["evidence"][0]["id"] = "another letter"


def _nobody_paged(history: History) -> None:
    history.pages = [page for page in history.pages if ALERT not in page.alert_ids]


def _nobody_paged_of_a_torn_flag(history: History) -> None:
    history.pages = [page for page in history.pages if page.id != "dlv_torn_1"]


def _nobody_paged_of_a_nameless_flag(history: History) -> None:
    history.pages = [page for page in history.pages if page.id != "dlv_torn_2"]


def join(history: History, asked_at: float) -> None:
    """A second flag about the same person, by a request of its own."""
    told = {"flag_id": "flag_2", "severity": "moderate"}
    path = f"/plans/{PLAN}/crisis-flag"
    history.announced.append(
        histories.event(
            "care_plan", "CrisisFlagRaised", "care-plan.crisis-flags", PLAN, 1, by="k-flag", **told
        )
    )
    history.published.append(histories.published(history.announced[-1], 60))
    history.entries.append(replace(histories.entry("k-flag", path), at=asked_at))
    rows(history, "care_plan.idempotency").append({"_id": "dev:POST /plans/{plan_id}/crisis-flag:k-flag"})
    rows(history, "alerts.inbox").append({"_id": f"care-plan.crisis-flags|{PLAN}", "sequence": 1})
    rows(history, "alerts.alerts")[0]["evidence"].append({"id": "flag_2"})
    show(history, history.announced[-1])
    shown_person(history)["flags"].append({"id": "flag_2", "severity": "moderate"})


def _joined_and_not_paged_again(history: History) -> None:
    join(history, asked_at=3.5)


def _joined_at_once_and_paged_for_one(history: History) -> None:
    join(history, asked_at=1.5)


def ring(history: History, round: int) -> None:
    """The alert's pages of another round."""
    rows(history, "alerts.deliveries").append(
        {**rows(history, "alerts.deliveries")[0], "_id": "dlv_2", "round": round, "attempts": 1}
    )
    history.pages.append(replace(history.pages[1], id="dlv_2", at=4.0))


def acknowledge_again(history: History, **more: Any) -> None:
    """By another request, of which nothing was announced."""
    again = histories.entry("k-again", f"/alerts/{ALERT}/acknowledge", "alerts")
    history.entries.append(replace(again, **more))
    rows(history, "alerts.idempotency").append({"_id": "dev:POST /alerts/{alert_id}/acknowledge:k-again"})


def _behind_an_earlier_equal(history: History) -> None:
    """Everything as for the session that was recorded before."""
    again = histories.entry("k-9", f"/plans/{PLAN}/sessions", about=history.entries[-2].about)
    history.entries.append(again)
    rows(history, "care_plan.idempotency").append({"_id": "dev:POST /plans/{plan_id}/sessions:k-9"})


def _taken_silently_after_it_was_open_again(history: History) -> None:
    escalated = {"alert_id": ALERT, "reason": "lease_expired", "escalated_at": NOW.isoformat()}
    history.announced.append(
        histories.event("alerts", "AlertEscalated", "alerts.alerts", ALERT, 4, **escalated)
    )
    acknowledge_again(history)


def _taken_silently_before_anybody(history: History) -> None:
    acknowledge_again(history, clock=(NOW - timedelta(hours=1)).isoformat())


def _letter_gone(history: History) -> None:
    rows(history, "alerts.dead_letters").clear()


def _letter_too_many(history: History) -> None:
    letter = rows(history, "alerts.dead_letters")[0]
    rows(history, "scheduler.dead_letters").append({**letter, "_id": "letter_9", "offset": 9})


def _letter_of_the_page_gone(history: History) -> None:
    rows(history, "dashboard.dead_letters").clear()


def shown_person(history: History) -> dict[str, Any]:
    return next(row for row in rows(history, "dashboard.people") if row["_id"] == histories.PATIENT)


def shown_course(history: History) -> dict[str, Any]:
    course: dict[str, Any] = shown_person(history)["courses"][0]
    return course


def _nobody_shown(history: History) -> None:
    rows(history, "dashboard.people").clear()


def _somebody_else_shown(history: History) -> None:
    rows(history, "dashboard.people").append({**shown_person(history), "_id": "pat_9"})


def _course_of_two_people(history: History) -> None:
    other = next(row for row in rows(history, "dashboard.people") if row["_id"] != histories.PATIENT)
    other["courses"].append(shown_course(history))


def _appointment_shown_twice(history: History) -> None:
    shown_course(history)["appointments"].append(shown_course(history)["appointments"][0])


def _told_twice(history: History) -> None:
    rows(history, "dashboard.story").append(
        {**rows(history, "dashboard.story")[0], "_id": "intake.referrals/ref_1/9"}
    )


def _referral_not_shown(history: History) -> None:
    shown_person(history)["referrals"].clear()


def _flag_not_shown(history: History) -> None:
    shown_person(history)["flags"].clear()


def _shown_in_another_phase(history: History) -> None:
    shown_course(history)["phases"].append({"phase": "middle"})


def _shown_as_planned(history: History) -> None:
    shown_course(history)["appointments"][0]["status"] = "planned"


def _alert_shown_as_open(history: History) -> None:
    rows(history, "dashboard.alerts")[0]["state"] = "open"


def _crisis_not_shown_on_the_person(history: History) -> None:
    shown_person(history)["alerts"] = []


def _crisis_not_first_in_the_caseload(history: History) -> None:
    shown_person(history)["risk"] = 12


def _rebuilt_otherwise(history: History) -> None:
    sums = {"checksum_before": "1", "checksum_after": "2"}
    rows(history, "dashboard.rebuilds").append({"run": "r1", "stage": "done", "equal": False, **sums})


def _not_told(history: History) -> None:
    del rows(history, "dashboard.story")[3]


def _told_without_being_announced(history: History) -> None:
    told = rows(history, "dashboard.story")
    told.append({**told[0], "_id": "intake.referrals/ref_9/1", "message_id": "another"})


def _told_otherwise(history: History) -> None:
    rows(history, "dashboard.story")[1]["type"] = "IntakeDeclined"


def _page_left_behind(history: History) -> None:
    next(row for row in rows(history, "dashboard.inbox") if PLAN in row["_id"])["sequence"] -= 1


def _page_ahead_of_the_log(history: History) -> None:
    rows(history, "dashboard.inbox").append({"_id": "care-plan.plans|pln_9", "sequence": 1})


def _shown_out_of_order(history: History) -> None:
    told = rows(history, "dashboard.alerts")[0]["told"]
    told.insert(0, {"delivery_id": "dlv_9"})


PLANTED: list[tuple[Kind, Plant]] = [
    ("acknowledged_request_lost", _answer_gone),
    ("acknowledged_request_lost", _record_gone),
    ("acknowledged_request_lost", _behind_an_earlier_equal),
    ("acknowledged_request_lost", _taken_silently_after_it_was_open_again),
    ("acknowledged_request_lost", _taken_silently_before_anybody),
    ("effect_nobody_asked_for", _nobody_asked),
    ("announcement_not_published", _not_published),
    ("announcement_not_published", _still_pending),
    ("plan_missing", _plan_gone),
    ("schedule_missing", _schedule_gone),
    ("plan_doubled", _second_plan),
    ("appointment_doubled", _second_appointment),
    ("announcement_doubled", _second_id),
    ("announcement_doubled", _same_place),
    ("page_doubled", _second_page),
    ("page_doubled", _rang_again),
    ("page_doubled", _rang_more_often_than_it_was_tried),
    ("evidence_doubled", _evidence_twice),
    ("evidence_doubled", _evidence_of_two_alerts),
    ("page_invented", _page_from_nowhere),
    ("page_unrecorded", _page_never_arrived),
    ("order_broken", _gap_in_the_log),
    ("order_broken", _backwards),
    ("partition_changed", _two_partitions),
    ("position_wrong", _left_behind),
    ("position_wrong", _set_aside),
    ("message_held", _held),
    ("timer_overdue", _timer_forgotten),
    ("timer_overdue", _step_forgotten),
    ("timer_not_announced", _timer_silent),
    ("timer_announced_twice", _second_id),
    ("wall_time_drifted", _drifted),
    ("crisis_not_alerted", _flag_unheard),
    ("crisis_not_alerted", _torn_flag_unheard),
    ("crisis_not_alerted", _torn_flag_of_somebody_else),
    ("crisis_not_alerted", _nameless_flag_unheard),
    ("crisis_not_paged", _nobody_paged),
    ("crisis_not_paged", _nobody_paged_of_a_torn_flag),
    ("crisis_not_paged", _nobody_paged_of_a_nameless_flag),
    ("crisis_not_paged", _joined_and_not_paged_again),
    ("crisis_not_paged", _joined_at_once_and_paged_for_one),
    ("dead_letter_missing", _letter_gone),
    ("dead_letter_unexpected", _letter_too_many),
    ("dead_letter_missing", _letter_of_the_page_gone),
    ("person_missing", _nobody_shown),
    ("person_invented", _somebody_else_shown),
    ("shown_twice", _course_of_two_people),
    ("shown_twice", _appointment_shown_twice),
    ("shown_twice", _told_twice),
    ("shown_wrong", _referral_not_shown),
    ("shown_wrong", _flag_not_shown),
    ("shown_wrong", _shown_in_another_phase),
    ("shown_wrong", _shown_as_planned),
    ("shown_wrong", _alert_shown_as_open),
    ("shown_wrong", _crisis_not_shown_on_the_person),
    ("shown_wrong", _crisis_not_first_in_the_caseload),
    ("shown_wrong", _rebuilt_otherwise),
    ("story_incomplete", _not_told),
    ("story_invented", _told_without_being_announced),
    ("story_invented", _told_otherwise),
    ("position_wrong", _page_left_behind),
    ("position_wrong", _page_ahead_of_the_log),
    ("order_broken", _shown_out_of_order),
]

BY_THE_RUN: set[Kind] = {"stuck", "not_ready", "state_differs"}
"""Found by the run itself, not in a history."""


@pytest.mark.parametrize(("kind", "plant"), PLANTED, ids=lambda value: getattr(value, "__name__", value))
def test_a_planted_violation_is_seen(kind: Kind, plant: Plant) -> None:
    history = clean()
    plant(history)
    assert kind in {violation.kind for violation in check(history)}


def test_every_kind_of_violation_is_planted_once() -> None:
    assert {kind for kind, _ in PLANTED} | BY_THE_RUN == set(get_args(Kind))


def test_what_an_old_relay_still_wrote_into_a_new_log_is_no_disorder() -> None:
    history = clean()
    late = next(r for r in history.published if (r.epoch, r.type) == (EPOCH, "AlertAcknowledged"))
    history.published.insert(4, replace(late, offset=100))
    assert check(history) == []


def test_an_alert_that_was_taken_already_is_taken_again_in_silence() -> None:
    history = clean()
    acknowledge_again(history)
    assert check(history) == []


def test_a_flag_that_joins_is_paged_by_a_round_of_its_own() -> None:
    history = clean()
    join(history, asked_at=2.0)
    ring(history, round=2)
    assert check(history) == []


def test_a_page_may_ring_again_where_a_fault_touched_its_way() -> None:
    history = clean()
    history.pages[-1] = replace(history.pages[-1], window=4)
    _rang_again(history)
    history.rough = frozenset({4})
    assert check(history) == []


def test_a_request_that_stayed_unknown_may_have_had_its_effect() -> None:
    history = clean()
    unknown = [Entry("unknown", "k-9", "intake", "POST", "/referrals", 1, "", 1.0)]
    history.entries += unknown
    refer_somebody_else(history)
    assert check(history) == []


def test_two_states_differ_where_one_person_stands_elsewhere() -> None:
    numbers = {histories.PATIENT: 1}
    undisturbed, other = clean(), clean()
    rows(other, "care_plan.plans")[0]["attended"] = 2
    (found,) = differences(state(other, numbers), state(undisturbed, numbers))
    assert found.kind == "state_differs"
    assert found.ids == ("plans", "person 1 episode 1")
    assert REFERRAL not in found.evidence
    assert list(differences(state(clean(), numbers), state(undisturbed, numbers))) == []


def test_two_states_differ_where_the_page_shows_somebody_otherwise() -> None:
    numbers = {histories.PATIENT: 1}
    undisturbed, other = clean(), clean()
    shown_course(other)["missed_in_a_row"] = 1
    (found,) = differences(state(other, numbers), state(undisturbed, numbers))
    assert found.ids == ("shown", "person 1")


def test_violations_name_ids_and_numbers() -> None:
    history = clean()
    _second_page(history)
    (found,) = [violation for violation in check(history) if violation.kind == "page_doubled"]
    assert found.line == f"page doubled: {ALERT}, 0, 1, con_r01, webhook (2 times)"
    assert DELIVERY not in found.line
    assert SESSION not in found.line
