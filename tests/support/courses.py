"""One person's events as the services announce them, from referral to acknowledged crisis, topic by topic."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeVar

from services.alerts import events as alerts
from services.care_plan import events as care
from services.dashboard import inbound
from services.dashboard.domain.alert import Alert
from services.dashboard.domain.person import Person
from services.intake import events as intake
from services.scheduler import events as scheduling
from shared.messaging.envelope import Cause, Envelope, seal
from shared.messaging.event import Event

BEGIN = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)
CLINIC, CLINICIAN = "riverside", "cln_r01"


def later(**delta: float) -> datetime:
    return BEGIN + timedelta(**delta)


def appointment(about: dict[str, str], number: int) -> str:
    """An appointment id that is unique to the person."""
    return f"apt_{about['patient_id']}_{number}"


def history(patient: str = "pat_1", clinic: str = CLINIC) -> list[list[Envelope]]:
    """Messages per topic and subject, each list in order; lists may be interleaved in any way."""
    about = {"patient_id": patient, "clinic_id": clinic}
    plan, referral, alert = f"pln_{patient}", f"ref_{patient}", f"alr_{patient}"
    on_plan = {**about, "plan_id": plan, "clinician_id": CLINICIAN}
    return [
        sealed(referral, _referral(about, referral)),
        sealed(plan, _course(on_plan, referral)),
        sealed(plan, _appointments(on_plan)),
        sealed(plan, _due(on_plan)),
        sealed(f"{plan}-crisis", _flags(about, plan)),
        sealed(alert, _crisis(about, alert)),
    ]


def sealed(subject: str, events: Sequence[Event]) -> list[Envelope]:
    return [
        seal(
            event,
            source="test",
            subject=subject,
            sequence=place,
            now=later(minutes=place),
            cause=Cause("test"),
        )
        for place, event in enumerate(events, start=1)
    ]


def _referral(about: dict[str, str], id: str) -> list[Event]:
    said = {**about, "referral_id": id}
    return [
        intake.ReferralReceived(**said, received_at=BEGIN, source="form"),
        intake.IntakeReviewRequired(**said, reasons=("moderately_severe",), clinician_id=CLINICIAN),
        intake.IntakeCompleted(
            **said, completed_at=later(hours=1), variant="ipt-12", sessions=12, clinician_id=CLINICIAN,
            phq9_total=16, gad7_total=None, maintenance_indications=(), decided_by="clinician",
        ),
    ]  # fmt: skip


def _course(on_plan: dict[str, str], referral: str) -> list[Event]:
    def measured(attended: int, total: int | None) -> Event:
        return care.MeasureRecorded(
            **on_plan, instrument="phq9", total=total, missing_items=(), baseline=16,
            change=None if total is None else total - 16, attended=attended,
            recorded_at=later(weeks=attended),
        )  # fmt: skip

    def attended(number: int, phase: care.PhaseName) -> Event:
        return care.SessionAttended(
            **on_plan, appointment_id=appointment(on_plan, number), attended=number, sessions=12, phase=phase,
            attended_at=later(weeks=number),
        )  # fmt: skip

    return [
        care.CarePlanStarted(
            **on_plan, referral_id=referral, episode=1, protocol_version="2026-01", variant="ipt-12",
            sessions=12, initial_sessions=3, termination_sessions=3, started_at=later(hours=1),
        ),
        care.PhaseEntered(
            **on_plan, phase="initial", previous="initial", attended=0, entered_at=later(hours=1)
        ),
        attended(1, "initial"),
        measured(1, 16),
        care.SessionMissed(
            **on_plan, appointment_id=appointment(on_plan, 2), phase="initial", consecutive=1,
            missed_at=later(weeks=2),
        ),
        attended(3, "initial"),
        measured(3, 22),
        care.DeteriorationDetected(**on_plan, baseline=16, total=22, rise=6),
        care.FocusSelected(**on_plan, problem_areas=("grief",)),
        care.PhaseEntered(
            **on_plan, phase="middle", previous="initial", attended=3, entered_at=later(weeks=3)
        ),
        care.CarePlanHeld(**on_plan, reason="travel", review_on=date(2026, 5, 1), held_at=later(weeks=4)),
        care.CarePlanResumed(**on_plan, resumed_at=later(weeks=5)),
        measured(4, None),
    ]  # fmt: skip


def _appointments(on_plan: dict[str, str]) -> list[Event]:
    def place(number: int, weeks: float) -> dict[str, object]:
        return {
            **on_plan, "appointment_id": appointment(on_plan, number), "number": number, "kind": "acute",
            "starts_at": later(weeks=weeks), "local_time": f"{later(weeks=weeks):%Y-%m-%dT%H:%M:%S}",
            "zone": "America/New_York", "minutes": 60,
        }  # fmt: skip

    booked = [
        scheduling.SessionScheduled.model_validate({**place(n, n), "adjusted": ()}) for n in (1, 2, 3, 4, 5)
    ]
    moved = scheduling.SessionMoved.model_validate(
        {**place(4, 4.5), "previous_starts_at": later(weeks=4), "reason": "holiday"}
    )
    off = scheduling.AppointmentCancelled.model_validate(
        {key: value for key, value in place(5, 5).items() if key not in ("local_time", "zone", "minutes")}
        | {"reason": "held"}
    )
    return [*booked, moved, off]


def _due(on_plan: dict[str, str]) -> list[Event]:
    about = {**on_plan, "late_by_seconds": 0}
    return [
        scheduling.WeeklySessionDue.model_validate(
            {
                **about,
                "appointment_id": appointment(on_plan, 1),
                "number": 1,
                "starts_at": later(weeks=1),
                "due_at": later(days=6),
            }
        ),
        scheduling.SessionOverdue.model_validate(
            {
                **about,
                "appointment_id": appointment(on_plan, 4),
                "number": 4,
                "starts_at": later(weeks=4.5),
                "due_at": later(weeks=5),
            }
        ),
    ]


def _flags(about: dict[str, str], plan: str) -> list[Event]:
    return [
        care.CrisisFlagRaised(
            **about, flag_id="flg_1", plan_id=plan, severity="high", evidence=("cssrs_high",),
            clinician_id=CLINICIAN, raised_at=later(weeks=3),
        )
    ]  # fmt: skip


def alert_raised(*, at: datetime, **said: str) -> alerts.AlertRaised:
    """An unacknowledged alert; `said` overrides the defaults."""
    usual = {"patient_id": "pat_1", "clinic_id": CLINIC, "kind": "crisis", "severity": "high"}
    told = {
        **usual,
        "reason": "crisis_flag",
        "evidence_id": "flg_1",
        "raised_at": at,
        "acknowledge_by": at + timedelta(minutes=5),
    }
    return alerts.AlertRaised.model_validate({**told, **said})


def _crisis(about: dict[str, str], id: str) -> list[Event]:
    said = {**about, "alert_id": id, "kind": "crisis", "severity": "high"}
    at = later(weeks=3)

    def told(number: int, outcome: str) -> Event:
        return alerts.AlertNotified.model_validate(
            {
                **said, "delivery_id": f"dlv_{number}", "step": 0, "contact_id": f"con_{number}",
                "channel": "webhook", "outcome": outcome, "reason": outcome, "attempts": 1, "at": at,
            }
        )  # fmt: skip

    return [
        alert_raised(at=at, **said),
        told(1, "failed"),
        told(2, "delivered"),
        alerts.AlertEscalated.model_validate(
            {**said, "step": 1, "role": "backup", "reason": "not_acknowledged",
             "escalated_at": at + timedelta(minutes=5)}
        ),
        alerts.AlertAcknowledged.model_validate(
            {**said, "by": CLINICIAN, "acknowledged_at": at + timedelta(minutes=6),
             "lease_until": at + timedelta(minutes=36), "in_time": False}
        ),
    ]  # fmt: skip


F = TypeVar("F", bound=inbound.AlertFact)


def alerted(fact: type[F], **said: Any) -> F:
    """A fact about a crisis of `pat_1` as the dashboard receives it; `said` overrides the defaults."""
    usual = {"patient_id": "pat_1", "clinic_id": CLINIC, "alert_id": "alr_1", "kind": "crisis"}
    return fact.model_validate({**usual, "severity": "low", **said})


def alone(alert: Alert) -> Person:
    """A person of whom only this alert is known."""
    return Person(id="pat_1", clinic_id=CLINIC, alerts=(alert.in_short(),))
