"""Resolves roles to people for one alert, from the policy and the clinic hours together."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from services.alerts.domain.hours import AROUND_THE_CLOCK, ClinicHours
from services.alerts.domain.policy import Contact, ContactRole, Ladder, OnCallPolicy, Reach, Step
from services.alerts.events import AlertKind, Severity


class Concerned(Protocol):
    """What the roster reads of an alert."""

    @property
    def kind(self) -> AlertKind: ...
    @property
    def severity(self) -> Severity: ...
    @property
    def clinic_id(self) -> str: ...
    @property
    def clinician_id(self) -> str | None: ...


@dataclass(frozen=True)
class OnCall:
    """The policy with the hours of each clinic."""

    policy: OnCallPolicy
    clinic_hours: Mapping[str, ClinicHours]

    @property
    def strangers(self) -> list[str]:
        """Clinics with people on call but without known hours: one that closed, or a mistyped id."""
        return sorted(self.policy.clinics.keys() - self.clinic_hours.keys())

    def hours(self, clinic_id: str) -> ClinicHours:
        return self.clinic_hours.get(clinic_id, AROUND_THE_CLOCK)

    def ladder(self, alert: Concerned) -> Ladder:
        """Only alerts above routine have one."""
        if alert.kind == "dead_letter":
            ladders = self.policy.engineering
            return ladders.high if alert.severity == "high" else ladders.moderate
        clinical = self.policy.clinical
        match alert.severity:
            case "high":
                return clinical.high
            case "moderate":
                return clinical.moderate
            case _:
                return clinical.low

    def roster(self, alert: Concerned) -> tuple[Contact, ...]:
        """The clinic's people. If the clinic is unknown, the people of every clinic."""
        if alert.kind == "dead_letter":
            return self.policy.engineers
        if self.is_known(alert.clinic_id):
            return self.policy.clinics[alert.clinic_id]
        return tuple(contact for contacts in self.policy.clinics.values() for contact in contacts)

    def is_known(self, clinic_id: str) -> bool:
        """Whether the clinic has people of its own. If not, its alerts are told and shown to everybody."""
        return clinic_id in self.policy.clinics

    def members(self, alert: Concerned, subjects: Collection[str]) -> tuple[Contact, ...]:
        """Contacts on the alert's roster that have one of these subjects."""
        return tuple(contact for contact in self.roster(alert) if contact.subject in subjects)

    def reach(self, alert: Concerned, step: Step) -> Reach:
        """The step's own reach. `all` for an unknown clinic, whose first contact may be from any clinic."""
        somewhere = alert.kind == "dead_letter" or self.is_known(alert.clinic_id)
        return step.reach if somewhere else "all"

    def contacts(self, alert: Concerned, roles: tuple[ContactRole, ...]) -> tuple[Contact, ...]:
        """Everybody with one of these roles, in the order of the roles, without duplicates."""
        roster = self.roster(alert)
        found = {c.id: c for role in roles for c in roster if _is(c, role, alert.clinician_id)}
        return tuple(found.values())

    def contact(self, contact_id: str) -> Contact | None:
        return self._by_id.get(contact_id)

    def contacts_of(self, subject: str) -> tuple[Contact, ...]:
        return tuple(contact for contact in self._by_id.values() if contact.subject == subject)

    @cached_property
    def _by_id(self) -> dict[str, Contact]:
        return {contact.id: contact for contact in self.policy.people()}


def _is(contact: Contact, role: ContactRole, clinician_id: str | None) -> bool:
    if role == "everyone":
        return True
    if role == "treating_clinician":
        return clinician_id is not None and contact.subject == clinician_id
    return role in contact.roles
