"""Events that care_plan consumes, and its reactions to them."""

from services.care_plan import handlers, inbound
from shared.messaging.reactions import Reactions

PLANS = Reactions(
    {
        inbound.IntakeCompleted: handlers.when_intake_completed_start_care_plan,
        inbound.TerminationPhaseDue: handlers.when_termination_phase_due_note_ending_raised,
        inbound.CaseReviewDue: handlers.when_case_review_due_ask_whether_improving,
        inbound.AlertRaised: handlers.when_alert_raised_open_crisis,
        inbound.AlertJoined: handlers.when_alert_joined_note_flag_answered,
        inbound.AlertAcknowledged: handlers.when_alert_acknowledged_note_crisis_taken,
        inbound.AlertAssessed: handlers.when_alert_assessed_note_crisis_assessed,
        inbound.AlertResolved: handlers.when_alert_resolved_let_plans_go_on,
    }
)
