"""The events alerts subscribes to, and its reaction to each. Crisis flags have a lane of their own."""

from services.alerts import handlers, inbound
from shared.messaging.reactions import Reactions

CRISIS = Reactions(
    {
        inbound.IntakeCrisisFlagRaised: handlers.when_crisis_flag_raised_open_or_join_crisis,
        inbound.CarePlanCrisisFlagRaised: handlers.when_crisis_flag_raised_open_or_join_crisis,
    }
)

WORK = Reactions(
    {
        inbound.PhaseEntered: handlers.when_phase_entered_announce_transition,
        inbound.PhaseOverdue: handlers.when_phase_overdue_ask_for_its_work,
        inbound.ContractRevised: handlers.when_contract_revised_settle_phase_with_sessions_to_come,
        inbound.SessionAttended: handlers.when_session_attended_settle_absences,
        inbound.SessionMissed: handlers.when_session_missed_ask_for_outreach,
        inbound.SessionCancelled: handlers.when_session_cancelled_settle_unrecorded,
        inbound.NotImproving: handlers.when_not_improving_ask_for_review,
        inbound.DeteriorationDetected: handlers.when_deterioration_detected_alert_clinician,
        inbound.RelapseSignalled: handlers.when_relapse_signalled_ask_clinician,
        inbound.MaintenanceContracted: handlers.when_maintenance_contracted_announce_it,
        inbound.MaintenanceDiscussed: handlers.when_maintenance_discussed_announce_it,
        inbound.CarePlanResumed: handlers.when_care_plan_resumed_settle_hold_review,
        inbound.CarePlanClosed: handlers.when_care_plan_closed_settle_what_is_moot,
        inbound.TerminationPhaseDue: handlers.when_termination_phase_due_announce_it,
        inbound.MaintenanceSessionDue: handlers.when_maintenance_session_due_announce_it,
        inbound.SessionOverdue: handlers.when_session_overdue_ask_for_its_record,
        inbound.CaseReviewDue: handlers.when_case_review_due_ask_for_it,
        inbound.HoldReviewDue: handlers.when_hold_review_due_ask_for_it,
        inbound.MaintenanceReviewDue: handlers.when_maintenance_review_due_ask_for_it,
        inbound.AnnouncementSettled: handlers.when_announcement_settled_settle_its_alert,
        inbound.IntakeReviewRequired: handlers.when_intake_review_required_ask_clinician,
        inbound.ScreeningIncomplete: handlers.when_screening_incomplete_ask_coordinator,
        inbound.IntakeCompleted: handlers.when_intake_decided_settle_review,
        inbound.IntakeDeclined: handlers.when_intake_decided_settle_review,
        **dict.fromkeys(inbound.DEAD_LETTERS, handlers.when_message_dead_lettered_alert_engineers),
    }
)
