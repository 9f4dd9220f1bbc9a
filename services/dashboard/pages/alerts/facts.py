"""Data the alerts pages fetch from other services: the on-call rosters and the clinics' time zones."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from services.dashboard.web.services import Answer, Services
from services.dashboard.web.viewer import Viewer

KEPT_SECONDS = 5.0
PATIENCE_SECONDS = 1.5
"""Timeout of a request, so that a service that hangs does not hold up a list."""

UTC_ZONE = "UTC"


@dataclass(frozen=True)
class Contact:
    """A member of staff on a roster; `clinic` is empty for engineers."""

    id: str
    subject: str
    roles: tuple[str, ...]
    channels: tuple[str, ...]
    clinic: str = ""


@dataclass(frozen=True)
class Facts:
    """Rosters and zones as far as known; where they are not, pages show ids, and times in UTC."""

    contacts: Mapping[str, Contact] = field(default_factory=dict)
    zones: Mapping[str, str] = field(default_factory=dict)
    reachable: bool = True
    """True if the alerts service answers."""

    def who(self, contact_id: str) -> str:
        contact = self.contacts.get(contact_id)
        return contact.subject if contact else contact_id

    def roles_of(self, contact_id: str) -> tuple[str, ...]:
        contact = self.contacts.get(contact_id)
        return contact.roles if contact else ()

    def of_subject(self, subject: str) -> list[str]:
        """The contact ids of a member of staff."""
        return [contact.id for contact in self.contacts.values() if contact.subject == subject]

    def zone(self, clinic_id: str) -> str:
        return self.zones.get(clinic_id, UTC_ZONE)

    def roster(self, clinic_id: str, kind: str) -> list[Contact]:
        """Contacts an alert can be handed to: the clinic's, or all clinics' if its own has none.

        A dead letter can be handed to engineers only.
        """
        if kind == "dead_letter":
            return [contact for contact in self.contacts.values() if not contact.clinic]
        people = [contact for contact in self.contacts.values() if contact.clinic]
        return [contact for contact in people if contact.clinic == clinic_id] or people


class Neighbours:
    """Asks with the viewer's token, and caches the answer briefly for viewers with the same rights."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._kept: dict[tuple[str, frozenset[str]], tuple[float, Facts]] = {}

    async def facts(self, viewer: Viewer) -> Facts:
        key = (viewer.clinic, frozenset(viewer.roles))
        until, known = self._kept.get(key, (0.0, Facts()))
        if time.monotonic() < until:
            return known
        policy, clinics = await asyncio.gather(
            self._ask(viewer, "alerts", "/on-call"), self._ask(viewer, "scheduler", "/clinics")
        )
        found = facts_of(policy, clinics, known)
        self._kept[key] = (time.monotonic() + KEPT_SECONDS, found)
        return found

    async def _ask(self, viewer: Viewer, service: str, path: str) -> Answer:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                return await self._services.get(viewer, service, path)
        except TimeoutError:
            return Answer(0, {})


def facts_of(policy: Answer, clinics: Answer, known: Facts) -> Facts:
    """The facts from both answers; for a service that does not answer, those known before."""
    contacts = contacts_of(policy.body) if policy.ok else known.contacts
    zones = {c["id"]: c["zone"] for c in clinics.body["items"]} if clinics.ok else known.zones
    return Facts(contacts, zones, policy.status != 0)


def contacts_of(policy: Mapping[str, Any]) -> dict[str, Contact]:
    """Everybody in an on-call policy, by contact id."""
    rosters = [*policy["clinics"].items(), ("", policy["engineers"])]
    return {
        found["id"]: Contact(
            found["id"], found["subject"], tuple(found["roles"]), tuple(found["channels"]), clinic
        )
        for clinic, contacts in rosters
        for found in contacts
    }
