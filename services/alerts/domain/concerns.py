"""Turns a fact of care into an alert: its kind, its severity and what it is about.

Severities of kinds other than crisis are [proposed]; transitions and maintenance are announced calmly
(clinical.md, Sessions, absence and maintenance: the transition is announced to clinician and coordinator).
"""

from dataclasses import dataclass
from datetime import datetime

from services.alerts import inbound
from services.alerts.domain.alert import UNKNOWN, Alert, Evidence, Outcome, identify
from services.alerts.domain.crisis import CrisisHistory, recency
from services.alerts.domain.policy import Rules
from services.alerts.domain.raising import joined, raised, with_evidence
from services.alerts.domain.reasons import RaiseReason
from services.alerts.domain.roster import OnCall
from services.alerts.events import AlertKind, Severity


@dataclass(frozen=True, slots=True)
class Concern:
    """`kind` and `about` determine which live alert it joins. `informational`: ends once people were told.

    `at`: when it happened, if not when it was announced.
    """

    kind: AlertKind
    severity: Severity
    reason: RaiseReason
    about: str
    informational: bool = False
    codes: tuple[str, ...] = ()
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a concern comes from. `message_id`: the fact's message, which makes the alert's id stable.

    `told_at`: when the fact was announced, if not now.
    """

    message_id: str
    patient_id: str
    clinic_id: str
    plan_id: str | None = None
    clinician_id: str | None = None
    told_at: datetime | None = None


def raise_or_join(
    alert: Alert | None, concern: Concern, origin: Origin, on_call: OnCall, now: datetime
) -> Outcome:
    """Raise an alert, or join the live one of the same kind about the same thing."""
    evidence = Evidence(
        id=origin.message_id,
        source="dead_letter" if concern.kind == "dead_letter" else "fact",
        severity=concern.severity,
        reason=concern.reason,
        codes=concern.codes,
        at=concern.at or origin.told_at or now,
    )
    if alert is not None:
        if any(known.id == evidence.id for known in alert.evidence):
            return Outcome(alert)
        return joined(_placed(alert, origin), evidence, on_call, now)
    opened = Alert(
        id=identify(concern.kind, concern.about, origin.message_id),
        patient_id=origin.patient_id,
        clinic_id=origin.clinic_id,
        kind=concern.kind,
        severity=concern.severity,
        about=concern.about,
        reason=concern.reason,
        informational=concern.informational,
        plan_id=origin.plan_id,
        clinician_id=origin.clinician_id,
        raised_at=now,
    )
    return raised(with_evidence(opened, evidence), on_call, now)


def _placed(alert: Alert, origin: Origin) -> Alert:
    """Fill in the plan and the clinician if earlier facts did not name them."""
    told = {"plan_id": origin.plan_id, "clinician_id": origin.clinician_id}
    news = {name: id for name, id in told.items() if id is not None and getattr(alert, name) is None}
    return alert.model_copy(update=news)


def plan(plan_id: str) -> str:
    return f"plan:{plan_id}"


def appointment(appointment_id: str) -> str:
    return f"appointment:{appointment_id}"


def referral(referral_id: str) -> str:
    return f"referral:{referral_id}"


def of_phase_entered(fact: inbound.PhaseEntered) -> Concern | None:
    """Termination phase, end and maintenance are announced. The other phases raise no alert."""
    announced: dict[str, tuple[AlertKind, RaiseReason]] = {
        "termination": ("termination_phase", "termination_phase_entered"),
        "ended": ("termination_phase", "treatment_ended"),
        "maintenance": ("maintenance", "maintenance_started"),
    }
    if fact.phase not in announced:
        return None
    kind, reason = announced[fact.phase]
    return transition(kind, reason, plan(fact.plan_id))


def transition(kind: AlertKind, reason: RaiseReason, about: str) -> Concern:
    """Something people should know but need not answer."""
    return Concern(kind, "routine", reason, f"{about}/{reason}", informational=True)


def of_missed_session(
    fact: inbound.SessionMissed, history: CrisisHistory | None, rules: Rules, now: datetime
) -> Concern:
    """clinical.md, Sessions: with an open crisis, or one in the past 90 days, the clinician is alerted
    within the hour (moderate pages at once); two in a row ask for a coordinator's review (in clinic hours);
    otherwise it waits for the digest of the same day.
    """
    severity, reason = _of_absence(fact, history, rules, now)
    return Concern("missed_session", severity, reason, plan(fact.plan_id), at=fact.missed_at)


def _of_absence(
    fact: inbound.SessionMissed, history: CrisisHistory | None, rules: Rules, now: datetime
) -> tuple[Severity, RaiseReason]:
    match recency(history, rules, now):
        case "open":
            return "moderate", "session_missed_in_crisis"
        case "recent":
            return "moderate", "session_missed_after_crisis"
    if fact.consecutive >= rules.missed_in_a_row:
        return "low", "sessions_missed_in_a_row"
    return "routine", "session_missed"


def of_dead_letter(fact: inbound.DeadLetter) -> Concern:
    """One alert per service and reason, for engineers. A crisis message that was set aside is urgent."""
    return Concern(
        "dead_letter",
        "high" if fact.crisis else "moderate",
        "message_dead_lettered",
        dead_letters(fact.service, fact.reason),
        codes=(fact.reason,),
    )


def dead_letters(service: str, reason: str) -> str:
    return f"dead_letters:{service}:{reason}"


def origin_of_dead_letter(dead_letter_id: str) -> Origin:
    """The origin of an alert about a service, not a person."""
    return Origin(message_id=dead_letter_id, patient_id=UNKNOWN, clinic_id=UNKNOWN)
