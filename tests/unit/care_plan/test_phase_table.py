"""Each row of the phase table, as it goes and as it is refused."""

from datetime import UTC, date, datetime, timedelta

from services.care_plan.domain import closing, inventory, maintenance, measures, relapse, revision, sessions
from services.care_plan.domain.phases import Closed, Ended, Maintenance
from services.care_plan.domain.plan import InventoryEntry
from services.care_plan.domain.sessions import Attended, Cancelled, Missed
from services.care_plan.domain.transitions import advance
from services.care_plan.events import (
    CarePlanClosed,
    CarePlanStarted,
    MaintenanceContracted,
    MaintenanceDiscussed,
    PhaseEntered,
    PhaseOverdue,
)
from tests.unit.care_plan.builders import (
    LATER,
    NOW,
    PREVENTION,
    RANKED,
    TODAY,
    attend,
    ended,
    in_maintenance,
    in_middle,
    in_termination,
    moment,
    names,
    new_plan,
    of,
    phq9,
    prepared,
    protocol,
    refused,
    weeks,
)

# initial → middle


def test_initial_becomes_middle_once_its_sessions_are_attended_and_its_work_is_done() -> None:
    plan, events = attend(prepared(), 3)
    assert plan.phase.name == "middle"
    [entered] = of(PhaseEntered, events)
    assert (entered.previous, entered.phase, entered.attended) == ("initial", "middle", 3)


def test_initial_stays_while_sessions_are_lacking() -> None:
    assert attend(prepared(), 2)[0].phase.name == "initial"


def test_missed_and_cancelled_sessions_never_advance_a_phase() -> None:
    plan, _ = attend(prepared(), 2)
    plan, _ = sessions.record_session(plan, Missed(appointment_id="m"), moment())
    called_off = Cancelled(appointment_id="c", by="clinic", reason="holiday")
    plan, _ = sessions.record_session(plan, called_off, moment())
    assert (plan.phase.name, plan.attended) == ("initial", 2)


def test_initial_without_inventory_and_focus_is_overdue_once_and_never_advances() -> None:
    plan, events = attend(new_plan(), 6)
    assert plan.phase.name == "initial"
    [overdue] = of(PhaseOverdue, events)
    assert (overdue.attended, overdue.missing) == (3, ("inventory", "focus"))


def test_completing_the_inventory_ends_an_overdue_initial_phase() -> None:
    plan, _ = attend(new_plan(), 4)
    plan, _ = inventory.select_focus(plan, ("grief", "role_disputes"), moment())
    assert plan.phase.name == "initial"
    plan, _ = inventory.record_inventory(plan, RANKED, moment())
    plan, events = inventory.complete_inventory(plan, moment())
    assert plan.phase.name == "middle"
    assert names(events) == ["PhaseEntered"]


def test_selecting_a_focus_ends_an_overdue_initial_phase() -> None:
    plan, _ = attend(new_plan(), 3)
    plan, _ = inventory.record_inventory(plan, RANKED, moment())
    plan, _ = inventory.complete_inventory(plan, moment())
    plan, events = inventory.select_focus(plan, ("grief",), moment())
    assert names(events) == ["FocusSelected", "PhaseEntered"]


def test_an_inventory_without_entries_or_ranks_is_not_complete() -> None:
    assert refused(inventory.complete_inventory, new_plan(), moment()) == "inventory_empty"
    for ranks in [(1, None), (1, 1), (1, 3)]:
        entries = tuple(InventoryEntry(text="x", rank=rank) for rank in ranks)
        plan, _ = inventory.record_inventory(new_plan(), entries, moment())
        assert refused(inventory.complete_inventory, plan, moment()) == "inventory_unranked"


def test_a_completed_inventory_stays_complete_when_it_is_refined() -> None:
    unranked = (InventoryEntry(text="x"),)
    assert refused(inventory.record_inventory, prepared(), unranked, moment()) == "inventory_unranked"


def test_inventory_and_focus_are_closed_after_the_middle_phase() -> None:
    plan = in_termination()
    assert refused(inventory.record_inventory, plan, RANKED, moment()) == "wrong_phase"
    assert refused(inventory.select_focus, plan, ("grief",), moment()) == "wrong_phase"


def test_the_same_focus_again_says_nothing() -> None:
    _, events = inventory.select_focus(prepared(), ("grief",), moment())
    assert events == []


# middle → termination


def test_middle_becomes_termination_when_as_many_sessions_remain_as_it_is_long() -> None:
    assert attend(in_middle(), 5)[0].phase.name == "middle"
    plan, events = attend(in_middle(), 6)
    assert (plan.phase.name, plan.remaining) == ("termination", 3)
    assert of(PhaseEntered, events)[-1].attended == 9


def test_a_shortened_contract_can_begin_the_termination_phase() -> None:
    plan, _ = attend(prepared("ipt-16"), 10)
    plan, events = revision.revise_contract(plan, 12, "goals_reached_early", moment())
    assert names(events) == ["ContractRevised", "PhaseEntered"]
    assert plan.phase.name == "termination"


def test_more_sessions_never_lead_back_to_the_middle_phase() -> None:
    plan, _ = revision.revise_contract(in_termination(), 16, "extra_sessions_needed", moment())
    assert (plan.phase.name, plan.remaining) == ("termination", 7)


# termination → ended


def test_the_last_session_ends_treatment_when_the_ending_s_work_is_done() -> None:
    plan, _ = maintenance.record_relapse_prevention(in_termination(), PREVENTION, moment())
    plan, _ = attend(plan, 2)
    plan, events = attend(plan, total=6)
    assert isinstance(plan.phase, Ended)
    assert plan.phase.end_of_acute == 6
    assert names(events)[-2:] == ["PhaseEntered", "MaintenanceDiscussed"]


def test_the_last_session_without_the_ending_s_work_is_overdue_and_names_what_is_missing() -> None:
    plan, events = attend(in_termination(), 3)
    assert plan.phase.name == "termination"
    [overdue] = of(PhaseOverdue, events)
    assert overdue.missing == ("final_phq9", "relapse_prevention", "contingency_signs")


def test_recording_what_was_missing_completes_the_transition() -> None:
    plan, _ = attend(in_termination(), 3)
    plan, events = measures.take_measures(plan, phq9(7), None, moment())
    assert of(PhaseOverdue, events) == []
    plan, events = maintenance.record_relapse_prevention(plan, PREVENTION, moment())
    assert plan.phase.name == "ended"
    assert names(events) == ["PhaseEntered", "MaintenanceDiscussed"]


def test_a_measure_with_a_missing_answer_is_no_final_measure() -> None:
    plan, _ = maintenance.record_relapse_prevention(attend(in_termination(), 3)[0], PREVENTION, moment())
    incomplete = phq9(7).model_copy(update={"items": (None, *phq9(7).items[1:])})
    plan, _ = measures.take_measures(plan, incomplete, None, moment())
    assert plan.phase.name == "termination"


def test_a_session_beyond_the_contract_is_refused() -> None:
    plan, _ = attend(in_termination(), 3)
    late = Attended(appointment_id="extra")
    assert refused(sessions.record_session, plan, late, moment()) == "contract_fulfilled"


def test_a_session_that_took_place_before_the_n_th_is_recorded_after_it() -> None:
    plan, _ = attend(in_termination(), 3)
    forgotten = Attended(appointment_id="forgotten", at=NOW - timedelta(days=30))
    plan, events = sessions.record_session(plan, forgotten, moment())
    assert (names(events), plan.phase.name, plan.attended) == (["SessionAttended"], "termination", 13)


def test_a_phase_with_more_sessions_to_come_becomes_overdue_anew() -> None:
    plan, first = attend(in_termination(), 3)
    plan, revised = revision.revise_contract(plan, 14, "extra_sessions_needed", moment())
    plan, one_left = attend(plan, 1)
    plan, again = attend(plan, 1)
    assert [len(of(PhaseOverdue, events)) for events in (first, revised, one_left, again)] == [1, 0, 0, 1]


def test_nothing_is_attended_after_the_end() -> None:
    session = Attended(appointment_id="extra")
    assert refused(sessions.record_session, ended(), session, moment()) == "wrong_phase"


def test_maintenance_is_discussed_with_everybody_who_ends_and_indicated_for_some() -> None:
    plan, _ = maintenance.record_relapse_prevention(in_termination(), PREVENTION, moment())
    [well] = of(MaintenanceDiscussed, attend(attend(plan, 2)[0], total=4)[1])
    assert (well.indicated, well.indications) == (False, ())
    often_ill = plan.changed(episode=3, history_indications=("family_history",))
    [unwell] = of(MaintenanceDiscussed, attend(attend(often_ill, 2)[0], total=5)[1])
    assert unwell.indications == ("family_history", "three_or_more_episodes", "residual_symptoms")


# ended → maintenance, maintenance → new episode


def test_maintenance_has_a_contract_of_its_own_monthly_by_default() -> None:
    plan, events = maintenance.contract_maintenance(ended(), None, None, None, moment())
    assert isinstance(plan.phase, Maintenance)
    [contracted] = of(MaintenanceContracted, events)
    assert contracted.frequency == "monthly"
    assert contracted.first_on_or_after == TODAY + weeks(4)
    assert contracted.review_on == TODAY + weeks(26)


def test_maintenance_before_the_end_is_refused() -> None:
    def contracted() -> object:
        return maintenance.contract_maintenance(in_termination(), "weekly", None, None, moment())

    assert refused(contracted) == "wrong_phase"


def test_maintenance_never_begins_or_is_reviewed_in_the_past() -> None:
    yesterday = TODAY - weeks(1)
    assert (
        refused(maintenance.contract_maintenance, ended(), None, yesterday, None, moment())
        == "first_session_past"
    )
    assert (
        refused(maintenance.contract_maintenance, ended(), None, None, TODAY, moment()) == "review_date_past"
    )


def test_a_review_beyond_two_years_is_a_slip_of_the_pen() -> None:
    mistyped = date(TODAY.year + 100, 3, 2)
    for review in (date(TODAY.year + 3, 1, 1), mistyped, date.max):
        assert (
            refused(maintenance.contract_maintenance, ended(), "weekly", None, review, moment())
            == refused(maintenance.review_maintenance, in_maintenance(), None, review, moment())
            == refused(revision.hold, in_middle(), "travel", review, moment())
            == "review_date_too_far"
        )
    agreed, _ = maintenance.contract_maintenance(ended(), "weekly", None, TODAY + weeks(104), moment())
    assert isinstance(agreed.phase, Maintenance)


def test_maintenance_that_would_book_nothing_until_its_review_is_refused() -> None:
    late, soon = TODAY + weeks(40), TODAY + weeks(1)
    for refusal in (
        refused(maintenance.contract_maintenance, ended(), None, late, None, moment()),
        refused(maintenance.contract_maintenance, ended(), "monthly", None, soon, moment()),
        refused(maintenance.review_maintenance, in_maintenance(), "twice_monthly", soon, moment()),
    ):
        assert refusal == "review_before_first_session"


def test_maintenance_sessions_count_for_themselves() -> None:
    plan, [attended, *_] = attend(in_maintenance(), 1)
    assert plan.attended == 12
    assert plan.attended_here == 1
    assert attended.model_dump()["sessions"] is None


def test_a_review_goes_on_with_maintenance_at_another_pace() -> None:
    plan, [contracted] = maintenance.review_maintenance(in_maintenance(), "twice_monthly", LATER, moment())
    assert contracted.model_dump()["frequency"] == "twice_monthly"
    assert plan.phase.name == "maintenance"
    assert refused(maintenance.review_maintenance, ended(), None, LATER, moment()) == "wrong_phase"


def test_a_confirmed_relapse_closes_the_plan_and_begins_the_next_episode() -> None:
    plan, _ = measures.take_measures(in_maintenance(), phq9(15), None, moment())
    (old, said), (new, first) = relapse.confirm_relapse(plan, 2, None, protocol(), moment())
    assert isinstance(old.phase, Closed)
    assert of(CarePlanClosed, said)[0].outcome == "relapsed"
    [started] = of(CarePlanStarted, first)
    assert (new.phase.name, new.episode, new.origin, new.baseline_phq9) == ("initial", 2, "relapse", 15)
    assert started.plan_id == new.id != old.id


def test_a_relapse_that_no_measure_told_of_takes_its_baseline_from_the_new_episode() -> None:
    _, (new, _) = relapse.confirm_relapse(in_maintenance(4), 2, None, protocol(), moment())
    assert (new.baseline_phq9, new.baseline_gad7) == (None, None)
    new, events = measures.take_measures(new, phq9(18), None, moment())
    assert new.baseline_phq9 == 18
    assert names(events) == ["MeasureRecorded"]


def test_a_relapse_is_confirmed_in_maintenance_only_and_never_in_a_crisis() -> None:
    crisis = moment(in_crisis=True)
    assert refused(relapse.confirm_relapse, ended(), 2, None, protocol(), moment()) == "wrong_phase"
    assert (
        refused(relapse.confirm_relapse, in_maintenance(), 2, None, protocol(), crisis) == "crisis_unresolved"
    )


# → closed


def test_a_responder_is_closed_as_completed_after_the_end() -> None:
    plan, events = closing.close(ended(total=4), "completed", "treatment_finished", None, moment())
    assert names(events) == ["PhaseEntered", "CarePlanClosed"]
    assert plan.phase.name == "closed"


def test_a_non_responder_is_offered_an_alternative_before_closing() -> None:
    plan, how = ended(total=12), ("completed", "treatment_finished", None, moment())
    assert refused(closing.close, plan, *how) == "alternative_not_offered"
    plan, _ = maintenance.offer_alternative(plan, moment())
    assert names(closing.close(plan, "completed", "treatment_finished", None, moment())[1])


def test_treatment_that_has_not_ended_is_not_completed() -> None:
    how = ("completed", "treatment_finished", None, moment())
    assert refused(closing.close, in_middle(), *how) == "treatment_not_ended"


def test_anybody_may_withdraw_in_any_phase() -> None:
    for plan in (new_plan(), in_middle(), in_termination(), ended(12), in_maintenance()):
        closed, _ = closing.close(plan, "withdrawn", "patient_request", None, moment())
        assert isinstance(closed.phase, Closed)
        assert closed.phase.previous == plan.phase.name


def test_an_unresolved_crisis_blocks_closure_unless_it_is_handed_over() -> None:
    crisis = moment(in_crisis=True)
    assert refused(closing.close, in_middle(), "withdrawn", "moved_away", None, crisis) == "crisis_unresolved"
    plan, _ = closing.close(in_middle(), "withdrawn", "moved_away", "another_provider", crisis)
    assert isinstance(plan.phase, Closed)
    assert plan.phase.crisis_handed_over_to == "another_provider"
    assert (
        refused(closing.close, ended(), "completed", "treatment_finished", "inpatient_care", crisis)
        == "crisis_unresolved"
    )


def test_a_course_with_sessions_was_started() -> None:
    assert (
        refused(closing.close, in_middle(), "not_started", "never_attended", None, moment())
        == "sessions_attended"
    )


def test_closed_is_final() -> None:
    plan, _ = closing.close(in_middle(), "withdrawn", "moved_away", None, moment())
    for again in (
        lambda: closing.close(plan, "withdrawn", "moved_away", None, moment()),
        lambda: attend(plan),
        lambda: revision.hold(plan, "illness", LATER, moment()),
        lambda: revision.resume(plan, moment()),
        lambda: revision.revise_contract(plan, 16, "other", moment()),
        lambda: inventory.select_focus(plan, ("grief",), moment()),
        lambda: maintenance.record_relapse_prevention(plan, PREVENTION, moment()),
        lambda: maintenance.contract_maintenance(plan, None, None, None, moment()),
    ):
        assert refused(again) == "plan_closed"


# on hold


def test_a_hold_remembers_reason_and_review_date_and_keeps_the_phase() -> None:
    plan, events = revision.hold(in_middle(), "travel", LATER, moment())
    assert plan.hold is not None
    assert (plan.hold.reason, plan.hold.review_on, plan.phase.name) == ("travel", LATER, "middle")
    plan, events = revision.resume(plan, moment())
    assert (plan.hold, names(events)) == (None, ["CarePlanResumed"])


def test_a_hold_is_neither_doubled_nor_ended_twice_nor_reviewed_in_the_past() -> None:
    held, _ = revision.hold(in_middle(), "travel", LATER, moment())
    assert refused(revision.hold, held, "travel", LATER, moment()) == "on_hold"
    assert refused(revision.resume, in_middle(), moment()) == "not_on_hold"
    past = TODAY - weeks(1)
    assert refused(revision.hold, in_middle(), "travel", past, moment()) == "review_date_past"


def test_what_is_today_or_to_come_at_some_clinic_is_not_past_although_it_is_in_greenwich() -> None:
    evening = datetime(2026, 3, 3, 1, tzinfo=UTC)  # 17:00 on the day before in Los Angeles
    today, tomorrow = date(2026, 3, 2), date(2026, 3, 3)
    at = moment(at=evening)
    held, _ = revision.hold(in_middle(), "travel", today, at)
    assert held.hold is not None
    assert refused(revision.hold, in_middle(), "travel", today - timedelta(days=1), at) == "review_date_past"
    agreed, _ = maintenance.contract_maintenance(ended(), None, today, tomorrow, at)
    assert isinstance(agreed.phase, Maintenance)
    assert (agreed.phase.first_on_or_after, agreed.phase.review_on) == (today, tomorrow)


def test_on_hold_only_what_happened_before_can_still_be_recorded() -> None:
    held, _ = revision.hold(attend(prepared(), 2)[0], "illness", LATER, moment())
    assert refused(attend, held) == "on_hold"
    plan, _ = attend(held, at=NOW - weeks(1))
    assert (plan.attended, plan.phase.name) == (3, "initial")


def test_resuming_makes_up_for_the_phase_a_hold_kept_back() -> None:
    held, _ = revision.hold(attend(prepared(), 2)[0], "illness", LATER, moment())
    plan, _ = attend(held, at=NOW - weeks(1))
    plan, events = revision.resume(plan, moment())
    assert names(events) == ["CarePlanResumed", "PhaseEntered"]


# crisis beside the phases


def test_an_unresolved_crisis_keeps_the_phase_and_its_resolution_lets_it_go_on() -> None:
    plan, _ = attend(prepared(), 3, in_crisis=True)
    assert (plan.phase.name, plan.attended) == ("initial", 3)
    plan, events = advance(plan, moment())
    assert names(events) == ["PhaseEntered"]


# contract


def test_n_changes_within_bounds_and_never_below_what_was_attended() -> None:
    plan, [revised] = revision.revise_contract(in_middle(), 16, "extra_sessions_needed", moment())
    assert (plan.contract.sessions, plan.contract.termination_sessions) == (16, 4)
    assert revised.model_dump()["previous_sessions"] == 12
    sixteen, _ = attend(prepared("ipt-16"), 13)
    assert refused(revision.revise_contract, sixteen, 12, "other", moment()) == "sessions_below_attended"
    assert refused(revision.revise_contract, in_middle(), 21, "other", moment()) == "sessions_out_of_bounds"
    assert refused(revision.revise_contract, in_middle(), 12, "other", moment()) == "contract_unchanged"
    assert refused(revision.revise_contract, ended(), 16, "other", moment()) == "wrong_phase"
