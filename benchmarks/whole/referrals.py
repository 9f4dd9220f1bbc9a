"""Referrals to send: people who are enrolled by the rules, and people in a crisis."""

from collections.abc import Iterator
from typing import Any

from benchmarks.whole.clinics import PATIENTS_PER_CLINICIAN, clinicians

Json = dict[str, Any]
NO_RISK = {"q1": False, "q2": False, "q6": False}
HIGH_RISK = {"q1": True, "q2": True, "q3": True, "q4": True, "q5": False, "q6": False}


def row(number: int, clinic: str, clinician: str) -> Json:
    """A row of a bulk import: moderate symptoms, consent given, no risk."""
    return {"row": number} | form(number, clinic, clinician)


def form(number: int, clinic: str, clinician: str, *, crisis: bool = False) -> Json:
    items = [2, 2, 1, 1, 1, 1, 1, number % 3, 2 if crisis else 0]
    kind = "crisis" if crisis else "bench"
    return {
        "clinic_id": clinic,
        "source_system": kind,
        "external_id": f"{kind}-{number}",
        "clinician_id": clinician,
        "person": {
            "external_id": f"{kind}-person-{number}",
            "given_name": "Synthetic",
            "family_name": f"Person {number}",
        },
        "age": 20 + number % 50,
        "consent": True,
        "history": {"episodes": 1 + number % 3, "onset_age": 19},
        "screening": {
            "phq9": {"items": items},
            "gad7": {"items": [1, 1, 1, 1, 1, 0, number % 3]},
            "cssrs": HIGH_RISK if crisis else NO_RISK,
        },
    }


def rows(first: int, count: int, capacity: int) -> Iterator[Json]:
    """`count` rows from number `first`, of a caseload of `capacity`; no clinician gets too many."""
    staff = list(clinicians(capacity))
    for number in range(first, first + count):
        clinic, clinician = staff[(number - 1) // PATIENTS_PER_CLINICIAN % len(staff)]
        yield row(number, clinic, clinician)
