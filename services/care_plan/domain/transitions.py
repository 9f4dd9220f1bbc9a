"""Automatic phase changes, and overdue phases (clinical.md, phase state machine)."""

from datetime import datetime
from typing import assert_never

from services.care_plan.domain.indications import discussed
from services.care_plan.domain.phases import Closed, Ended, Initial, Maintenance, Middle, Phase, Termination
from services.care_plan.domain.plan import Decision, Moment, Plan
from services.care_plan.events import PhaseEntered, PhaseOverdue
from shared.messaging.event import Event


def advance(plan: Plan, moment: Moment) -> Decision:
    """Enter every phase whose guard holds; announce once per phase what keeps it from ending.

    A hold or an unresolved crisis prevents phase changes; resuming or resolving calls this again.
    """
    events: list[Event] = []
    if plan.hold is None and not moment.in_crisis:
        while (following := _following(plan, moment)) is not None:
            plan, entered = enter(plan, following, moment)
            events += entered
    plan, overdue = _overdue(plan, moment)
    return plan, events + overdue


def held_back_by_crisis(plan: Plan, moment: Moment) -> bool:
    """Whether an unresolved crisis is all that keeps the plan from its next phase."""
    return moment.in_crisis and plan.hold is None and _following(plan, moment) is not None


def enter(plan: Plan, following: Phase, moment: Moment) -> Decision:
    """Change the phase and announce it."""
    entered = PhaseEntered(
        **plan.identity,
        phase=following.name,
        previous=plan.phase.name,
        attended=plan.attended,
        entered_at=moment.now,
    )
    plan = plan.changed(phase=following)
    if isinstance(following, Ended):
        return plan, [entered, discussed(plan, moment.protocol)]
    return plan, [entered]


def _following(plan: Plan, moment: Moment) -> Phase | None:
    match plan.phase:
        case Initial():
            ready = plan.attended >= plan.contract.initial_minimum and not missing_for_middle(plan)
            return Middle(entered_at=moment.now) if ready else None
        case Middle():
            ready = plan.remaining <= plan.contract.termination_sessions
            return Termination(entered_at=moment.now) if ready else None
        case Termination():
            ready = plan.remaining <= 0 and not missing_for_end(plan, moment)
            return Ended(entered_at=moment.now, end_of_acute=plan.last_total()) if ready else None
        case Ended() | Maintenance() | Closed():
            return None
        case _:
            assert_never(plan.phase)


def missing_for_middle(plan: Plan) -> tuple[str, ...]:
    """Guard of initial → middle: inventory complete, at least one focus chosen."""
    missing = []
    if plan.inventory_completed_at is None:
        missing.append("inventory")
    if not plan.focus:
        missing.append("focus")
    return tuple(missing)


def missing_for_end(plan: Plan, moment: Moment) -> tuple[str, ...]:
    """Guard of termination → ended: final measures, relapse-prevention plan and contingency signs.

    A final measure is a complete one taken at or after the N-th session, in order of the sessions' times.
    """
    since = _n_th_session_at(plan)
    last = {name: plan.last_measure(name) for name in moment.protocol.final_measures.codes}
    taken = {name for name, measure in last.items() if measure and since and measure.taken_at >= since}
    missing = [f"final_{name}" for name in last if name not in taken]
    if plan.relapse_prevention is None:
        missing += ["relapse_prevention", "contingency_signs"]
    elif not plan.relapse_prevention.contingency_signs:
        missing.append("contingency_signs")
    return tuple(missing)


def _n_th_session_at(plan: Plan) -> datetime | None:
    """When the N-th session of acute treatment took place; `None` if it has not been attended yet."""
    attended = sorted(s.at for s in plan.sessions if s.outcome == "attended" and s.phase != "maintenance")
    return attended[plan.contract.sessions - 1] if len(attended) >= plan.contract.sessions else None


def missing(plan: Plan, moment: Moment) -> tuple[str, ...]:
    """What keeps a phase from ending after its last session was attended."""
    match plan.phase:
        case Initial():
            return missing_for_middle(plan) if plan.attended >= plan.contract.initial_sessions else ()
        case Termination():
            return missing_for_end(plan, moment) if plan.remaining <= 0 else ()
        case Middle() | Ended() | Maintenance() | Closed():
            return ()
        case _:
            assert_never(plan.phase)


def _overdue(plan: Plan, moment: Moment) -> Decision:
    """Announce an overdue phase, once per plan and phase; nothing advances by itself."""
    left = missing(plan, moment)
    if not left or plan.phase.name in plan.overdue:
        return plan, []
    overdue = PhaseOverdue(**plan.identity, phase=plan.phase.name, attended=plan.attended, missing=left)
    return plan.changed(overdue=(*plan.overdue, plan.phase.name)), [overdue]
