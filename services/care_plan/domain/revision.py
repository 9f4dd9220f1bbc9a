"""Revising the contract, and putting a course on hold."""

from datetime import date, timedelta
from typing import Literal

from services.care_plan.domain.phases import Closed, Hold
from services.care_plan.domain.plan import Decision, Moment, Plan, require_phase
from services.care_plan.domain.protocol import contract
from services.care_plan.domain.refusals import refuse
from services.care_plan.domain.transitions import advance, missing
from services.care_plan.events import CarePlanHeld, CarePlanResumed, ContractRevised

RevisionReason = Literal["extra_sessions_needed", "goals_reached_early", "patient_request", "other"]
HoldReason = Literal["illness", "travel", "inpatient_care", "clinician_absence", "patient_request", "other"]

LONGEST_HOLD = timedelta(days=366)
"""[proposed] Longest time until a hold is reviewed: a later date is a typing error."""


def revise_contract(plan: Plan, sessions: int, reason: RevisionReason, moment: Moment) -> Decision:
    """Change N, which is possible in no other way (clinical.md), and derive the phases' lengths again.

    Refuses `sessions_below_attended`, `sessions_out_of_bounds`, `contract_unchanged`, `wrong_phase`.
    """
    require_phase(plan, "initial", "middle", "termination")
    if sessions == plan.contract.sessions:
        refuse("contract_unchanged", sessions=sessions)
    if sessions < plan.attended:
        refuse("sessions_below_attended", attended=plan.attended)
    revised = contract(moment.protocol, plan.contract.variant, sessions)
    announced = ContractRevised(
        **plan.identity,
        sessions=sessions,
        previous_sessions=plan.contract.sessions,
        initial_sessions=revised.initial_sessions,
        termination_sessions=revised.termination_sessions,
        attended=plan.attended,
        reason=reason,
    )
    plan = plan.changed(contract=revised)
    if not missing(plan, moment):  # with more sessions to come the phase may become overdue again
        plan = plan.changed(overdue=tuple(name for name in plan.overdue if name != plan.phase.name))
    plan, events = advance(plan, moment)
    return plan, [announced, *events]


def hold(plan: Plan, reason: HoldReason, review_on: date, moment: Moment) -> Decision:
    """Put the plan on hold, with a review date. A hold shifts the calendar and never mutes a crisis.

    Refuses `plan_closed`, `on_hold`, `review_date_past`, `review_date_too_far`.
    """
    if isinstance(plan.phase, Closed):
        refuse("plan_closed")
    if plan.hold is not None:
        refuse("on_hold", review_on=plan.hold.review_on.isoformat())
    if review_on < moment.earliest_today:
        refuse("review_date_past")
    if review_on > moment.now.date() + LONGEST_HOLD:
        refuse("review_date_too_far")
    held = CarePlanHeld(**plan.identity, reason=reason, review_on=review_on, held_at=moment.now)
    return plan.changed(hold=Hold(reason=reason, held_at=moment.now, review_on=review_on)), [held]


def resume(plan: Plan, moment: Moment) -> Decision:
    """Lift the hold, and make the phase changes that became possible meanwhile."""
    if isinstance(plan.phase, Closed):
        refuse("plan_closed")
    if plan.hold is None:
        refuse("not_on_hold")
    plan, events = advance(plan.changed(hold=None), moment)
    return plan, [CarePlanResumed(**plan.identity, resumed_at=moment.now), *events]
