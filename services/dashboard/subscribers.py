"""The dashboard's subscriptions: every event of the other services."""

from services.dashboard import inbound
from services.dashboard.domain import appointments, courses, referrals
from services.dashboard.handlers import (
    finds,
    shows,
    shows_in_its_place,
    when_alert_changed_show_it,
    when_alert_raised_show_it,
    when_announced_tell_in_the_story,
    when_crisis_flagged_show_it,
    when_intake_declined_show_it,
    when_phase_overdue_mark_the_course,
)
from shared.messaging.reactions import Reactions

CHANGES = (
    inbound.AlertJoined,
    inbound.AlertNotified,
    inbound.AlertEscalated,
    inbound.AlertAcknowledged,
    inbound.AlertHandedOver,
    inbound.AlertAssessed,
    inbound.AlertResolved,
)
TOLD = (
    inbound.MaintenanceDiscussed,
    inbound.WeeklySessionDue,
    inbound.SessionReminderDue,
    inbound.MaintenanceSessionDue,
    inbound.TerminationPhaseDue,
    inbound.CaseReviewDue,
    inbound.MaintenanceReviewDue,
    inbound.HoldReviewDue,
    inbound.AnnouncementSkipped,
    inbound.AnnouncementSettled,
)

PEOPLE = Reactions(
    {
        inbound.ReferralReceived: shows(referrals.received),
        inbound.ScreeningIncomplete: shows(referrals.incomplete),
        inbound.IntakeReviewRequired: shows(referrals.in_review),
        inbound.IntakeCompleted: shows(referrals.completed),
        inbound.IntakeDeclined: when_intake_declined_show_it,
        inbound.IntakeCrisisFlagRaised: when_crisis_flagged_show_it,
        inbound.CarePlanCrisisFlagRaised: when_crisis_flagged_show_it,
        inbound.CarePlanStarted: shows(courses.started),
        inbound.PhaseEntered: shows(courses.entered),
        inbound.PhaseOverdue: when_phase_overdue_mark_the_course,
        inbound.FocusSelected: shows(courses.focused),
        inbound.ContractRevised: shows(courses.revised),
        inbound.SessionAttended: shows(courses.attended),
        inbound.SessionMissed: shows(courses.missed),
        inbound.SessionCancelled: shows(courses.session_cancelled),
        inbound.MeasureRecorded: shows(courses.measured),
        inbound.ResponseReached: finds("response", "baseline", "total"),
        inbound.RemissionReached: finds("remission", "baseline", "total"),
        inbound.NotImproving: finds("not_improving", "week", "baseline", "total"),
        inbound.DeteriorationDetected: finds("deterioration", "baseline", "total", "rise"),
        inbound.RelapseSignalled: finds("relapse", "end_of_acute", "total"),
        inbound.MaintenanceContracted: shows(courses.maintained),
        inbound.CarePlanHeld: shows_in_its_place(courses.held),
        inbound.CarePlanResumed: shows_in_its_place(courses.resumed),
        inbound.CarePlanClosed: shows(courses.closed),
        inbound.SessionScheduled: shows(appointments.scheduled),
        inbound.SessionMoved: shows(appointments.moved),
        inbound.AppointmentCancelled: shows(appointments.withdrawn),
        inbound.SessionOverdue: shows(appointments.overdue),
        inbound.AlertRaised: when_alert_raised_show_it,
        **dict.fromkeys(CHANGES, when_alert_changed_show_it),
        **dict.fromkeys(TOLD, when_announced_tell_in_the_story),
    }
)
