"""What people do with alerts: take, assess, hand over, resolve."""

from datetime import timedelta

import pytest

from services.alerts.domain.acknowledgement import acknowledge, assess, hand_over, resolve, settle
from services.alerts.domain.alert import Disposition
from services.alerts.domain.escalation import when_due
from services.alerts.domain.telling import why_not
from services.alerts.events import AlertAcknowledged, AlertAssessed, AlertResolved
from shared.errors import Refused
from tests.unit.alerts.cases import (
    MONDAY,
    a_crisis,
    assessment,
    disposition,
    minutes,
    names,
    on_call,
    opened,
    told,
)

DESK = on_call()


def test_an_acknowledgement_in_time_meets_the_obligation() -> None:
    out = acknowledge(a_crisis(), "cln_r01", DESK, MONDAY + minutes(5))
    (event,) = out.events
    assert isinstance(event, AlertAcknowledged)
    assert event.in_time
    assert event.lease_until == MONDAY + minutes(35)
    assert [o.state for o in out.alert.obligations if o.kind == "acknowledge"] == ["met"]


def test_a_late_acknowledgement_is_accepted_and_not_in_time() -> None:
    climbed = when_due(a_crisis(), DESK, MONDAY + minutes(5)).alert
    out = acknowledge(climbed, "cln_r01", DESK, MONDAY + minutes(7))
    assert [event.in_time for event in out.events if isinstance(event, AlertAcknowledged)] == [False]
    assert [o.state for o in out.alert.obligations if o.kind == "acknowledge"] == ["breached"]


def test_what_is_answered_late_is_breached_and_announced_although_nobody_had_noticed_yet() -> None:
    """The clock may find it only after the answer, where the service was away."""
    late = acknowledge(a_crisis(), "cln_r01", DESK, MONDAY + minutes(7))
    assert [o.state for o in late.alert.obligations if o.kind == "acknowledge"] == ["breached"]
    assert [event.in_time for event in late.events if isinstance(event, AlertAcknowledged)] == [False]
    (contact,) = [o for o in late.alert.obligations if o.kind == "contact"]
    after = contact.due_at + minutes(1)
    seen = assess(late.alert, assessment(after, contact_made=True), DESK, after)
    (contact,) = [o for o in seen.alert.obligations if o.kind == "contact"]
    assert (contact.state, contact.reason) == ("breached", "contact_overdue")
    assert [event.overdue for event in seen.events if isinstance(event, AlertAssessed)] == [("contact",)]


def test_what_is_overdue_when_an_alert_ends_is_breached_and_announced_and_the_rest_cancelled() -> None:
    assessed = assess(a_crisis(), assessment(MONDAY, contact_made=False), DESK, MONDAY).alert
    (owed,) = [o for o in assessed.obligations if o.state == "open"]
    for now, state, overdue in (
        (owed.due_at - minutes(1), "cancelled", ()),
        (owed.due_at + minutes(1), "breached", ("contact",)),
    ):
        done = resolve(assessed, "cln_r01", disposition(now), now)
        assert [o.state for o in done.alert.obligations if o.kind == "contact"] == [state]
        assert [event.overdue for event in done.events if isinstance(event, AlertResolved)] == [overdue]


def test_acknowledged_twice_the_first_is_kept() -> None:
    first = acknowledge(a_crisis(), "cln_r01", DESK, MONDAY).alert
    second = acknowledge(first, "cln_r02", DESK, MONDAY + minutes(1))
    assert second.alert == first
    assert second.events == ()


def test_an_acknowledgement_silences_what_was_decided_before_it_and_nothing_later() -> None:
    _, out = opened()
    taken = acknowledge(out.alert, "cln_r01", DESK, MONDAY + minutes(1)).alert
    assert [why_not(delivery, [taken]) for delivery in out.deliveries] == ["acknowledged"] * 2
    late = when_due(taken, DESK, MONDAY + minutes(31))
    assert [why_not(delivery, [late.alert]) for delivery in late.deliveries] == [None]


def test_an_assessment_without_contact_leaves_the_contact_owed() -> None:
    out = assess(a_crisis(), assessment(MONDAY, contact_made=False), DESK, MONDAY)
    assert names(out) == ["AlertAcknowledged", "AlertAssessed"]
    assert {o.kind: o.state for o in out.alert.obligations} == {
        "acknowledge": "met",
        "assess": "met",
        "contact": "open",
    }
    overdue = when_due(out.alert, DESK, MONDAY + minutes(60))
    assert {o.state for o in overdue.alert.obligations} == {"met", "breached"}


def test_a_crisis_is_not_resolved_without_assessment_and_a_whole_disposition() -> None:
    alert = acknowledge(a_crisis(), "cln_r01", DESK, MONDAY).alert
    with pytest.raises(Refused, match="not_assessed"):
        resolve(alert, "cln_r01", disposition(MONDAY), MONDAY)
    assessed = assess(alert, assessment(MONDAY), DESK, MONDAY).alert
    with pytest.raises(Refused, match="disposition_incomplete"):
        resolve(assessed, "cln_r01", Disposition(result="no_current_risk"), MONDAY)
    with pytest.raises(Refused, match="not_a_crisis_result"):
        resolve(assessed, "cln_r01", Disposition(result="recorded", safety_plan=True), MONDAY)
    done = resolve(assessed, "cln_r01", disposition(MONDAY), MONDAY)
    assert done.alert.state == "resolved"
    assert not done.alert.waiting
    assert names(done) == ["AlertResolved"]


@pytest.mark.parametrize(
    ("after", "reason"),
    [(minutes(-16), "next_contact_past"), (timedelta(days=367), "next_contact_too_far")],
)
def test_the_next_contact_after_a_crisis_is_to_come_within_a_year(after: timedelta, reason: str) -> None:
    assessed = assess(a_crisis(), assessment(MONDAY), DESK, MONDAY).alert
    with pytest.raises(Refused, match=reason):
        resolve(assessed, "cln_r01", disposition(MONDAY, after), MONDAY)


@pytest.mark.parametrize("after", [minutes(-15), minutes(0), timedelta(days=366)])
def test_a_next_contact_that_was_to_come_when_it_was_typed_is_taken(after: timedelta) -> None:
    assessed = assess(a_crisis(), assessment(MONDAY), DESK, MONDAY).alert
    assert resolve(assessed, "cln_r01", disposition(MONDAY, after), MONDAY).alert.state == "resolved"


def test_resolved_twice_the_first_disposition_is_kept() -> None:
    assessed = assess(a_crisis(), assessment(MONDAY), DESK, MONDAY).alert
    done = resolve(assessed, "cln_r01", disposition(MONDAY), MONDAY).alert
    again = resolve(done, "cln_r02", Disposition(result="false_alarm"), MONDAY)
    assert again.alert == done
    with pytest.raises(Refused, match="alert_resolved"):
        acknowledge(done, "cln_r02", DESK, MONDAY)


def test_a_rule_never_settles_a_crisis() -> None:
    alert = a_crisis()
    assert settle(alert, "session_attended", MONDAY).alert == alert


def test_whoever_it_is_handed_to_is_told_and_has_to_answer_in_time() -> None:
    to = DESK.contact("con_r03")
    assert to is not None
    taken = acknowledge(a_crisis(), "cln_r01", DESK, MONDAY).alert
    out = hand_over(taken, "cln_r01", to, DESK, MONDAY + minutes(20))
    assert told(out) == {"con_r03"}
    assert names(out) == ["AlertHandedOver"]
    assert why_not(out.deliveries[0], [out.alert]) is None
    silent = when_due(out.alert, DESK, MONDAY + minutes(25))
    assert silent.alert.state == "open"
    answered = acknowledge(out.alert, "cln_r03", DESK, MONDAY + minutes(22)).alert
    assert answered.acknowledgement is not None
    assert answered.acknowledgement.by == "cln_r03"
    assert answered.next_due == MONDAY + minutes(52)


@pytest.mark.parametrize(("after", "in_time"), [(24, True), (25, True), (26, False)])
@pytest.mark.parametrize("assessed", [False, True])
def test_whoever_it_is_handed_to_is_in_time_until_the_answer_to_the_hand_over_is_due(
    after: int, in_time: bool, assessed: bool
) -> None:
    to = DESK.contact("con_r03")
    assert to is not None
    taken = acknowledge(a_crisis(), "cln_r01", DESK, MONDAY + minutes(2)).alert
    if assessed:
        taken = assess(taken, assessment(MONDAY + minutes(3)), DESK, MONDAY + minutes(3)).alert
    handed = hand_over(taken, "cln_r01", to, DESK, MONDAY + minutes(20)).alert
    out = acknowledge(handed, "cln_r03", DESK, MONDAY + minutes(after))
    assert [event.in_time for event in out.events if isinstance(event, AlertAcknowledged)] == [in_time]
    assert out.alert.answer_by is None


def test_only_what_somebody_has_taken_can_be_handed_over_and_only_within_the_clinic() -> None:
    here, elsewhere = DESK.contact("con_r03"), DESK.contact("con_l01")
    assert here is not None
    assert elsewhere is not None
    with pytest.raises(Refused, match="not_acknowledged"):
        hand_over(a_crisis(), "cln_r01", here, DESK, MONDAY)
    taken = acknowledge(a_crisis(), "cln_r01", DESK, MONDAY).alert
    with pytest.raises(Refused, match="contact_elsewhere"):
        hand_over(taken, "cln_r01", elsewhere, DESK, MONDAY)
