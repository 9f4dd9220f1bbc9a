"""Sessions as they happened: attended, missed, cancelled."""

from datetime import datetime, timedelta
from hashlib import blake2b
from itertools import takewhile
from typing import Literal

from services.care_plan.domain.crisis import Cssrs
from services.care_plan.domain.frozen import Frozen
from services.care_plan.domain.measures import Gad7, Phq9, record_measures
from services.care_plan.domain.phases import Closed, Ended, Maintenance
from services.care_plan.domain.plan import Decision, Moment, Plan, RecordedSession, require_phase
from services.care_plan.domain.protocol import Technique
from services.care_plan.domain.refusals import refuse
from services.care_plan.domain.transitions import advance
from services.care_plan.events import PhaseName, SessionAttended, SessionCancelled, SessionMissed

CancelReason = Literal["illness", "travel", "scheduling", "clinician_leave", "holiday", "weather", "other"]


ONE_DAY = timedelta(days=1)
"""[proposed] How long before the plan's start a session may lie. The plan starts with the completed intake,
and a session may have been earlier that day in any time zone: plans do not know the clinic's."""


class Attended(Frozen):
    """The person came. `at`: when, if not now."""

    appointment_id: str
    at: datetime | None = None
    techniques: tuple[Technique, ...] = ()
    phq9: Phq9 | None = None
    gad7: Gad7 | None = None
    cssrs: Cssrs | None = None


class Missed(Frozen):
    """The person did not come."""

    appointment_id: str
    at: datetime | None = None


class Cancelled(Frozen):
    """The session was called off."""

    appointment_id: str
    at: datetime | None = None
    by: Literal["patient", "clinician", "clinic"]
    reason: CancelReason


Happening = Attended | Missed | Cancelled


def content_of(session: Happening) -> str:
    """Digest of what is recorded about an appointment."""
    written = f"{type(session).__name__} {session.model_dump_json()}"
    return blake2b(written.encode(), digest_size=16).hexdigest()


def is_recorded(plan: Plan, session: Happening) -> bool:
    """Whether exactly this record exists already.

    Refuses `appointment_recorded_otherwise` if the appointment has a different record.
    """
    for known in plan.sessions:
        if known.appointment_id == session.appointment_id:
            if known.content != content_of(session):
                refuse("appointment_recorded_otherwise", outcome=known.outcome)
            return True
    return False


def record_session(plan: Plan, session: Happening, moment: Moment) -> Decision:
    """Record what became of an appointment; only attended sessions advance a phase.

    A session before the end of treatment or the plan's closure may be recorded afterwards, and then changes
    no phase. Refuses `wrong_phase` and `plan_closed` for a later session, `on_hold` for one after the hold
    began, `session_in_the_future`, `session_before_plan`, and `contract_fulfilled` after the N-th.
    """
    if is_recorded(plan, session):
        return plan, []
    at = session.at or moment.now
    phase = _phase_at(plan, at)
    if plan.hold is not None and at >= plan.hold.held_at:
        refuse("on_hold")
    if at > moment.now:
        refuse("session_in_the_future")
    if at < plan.started_at - ONE_DAY:
        refuse("session_before_plan")
    match session:
        case Attended():
            return _attend(plan, session, at, phase, moment)
        case Missed():
            return _miss(plan, session, at, phase)
        case Cancelled():
            return _cancel(plan, session, at, phase)


def _phase_at(plan: Plan, at: datetime) -> PhaseName:
    """The phase in which a session took place. Refuses `wrong_phase` or `plan_closed` if there is none."""
    match plan.phase:
        case Ended(entered_at=over) | Maintenance(entered_at=over) if at < over:
            return "termination"
        case Closed(entered_at=over, previous=previous) if at < over:
            return "termination" if previous == "ended" else previous
    require_phase(plan, "initial", "middle", "termination", "maintenance")
    return plan.phase.name


def _counted(plan: Plan, at: datetime, phase: PhaseName) -> tuple[Plan, int]:
    """Count one more attended session of acute treatment or maintenance; return the plan and its number."""
    if phase != "maintenance":
        if phase == plan.phase.name and plan.remaining <= 0 and at >= _last_attended(plan):
            refuse("contract_fulfilled", sessions=plan.contract.sessions)
        return plan.changed(attended=plan.attended + 1), plan.attended + 1
    number = 1 + sum(known.outcome == "attended" and known.phase == phase for known in plan.sessions)
    if isinstance(plan.phase, Maintenance):
        plan = plan.changed(phase=plan.phase.model_copy(update={"attended": number}))
    return plan, number


def _last_attended(plan: Plan) -> datetime:
    """When the latest attended session took place. Raises `ValueError` if there is none."""
    return max(known.at for known in plan.sessions if known.outcome == "attended")


def _attend(plan: Plan, session: Attended, at: datetime, phase: PhaseName, moment: Moment) -> Decision:
    plan, number = _counted(plan, at, phase)
    attended = SessionAttended(
        **plan.identity,
        appointment_id=session.appointment_id,
        attended=number,
        sessions=None if phase == "maintenance" else plan.contract.sessions,
        phase=phase,
        attended_at=at,
    )
    record = RecordedSession(
        appointment_id=session.appointment_id,
        outcome="attended",
        at=at,
        phase=phase,
        number=number,
        techniques=session.techniques,
        content=content_of(session),
    )
    plan = _with(plan, record)
    plan, measured = record_measures(plan, session.phq9, session.gad7, at, moment)
    plan, entered = advance(plan, moment)
    return plan, [attended, *measured, *entered]


def _miss(plan: Plan, session: Missed, at: datetime, phase: PhaseName) -> Decision:
    """Record a no-show, with the length of the run: two in a row call for a coordinator's review [proposed].

    Sessions are counted in the order in which they took place, even if recorded late.
    """
    record = RecordedSession(
        appointment_id=session.appointment_id,
        outcome="missed",
        at=at,
        phase=phase,
        content=content_of(session),
    )
    plan = _with(plan, record)
    came_since = any(known.outcome == "attended" and known.at > at for known in plan.sessions)
    missed = SessionMissed(
        **plan.identity,
        appointment_id=session.appointment_id,
        phase=phase,
        consecutive=_missed_in_a_row(plan, until=at if came_since else None),
        missed_at=at,
        after_closure=isinstance(plan.phase, Closed),
    )
    return plan, [missed]


def _with(plan: Plan, record: RecordedSession) -> Plan:
    plan = plan.changed(sessions=(*plan.sessions, record))
    return plan.changed(missed_in_a_row=_missed_in_a_row(plan))


def _missed_in_a_row(plan: Plan, *, until: datetime | None = None) -> int:
    """Sessions missed since the last attended one; those after `until`, if given, are ignored."""
    took_place = [s for s in plan.sessions if s.outcome != "cancelled" and (until is None or s.at <= until)]
    in_order = sorted(took_place, key=lambda session: session.at)
    return sum(1 for _ in takewhile(lambda session: session.outcome == "missed", in_order[::-1]))


def _cancel(plan: Plan, session: Cancelled, at: datetime, phase: PhaseName) -> Decision:
    record = RecordedSession(
        appointment_id=session.appointment_id,
        outcome="cancelled",
        at=at,
        phase=phase,
        cancelled_by=session.by,
        reason=session.reason,
        content=content_of(session),
    )
    cancelled = SessionCancelled(
        **plan.identity,
        appointment_id=session.appointment_id,
        phase=phase,
        cancelled_by=session.by,
        reason=session.reason,
        cancelled_at=at,
    )
    return plan.changed(sessions=(*plan.sessions, record)), [cancelled]
