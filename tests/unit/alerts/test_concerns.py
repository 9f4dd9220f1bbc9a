"""Facts of care: of which severity, told when, settled by what."""

from datetime import UTC, datetime, timedelta

import pytest

from services.alerts import inbound
from services.alerts.domain import concerns, digest, settling
from services.alerts.domain.acknowledgement import acknowledge, settle
from services.alerts.domain.alert import Alert, Outcome
from services.alerts.domain.concerns import Concern, Origin
from services.alerts.domain.crisis import CrisisHistory
from services.alerts.domain.escalation import when_due
from tests.unit.alerts.cases import CLINIC, MONDAY, NIGHT, PATIENT, minutes, names, on_call, reasons, told

DESK = on_call()
MORNING = datetime(2026, 3, 3, 13, 30, tzinfo=UTC)
"""Tuesday, 08:30 in New York."""


def missed(consecutive: int = 1) -> inbound.SessionMissed:
    return inbound.SessionMissed(
        patient_id=PATIENT,
        clinic_id=CLINIC,
        plan_id="pln_1",
        clinician_id="cln_r05",
        appointment_id="apt_1",
        consecutive=consecutive,
        missed_at=MONDAY,
    )


def history(*, open: str | None = None, ended_at: datetime | None = None) -> CrisisHistory:
    return CrisisHistory(
        id=PATIENT, patient_id=PATIENT, clinic_id=CLINIC, number=1, open=open, ended_at=ended_at
    )


def origin(message_id: str = "msg_1") -> Origin:
    return Origin(message_id, PATIENT, CLINIC, "pln_1", "cln_r05")


def raised(concern: Concern, now: datetime = MONDAY, message_id: str = "msg_1") -> Outcome:
    return concerns.raise_or_join(None, concern, origin(message_id), DESK, now)


def transition(number: int = 1) -> Alert:
    concern = concerns.transition("maintenance", "maintenance_session_due", f"appointment:{number}")
    return raised(concern, NIGHT, f"msg_{number}").alert


@pytest.mark.parametrize(
    ("past", "consecutive", "severity", "reason"),
    [
        (None, 1, "routine", "session_missed"),
        (None, 2, "low", "sessions_missed_in_a_row"),
        (history(open="alr_1"), 1, "moderate", "session_missed_in_crisis"),
        (history(ended_at=MONDAY - timedelta(days=90)), 2, "moderate", "session_missed_after_crisis"),
        (history(ended_at=MONDAY - timedelta(days=91)), 1, "routine", "session_missed"),
    ],
)
def test_a_missed_session_weighs_by_crisis_and_repetition(
    past: CrisisHistory | None, consecutive: int, severity: str, reason: str
) -> None:
    concern = concerns.of_missed_session(missed(consecutive), past, DESK.policy.rules, MONDAY)
    assert (concern.severity, concern.reason) == (severity, reason)


def test_a_second_absence_joins_the_first_and_is_told_in_clinic_hours_at_once() -> None:
    first = raised(concerns.of_missed_session(missed(1), None, DESK.policy.rules, MONDAY)).alert
    second = concerns.of_missed_session(missed(2), None, DESK.policy.rules, MONDAY)
    out = concerns.raise_or_join(first, second, origin("msg_2"), DESK, MONDAY + timedelta(days=7))
    assert out.alert.id == first.id
    assert out.alert.severity == "low"
    assert "con_r05" in told(out)
    assert names(out) == ["AlertJoined", "AlertEscalated"]


def test_the_same_message_twice_changes_nothing() -> None:
    concern = Concern("not_improving", "routine", "not_improving", "plan:pln_1")
    first = raised(concern).alert
    assert concerns.raise_or_join(first, concern, origin(), DESK, MONDAY).alert == first


def test_routine_alerts_wait_for_the_next_digest_and_fold_into_one_message_per_contact() -> None:
    waiting = [transition(number) for number in range(3)]
    assert {alert.next_due for alert in waiting} == {MORNING}
    outcomes = digest.when_due(waiting, DESK, MORNING)
    sent = [delivery for outcome in outcomes for delivery in outcome.deliveries]
    assert sorted(d.contact_id for d in sent) == ["con_r05", "con_r_coordination"]
    assert all(set(d.alert_ids) == {alert.id for alert in waiting} for d in sent)
    assert sum(d.deliveries for o in outcomes for d in o.alert.decisions) == len(sent)


def test_an_informational_alert_is_done_once_told_and_not_before() -> None:
    (out,) = digest.when_due([transition()], DESK, MORNING)
    assert out.alert.live
    done = digest.informed(out.alert, MORNING)
    assert done.alert.state == "informed"
    assert names(done) == ["AlertResolved"]


def test_an_informational_alert_nobody_could_be_told_of_comes_back_in_the_next_digest() -> None:
    (out,) = digest.when_due([transition()], DESK, MORNING)
    back = digest.undelivered(out.alert, DESK, MORNING + minutes(1))
    assert back.alert.next_due == datetime(2026, 3, 3, 21, 0, tzinfo=UTC)
    at_once = digest.undelivered(out.alert, DESK, MORNING)
    assert at_once.alert.next_due == back.alert.next_due, "not in the one that has just failed"


def test_another_reason_brings_a_routine_alert_back_in_the_next_digest_and_to_whose_it_now_is() -> None:
    """A screening that was incomplete, mentioned, taken in hand, then complete and severe."""
    about = concerns.referral("ref_1")
    nobody_s = Origin("msg_1", PATIENT, CLINIC)
    incomplete = Concern("intake_review", "routine", "screening_incomplete", about)
    waiting = concerns.raise_or_join(None, incomplete, nobody_s, DESK, NIGHT).alert
    (mentioned,) = digest.when_due([waiting], DESK, MORNING)
    taken = acknowledge(mentioned.alert, "cln_r05", DESK, MORNING + minutes(5)).alert
    review = Concern("intake_review", "routine", "intake_review_required", about)
    later = MORNING + minutes(60)
    needed = concerns.raise_or_join(
        taken, review, Origin("msg_2", PATIENT, CLINIC, None, "cln_r05"), DESK, later
    ).alert
    assert (needed.state, needed.clinician_id) == ("open", "cln_r05")
    assert needed.next_due == datetime(2026, 3, 3, 21, 0, tzinfo=UTC), "16:00 of the same day"
    again = concerns.raise_or_join(
        needed, review, Origin("msg_3", PATIENT, CLINIC), DESK, later + minutes(1)
    ).alert
    assert again.decisions[-1].reason == "joined_open_alert"


def test_a_routine_alert_that_waits_for_somebody_is_mentioned_again() -> None:
    alert = raised(Concern("case_review", "routine", "case_review_due", "plan:pln_1"), NIGHT).alert
    (out,) = digest.when_due([alert], DESK, MORNING)
    assert out.alert.next_due == datetime(2026, 3, 11, 12, 30, tzinfo=UTC), "08:30, daylight saving by then"
    taken = acknowledge(out.alert, "cln_r05", DESK, MORNING + minutes(5)).alert
    assert taken.next_due is not None, "an acknowledged alert is not silent for good"


def test_acknowledging_something_informational_ends_it() -> None:
    out = acknowledge(transition(), "cln_r05", DESK, MORNING)
    assert out.alert.state == "informed"
    assert names(out) == ["AlertAcknowledged", "AlertResolved"]


def test_an_attended_session_settles_absences_before_it_and_none_after_it() -> None:
    late = MONDAY + timedelta(days=1)
    alert = raised(concerns.of_missed_session(missed(1), None, DESK.policy.rules, late), late).alert
    assert settling.is_answered(alert, MONDAY + minutes(1))
    assert not settling.is_answered(alert, MONDAY - timedelta(days=7)), "recorded late, and long before"
    done = settle(alert, "session_attended", MONDAY)
    assert done.alert.state == "resolved"
    assert reasons(done.alert, "end") == ["session_attended"]


def test_whoever_took_an_absence_hears_of_the_next_one() -> None:
    rules, in_crisis = DESK.policy.rules, history(open="alr_1")
    first = concerns.of_missed_session(missed(1), in_crisis, rules, MONDAY)
    taken = acknowledge(raised(first).alert, "cln_r05", DESK, MONDAY + minutes(1)).alert
    week = MONDAY + timedelta(days=7)
    second = concerns.of_missed_session(missed(2), in_crisis, rules, week)
    again = concerns.raise_or_join(taken, second, origin("msg_2"), DESK, week)
    assert told(again) == {"con_r05"}
    assert reasons(again.alert, "notify")[-1] == "new_evidence"


def test_closing_a_plan_settles_its_absences_but_neither_a_deterioration_nor_a_missing_record() -> None:
    absence = raised(concerns.of_missed_session(missed(1), None, DESK.policy.rules, MONDAY)).alert
    worse = raised(Concern("deterioration", "low", "deteriorated", "plan:pln_1")).alert
    assert settling.moot_with(absence, "pln_1") == "plan_closed"
    assert settling.moot_with(absence, "pln_2") is None
    assert settling.moot_with(worse, "pln_1") is None
    unrecorded = Concern("session_unrecorded", "routine", "session_unrecorded", "appointment:apt_1")
    assert settling.moot_with(raised(unrecorded).alert, "pln_1") is None


def test_dead_letters_of_one_service_and_reason_are_one_alert_for_engineers() -> None:
    letter = inbound.DEAD_LETTERS[0](
        patient_id=PATIENT,
        clinic_id="unknown",
        dead_letter_id="dl_1",
        service="care_plan",
        reason="not_json",
        crisis=False,
        set_aside_at=MONDAY,
    )
    concern = concerns.of_dead_letter(letter)
    first = concerns.raise_or_join(None, concern, concerns.origin_of_dead_letter("dl_1"), DESK, NIGHT)
    assert told(first) == {"con_e01"}
    assert (first.alert.patient_id, first.alert.severity) == ("unknown", "moderate")
    second = concerns.raise_or_join(first.alert, concern, concerns.origin_of_dead_letter("dl_2"), DESK, NIGHT)
    assert second.deliveries == ()
    assert second.alert.evidence_count == 2
    crisis = concerns.of_dead_letter(letter.model_copy(update={"crisis": True}))
    urgent = concerns.raise_or_join(second.alert, crisis, concerns.origin_of_dead_letter("dl_3"), DESK, NIGHT)
    assert urgent.alert.severity == "high"
    assert told(urgent) == {"con_e01"}


def test_evidence_that_is_no_flag_is_counted_and_not_kept_without_end() -> None:
    concern = Concern("dead_letter", "moderate", "message_dead_lettered", "dead_letters:intake:not_json")
    alert = raised(concern).alert
    for number in range(150):
        alert = concerns.raise_or_join(alert, concern, origin(f"more_{number}"), DESK, MONDAY).alert
    assert len(alert.evidence) == 100
    assert alert.evidence_count == 151
    assert len(alert.decisions) < 5, "the same decision in a row counts up"


def test_a_deterioration_is_told_in_clinic_hours_and_climbs() -> None:
    alert = raised(Concern("deterioration", "low", "deteriorated", "plan:pln_1"), NIGHT).alert
    assert alert.next_due == datetime(2026, 3, 3, 14, 0, tzinfo=UTC)
    paged = when_due(alert, DESK, MORNING + minutes(30))
    assert told(paged)
    assert when_due(paged.alert, DESK, MORNING + timedelta(days=2)).alert.step == 1
