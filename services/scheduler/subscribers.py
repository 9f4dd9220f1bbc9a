"""The events the scheduler subscribes to, and its reaction to each."""

from services.scheduler import handlers, inbound
from shared.messaging.reactions import Reactions

PLANS = Reactions(
    {
        inbound.CarePlanStarted: handlers.when_care_plan_started_book_the_course,
        inbound.SessionAttended: handlers.when_session_attended_record_it,
        inbound.SessionMissed: handlers.when_session_missed_extend_the_course,
        inbound.SessionCancelled: handlers.when_session_cancelled_extend_the_course,
        inbound.ContractRevised: handlers.when_contract_revised_fit_the_course,
        inbound.PhaseEntered: handlers.when_phase_entered_remember_it,
        inbound.MaintenanceContracted: handlers.when_maintenance_contracted_book_it,
        inbound.CarePlanHeld: handlers.when_care_plan_held_take_the_course_off,
        inbound.CarePlanResumed: handlers.when_care_plan_resumed_book_the_rest,
        inbound.CarePlanClosed: handlers.when_care_plan_closed_take_everything_off,
    }
)
