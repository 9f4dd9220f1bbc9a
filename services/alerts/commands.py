"""What people do with alerts over HTTP: load, decide, answer."""

from collections.abc import Callable

from services.alerts.domain import acknowledgement
from services.alerts.domain.alert import Alert, Assessment, Disposition, Outcome
from services.alerts.domain.roster import OnCall
from services.alerts.events import DispositionResult
from services.alerts.store import ALERTS, AlertsWork, load_with_deliveries
from services.alerts.views import detail
from shared.errors import Refused
from shared.http.caller import ALL_CLINICS, Call, Caller
from shared.http.commands import Reply
from shared.http.guard import if_match
from shared.messaging.work import NotFound
from shared.mongo import Document

Rule = Callable[[Alert], Outcome]


def cares(caller: Caller) -> bool:
    return bool(caller.roles & {"clinician", "coordinator", "service"})


def engineers(caller: Caller) -> bool:
    return bool(caller.roles & {"engineer", "service"})


def sees(caller: Caller, alert: Alert, on_call: OnCall) -> bool:
    """Engineers see dead letters only. People of a clinic see its alerts and those of unknown clinics:
    somebody must answer an unreadable crisis message, and they are the ones who are paged."""
    if alert.kind == "dead_letter":
        return engineers(caller)
    return cares(caller) and (not on_call.is_known(alert.clinic_id) or caller.sees(alert.clinic_id))


def visible(caller: Caller, on_call: OnCall) -> Document:
    """`sees` as a query."""
    groups: list[Document] = []
    if engineers(caller):
        groups.append({"kind": "dead_letter"})
    if cares(caller):
        carers: Document = {"kind": {"$ne": "dead_letter"}}
        if caller.clinic != ALL_CLINICS:
            carers["clinic_id"] = {"$nin": sorted(on_call.policy.clinics.keys() - {caller.clinic})}
        groups.append(carers)
    return groups[0] if len(groups) == 1 else {"$or": groups}


def seen(work: AlertsWork, caller: Caller, alert_id: str) -> Alert:
    """Raises `NotFound` for an alert that does not exist or that the caller may not see."""
    alert = work.alerts[alert_id]
    if not sees(caller, alert, work.on_call):
        raise NotFound(ALERTS, alert_id)
    return alert


async def load_alert(work: AlertsWork, alert_id: str) -> None:
    """Load the alert, its deliveries and, for a crisis, the person's crisis history."""
    await load_with_deliveries(work, alert_id)
    alert = work.alerts.get(alert_id)
    if alert is not None and alert.kind == "crisis":
        await work.histories.load([alert.patient_id])


def show(work: AlertsWork, call: Call, alert_id: str) -> Reply:
    return _reply(work, seen(work, call.caller, alert_id))


def acknowledge(work: AlertsWork, call: Call, alert_id: str) -> Reply:
    by = call.caller.subject
    return _apply(work, call, alert_id, lambda a: acknowledgement.acknowledge(a, by, work.on_call, work.now))


def assess(
    work: AlertsWork, call: Call, alert_id: str, result: DispositionResult, contact_made: bool
) -> Reply:
    assessment = Assessment(by=call.caller.subject, at=work.now, result=result, contact_made=contact_made)
    return _apply(
        work, call, alert_id, lambda a: acknowledgement.assess(a, assessment, work.on_call, work.now)
    )


def hand_over(work: AlertsWork, call: Call, alert_id: str, contact_id: str) -> Reply:
    """Raises `Refused("contact_unknown")`."""
    to = work.on_call.contact(contact_id)
    by = call.caller.subject
    seen(work, call.caller, alert_id)
    if to is None:
        raise Refused("contact_unknown")
    return _apply(
        work, call, alert_id, lambda a: acknowledgement.hand_over(a, by, to, work.on_call, work.now)
    )


def resolve(work: AlertsWork, call: Call, alert_id: str, disposition: Disposition) -> Reply:
    by = call.caller.subject
    reply = _apply(work, call, alert_id, lambda a: acknowledgement.resolve(a, by, disposition, work.now))
    alert = work.alerts[alert_id]
    if alert.kind == "crisis" and not alert.live:
        work.end_crisis(alert)
    return reply


def _apply(work: AlertsWork, call: Call, alert_id: str, rule: Rule) -> Reply:
    """Apply a rule to an alert that the caller sees. If nothing changes, reply without writing."""
    alert = seen(work, call.caller, alert_id)
    if_match(call, work.alerts.version(alert_id))
    outcome = rule(alert)
    if outcome.alert != alert or outcome.events:
        work.keep(outcome)
    return _reply(work, outcome.alert)


def _reply(work: AlertsWork, alert: Alert) -> Reply:
    version = work.alerts.version(alert.id)
    told = [delivery for delivery in work.deliveries if alert.id in delivery.alert_ids]
    return Reply(detail(alert, told, version), version=version)
