"""Climbing the ladder until a human takes it (clinical.md, Crisis)."""

from datetime import UTC, datetime, timedelta

from services.alerts.domain.acknowledgement import acknowledge, assess
from services.alerts.domain.escalation import unreachable, when_due
from services.alerts.events import AlertEscalated, AlertRaised
from tests.unit.alerts.cases import (
    MONDAY,
    NIGHT,
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
EVERYONE = {contact.id for contact in DESK.policy.clinics["riverside"]}


def test_a_high_crisis_pages_clinician_and_on_call_at_once_even_at_night() -> None:
    _, out = opened("high", NIGHT)
    raised = out.events[0]
    assert isinstance(raised, AlertRaised)
    assert raised.acknowledge_by == NIGHT + minutes(5)
    assert told(out) == {"con_r05", "con_r01"}
    assert reasons(out.alert, "notify") == ["page_at_once"]


def test_high_climbs_to_backup_at_5_supervisor_at_10_and_everyone_at_15_minutes() -> None:
    alert = a_crisis("high")
    for after, expected in ((5, {"con_r02"}), (10, {"con_r03"}), (15, EVERYONE)):
        early = when_due(alert, DESK, MONDAY + minutes(after) - timedelta(milliseconds=1))
        assert early.deliveries == ()
        out = when_due(alert, DESK, MONDAY + minutes(after))
        assert told(out) == expected
        assert names(out) == ["AlertEscalated"]
        alert = out.alert


def test_after_the_last_step_everyone_is_paged_again_until_a_human_takes_it() -> None:
    alert = when_due(a_crisis("high"), DESK, MONDAY + minutes(15)).alert
    for after in (30, 45, 75, 300, 10_000):
        assert alert.next_due is not None
        assert alert.next_due <= MONDAY + minutes(after)
        out = when_due(alert, DESK, MONDAY + minutes(after))
        assert told(out) == EVERYONE
        alert = out.alert
    assert alert.state == "open"


def test_a_long_silence_is_caught_up_with_and_paged_once_per_step_not_once_per_interval() -> None:
    out = when_due(a_crisis("high"), DESK, MONDAY + timedelta(days=30))
    assert told(out) >= EVERYONE
    steps = [event.step for event in out.events if isinstance(event, AlertEscalated)]
    assert steps == [1, 2, 3, 3, 3]
    assert out.alert.next_due is not None
    assert out.alert.next_due > MONDAY + timedelta(days=30)


def test_an_empty_step_is_skipped_and_said() -> None:
    desk = on_call(contact("one", "on_call"), contact("two", "supervisor"))
    alert = a_crisis("high", desk=desk)
    out = when_due(alert, desk, MONDAY + minutes(5))
    said = [(e.step, e.reason) for e in out.events if isinstance(e, AlertEscalated)]
    assert said == [(1, "step_empty"), (2, "not_acknowledged")]
    assert told(out) == {"two"}
    assert reasons(out.alert, "skip") == ["step_empty"]


def test_an_empty_first_step_pages_the_next_at_once() -> None:
    desk = on_call(contact("two", "supervisor"))
    _, out = opened("moderate", desk=desk)
    assert told(out) == {"two"}
    assert names(out) == ["AlertRaised", "AlertEscalated", "AlertEscalated"]
    assert reasons(out.alert, "skip") == ["step_empty", "step_empty"]


def test_nobody_reachable_in_a_step_brings_the_next_one_forward() -> None:
    alert = a_crisis("high")
    out = unreachable(alert, DESK, alert.step, alert.round, MONDAY + minutes(1))
    assert told(out) == {"con_r02"}
    assert [e.reason for e in out.events if isinstance(e, AlertEscalated)] == ["step_unreachable"]
    stale = unreachable(out.alert, DESK, alert.step, alert.round, MONDAY + minutes(2))
    assert stale.events == ()


def test_low_waits_for_clinic_hours_and_is_due_the_next_working_day() -> None:
    _, out = opened("low", NIGHT)
    opens = datetime(2026, 3, 3, 14, 0, tzinfo=UTC)
    assert out.deliveries == ()
    assert reasons(out.alert, "wait") == ["outside_clinic_hours"]
    assert out.alert.next_due == opens
    paged = when_due(out.alert, DESK, opens)
    assert told(paged) == {"con_r05", "con_r_coordination"}
    assert reasons(paged.alert, "notify") == ["clinic_hours_began"]
    (owed,) = paged.alert.obligations
    assert owed.due_at == datetime(2026, 3, 4, 22, 0, tzinfo=UTC)


def test_an_acknowledgement_is_a_lease_that_escalates_again_when_it_ends() -> None:
    taken = acknowledge(a_crisis("high"), "cln_r01", DESK, MONDAY + minutes(2)).alert
    assert taken.next_due == MONDAY + minutes(32)
    assert when_due(taken, DESK, MONDAY + minutes(31)).deliveries == ()
    out = when_due(taken, DESK, MONDAY + minutes(32))
    assert out.alert.state == "open"
    assert [e.reason for e in out.events if isinstance(e, AlertEscalated)] == ["lease_expired"]
    assert told(out) == {"con_r02"}
    assert out.alert.silenced < out.alert.round


def test_an_assessment_ends_the_lease() -> None:
    now = MONDAY + minutes(3)
    assessed = assess(a_crisis("high"), assessment(now), DESK, now).alert
    assert when_due(assessed, DESK, MONDAY + minutes(120)).deliveries == ()


def test_an_assessed_crisis_that_is_not_resolved_is_mentioned_again() -> None:
    now = MONDAY + minutes(3)
    assessed = assess(a_crisis("high"), assessment(now), DESK, now).alert
    assert assessed.next_due is not None
    out = when_due(assessed, DESK, assessed.next_due)
    assert told(out) == {"con_r05", "con_r01"}
    assert reasons(out.alert, "notify")[-1] == "unresolved_after_assessment"
    assert out.alert.waiting


def test_missing_human_contact_after_60_minutes_is_breached_and_everyone_hears_of_it() -> None:
    taken = acknowledge(a_crisis("high"), "cln_r01", DESK, MONDAY + minutes(40)).alert
    out = when_due(taken, DESK, MONDAY + minutes(60))
    assert told(out) == EVERYONE
    assert [e.reason for e in out.events if isinstance(e, AlertEscalated)] == ["contact_overdue"]
    assert [o.state for o in out.alert.obligations if o.kind == "contact"] == ["breached"]
    assert out.alert.state == "acknowledged"


def test_an_obligation_that_is_breached_is_always_announced() -> None:
    history, out = opened("moderate")
    raised = joins(history, out.alert, report("high"), MONDAY + minutes(28))
    assert [o.due_at for o in raised.alert.obligations if o.kind == "acknowledge"] == [MONDAY + minutes(30)]
    late = when_due(raised.alert, DESK, MONDAY + minutes(30))
    assert [e.reason for e in late.events if isinstance(e, AlertEscalated)] == ["not_acknowledged"]
    assert "breached" in {o.state for o in late.alert.obligations}
