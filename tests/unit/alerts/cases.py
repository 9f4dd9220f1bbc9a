"""A small on-call policy, a clinic, and the facts of the tests."""

from datetime import UTC, date, datetime, time, timedelta
from itertools import count
from pathlib import Path
from zoneinfo import ZoneInfo

from services.alerts.domain import crisis
from services.alerts.domain.alert import Alert, Assessment, Disposition, Evidence, Outcome
from services.alerts.domain.crisis import CrisisHistory, Report
from services.alerts.domain.hours import ClinicHours
from services.alerts.domain.policy import Address, Contact, OnCallPolicy
from services.alerts.domain.roster import OnCall
from services.alerts.events import Severity

SHIPPED = Path(__file__).parents[3] / "deploy" / "config" / "on_call.json"
CLINIC, PATIENT = "riverside", "pat_1"
MONDAY = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)
"""Monday, 10:00 in New York: within clinic hours."""
NIGHT = datetime(2026, 3, 3, 4, 0, tzinfo=UTC)
"""Monday, 23:00 in New York."""
HOURS = ClinicHours(
    zone=ZoneInfo("America/New_York"),
    days=frozenset(range(5)),
    opens=time(9),
    closes=time(17),
    holidays={date(2026, 7, 3)},
)
_number = count(1)


def minutes(number: float) -> timedelta:
    return timedelta(minutes=number)


def shipped_policy() -> OnCallPolicy:
    return OnCallPolicy.model_validate_json(SHIPPED.read_bytes())


def on_call(*contacts: Contact, engineers: tuple[Contact, ...] = ()) -> OnCall:
    """The shipped policy, with these people at the clinic instead of the shipped ones."""
    policy = shipped_policy()
    clinics = {**policy.clinics, CLINIC: contacts} if contacts else policy.clinics
    changed = policy.model_copy(update={"clinics": clinics, "engineers": engineers or policy.engineers})
    return OnCall(changed, {CLINIC: HOURS})


def with_ladder_of(steps: int) -> OnCall:
    """The shipped policy, whose ladder for high has lost the steps before the last."""
    policy = shipped_policy()
    high = policy.clinical.high
    shorter = high.model_copy(update={"steps": (*high.steps[: steps - 1], high.steps[-1])})
    clinical = policy.clinical.model_copy(update={"high": shorter})
    return OnCall(policy.model_copy(update={"clinical": clinical}), {CLINIC: HOURS})


def contact(id: str, *roles: str, **channels: str) -> Contact:
    addresses = tuple(Address.model_validate({"kind": kind, "to": to}) for kind, to in channels.items())
    return Contact.model_validate({"id": id, "subject": f"sub_{id}", "roles": roles, "channels": addresses})


def report(
    severity: Severity = "high", id: str | None = None, *, clinician: str | None = "cln_r05"
) -> Report:
    evidence = Evidence(
        id=id or f"flg_{next(_number)}",
        source="flag",
        severity=severity,
        reason="crisis_flag",
        at=MONDAY,
    )
    return Report(PATIENT, CLINIC, clinician, evidence)


def opened(
    severity: Severity = "high", now: datetime = MONDAY, desk: OnCall | None = None
) -> tuple[CrisisHistory, Outcome]:
    taken = crisis.open_or_join(None, None, report(severity), desk or on_call(), now)
    assert taken is not None
    return taken


def a_crisis(severity: Severity = "high", now: datetime = MONDAY, desk: OnCall | None = None) -> Alert:
    return opened(severity, now, desk)[1].alert


def joins(
    history: CrisisHistory, alert: Alert, found: Report, now: datetime, desk: OnCall | None = None
) -> Outcome:
    taken = crisis.open_or_join(history, alert, found, desk or on_call(), now)
    assert taken is not None
    return taken[1]


def assessment(now: datetime, *, contact_made: bool = True) -> Assessment:
    return Assessment(by="cln_r01", at=now, result="managed_with_safety_plan", contact_made=contact_made)


def disposition(now: datetime, contact_after: timedelta = timedelta(days=1)) -> Disposition:
    return Disposition(result="managed_with_safety_plan", safety_plan=True, next_contact=now + contact_after)


def told(outcome: Outcome) -> set[str]:
    """Whom the deliveries of an outcome go to."""
    return {delivery.contact_id for delivery in outcome.deliveries}


def names(outcome: Outcome) -> list[str]:
    return [type(event).__name__ for event in outcome.events]


def reasons(alert: Alert, what: str) -> list[str]:
    return [decision.reason for decision in alert.decisions if decision.what == what]
