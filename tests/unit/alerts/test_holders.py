"""Whoever has an alert hears what is new about it, wherever the ladder stands (clinical.md, Crisis)."""

from datetime import UTC, datetime

import pytest

from services.alerts.domain import concerns
from services.alerts.domain.acknowledgement import acknowledge, assess, hand_over
from services.alerts.domain.alert import Alert, Outcome
from services.alerts.domain.concerns import Concern, Origin
from services.alerts.domain.escalation import unreachable, when_due
from services.alerts.events import AlertEscalated
from tests.unit.alerts.cases import (
    CLINIC,
    MONDAY,
    PATIENT,
    a_crisis,
    assessment,
    contact,
    joins,
    minutes,
    names,
    on_call,
    opened,
    reasons,
    report,
    told,
)

DESK = on_call()
EVERYONE = {contact.id for contact in DESK.policy.clinics[CLINIC]}
SIGNAL = Concern("relapse_signal", "low", "relapse_signalled", "plan:pln_1")


def handed_to(contact_id: str, alert: Alert, now: datetime) -> Alert:
    to = DESK.contact(contact_id)
    assert to is not None
    return hand_over(alert, "cln_r01", to, DESK, now).alert


def fails(out: Outcome, now: datetime) -> Outcome:
    """Nobody of the last round could be reached."""
    page = out.deliveries[-1]
    return unreachable(out.alert, DESK, page.step, page.round, now)


def test_new_evidence_on_a_crisis_that_somebody_took_is_told_to_them_too() -> None:
    history, out = opened("moderate")
    taken = acknowledge(out.alert, "cln_r03", DESK, MONDAY + minutes(3)).alert
    joined = joins(history, taken, report("moderate"), MONDAY + minutes(10))
    assert told(joined) == {"con_r05", "con_r03"}
    assert joined.alert.state == "acknowledged"


def test_whoever_has_it_is_told_once_even_if_the_chain_of_the_step_would_come_to_them() -> None:
    one, two, three = (contact(id, "on_call", email=f"{id}@example.org") for id in ("one", "two", "three"))
    desk = on_call(one, two, three)
    history, out = opened("moderate", desk=desk)
    taken = acknowledge(out.alert, "sub_two", desk, MONDAY + minutes(3)).alert
    joined = joins(history, taken, report("moderate"), MONDAY + minutes(10), desk)
    assert [(d.contact_id, [then.contact_id for then in d.remaining]) for d in joined.deliveries] == [
        ("one", []),
        ("one", ["three"]),
        ("two", []),
        ("two", []),
    ]
    taken = acknowledge(out.alert, "sub_one", desk, MONDAY + minutes(3)).alert
    joined = joins(history, taken, report("moderate"), MONDAY + minutes(10), desk)
    assert [d.contact_id for d in joined.deliveries] == ["one", "one"], "the first of the step"


def test_while_it_is_handed_over_both_whoever_took_it_and_whoever_was_asked_are_told() -> None:
    history, out = opened("high")
    taken = acknowledge(out.alert, "cln_r02", DESK, MONDAY + minutes(1)).alert
    handed = handed_to("con_r03", taken, MONDAY + minutes(2))
    joined = joins(history, handed, report("high"), MONDAY + minutes(3))
    assert told(joined) == {"con_r05", "con_r01", "con_r02", "con_r03"}
    answered = acknowledge(handed, "cln_r03", DESK, MONDAY + minutes(4)).alert
    assert told(joins(history, answered, report("high"), MONDAY + minutes(5))) == {
        "con_r05",
        "con_r01",
        "con_r03",
    }


def test_somebody_who_is_not_on_the_roster_cannot_be_told_and_the_step_is_told_all_the_same() -> None:
    history, out = opened("high")
    taken = acknowledge(out.alert, "cln_l01", DESK, MONDAY + minutes(1)).alert
    assert told(joins(history, taken, report("high"), MONDAY + minutes(3))) == {"con_r05", "con_r01"}


@pytest.mark.parametrize("severity", ["moderate", "high"])
def test_whoever_had_it_hears_that_it_is_in_nobodys_hands_again(severity: str) -> None:
    history, out = opened("moderate")
    taken = acknowledge(out.alert, "cln_r03", DESK, MONDAY + minutes(1)).alert
    assessed = assess(taken, assessment(MONDAY + minutes(2)), DESK, MONDAY + minutes(2)).alert
    joined = joins(history, assessed, report(severity), MONDAY + minutes(3))  # type: ignore[arg-type]
    assert joined.alert.state == "open"
    assert "con_r03" in told(joined)
    assert told(joined) >= {"con_r05"}
    climbed = when_due(joined.alert, DESK, MONDAY + minutes(33))
    assert "con_r03" not in {d.contact_id for d in climbed.deliveries if d.step == 1}


def test_whoever_had_it_when_evidence_came_outside_clinic_hours_is_told_with_the_first_page() -> None:
    evening, opens = datetime(2026, 3, 2, 23, 0, tzinfo=UTC), datetime(2026, 3, 3, 14, 0, tzinfo=UTC)
    origin = Origin("msg_1", PATIENT, CLINIC, "pln_1", "cln_r05")
    raised = concerns.raise_or_join(None, SIGNAL, origin, DESK, MONDAY).alert
    taken = acknowledge(raised, "cln_r03", DESK, MONDAY).alert
    reviewed = assessment(MONDAY).model_copy(update={"result": "reviewed"})
    assessed = assess(taken, reviewed, DESK, MONDAY).alert
    again = Origin("msg_2", PATIENT, CLINIC, "pln_1", "cln_r05")
    waiting = concerns.raise_or_join(assessed, SIGNAL, again, DESK, evening)
    assert waiting.deliveries == ()
    assert told(when_due(waiting.alert, DESK, opens)) == {"con_r05", "con_r_coordination", "con_r03"}
    taken_anew = acknowledge(waiting.alert, "cln_r01", DESK, evening + minutes(1)).alert
    assert taken_anew.had_by == ()


def test_the_reminder_that_it_is_assessed_and_not_resolved_goes_to_whoever_has_it_too() -> None:
    taken = acknowledge(a_crisis("high"), "cln_r03", DESK, MONDAY + minutes(1)).alert
    assessed = assess(taken, assessment(MONDAY + minutes(3)), DESK, MONDAY + minutes(3)).alert
    assert assessed.next_due is not None
    assert told(when_due(assessed, DESK, assessed.next_due)) == {"con_r05", "con_r01", "con_r03"}


def test_evidence_that_nobody_could_be_told_of_puts_the_alert_back_into_nobodys_hands_and_climbs() -> None:
    history, out = opened("high")
    taken = acknowledge(out.alert, "cln_r01", DESK, MONDAY + minutes(1)).alert
    joined = joins(history, taken, report("high"), MONDAY + minutes(10))
    after = fails(joined, MONDAY + minutes(11))
    assert (after.alert.state, after.alert.acknowledgement) == ("open", None)
    (said,) = [event for event in after.events if isinstance(event, AlertEscalated)]
    assert (said.reason, said.step) == ("step_unreachable", 1)
    assert said.acknowledge_by == MONDAY + minutes(16)
    assert told(after) == {"con_r02"}
    assert after.alert.next_due == MONDAY + minutes(16)


def test_evidence_that_nobody_at_all_could_be_told_of_is_paged_to_everyone_again_and_again() -> None:
    history, out = opened("high")
    climbed = when_due(out.alert, DESK, MONDAY + minutes(15)).alert
    taken = acknowledge(climbed, "cln_r01", DESK, MONDAY + minutes(16)).alert
    joined = joins(history, taken, report("high"), MONDAY + minutes(20))
    after = fails(joined, MONDAY + minutes(21))
    assert told(after) == EVERYONE
    assert fails(after, MONDAY + minutes(22)).deliveries == ()
    assert told(when_due(after.alert, DESK, MONDAY + minutes(36))) == EVERYONE


def test_evidence_on_what_was_taken_before_it_was_paged_climbs_to_the_first_step_when_nobody_hears_it() -> (
    None
):
    history, out = opened("low", datetime(2026, 3, 3, 4, 0, tzinfo=UTC))
    taken = acknowledge(out.alert, "crd_r01", DESK, out.alert.raised_at).alert
    joined = joins(history, taken, report("low"), out.alert.raised_at + minutes(10))
    after = fails(joined, out.alert.raised_at + minutes(11))
    assert after.alert.state == "open"
    assert after.deliveries


def test_pages_that_an_acknowledgement_silenced_take_nothing_from_whoever_gave_it() -> None:
    _, out = opened("high")
    taken = acknowledge(out.alert, "cln_r01", DESK, MONDAY + minutes(1)).alert
    after = unreachable(taken, DESK, taken.step, taken.round, MONDAY + minutes(2))
    assert after.alert == taken
    assert names(after) == []


def test_a_reminder_that_reached_nobody_goes_on_to_the_next_step_and_leaves_the_assessment() -> None:
    taken = acknowledge(a_crisis("high"), "cln_r01", DESK, MONDAY + minutes(1)).alert
    assessed = assess(taken, assessment(MONDAY + minutes(3)), DESK, MONDAY + minutes(3)).alert
    assert assessed.next_due is not None
    out, who = when_due(assessed, DESK, assessed.next_due), []
    for _ in range(4):
        out = fails(out, assessed.next_due)
        who.append(told(out))
        if not out.deliveries:
            break
    assert who == [{"con_r02"}, {"con_r03"}, EVERYONE, set()]
    assert (out.alert.state, out.events) == ("assessed", ())
    assert reasons(out.alert, "notify")[-1] == "step_unreachable"
