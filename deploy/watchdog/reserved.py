"""The clinic reserved for the watchdog, put into copies of the two files that name clinics."""

import json
from pathlib import Path

from deploy.watchdog.settings import SUBJECT

CLINIC = SUBJECT
ROLES = ("on_call", "backup", "supervisor", "coordinator")


def with_reserved_clinic(clinics_file: Path, on_call_file: Path, folder: Path, to: str) -> tuple[Path, Path]:
    """Both files, copied into `folder`: its whole roster is one test receiver, a webhook at `to`."""
    clinics, policy = (json.loads(path.read_text()) for path in (clinics_file, on_call_file))
    clinics["clinics"].append(
        {
            "id": CLINIC,
            "name": "Watchdog",
            "zone": "UTC",
            "hours": {"days": ["mon"], "opens": "09:00", "closes": "17:00"},
            "slot_minutes": 60,
            "holidays": {"country": "US"},
            "clinicians": [{"id": "cln_watchdog", "leave": []}],
        }
    )
    channel = {"kind": "webhook", "to": to}
    contact = {"id": "con_watchdog", "subject": SUBJECT, "roles": list(ROLES), "channels": [channel]}
    policy["clinics"][CLINIC] = [contact]
    paths = folder / clinics_file.name, folder / on_call_file.name
    for path, content in zip(paths, (clinics, policy), strict=True):
        path.write_text(json.dumps(content))
    return paths
