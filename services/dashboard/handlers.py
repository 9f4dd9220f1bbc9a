"""Reactions of the read model: each stores the person, or the alert, as they are after the fact."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from services.dashboard import inbound
from services.dashboard.domain import alerting, courses, referrals
from services.dashboard.domain.alert import Alert
from services.dashboard.domain.person import UNKNOWN, Person
from services.dashboard.store import ReadWork
from shared.messaging.event import Inbound
from shared.messaging.reactions import Reaction

Fold = Callable[[Person, Any], Person]


def _at(work: ReadWork) -> datetime:
    """When the fact was announced, for facts that carry no time of their own."""
    return work.message.time if work.message else work.now


def shows(fold: Fold) -> Reaction:
    """A reaction that folds the fact into the person and their story."""

    def show(fact: Inbound, work: ReadWork) -> None:
        """The person is shown as they are after this fact."""
        work.tell(fact)
        _keep(work, fact, fold(work.person(fact.patient_id), fact))

    return _named(show, _when(fold))


def shows_in_its_place(fold: Callable[[Person, Any, int], Person]) -> Reaction:
    """As `shows`, but the fold also gets the message's sequence, because the order of messages matters."""

    def show(fact: Inbound, work: ReadWork) -> None:
        """The person is shown as they are after this fact."""
        work.tell(fact)
        _keep(work, fact, fold(work.person(fact.patient_id), fact, work.place))

    return _named(show, _when(fold))


def _named(reaction: Reaction, name: str) -> Reaction:
    """Name a generated reaction: reactions are published by name, so each has to tell what it does."""
    reaction.__name__ = name
    return reaction


def _when(fold: Callable[..., Person]) -> str:
    """`courses.held` becomes `when_course_held_show_it`."""
    return f"when_{fold.__module__.rpartition('.')[2].removesuffix('s')}_{fold.__name__}_show_it"


def _keep(work: ReadWork, fact: Inbound, person: Person) -> None:
    """Store the person with the clinic of the last fact that named one."""
    if fact.clinic_id != UNKNOWN:
        person = person.but(clinic_id=fact.clinic_id)
    work.keep(person)


def when_announced_tell_in_the_story(fact: Inbound, work: ReadWork) -> None:
    """The fact is added to the person's story; it changes nothing in the caseload."""
    work.tell(fact)


def when_crisis_flagged_show_it(fact: inbound.CrisisFlag, work: ReadWork) -> None:
    """A flagged person comes first in the caseload until a crisis alert is known for the flag."""
    work.tell(fact)
    message_id = work.message.id if work.message else ""
    _keep(work, fact, referrals.flagged(work.person(fact.patient_id), fact, message_id))


def when_intake_declined_show_it(fact: inbound.IntakeDeclined, work: ReadWork) -> None:
    work.tell(fact)
    _keep(work, fact, referrals.declined(work.person(fact.patient_id), fact, _at(work)))


def finds(kind: str, *inputs: str) -> Reaction:
    """A reaction to a finding of care_plan's rules that stores it with the numbers that explain it."""

    def mark(fact: inbound.PlanFact, work: ReadWork) -> None:
        """The course keeps the finding until a later one of the same kind replaces it."""
        work.tell(fact)
        known = {name: getattr(fact, name) for name in inputs}
        _keep(work, fact, courses.found(work.person(fact.patient_id), fact, kind, _at(work), **known))

    return _named(mark, f"when_{kind}_found_mark_the_course")


def when_phase_overdue_mark_the_course(fact: inbound.PhaseOverdue, work: ReadWork) -> None:
    work.tell(fact)
    inputs = {"phase": fact.phase, "attended": fact.attended, "missing": ", ".join(fact.missing)}
    _keep(work, fact, courses.found(work.person(fact.patient_id), fact, "phase_overdue", _at(work), **inputs))


def when_alert_raised_show_it(fact: inbound.AlertRaised, work: ReadWork) -> None:
    _show(fact, alerting.raised(fact), work)


def when_alert_changed_show_it(fact: inbound.AlertFact, work: ReadWork) -> None:
    """The alert shows who was notified, who holds it, and how it ended."""
    _show(fact, alerting.changed(work.alerts[fact.alert_id], fact), work)


def _show(fact: inbound.AlertFact, alert: Alert, work: ReadWork) -> None:
    work.tell(fact)
    work.alerts.save(alert)
    if alerting.is_about_a_person(fact):
        cause = work.message.causation_id if work.message else None
        person = alerting.heard(work.person(fact.patient_id), fact, cause)
        _keep(work, fact, alerting.shown_with(person, alert))
