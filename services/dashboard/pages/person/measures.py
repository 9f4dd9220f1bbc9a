"""The questionnaires that a session or a person hands in, as forms and as what care_plan takes.

An item without an answer is sent as missing, never as 0 (Kroenke 2001).
"""

from typing import Any

from services.dashboard.pages.person.fields import Entered, Field, Group, Options

PHQ9_ITEMS = (
    "Little interest or pleasure in doing things",
    "Feeling down, depressed, or hopeless",
    "Trouble falling or staying asleep, or sleeping too much",
    "Feeling tired or having little energy",
    "Poor appetite or overeating",
    "Feeling bad about yourself, or that you are a failure or have let yourself or your family down",
    "Trouble concentrating on things, such as reading the newspaper or watching television",
    "Moving or speaking so slowly that other people could have noticed, or the opposite: being so fidgety "
    "or restless that you have been moving around a lot more than usual",
    "Thoughts that you would be better off dead, or of hurting yourself",
)
GAD7_ITEMS = (
    "Feeling nervous, anxious, or on edge",
    "Not being able to stop or control worrying",
    "Worrying too much about different things",
    "Trouble relaxing",
    "Being so restless that it is hard to sit still",
    "Becoming easily annoyed or irritable",
    "Feeling afraid, as if something awful might happen",
)
DIFFICULTY = (
    "How difficult have these problems made work, things at home, or getting along with other people?"
)
CSSRS_QUESTIONS = {
    "q1": "1. Wished to be dead, or to go to sleep and not wake up (past month)",
    "q2": "2. Had any actual thoughts of killing themselves (past month)",
    "q3": "3. Thought about how they might do this (past month)",
    "q4": "4. Had these thoughts with some intention of acting on them (past month)",
    "q5": "5. Started to work out, or worked out, the details of how; intends to carry out this plan",
    "q6": "6. Ever did anything, started to do anything, or prepared to do anything to end their life",
    "q6_recent": "If so: within the past three months",
}
HOW_OFTEN: Options = (
    ("0", "0 Not at all"),
    ("1", "1 Several days"),
    ("2", "2 More than half the days"),
    ("3", "3 Nearly every day"),
    ("refused", "Refused"),
    ("dont_know", "Does not know"),
    ("", "Not answered"),
)
HOW_DIFFICULT: Options = (
    ("0", "Not difficult at all"),
    ("1", "Somewhat difficult"),
    ("2", "Very difficult"),
    ("3", "Extremely difficult"),
    ("", "Not answered"),
)
YES_NO: Options = (("yes", "Yes"), ("no", "No"), ("", "Not asked"))
OVER = "Over the last two weeks. What was not answered stays missing and gives no total; it is never a 0."


def _items(name: str, items: tuple[str, ...]) -> tuple[Field, ...]:
    return tuple(
        Field(f"{name}_{number}", f"{number}. {item}", "radio", HOW_OFTEN, required=True)
        for number, item in enumerate(items, 1)
    )


PHQ9 = Group(
    "PHQ-9",
    (
        *_items("phq9", PHQ9_ITEMS),
        Field("phq9_difficulty", DIFFICULTY, "radio", HOW_DIFFICULT, required=True),
    ),
    OVER,
)
GAD7 = Group("GAD-7", _items("gad7", GAD7_ITEMS), OVER, folded=True)
CSSRS = Group(
    "C-SSRS screener",
    tuple(Field(name, asked, "radio", YES_NO, required=True) for name, asked in CSSRS_QUESTIONS.items()),
    "Ask 1 and 2; if 2 is no, go on to 6, otherwise ask 3 to 6. A yes alerts people at once.",
    folded=True,
)
QUESTIONNAIRES = (PHQ9, GAD7, CSSRS)


def measures_in(entered: Entered) -> dict[str, Any]:
    """What was handed in, for care_plan; questionnaires without any answer are left out."""
    body: dict[str, Any] = {}
    phq9, gad7 = _answers(entered, "phq9", 9), _answers(entered, "gad7", 7)
    difficulty = _answer(entered.get("phq9_difficulty", ""))
    cssrs = {name: _yes_or_no(entered.get(name, "")) for name in CSSRS_QUESTIONS}
    if any(item is not None for item in phq9) or difficulty is not None:
        body["phq9"] = {"items": phq9, "difficulty": difficulty}
    if any(item is not None for item in gad7):
        body["gad7"] = {"items": gad7}
    if any(answer is not None for answer in cssrs.values()):
        body["cssrs"] = cssrs
    return body


def _answers(entered: Entered, name: str, count: int) -> list[int | str | None]:
    return [_answer(entered.get(f"{name}_{item}", "")) for item in range(1, count + 1)]


def _answer(value: str) -> int | str | None:
    """What is no answer is sent as it is: care_plan refuses it, or lets a human look at it."""
    return int(value) if value in ("0", "1", "2", "3") else value[:20] or None


def _yes_or_no(value: str) -> bool | str | None:
    return {"": None, "yes": True, "no": False}.get(value, value[:20])


def shows_danger(entered: Entered) -> bool:
    """Whether an entry holds what a crisis flag would be raised for, if it arrived."""
    return entered.get("phq9_9", "") not in ("", "0", "refused", "dont_know") or any(
        entered.get(name, "") not in ("", "no") for name in CSSRS_QUESTIONS
    )
