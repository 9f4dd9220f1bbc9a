"""Relapse in maintenance: the plan closes and a new episode's plan begins."""

from services.care_plan.domain.closing import closed
from services.care_plan.domain.phases import Initial, Maintenance
from services.care_plan.domain.plan import Decision, Moment, Plan, derived_id, require, started
from services.care_plan.domain.protocol import Protocol, contract
from services.care_plan.domain.refusals import refuse


def relapse_plan_id(plan_id: str) -> str:
    """Id of the plan for the episode that follows a relapse."""
    return derived_id("pln", "relapse", plan_id)


def confirm_relapse(
    plan: Plan, episode: int, variant: str | None, current: Protocol, moment: Moment
) -> tuple[Decision, Decision]:
    """Maintenance → a new episode's initial phase: a clinician confirms, never a rule alone (clinical.md).

    Returns the decisions for the plan that ends and for the one that begins under the `current` protocol.
    Refuses `wrong_phase`, `plan_closed`, `crisis_unresolved`, `unknown_variant`.
    """
    require(plan, Maintenance)
    if moment.in_crisis:
        refuse("crisis_unresolved")
    following = _begin_again(plan, episode, variant or plan.contract.variant, current, moment)
    return closed(plan, "relapsed", "relapse_confirmed", None, moment), following


def _begin_again(plan: Plan, episode: int, variant: str, current: Protocol, moment: Moment) -> Decision:
    """Begin the next episode; scores that signalled the relapse become its baseline.

    Without a signal the baseline stays empty until the new episode's first scores set it. Against the scores
    of a well person, every later one would count as a deterioration.
    """
    fell_ill = "relapse_signal" in plan.standing
    following = Plan(
        id=relapse_plan_id(plan.id),
        patient_id=plan.patient_id,
        clinic_id=plan.clinic_id,
        clinician_id=plan.clinician_id,
        referral_id=plan.referral_id,
        episode=episode,
        origin="relapse",
        started_at=moment.now,
        contract=contract(current, variant, current.variant(variant).sessions),
        phase=Initial(entered_at=moment.now),
        baseline_phq9=plan.last_total() if fell_ill else None,
        baseline_gad7=plan.last_total("gad7") if fell_ill else None,
        history_indications=plan.history_indications,
    )
    return following, [started(following)]
