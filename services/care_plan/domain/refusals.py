"""Reasons for refusals: a closed list."""

from typing import Any, Literal, NoReturn

from shared.errors import Refused

Reason = Literal[
    "wrong_phase",
    "plan_closed",
    "on_hold",
    "not_on_hold",
    "review_date_past",
    "review_date_too_far",
    "review_before_first_session",
    "crisis_unresolved",
    "appointment_recorded_otherwise",
    "contract_fulfilled",
    "contract_unchanged",
    "session_in_the_future",
    "session_before_plan",
    "sessions_below_attended",
    "sessions_out_of_bounds",
    "sessions_attended",
    "inventory_empty",
    "inventory_unranked",
    "treatment_not_ended",
    "alternative_not_offered",
    "first_session_past",
    "unknown_variant",
    "unknown_protocol",
    "referral_of_another_patient",
]


def refuse(reason: Reason, **facts: Any) -> NoReturn:
    """Raise `Refused`; `facts` are numbers and codes."""
    raise Refused(reason, **facts)
