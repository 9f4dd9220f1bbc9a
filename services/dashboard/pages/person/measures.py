"""The questionnaires of a session or handed in by a person, as forms and as care_plan's request body.

An item without an answer is sent as missing, never as 0 (Kroenke 2001).
"""

from typing import Any

from services.dashboard.pages.instruments import (
    CSSRS_ASKS,
    CSSRS_NUMBERS,
    CSSRS_QUESTIONS,
    CSSRS_RULE,
    DIFFICULTY,
    GAD7_ASKS,
    GAD7_ITEMS,
    HOW_DIFFICULT,
    HOW_OFTEN,
    NO_SIGN,
    PHQ9_ASKS,
    PHQ9_ITEMS,
    YES_NO,
)
from services.dashboard.pages.person.fields import Entered, Field, Group, Options

POINTS: Options = tuple((value, f"{value} {said}" if value.isdigit() else said) for value, said in HOW_OFTEN)
MISSING = "What was not answered stays missing and gives no total; it is never a 0."


def _items(name: str, asks: str, items: tuple[str, ...]) -> tuple[Field, ...]:
    return tuple(
        Field(
            f"{name}_{number}",
            f"{number}. {item}",
            "radio",
            POINTS,
            required=True,
            asks=asks if number == 1 else "",
        )
        for number, item in enumerate(items, 1)
    )


def _question(name: str) -> Field:
    label = f"{CSSRS_NUMBERS[name]}. {CSSRS_QUESTIONS[name]}"
    return Field(name, label, "radio", YES_NO, required=True, asks=CSSRS_ASKS.get(name, ""))


PHQ9 = Group(
    "PHQ-9",
    (
        *_items("phq9", PHQ9_ASKS, PHQ9_ITEMS),
        Field("phq9_difficulty", f"10. {DIFFICULTY}", "radio", HOW_DIFFICULT, required=True),
    ),
    MISSING,
)
GAD7 = Group("GAD-7", _items("gad7", GAD7_ASKS, GAD7_ITEMS), MISSING, folded=True)
CSSRS = Group(
    "C-SSRS screener",
    tuple(_question(name) for name in CSSRS_QUESTIONS),
    f"{CSSRS_RULE} A yes alerts people at once, and so does a screener that was begun and not finished.",
    folded=True,
)
QUESTIONNAIRES = (PHQ9, GAD7, CSSRS)


def measures_in(entered: Entered) -> dict[str, Any]:
    """The questionnaires as care_plan's request body; those without any answer are left out."""
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
    """An invalid answer is passed on, cut to 20 characters: care_plan refuses it or has a human review it."""
    return int(value) if value in ("0", "1", "2", "3") else value[:20] or None


def _yes_or_no(value: str) -> bool | str | None:
    return {"": None, "yes": True, "no": False}.get(value, value[:20])


def shows_danger(entered: Entered) -> bool:
    """True if the entry has answers for which care_plan raises a crisis flag once it receives them."""
    return entered.get("phq9_9", "") not in NO_SIGN or _alarms([entered.get(q, "") for q in CSSRS_QUESTIONS])


def _alarms(answers: list[str]) -> bool:
    """True for any C-SSRS that was begun, unless no answer is a yes and 1, 2 and 6 are answered with no."""
    first, second, *_, behaviour, _ = answers
    calm = {*answers} <= {"", "no"} and {first, second, behaviour} == {"no"}
    return any(answers) and not calm
