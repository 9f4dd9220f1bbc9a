"""The checker sees each kind of violation when it is planted, and none where there is none."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any, get_args

import pytest

from tests.chaos.checks import Kind, check
from tests.chaos.checks.state import differences, state
from tests.chaos.history import History
from tests.chaos.ledger import Entry
from tests.integration.chaos import histories
from tests.integration.chaos.histories import ALERT, DELIVERY, EPOCH, NOW, PLAN, REFERRAL, SESSION, clean

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
    rows(history, "intake.referrals").append({"_id": "ref_9", "patient_id": "pat_9"})


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


def _evidence_twice(history: History) -> None:
    rows(history, "alerts.alerts")[0]["evidence"].append({"id": "flag_1"})


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


def _nobody_paged(history: History) -> None:
    history.pages.clear()


def _letter_gone(history: History) -> None:
    rows(history, "alerts.dead_letters").clear()


def _letter_too_many(history: History) -> None:
    letter = rows(history, "alerts.dead_letters")[0]
    rows(history, "scheduler.dead_letters").append({**letter, "_id": "letter_2", "offset": 8})


PLANTED: list[tuple[Kind, Plant]] = [
    ("acknowledged_request_lost", _answer_gone),
    ("acknowledged_request_lost", _record_gone),
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
    ("page_doubled", _evidence_twice),
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
    ("crisis_not_paged", _nobody_paged),
    ("dead_letter_missing", _letter_gone),
    ("dead_letter_unexpected", _letter_too_many),
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


def test_a_request_that_stayed_unknown_may_have_had_its_effect() -> None:
    history = clean()
    unknown = [Entry("unknown", "k-9", "intake", "POST", "/referrals", 1, "", 1.0)]
    history.entries += unknown
    rows(history, "intake.referrals").append({"_id": "ref_9", "patient_id": "pat_9"})
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


def test_violations_name_ids_and_numbers() -> None:
    history = clean()
    _second_page(history)
    (found,) = [violation for violation in check(history) if violation.kind == "page_doubled"]
    assert found.line == f"page doubled: {ALERT}, 0, 1, con_r01, webhook (2 times)"
    assert DELIVERY not in found.line
    assert SESSION not in found.line
