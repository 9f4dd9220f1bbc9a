"""Who stands where in the caseload, and what is to be done next."""

from datetime import datetime
from typing import Any, get_args

from services.alerts.events import AlertKind
from services.dashboard import inbound
from services.dashboard.domain.alerting import changed, heard, raised
from services.dashboard.domain.person import Appointment, Course, Flag, Person, Referral
from services.dashboard.domain.risk import INFORMING, KINDS, Risk, standing
from services.dashboard.store import Row
from services.dashboard.web.words import said
from tests.support.courses import BEGIN, alerted, alone, later


def flag(at: datetime = BEGIN, **said: Any) -> Flag:
    known = {"id": "flg_1", "severity": "high", "evidence": ("cssrs_high",), "at": at, "message_id": "m_1"}
    return Flag.model_validate({**known, **said})


def crisis(at: datetime) -> inbound.AlertRaised:
    return alerted(inbound.AlertRaised, reason="crisis_flag", raised_at=at, acknowledge_by=None)


def person(**parts: Any) -> Person:
    return Person(id="pat_1", clinic_id="riverside", **parts)


def running(id: str = "pln_1", **changes: Any) -> Course:
    known = {"id": id, "referral_id": "ref_1", "episode": 1, "started_at": BEGIN}
    return Course.model_validate({**known, **changes})


def completed(id: str = "ref_1") -> Referral:
    return Referral(id=id, state="completed", received_at=BEGIN, decided_at=later(hours=1))


def test_a_crisis_flag_without_an_alert_counts_as_an_open_crisis_of_its_severity() -> None:
    flagged = person(courses=(running(),), referrals=(completed(),), flags=(flag(),))
    found = standing(flagged)
    assert (found.risk, found.action, found.alert_id) == (Risk.CRISIS_HIGH, "answer_flag", None)
    assert Row.of(flagged).since == BEGIN
    strange = person(flags=(flag(severity="nobody knows"),))
    assert standing(strange).risk is Risk.CRISIS_MODERATE


def test_a_flag_is_heard_by_an_alert_that_was_raised_or_joined_after_it() -> None:
    joined = alerted(inbound.AlertJoined, reason="crisis_flag", joined_at=later(minutes=1))
    for fact in (crisis(later(minutes=1)), joined):
        assert heard(person(flags=(flag(),)), fact, None).unheard_flags == ()
    before = heard(person(flags=(flag(),)), crisis(later(minutes=-1)), None)
    assert standing(before).risk is Risk.CRISIS_HIGH, "another crisis says nothing of this flag"


def test_a_flag_is_heard_by_the_alert_its_message_led_to_although_clocks_differ() -> None:
    assert heard(person(flags=(flag(),)), crisis(later(seconds=-2)), "m_1").unheard_flags == ()


def test_an_alert_of_another_kind_hears_no_flag() -> None:
    other = crisis(later(minutes=1)).model_copy(update={"kind": "missed_session"})
    assert len(heard(person(flags=(flag(),)), other, "m_1").unheard_flags) == 1


def test_flags_stored_before_their_message_was_kept_raise_no_alarm() -> None:
    assert standing(person(flags=(flag(message_id=""),))).risk is Risk.DONE


def test_a_referral_filed_without_answers_waits_for_its_screening() -> None:
    found = standing(person(referrals=(Referral(id="ref_1", received_at=BEGIN),)))
    assert (found.risk, found.action) == (Risk.REVIEW, "complete_screening")


def test_who_is_enrolled_waits_until_a_plan_is_heard_of() -> None:
    found = standing(person(referrals=(completed(),)))
    assert (found.risk, found.action) == (Risk.WAITING, "ask_for_plan")
    begun = standing(person(referrals=(completed(),), courses=(running(),)))
    assert begun.risk is Risk.ON_COURSE


def test_an_incomplete_screening_is_named_although_an_alert_asks_for_it() -> None:
    about = {"kind": "intake_review", "severity": "routine"}
    asked = alerted(
        inbound.AlertRaised, **about, reason="screening_incomplete", raised_at=BEGIN, acknowledge_by=None
    )
    alert = raised(asked)
    found = standing(alone(alert))
    assert (found.action, found.alert_id) == ("complete_screening", "alr_1")
    ready = alerted(inbound.AlertJoined, **about, reason="intake_review_required", joined_at=later(hours=1))
    assert standing(alone(changed(alert, ready))).action == "decide_referral"


def test_a_newer_referral_does_not_hide_an_older_one_that_waits() -> None:
    old = Referral(id="ref_0", state="incomplete", received_at=BEGIN)
    new = Referral(id="ref_1", state="declined", received_at=later(weeks=1))
    both = person(referrals=(old, new))
    assert standing(both).action == "complete_screening"
    assert both.referral == old


def test_a_plan_that_was_never_started_does_not_hide_the_running_course() -> None:
    late = Appointment(id="apt_1", starts_at=BEGIN, overdue=True)
    runs = running(appointments=(late,))
    duplicate = running("pln_2", referral_id="ref_2", episode=2, closed="not_started", closed_at=BEGIN)
    both = person(referrals=(completed(), completed("ref_2")), courses=(runs, duplicate))
    assert both.course == runs
    found = standing(both)
    assert (found.risk, found.action) == (Risk.OVERDUE, "record_session")


def test_a_session_that_nobody_recorded_is_open_work_after_the_closure_as_well() -> None:
    late = Appointment(id="apt_1", starts_at=BEGIN, overdue=True)
    over = running(appointments=(late,), closed="withdrawn", closed_at=later(days=1))
    asked = standing(person(courses=(over, running("pln_2", episode=2))))
    assert (asked.risk, asked.action) == (Risk.OVERDUE, "record_session")
    recorded = over.but(appointments=(late.but(outcome="missed"),))
    assert standing(person(courses=(recorded,))).risk is Risk.DONE


def test_the_worst_of_all_running_courses_counts() -> None:
    late = Appointment(id="apt_1", starts_at=BEGIN, overdue=True)
    both = person(courses=(running(appointments=(late,)), running("pln_2", episode=2)))
    assert standing(both).risk is Risk.OVERDUE


def test_who_was_declined_or_is_through_has_no_open_work() -> None:
    declined = Referral(id="ref_2", state="declined", received_at=BEGIN)
    through = running(closed="completed", closed_at=later(weeks=20))
    assert standing(person(referrals=(completed(), declined), courses=(through,))).risk is Risk.DONE
    assert standing(person()).risk is Risk.DONE


def test_every_kind_of_alert_has_its_place_or_only_informs() -> None:
    assert set(get_args(AlertKind)) == {*KINDS, *INFORMING, "crisis"}


def test_an_alert_of_a_newer_releases_kind_is_work_to_look_at() -> None:
    strange = crisis(BEGIN).model_copy(update={"kind": "of_tomorrow"})
    found = standing(alone(raised(strange)))
    assert (found.risk, found.action) == (Risk.OVERDUE, "look_at_alert")
    assert said(found.action) == "Look at the alert"
