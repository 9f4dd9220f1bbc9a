"""From answers to a crisis flag. Fails towards alarm: unknown, unreadable or contradictory is never "no"."""

from collections.abc import Collection
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict

from services.intake.domain.cssrs import QUESTIONS, Cssrs, Risk, doubts, triage
from services.intake.domain.screening import Screening

Severity = Literal["low", "moderate", "high"]
SEVERITIES: tuple[Severity, ...] = get_args(Severity)

Evidence = Literal["phq9_item9", "cssrs_high", "cssrs_moderate", "cssrs_low", "explicit", "unassessable"]
_CODES: dict[Risk, Evidence] = {"low": "cssrs_low", "moderate": "cssrs_moderate", "high": "cssrs_high"}

Statement = Literal["not_stated", "no", "yes", "unknown"]
"""What a form explicitly states about a crisis. `unknown`: null, or a value that is neither yes nor no."""

ACUTELY_SUICIDAL = "acutely_suicidal"
"""The condition in a person's history that is itself a crisis (`history.Condition`)."""

CRISIS_SUPPORT = (
    "If you or someone else may be in danger, call or text 988 (Suicide & Crisis Lifeline) or text HOME to "
    "741741 (Crisis Text Line), or call 911. Kith is not an emergency service: it is not watched around the "
    "clock."
)
"""Goes with every text shown around a crisis (clinical.md, Crisis)."""


class Assessment(BaseModel):
    """`severity` is the highest of the evidence, `None` without any. `signs` are the answers behind it."""

    model_config = ConfigDict(frozen=True)

    severity: Severity | None = None
    evidence: frozenset[Evidence] = frozenset()
    signs: frozenset[str] = frozenset()

    def joined(self, other: "Assessment") -> "Assessment":
        return Assessment(
            severity=worse(self.severity, other.severity),
            evidence=self.evidence | other.evidence,
            signs=self.signs | other.signs,
        )

    def adds_to(self, before: "Assessment") -> bool:
        """Whether anything here is new or graver; repeating the same answers adds nothing."""
        return bool(self.signs - before.signs) or worse(self.severity, before.severity) != before.severity


CLEAR = Assessment()


def worse(one: Severity | None, other: Severity | None) -> Severity | None:
    known = [severity for severity in (one, other) if severity is not None]
    return max(known, key=SEVERITIES.index, default=None)


def reaches(severity: Severity | None, threshold: Severity) -> bool:
    return severity is not None and SEVERITIES.index(severity) >= SEVERITIES.index(threshold)


def assess(screening: Screening, statement: Statement, conditions: Collection[str] = ()) -> Assessment:
    """All crisis evidence of one referral, with the highest severity (clinical.md, Crisis, table)."""
    said = assess_statement(statement).joined(assess_conditions(conditions))
    return said.joined(_of_cssrs(screening)).joined(_of_item9(screening))


def assess_conditions(conditions: Collection[str]) -> Assessment:
    """Acute suicidality reported with the history counts as explicit."""
    if ACUTELY_SUICIDAL not in conditions:
        return CLEAR
    signs = frozenset({f"history={ACUTELY_SUICIDAL}"})
    return Assessment(severity="high", evidence=frozenset({"explicit"}), signs=signs)


def assess_statement(statement: Statement) -> Assessment:
    """An explicit flag is high; an unknown one is unassessable, never "no" (reliability.md, 21)."""
    signs = frozenset({f"statement={statement}"})
    if statement == "yes":
        return Assessment(severity="high", evidence=frozenset({"explicit"}), signs=signs)
    if statement == "unknown":
        return Assessment(severity="moderate", evidence=frozenset({"unassessable"}), signs=signs)
    return CLEAR


def _of_cssrs(screening: Screening) -> Assessment:
    """C-SSRS low / moderate / high; `unassessable` is added unless the screener was assessed."""
    result = triage(screening.cssrs)
    if result.risk == "none":
        return CLEAR
    evidence: set[Evidence] = set()
    if result.answered != "none":
        evidence.add(_CODES[result.answered])
    if result.status != "assessed":
        evidence.add("unassessable")
    return Assessment(severity=result.risk, evidence=frozenset(evidence), signs=_signs(screening.cssrs))


def _signs(answers: Cssrs) -> frozenset[str]:
    yeses = {question for question in QUESTIONS if answers.answer(question) == "yes"}
    return frozenset(f"cssrs_{sign}" for sign in yeses | doubts(answers))


def _of_item9(screening: Screening) -> Assessment:
    """Item 9 ≥ 1 is positive whatever the total; a complete C-SSRS decides the severity instead.

    VA Risk ID: item 9 → C-SSRS → full evaluation. Without a complete C-SSRS: moderate.
    """
    if not isinstance(screening.item9, int) or screening.item9 < 1:
        return CLEAR
    assessed = triage(screening.cssrs).status == "assessed"
    return Assessment(
        severity="low" if assessed else "moderate",
        evidence=frozenset({"phq9_item9"}),
        signs=frozenset({f"phq9_item9={screening.item9}"}),
    )
