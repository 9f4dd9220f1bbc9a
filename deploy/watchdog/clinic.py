"""The reserved clinic, for the two files that name clinics: nobody is on its roster but a test receiver."""

from typing import Any

CLINIC, CONTACT = "watchdog", "con_watchdog"


def with_clinic(clinics: dict[str, Any]) -> dict[str, Any]:
    """The content of a clinics file, and the reserved clinic in it."""
    reserved = {
        "id": CLINIC,
        "name": "Watchdog",
        "zone": "UTC",
        "hours": {"days": ["mon"], "opens": "09:00", "closes": "17:00"},
        "slot_minutes": 60,
        "holidays": {"country": "US"},
        "clinicians": [{"id": "cln_watchdog", "leave": []}],
    }
    others = [clinic for clinic in clinics["clinics"] if clinic["id"] != CLINIC]
    return clinics | {"clinics": [*others, reserved]}


def with_roster(policy: dict[str, Any], receiver: str) -> dict[str, Any]:
    """The content of an on-call file, and in it the reserved clinic's roster: a webhook at `receiver`."""
    contact = {
        "id": CONTACT,
        "subject": "watchdog",
        "roles": ["on_call", "backup", "supervisor", "coordinator"],
        "channels": [{"kind": "webhook", "to": receiver}],
    }
    return policy | {"clinics": policy["clinics"] | {CLINIC: [contact]}}
