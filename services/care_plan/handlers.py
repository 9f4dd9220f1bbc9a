"""Reactions of care_plan to other services' events, and commands of clinicians and coordinators."""

from collections.abc import Callable
from contextlib import suppress

from services.care_plan import inbound, views
from services.care_plan.domain import closing, maintenance, measures, relapse, sessions
from services.care_plan.domain.crisis import (
    AlertState,
    Flaggable,
    Signs,
    answer_every_flag,
    answer_flag,
    forget_flags,
    no_crisis,
    note_alert,
    raise_flag,
)
from services.care_plan.domain.phases import Closed, Handover, Maintenance
from services.care_plan.domain.plan import Decision, EndingRaised, Moment, Plan, plan_id_of, start
from services.care_plan.domain.refusals import refuse
from services.care_plan.domain.transitions import advance, held_back_by_crisis
from services.care_plan.protocols import contract_today, protocol_today
from services.care_plan.store import PLANS, CarePlanWork
from shared.errors import Refused
from shared.http.caller import Call
from shared.http.commands import Reply
from shared.http.guard import if_match
from shared.messaging.event import Event


def when_intake_completed_start_care_plan(fact: inbound.IntakeCompleted, work: CarePlanWork) -> None:
    """Start one plan per referral: the plan's id is derived from the referral's."""
    known = work.plans.get(plan_id_of(fact.referral_id))
    if known is not None:
        if known.patient_id != fact.patient_id:
            refuse("referral_of_another_patient")
        return work.note("plan_not_started", "referral_has_a_plan")
    plan, events = start(
        patient_id=fact.patient_id,
        clinic_id=fact.clinic_id,
        clinician_id=fact.clinician_id,
        referral_id=fact.referral_id,
        episode=work.next_episode(fact.patient_id),
        contract=contract_today(fact.variant, fact.sessions),
        started_at=fact.completed_at,
        baseline_phq9=fact.phq9_total,
        baseline_gad7=fact.gad7_total,
        history_indications=fact.maintenance_indications,
    )
    work.count_episode(plan.patient_id, plan.episode)
    return work.plans.save(plan, events)


def when_termination_phase_due_note_ending_raised(
    fact: inbound.TerminationPhaseDue, work: CarePlanWork
) -> None:
    """Record that the ending was raised, and for which N; the phase itself changes with a session."""
    plan = work.plans[fact.plan_id]
    ending = EndingRaised(sessions=fact.sessions, attended=fact.attended, due_at=fact.due_at)
    noted = maintenance.note_ending_raised(plan, ending)
    if noted is plan:
        return work.note("ending_not_noted", "raised_later_already")
    return work.plans.save(noted)


def when_case_review_due_ask_whether_improving(fact: inbound.CaseReviewDue, work: CarePlanWork) -> None:
    """Ask for a case review if the person has not responded by week 8 and so is not improving."""
    plan = work.plans[fact.plan_id]
    if isinstance(plan.phase, Maintenance | Closed):
        return work.note("case_not_reviewed", "acute_treatment_over")
    plan, events = measures.review_case(plan, fact.week, work.moment(plan))
    if not events:
        return work.note("case_not_reviewed", "responding_or_reviewed")
    return work.plans.save(plan, events)


def when_alert_raised_open_crisis(fact: inbound.AlertRaised, work: CarePlanWork) -> None:
    """Open the crisis: phases no longer change automatically, and closing a plan requires a handover."""
    _note_alert(fact, "open", work)


def when_alert_joined_note_flag_answered(fact: inbound.AlertJoined, work: CarePlanWork) -> None:
    """Record that another flag joined an unresolved crisis, and may have reopened it."""
    _note_alert(fact, "open", work, reopened=fact.reopened)


def when_alert_acknowledged_note_crisis_taken(fact: inbound.AlertAcknowledged, work: CarePlanWork) -> None:
    """Record that the crisis was acknowledged."""
    _note_alert(fact, "acknowledged", work)


def when_alert_assessed_note_crisis_assessed(fact: inbound.AlertAssessed, work: CarePlanWork) -> None:
    """Record that the crisis was assessed."""
    _note_alert(fact, "assessed", work)


def when_alert_resolved_let_plans_go_on(fact: inbound.AlertResolved, work: CarePlanWork) -> None:
    """Record that the crisis was resolved, and make the phase changes it held back."""
    _note_alert(fact, "resolved", work)


def _note_alert(
    fact: inbound.AlertFact, state: AlertState, work: CarePlanWork, *, reopened: bool = False
) -> None:
    if not fact.is_crisis:
        return None
    region = work.region(fact.patient_id, fact.clinic_id)
    noted = note_alert(region, fact.alert_id, state, reopened=reopened)
    if isinstance(fact, inbound.AlertWithEvidence):
        named = fact.evidence_id
        noted = answer_every_flag(noted) if named is None else answer_flag(noted, named)
    if isinstance(fact, inbound.AlertResolved):
        noted = forget_flags(noted, fact.resolved_at)
    if noted is region:
        return work.note("crisis_unchanged", "alert_is_further_already")
    work.crises.save(noted)
    if not noted.unresolved:
        _let_plans_go_on(fact.patient_id, work)
    return None


def _let_plans_go_on(patient_id: str, work: CarePlanWork) -> None:
    for plan in work.plans_of(patient_id):
        advanced, events = advance(plan, work.moment(plan))
        if events:
            work.plans.save(advanced, events)


def change_plan(
    work: CarePlanWork,
    call: Call,
    plan_id: str,
    command: Callable[[Plan, Moment], Decision],
    signs: Signs | None = None,
) -> Reply:
    """Apply one command to a plan. Signs of danger that came with it are flagged first.

    If only an unresolved crisis holds the plan back, the crisis region is saved too. A concurrent resolution
    then conflicts and is decided again; otherwise nothing would ever advance the plan.
    Raises `NotFound`, `PreconditionFailed`, `Refused`.
    """
    plan = own_plan(work, call, plan_id)
    if_match(call, work.plans.version(plan_id))
    flagged, events = flag(work, plan, signs) if signs else (plan, [])
    moment = work.moment(plan)
    changed, decided = command(flagged, moment)
    if changed is not plan:
        if held_back_by_crisis(changed, moment):
            work.crises.save(work.region(plan.patient_id, plan.clinic_id))
        work.plans.save(changed, [*events, *decided])
    return answer(work, call, changed, signs)


def own_plan(work: CarePlanWork, call: Call, plan_id: str) -> Plan:
    """The plan, if it belongs to the caller's clinic. Raises `NotFound`."""
    plan = work.plans[plan_id]
    call.caller.require_clinic(plan.clinic_id, PLANS, plan_id)
    return plan


def flag(work: CarePlanWork, plan: Flaggable, signs: Signs) -> tuple[Flaggable, list[Event]]:
    """Raise a flag. The patient is in crisis at once, before the alerts service answers."""
    region = no_crisis(plan.patient_id, plan.clinic_id)
    if work.is_region_readable:
        region = work.region(plan.patient_id, plan.clinic_id)
    plan, region, raised = raise_flag(plan, region, signs, work.now)
    if work.is_region_readable:
        work.crises.save(region)
    return plan, [raised]


def answer(
    work: CarePlanWork, call: Call, plan: Plan, signs: Signs | None = None, *, version: int | None = None
) -> Reply:
    """The plan as the caller may see it, with its ETag."""
    version = version or work.plans.version(plan.id)
    body = views.view(
        plan,
        version,
        work.moment(plan),
        work.region(plan.patient_id, plan.clinic_id),
        in_words="clinician" in call.caller.roles,
        signs=signs,
    )
    return Reply(body, version=version)


def raise_crisis_flag(work: CarePlanWork, call: Call, plan_id: str, signs: Signs) -> Reply:
    """Raise a flag whatever the plan's phase, version or writing release: a flag is never refused.

    Replies with the plan, or with the flag alone if the plan cannot be read or shown. Raises `NotFound`.
    """
    plan = work.in_danger[plan_id]
    call.caller.require_clinic(plan.clinic_id, PLANS, plan_id)
    plan, events = flag(work, plan, signs)
    work.in_danger.save(plan, events)
    version = work.in_danger.version(plan_id)
    whole = work.plans.get(plan_id)
    if whole is not None and work.is_region_readable:
        with suppress(Refused):  # the plan's protocol may come from a newer release
            return answer(work, call, whole, signs, version=version)
    return Reply(views.FlagView(id=plan_id, crisis_notice=views.CrisisNotice.of(signs)), version=version)


def record_session(
    work: CarePlanWork, call: Call, plan_id: str, session: sessions.Happening, signs: Signs | None
) -> Reply:
    """Record what became of an appointment; an identical repeat changes nothing and returns the plan."""
    plan = own_plan(work, call, plan_id)
    if sessions.is_recorded(plan, session):
        return answer(work, call, plan)
    return change_plan(
        work, call, plan_id, lambda plan, moment: sessions.record_session(plan, session, moment), signs
    )


def confirm_relapse(work: CarePlanWork, call: Call, plan_id: str, variant: str | None) -> Reply:
    """Close the plan and begin the next episode's; reply with the new plan."""
    plan = own_plan(work, call, plan_id)
    if_match(call, work.plans.version(plan_id))
    episode = work.next_episode(plan.patient_id)
    (closed, last), (following, first) = relapse.confirm_relapse(
        plan, episode, variant, protocol_today(), work.moment(plan)
    )
    work.crises.save(work.region(plan.patient_id, plan.clinic_id))
    work.plans.save(closed, last)
    work.plans.save(following, first)
    reply = answer(work, call, following)
    return Reply(reply.body, 201, version=reply.version, location=f"/plans/{following.id}")


def close_plan(
    work: CarePlanWork,
    call: Call,
    plan_id: str,
    *,
    outcome: closing.ChosenOutcome,
    reason: closing.CloseReason,
    handover: Handover | None,
) -> Reply:
    """Close a plan; the crisis region is saved too, so that a crisis opened meanwhile is a conflict."""
    plan = own_plan(work, call, plan_id)
    work.crises.save(work.region(plan.patient_id, plan.clinic_id))
    return change_plan(
        work, call, plan_id, lambda plan, moment: closing.close(plan, outcome, reason, handover, moment)
    )
