"""Referrals and answers that the tests of intake start from."""

from datetime import UTC, datetime
from typing import Any

from services.intake.app import read_rules
from services.intake.domain import intake
from services.intake.domain.cssrs import Cssrs
from services.intake.domain.history import History
from services.intake.domain.intake import Change
from services.intake.domain.measures import Answers
from services.intake.domain.referral import Referral, Submission
from services.intake.domain.screening import Screening
from shared.messaging.event import Event

NOW = datetime(2026, 3, 2, 14, 0, tzinfo=UTC)
RULES = read_rules()
NO = Cssrs(q1="no", q2="no", q6="no")
MILD: Answers = (1, 1, 1, 1, 1, 1, 0, 0, 0)
MODERATE: Answers = (2, 2, 2, 2, 1, 1, 0, 0, 0)
SEVERE: Answers = (3, 3, 3, 3, 3, 3, 2, 2, 0)
MINIMAL: Answers = (1, 0, 0, 0, 0, 0, 0, 0, 0)


def referral(**changes: Any) -> Referral:
    return Referral(
        id="ref_1",
        patient_id="pat_1",
        clinic_id="riverside",
        clinician_id="cln_r01",
        source="form",
        received_at=NOW,
    ).model_copy(update=changes)


def submission(
    phq9: Answers = MODERATE, cssrs: Cssrs = NO, *, age: int | None = 40, **others: Any
) -> Submission:
    """A complete one of an adult with moderate symptoms, unless said otherwise."""
    told = {"consent": True, "age": age, "screening": Screening(phq9=phq9, cssrs=cssrs)}
    return Submission(**told | others)


def received(handed_in: Submission) -> Change:
    return intake.receive(referral(), handed_in, NOW, RULES, by="someone")


def recorded(before: Referral, handed_in: Submission) -> Change:
    return intake.record(before, handed_in, NOW, RULES, by="someone")


def names(events: list[Event]) -> list[str]:
    return [type(event).__name__ for event in events]


def the(kind: type[Event], events: list[Event]) -> Any:
    """The one event of this kind."""
    (event,) = [event for event in events if isinstance(event, kind)]
    return event


KNOWN_HISTORY = History(episodes=1)
