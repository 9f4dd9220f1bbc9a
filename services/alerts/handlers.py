"""How alerts reacts to each fact: decide and save. Notifying people happens elsewhere."""

from dataclasses import replace
from datetime import datetime

from services.alerts import inbound
from services.alerts.domain import concerns, crisis, settling
from services.alerts.domain.acknowledgement import settle
from services.alerts.domain.alert import UNKNOWN, Evidence, Outcome
from services.alerts.domain.concerns import Concern, Origin, appointment, plan, referral, transition
from services.alerts.domain.crisis import Report
from services.alerts.domain.reasons import EndReason
from services.alerts.store import AlertsWork
from shared.messaging.dead_letters import MessageDeadLettered

# Crisis


def when_crisis_flag_raised_open_or_join_crisis(fact: inbound.CrisisFlag, work: AlertsWork) -> None:
    """Open a crisis and page at once, or join the open one, raise it and page again."""
    evidence = Evidence(
        id=fact.flag_id,
        source="flag",
        severity=fact.severity,
        reason="crisis_flag",
        codes=fact.evidence,
        at=fact.raised_at,
    )
    _open_or_join_crisis(work, Report(fact.patient_id, fact.clinic_id, fact.clinician_id, evidence))


async def when_crisis_message_set_aside_page_by_ids(letter: MessageDeadLettered, work: AlertsWork) -> None:
    """Fail towards alarm: an unreadable crisis message is a crisis, moderate until a human looks.

    If the person's stored crises are unreadable, another is opened under their id prefixed `UNREADABLE`.
    """
    clinic_id = await work.clinic_of(letter.patient_id)
    await work.load_crises_set_aside([letter.patient_id])
    _open_or_join_crisis(work, _unreadable(letter.dead_letter_id, letter.patient_id, clinic_id, work))


def _unreadable(dead_letter_id: str, patient_id: str, clinic_id: str, work: AlertsWork) -> Report:
    evidence = Evidence(
        id=dead_letter_id,
        source="dead_letter",
        severity="moderate",
        reason="crisis_message_unreadable",
        at=work.now,
    )
    return Report(work.known_as(patient_id), clinic_id, None, evidence)


def _open_or_join_crisis(work: AlertsWork, report: Report) -> None:
    history = work.histories.get(report.patient_id)
    alert = work.open_crisis(report.patient_id)
    found = crisis.open_or_join(history, alert, report, work.on_call, work.now)
    if found is None:
        work.note("crisis", "known_evidence")
        return
    work.histories.save(found[0])
    work.keep(_flagged(found[1], report.evidence.at))


def _flagged(outcome: Outcome, at: datetime) -> Outcome:
    """Stamp its pages with the time of the crisis evidence."""
    pages = tuple(page.model_copy(update={"flagged_at": at}) for page in outcome.deliveries)
    return replace(outcome, deliveries=pages)


# The course of care


def when_phase_entered_announce_transition(fact: inbound.PhaseEntered, work: AlertsWork) -> None:
    """Termination phase, end and maintenance reach people in a digest; an overdue phase is settled."""
    _settle(work, settling.by_phase(fact.plan_id), "phase_entered", only_before=True)
    _raise(work, fact, concerns.of_phase_entered(fact))


def when_phase_overdue_ask_for_its_work(fact: inbound.PhaseOverdue, work: AlertsWork) -> None:
    codes = (fact.phase, *fact.missing)
    _raise(work, fact, Concern("phase_overdue", "routine", "phase_overdue", plan(fact.plan_id), codes=codes))


def when_contract_revised_settle_phase_with_sessions_to_come(
    fact: inbound.ContractRevised, work: AlertsWork
) -> None:
    """The phase may become overdue again, and care_plan then announces it again."""
    overdue = work.live("phase_overdue", plan(fact.plan_id))
    if overdue is not None and settling.has_sessions_to_come(overdue, fact):
        _settle(work, settling.by_phase(fact.plan_id), "superseded", only_before=True)


def when_termination_phase_due_announce_it(fact: inbound.TerminationPhaseDue, work: AlertsWork) -> None:
    _raise(work, fact, transition("termination_phase", "termination_phase_near", plan(fact.plan_id)))


def when_maintenance_contracted_announce_it(fact: inbound.MaintenanceContracted, work: AlertsWork) -> None:
    _settle(work, settling.by_contract(fact.plan_id), "maintenance_contracted", only_before=True)
    _raise(work, fact, transition("maintenance", "maintenance_contracted", plan(fact.plan_id)))


def when_maintenance_discussed_announce_it(fact: inbound.MaintenanceDiscussed, work: AlertsWork) -> None:
    _raise(work, fact, transition("maintenance", "maintenance_discussed", plan(fact.plan_id)))


def when_maintenance_session_due_announce_it(fact: inbound.MaintenanceSessionDue, work: AlertsWork) -> None:
    about = appointment(fact.appointment_id)
    _raise(work, fact, transition("maintenance", "maintenance_session_due", about))


def when_care_plan_resumed_settle_hold_review(fact: inbound.CarePlanResumed, work: AlertsWork) -> None:
    _settle(work, settling.by_resumed(fact.plan_id), "plan_resumed", only_before=True)


def when_care_plan_closed_settle_what_is_moot(fact: inbound.CarePlanClosed, work: AlertsWork) -> None:
    for alert in work.live_of(fact.patient_id):
        if (reason := settling.moot_with(alert, fact.plan_id)) is not None:
            work.keep(settle(alert, reason, work.now))


# Sessions


def when_session_attended_settle_absences(fact: inbound.SessionAttended, work: AlertsWork) -> None:
    """Settle the alert about missed sessions, unless one was missed after this session.

    Sessions may be recorded late.
    """
    _settle(work, settling.by_recorded(fact.appointment_id), "session_attended")
    absences = work.live("missed_session", plan(fact.plan_id))
    if absences is not None and settling.is_answered(absences, fact.attended_at):
        work.keep(settle(absences, "session_attended", work.now))


def when_session_missed_ask_for_outreach(fact: inbound.SessionMissed, work: AlertsWork) -> None:
    """Page at once if a crisis is open or recent, ask for a review after two in a row, else use the digest.

    Nobody is alerted if the plan is closed.
    """
    _settle(work, settling.by_recorded(fact.appointment_id), "session_recorded")
    if fact.after_closure:
        return work.note("alert", "plan_closed")
    history = work.histories.get(fact.patient_id)
    return _raise(work, fact, concerns.of_missed_session(fact, history, work.rules, work.now))


def when_session_cancelled_settle_unrecorded(fact: inbound.SessionCancelled, work: AlertsWork) -> None:
    _settle(work, settling.by_recorded(fact.appointment_id), "session_recorded")


def when_session_overdue_ask_for_its_record(fact: inbound.SessionOverdue, work: AlertsWork) -> None:
    about = appointment(fact.appointment_id)
    _raise(work, fact, Concern("session_unrecorded", "routine", "session_unrecorded", about))


# Measures and reviews


def when_deterioration_detected_alert_clinician(
    fact: inbound.DeteriorationDetected, work: AlertsWork
) -> None:
    _raise(work, fact, Concern("deterioration", "low", "deteriorated", plan(fact.plan_id)))


def when_relapse_signalled_ask_clinician(fact: inbound.RelapseSignalled, work: AlertsWork) -> None:
    _raise(work, fact, Concern("relapse_signal", "low", "relapse_signalled", plan(fact.plan_id)))


def when_not_improving_ask_for_review(fact: inbound.NotImproving, work: AlertsWork) -> None:
    _raise(work, fact, Concern("not_improving", "routine", "not_improving", plan(fact.plan_id)))


def when_case_review_due_ask_for_it(fact: inbound.CaseReviewDue, work: AlertsWork) -> None:
    _raise(work, fact, Concern("case_review", "routine", "case_review_due", plan(fact.plan_id)))


def when_hold_review_due_ask_for_it(fact: inbound.HoldReviewDue, work: AlertsWork) -> None:
    _raise(work, fact, Concern("hold_review", "routine", "hold_review_due", plan(fact.plan_id)))


def when_maintenance_review_due_ask_for_it(fact: inbound.MaintenanceReviewDue, work: AlertsWork) -> None:
    about = plan(fact.plan_id)
    _raise(work, fact, Concern("maintenance_review", "routine", "maintenance_review_due", about))


def when_announcement_settled_settle_its_alert(fact: inbound.AnnouncementSettled, work: AlertsWork) -> None:
    """Settle the alert that the announcement raised. Both arrive in one stream."""
    settled, reason = settling.by_announcement(fact)
    _settle(work, settled, reason, only_before=True)


# Intake


def when_intake_review_required_ask_clinician(fact: inbound.IntakeReviewRequired, work: AlertsWork) -> None:
    about = referral(fact.referral_id)
    _raise(
        work, fact, Concern("intake_review", "routine", "intake_review_required", about, codes=fact.reasons)
    )


def when_screening_incomplete_ask_coordinator(fact: inbound.ScreeningIncomplete, work: AlertsWork) -> None:
    about = referral(fact.referral_id)
    _raise(work, fact, Concern("intake_review", "routine", "screening_incomplete", about, codes=fact.missing))


def when_intake_decided_settle_review(fact: inbound.ReferralFact, work: AlertsWork) -> None:
    settled = settling.by_intake_decision(fact.referral_id)
    _settle(work, settled, "intake_decided")


# Dead letters


def when_message_dead_lettered_alert_engineers(fact: inbound.DeadLetter, work: AlertsWork) -> None:
    """Raise one alert per service and reason. A crisis message set aside anywhere is a crisis as well."""
    concern = concerns.of_dead_letter(fact)
    origin = concerns.origin_of_dead_letter(fact.dead_letter_id)
    alert = work.live(concern.kind, concern.about)
    work.keep(concerns.raise_or_join(alert, concern, origin, work.on_call, work.now))
    if fact.crisis:
        _open_or_join_crisis(work, _unreadable(fact.dead_letter_id, fact.patient_id, UNKNOWN, work))


def _raise(
    work: AlertsWork, fact: inbound.PlanFact | inbound.DueFact | inbound.ReferralFact, concern: Concern | None
) -> None:
    if concern is None:
        work.note("alert", "nobody_concerned")
        return
    origin = Origin(
        message_id=work.cause.id or work.cause.correlation_id,
        patient_id=fact.patient_id,
        clinic_id=fact.clinic_id,
        plan_id=getattr(fact, "plan_id", None),
        clinician_id=getattr(fact, "clinician_id", None),
        told_at=work.told_at,
    )
    alert = work.live(concern.kind, concern.about)
    work.keep(concerns.raise_or_join(alert, concern, origin, work.on_call, work.now))


def _settle(
    work: AlertsWork, settled: settling.Settled, reason: EndReason, *, only_before: bool = False
) -> None:
    """`only_before`: settle only an alert whose evidence is no later than the fact.

    For facts that recur: one read late, or replayed as a dead letter, must not settle a newer request.
    """
    for kind, about in settled:
        alert = work.live(kind, about)
        if alert is not None and (not only_before or settling.is_answered(alert, work.told_at)):
            work.keep(settle(alert, reason, work.now))
