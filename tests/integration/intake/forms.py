"""Forms as referrers send them."""

from typing import Any

CSSRS_NO = {"q1": False, "q2": False, "q6": False}
CSSRS_HIGH = {"q1": True, "q2": True, "q3": True, "q4": True, "q5": False, "q6": False}
MODERATE = [2, 2, 2, 2, 1, 1, 0, 0, 0]
SEVERE = [3, 3, 3, 3, 3, 3, 2, 2, 0]
JANE = {
    "external_id": "MRN-1",
    "given_name": "Jane",
    "family_name": "Quimby",
    "birth_date": "1985-06-01",
    "phone": "+1 555 0100",
    "note": "came with her sister",
}
SECRETS = ("Jane", "Quimby", "555 0100", "sister", "1985")


def answers(phq9: list[Any] = MODERATE, cssrs: dict[str, Any] = CSSRS_NO, **others: Any) -> dict[str, Any]:
    return {"phq9": {"items": phq9}, "cssrs": cssrs, **others}


def referral(**changes: Any) -> dict[str, Any]:
    """Complete and to be enrolled by the rules, unless changed; `None` leaves a field out."""
    form: dict[str, Any] = {
        "source_system": "ehr",
        "external_id": "R-1",
        "person": JANE,
        "consent": True,
        "screening": answers(),
        "crisis": False,
    } | changes
    return {name: value for name, value in form.items() if value is not None}
