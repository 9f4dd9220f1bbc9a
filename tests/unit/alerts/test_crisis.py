"""One crisis per person: evidence joins, severity never falls (clinical.md, Crisis)."""

from datetime import timedelta

import pytest

from services.alerts.domain import crisis
from services.alerts.domain.acknowledgement import acknowledge, assess, resolve
from services.alerts.domain.alert import UNKNOWN, Evidence
from services.alerts.domain.crisis import Report
from services.alerts.domain.escalation import when_due
from services.alerts.domain.telling import why_not
from services.alerts.events import AlertEscalated
from tests.unit.alerts.cases import (
    CLINIC,
    MONDAY,
    NIGHT,
    PATIENT,
    assessment,
    disposition,
    joins,
    minutes,
    names,
    on_call,
    opened,
    reasons,
    report,
    told,
    with_ladder_of,
)

DESK = on_call()
EVERYONE = {contact.id for contact in DESK.policy.clinics[CLINIC]}


def test_the_same_flag_twice_changes_nothing() -> None:
    found = report()
    first = crisis.open_or_join(None, None, found, DESK, MONDAY)
    assert first is not None
    assert crisis.open_or_join(first[0], first[1].alert, found, DESK, MONDAY) is None


def test_a_flag_of_a_crisis_that_was_resolved_does_not_open_another() -> None:
    found = report()
    taken = crisis.open_or_join(None, None, found, DESK, MONDAY)
    assert taken is not None
    history, out = taken
    assessed = assess(out.alert, assessment(MONDAY), DESK, MONDAY).alert
    resolved = resolve(assessed, "cln_r01", disposition(MONDAY), MONDAY).alert
    after = crisis.ended(history, resolved, MONDAY)
    assert after.open is None
    assert crisis.open_or_join(after, None, found, DESK, MONDAY + minutes(5)) is None


def test_a_new_flag_after_a_resolved_crisis_opens_the_next_one() -> None:
    history, out = opened()
    after = crisis.ended(history, out.alert, MONDAY)
    taken = crisis.open_or_join(after, None, report("low"), DESK, MONDAY + timedelta(days=1))
    assert taken is not None
    assert taken[0].number == 2
    assert taken[1].alert.id != out.alert.id


def test_new_evidence_joins_and_pages_the_present_step_again() -> None:
    history, out = opened("high")
    joined = joins(history, out.alert, report("moderate"), MONDAY + minutes(1))
    assert joined.alert.severity == "high"
    assert names(joined) == ["AlertJoined"]
    assert told(joined) == {"con_r05", "con_r01"}
    assert {d.id for d in joined.deliveries}.isdisjoint({d.id for d in out.deliveries})


def test_worse_evidence_raises_severity_and_has_to_be_taken_anew() -> None:
    history, out = opened("moderate")
    taken = acknowledge(out.alert, "cln_r01", DESK, MONDAY + minutes(1)).alert
    raised = joins(history, taken, report("high"), MONDAY + minutes(10))
    assert raised.alert.severity == "high"
    assert raised.alert.state == "open"
    assert [e.reason for e in raised.events if isinstance(e, AlertEscalated)] == ["severity_raised"]
    assert told(raised) == {"con_r05", "con_r01"}
    assert why_not(raised.deliveries[0], [raised.alert]) is None


def test_raising_severity_never_narrows_the_circle_that_was_paged() -> None:
    history, out = opened("moderate")
    climbed = when_due(out.alert, DESK, MONDAY + minutes(60)).alert
    assert climbed.step == 3
    raised = joins(history, climbed, report("high"), MONDAY + minutes(61))
    assert raised.alert.step == 3


def test_a_crisis_that_grows_worse_pages_also_the_steps_which_the_lesser_ladder_spared() -> None:
    history, out = opened("moderate")
    assert told(out) == {"con_r05"}, "the treating clinician alone"
    climbed = when_due(out.alert, DESK, MONDAY + minutes(30)).alert
    assert climbed.step == 1
    raised = joins(history, climbed, report("high"), MONDAY + minutes(35))
    assert raised.alert.step == 1
    assert told(raised) == {"con_r05", "con_r01", "con_r02"}, "and those on call, and the backup"
    assert raised.deliveries[-1].round == raised.alert.round, "the present step's people are the last round"


def test_a_low_crisis_taken_before_it_was_paged_pages_its_first_step_when_there_is_more() -> None:
    history, out = opened("low", NIGHT)
    taken = acknowledge(out.alert, "crd_r01", DESK, NIGHT + minutes(5)).alert
    joined = joins(history, taken, report("low"), NIGHT + minutes(10))
    assert told(joined) == {"con_r05", "con_r_coordination"}
    assert {delivery.step for delivery in joined.deliveries} == {0}


def test_evidence_after_an_assessment_has_to_be_assessed_anew() -> None:
    history, out = opened("moderate")
    assessed = assess(out.alert, assessment(MONDAY), DESK, MONDAY).alert
    joined = joins(history, assessed, report("moderate"), MONDAY + minutes(5))
    assert joined.alert.state == "open"
    assert {o.kind for o in joined.alert.obligations if o.state == "open"} == {"acknowledge", "assess"}


def test_high_evidence_at_night_wakes_people_about_a_low_crisis_that_waited() -> None:
    history, out = opened("low", NIGHT)
    assert out.deliveries == ()
    raised = joins(history, out.alert, report("high"), NIGHT + minutes(1))
    assert told(raised) == {"con_r05", "con_r01"}


def test_an_unreadable_crisis_message_is_a_moderate_crisis_and_a_flood_of_them_pages_once() -> None:
    def unreadable(id: str) -> Report:
        evidence = Evidence(
            id=id,
            source="dead_letter",
            severity="moderate",
            reason="crisis_message_unreadable",
            at=MONDAY,
        )
        return Report(UNKNOWN, UNKNOWN, None, evidence)

    taken = crisis.open_or_join(None, None, unreadable("dl_1"), DESK, MONDAY)
    assert taken is not None
    history, out = taken
    assert out.alert.severity == "moderate"
    everywhere = {c.id for c in DESK.contacts(out.alert, ("on_call",))}
    assert len(everywhere) == len(DESK.policy.clinics) > 1
    assert told(out) == everywhere, "people of every clinic stand in for an unknown one"
    again = joins(history, out.alert, unreadable("dl_2"), MONDAY + minutes(1))
    assert again.deliveries == ()
    assert reasons(again.alert, "skip") == ["joined_open_alert"]


def test_a_clinic_becomes_known_with_the_first_evidence_that_names_it() -> None:
    evidence = Evidence(
        id="dl_1", source="dead_letter", severity="moderate", reason="crisis_message_unreadable", at=MONDAY
    )
    taken = crisis.open_or_join(None, None, Report(PATIENT, UNKNOWN, None, evidence), DESK, MONDAY)
    assert taken is not None
    joined = joins(taken[0], taken[1].alert, report("high"), MONDAY)
    assert joined.alert.clinic_id == "riverside"
    assert joined.alert.clinician_id == "cln_r05"


@pytest.mark.parametrize(("days", "expected"), [(0, "recent"), (90, "recent"), (91, "none")])
def test_a_crisis_is_recent_for_90_days_after_it_ended(days: int, expected: str) -> None:
    history, out = opened()
    assert crisis.recency(history, DESK.policy.rules, MONDAY) == "open"
    after = crisis.ended(history, out.alert, MONDAY)
    assert crisis.recency(after, DESK.policy.rules, MONDAY + timedelta(days=days)) == expected
    assert crisis.recency(None, DESK.policy.rules, MONDAY) == "none"


def test_new_evidence_on_an_alert_that_stands_past_the_end_of_a_shorter_ladder_goes_to_everyone() -> None:
    history, out = opened("high")
    climbed = when_due(out.alert, DESK, MONDAY + minutes(15)).alert
    taken = acknowledge(climbed, "cln_r01", DESK, MONDAY + minutes(16)).alert
    assert taken.step == 3
    joined = joins(history, taken, report("high"), MONDAY + minutes(20), with_ladder_of(3))
    assert told(joined) == EVERYONE
    assert {delivery.step for delivery in joined.deliveries} == {2}
