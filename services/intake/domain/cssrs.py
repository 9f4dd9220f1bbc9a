"""The C-SSRS screener: which questions are asked, and what the answers mean. Never summed."""

from typing import Literal, Self, get_args

from pydantic import BaseModel, ConfigDict

YesNo = Literal["yes", "no", "unreadable"] | None
"""`None`: not answered (yet). `unreadable`: the answer is neither yes nor no."""

Question = Literal["q1", "q2", "q3", "q4", "q5", "q6", "q6_recent"]
QUESTIONS: tuple[Question, ...] = get_args(Question)

Risk = Literal["none", "low", "moderate", "high"]
RISKS: tuple[Risk, ...] = get_args(Risk)

Status = Literal["not_started", "unfinished", "unassessable", "assessed"]


class Cssrs(BaseModel):
    """q1 wish to be dead, q2 thoughts of suicide, q3 method, q4 intent, q5 plan, q6 behaviour ever;
    `q6_recent`: behaviour within the last three months.
    """

    model_config = ConfigDict(frozen=True)

    q1: YesNo = None
    q2: YesNo = None
    q3: YesNo = None
    q4: YesNo = None
    q5: YesNo = None
    q6: YesNo = None
    q6_recent: YesNo = None

    def answer(self, question: Question) -> YesNo:
        answer: YesNo = getattr(self, question)
        return answer

    def merged(self, given: Self) -> Self:
        """New answers replace earlier ones; questions not answered now keep their earlier answers."""
        return self.model_copy(update=given.model_dump(exclude_none=True))


class Triage(BaseModel):
    """Result of the screener: `answered` is the risk from the yeses alone, `risk` is the one to act on."""

    model_config = ConfigDict(frozen=True)

    status: Status
    answered: Risk
    risk: Risk


def asked(answers: Cssrs) -> tuple[Question, ...]:
    """The question flow (Columbia): 1 and 2; if 2 is no, on to 6; else 3, 4, 5, 6."""
    middle: tuple[Question, ...] = () if answers.q2 == "no" else ("q3", "q4", "q5")
    recent: tuple[Question, ...] = ("q6_recent",) if answers.q6 == "yes" else ()
    return ("q1", "q2", *middle, "q6", *recent)


def triage(answers: Cssrs) -> Triage:
    """Columbia triage. Unreadable, contradictory, or half-answered with a yes: at least moderate."""
    answered, status = _risk_of_the_yeses(answers), _status(answers)
    alarming = status == "unassessable" or (status == "unfinished" and answered != "none")
    return Triage(
        status=status, answered=answered, risk=_worse(answered, "moderate") if alarming else answered
    )


def _status(answers: Cssrs) -> Status:
    if all(answers.answer(question) is None for question in QUESTIONS):
        return "not_started"
    if doubts(answers):
        return "unassessable"
    if any(answers.answer(question) is None for question in asked(answers)):
        return "unfinished"
    return "assessed"


def _risk_of_the_yeses(answers: Cssrs) -> Risk:
    """High: 4 or 5, or 6 within three months. Moderate: 3, or 6 longer ago. Low: only 1 and/or 2."""
    if "yes" in (answers.q4, answers.q5, answers.q6_recent):
        return "high"
    if "yes" in (answers.q3, answers.q6):
        return "moderate"
    return "low" if "yes" in (answers.q1, answers.q2) else "none"


def doubts(answers: Cssrs) -> frozenset[str]:
    """Why the answers cannot be assessed: each unreadable question and each contradiction.

    Contradictions: no thoughts of suicide, yet a method, intent or plan; no behaviour ever, yet recently.
    """
    found = {f"{question}_unreadable" for question in QUESTIONS if answers.answer(question) == "unreadable"}
    if answers.q2 == "no" and "yes" in (answers.q3, answers.q4, answers.q5):
        found.add("no_thoughts_and_more")
    if answers.q6 == "no" and answers.q6_recent == "yes":
        found.add("never_and_recently")
    return frozenset(found)


def _worse(one: Risk, other: Risk) -> Risk:
    return max(one, other, key=RISKS.index)
