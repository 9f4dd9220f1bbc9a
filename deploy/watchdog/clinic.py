"""The reserved clinic, for the two files that name clinics: its roster holds only a test receiver."""

import json
from pathlib import Path
from typing import Any

from deploy.embedded.plan import ROOT

CLINIC, CONTACT, SUBJECT = "watchdog", "con_watchdog", "watchdog"
SHIPPED = ROOT / "deploy" / "config"


def write_files(folder: Path, receiver: str) -> tuple[Path, Path]:
    """Write the shipped clinics and on-call files plus the reserved clinic, which pages URL `receiver`."""
    clinics = json.loads((SHIPPED / "clinics.json").read_text())
    policy = json.loads((SHIPPED / "on_call.json").read_text())
    return (
        _write(folder / "clinics.json", with_clinic(clinics)),
        _write(folder / "on_call.json", with_roster(policy, receiver)),
    )


def _write(path: Path, content: dict[str, Any]) -> Path:
    """Write atomically: a service that starts meanwhile reads the old or the new file."""
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps(content))
    return draft.replace(path)


def with_clinic(clinics: dict[str, Any]) -> dict[str, Any]:
    """Add the reserved clinic to the content of a clinics file."""
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
    """Add the reserved clinic's roster, a webhook at `receiver`, to the content of an on-call file."""
    contact = {
        "id": CONTACT,
        "subject": SUBJECT,
        "roles": ["on_call", "backup", "supervisor", "coordinator"],
        "channels": [{"kind": "webhook", "to": receiver}],
    }
    return policy | {"clinics": policy["clinics"] | {CLINIC: [contact]}}
