"""Clinics large enough for the caseload, with people on call for each of them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from deploy.embedded.plan import ROOT

CONFIG = ROOT / "deploy" / "config"
CLINICIANS_PER_CLINIC = 100
PATIENTS_PER_CLINICIAN = 8
"""They are all referred at once, and all must be seen within 48 hours."""

ON_CALL, BACKUP, SUPERVISOR, COORDINATOR = "on_call", "backup", "supervisor", "coordinator"


def clinicians(patients: int) -> Iterator[tuple[str, str]]:
    """(clinic, clinician) pairs, enough for that many patients."""
    for number in range(-(-patients // PATIENTS_PER_CLINICIAN)):
        clinic = f"clinic{number // CLINICIANS_PER_CLINIC:03}"
        yield clinic, f"cln_{number:06}"


def write(folder: Path, patients: int, *, page: str | None = None) -> dict[str, str]:
    """Write both files; return the settings that name them. `page`: webhook of everybody on call."""
    staff: dict[str, list[str]] = {}
    for clinic, clinician in clinicians(patients):
        staff.setdefault(clinic, []).append(clinician)
    folder.mkdir(parents=True, exist_ok=True)
    clinics, on_call = folder / "clinics.json", folder / "on_call.json"
    clinics.write_text(json.dumps(_clinics(staff)))
    on_call.write_text(json.dumps(_on_call(staff, page)))
    return {"clinics_file": str(clinics), "alerts.on_call_file": str(on_call)}


def _clinics(staff: dict[str, list[str]]) -> dict[str, Any]:
    """Clinics like the first shipped one, but larger."""
    shipped: dict[str, Any] = json.loads((CONFIG / "clinics.json").read_text())
    like = shipped["clinics"][0]
    clinics = [
        like | {"id": clinic, "name": clinic, "clinicians": [{"id": id, "leave": []} for id in ids]}
        for clinic, ids in staff.items()
    ]
    return shipped | {"clinics": clinics}


def _on_call(staff: dict[str, list[str]], page: str | None) -> dict[str, Any]:
    """The shipped policy, with a roster for each clinic."""
    policy: dict[str, Any] = json.loads((CONFIG / "on_call.json").read_text())
    return policy | {"clinics": {clinic: list(_roster(clinic, ids, page)) for clinic, ids in staff.items()}}


def _roster(clinic: str, ids: list[str], page: str | None) -> Iterator[dict[str, Any]]:
    roles = {0: ON_CALL, 1: BACKUP, 2: SUPERVISOR}
    for place, id in enumerate(ids):
        role = [roles[place]] if place in roles else []
        yield {"id": f"con_{id}", "subject": id, "roles": role} | (_webhook(page) if role and page else {})
    yield {"id": f"con_{clinic}_coordination", "subject": f"crd_{clinic}", "roles": [COORDINATOR]}


def _webhook(page: str) -> dict[str, Any]:
    return {"channels": [{"kind": "webhook", "to": page}]}
