"""Closing a plan, and the conditions for it."""

from typing import Literal

from services.care_plan.domain.measures import has_answered
from services.care_plan.domain.phases import Closed, Ended, Handover, Maintenance, Outcome
from services.care_plan.domain.plan import Decision, Moment, Plan
from services.care_plan.domain.refusals import refuse
from services.care_plan.domain.transitions import enter
from services.care_plan.events import CarePlanClosed

ChosenOutcome = Literal["completed", "withdrawn", "transferred", "not_started"]
"""`relapsed` cannot be chosen: it follows from confirming a relapse."""

CloseReason = Literal[
    "treatment_finished",
    "maintenance_finished",
    "alternative_begun",
    "patient_request",
    "moved_away",
    "lost_contact",
    "other_provider",
    "never_attended",
    "deceased",
    "other",
]


def close(
    plan: Plan, outcome: ChosenOutcome, reason: CloseReason, handover: Handover | None, moment: Moment
) -> Decision:
    """Any → closed (clinical.md, phase table).

    Refuses `plan_closed`; `crisis_unresolved` unless the crisis is handed over with the person who
    withdraws or is transferred; `treatment_not_ended`; `alternative_not_offered` to a non-responder;
    `sessions_attended` if the outcome is `not_started` but sessions were attended.
    """
    if isinstance(plan.phase, Closed):
        refuse("plan_closed")
    if moment.in_crisis and (handover is None or outcome not in ("withdrawn", "transferred")):
        refuse("crisis_unresolved")
    if outcome == "completed":
        _require_completion(plan, moment)
    if outcome == "not_started" and plan.attended > 0:
        refuse("sessions_attended", attended=plan.attended)
    return closed(plan, outcome, reason, handover if moment.in_crisis else None, moment)


def _require_completion(plan: Plan, moment: Moment) -> None:
    if not isinstance(plan.phase, Ended | Maintenance):
        refuse("treatment_not_ended", phase=plan.phase.name)
    answered = has_answered(plan, moment.protocol.thresholds)
    if isinstance(plan.phase, Ended) and not answered and plan.alternative_offered_at is None:
        refuse("alternative_not_offered")


def closed(plan: Plan, outcome: Outcome, reason: str, handover: Handover | None, moment: Moment) -> Decision:
    """Enter the closed phase and announce the outcome."""
    phase = Closed(
        entered_at=moment.now,
        previous=plan.phase.name,
        outcome=outcome,
        reason=reason,
        crisis_handed_over_to=handover,
    )
    plan, entered = enter(plan.changed(hold=None), phase, moment)
    announced = CarePlanClosed(**plan.identity, outcome=outcome, reason=reason, closed_at=moment.now)
    return plan, [*entered, announced]
