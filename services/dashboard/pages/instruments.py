"""The instruments in their published wording, used for intake and for sessions."""

from collections.abc import Mapping

Choice = tuple[str, str]
"""A form value and its label. An empty value means not answered, which is never a zero."""

REFUSED: Choice = ("refused", "Refused")
DOES_NOT_KNOW: Choice = ("dont_know", "Does not know")
NOT_ANSWERED: Choice = ("", "Not answered")

PHQ9_ASKS = "Over the last 2 weeks, how often have you been bothered by any of the following problems?"
PHQ9_ITEMS = (
    "Little interest or pleasure in doing things",
    "Feeling down, depressed, or hopeless",
    "Trouble falling or staying asleep, or sleeping too much",
    "Feeling tired or having little energy",
    "Poor appetite or overeating",
    "Feeling bad about yourself – or that you are a failure or have let yourself or your family down",
    "Trouble concentrating on things, such as reading the newspaper or watching television",
    "Moving or speaking so slowly that other people could have noticed? Or the opposite – being so fidgety "
    "or restless that you have been moving around a lot more than usual",
    "Thoughts that you would be better off dead or of hurting yourself in some way",
)
"""Kroenke 2001; free to reproduce."""

DIFFICULTY = (
    "How difficult have these problems made it for you to do your work, take care of things at home, or get "
    "along with other people?"
)
GAD7_ASKS = "Over the last 2 weeks, how often have you been bothered by the following problems?"
GAD7_ITEMS = (
    "Feeling nervous, anxious or on edge",
    "Not being able to stop or control worrying",
    "Worrying too much about different things",
    "Trouble relaxing",
    "Being so restless that it is hard to sit still",
    "Becoming easily annoyed or irritable",
    "Feeling afraid as if something awful might happen",
)
"""Spitzer 2006; free to reproduce."""

HOW_OFTEN: tuple[Choice, ...] = (
    ("0", "Not at all"),
    ("1", "Several days"),
    ("2", "More than half the days"),
    ("3", "Nearly every day"),
    REFUSED,
    DOES_NOT_KNOW,
    NOT_ANSWERED,
)
HOW_DIFFICULT: tuple[Choice, ...] = (
    ("0", "Not difficult at all"),
    ("1", "Somewhat difficult"),
    ("2", "Very difficult"),
    ("3", "Extremely difficult"),
    REFUSED,
    DOES_NOT_KNOW,
    NOT_ANSWERED,
)

CSSRS_ASKS: Mapping[str, str] = {"q1": "In the past month …", "q6": "Ever in your life …"}
"""Text above a question; it applies to the following questions as well."""

CSSRS_QUESTIONS: Mapping[str, str] = {
    "q1": "Have you wished you were dead or wished you could go to sleep and not wake up?",
    "q2": "Have you actually had any thoughts of killing yourself?",
    "q3": "Have you been thinking about how you might do this?",
    "q4": "Have you had these thoughts and had some intention of acting on them?",
    "q5": "Have you started to work out or worked out the details of how to kill yourself? Do you intend to "
    "carry out this plan?",
    "q6": "Have you ever done anything, started to do anything, or prepared to do anything to end your life?",
    "q6_recent": "Was this within the past three months?",
}
"""The screener, in the Columbia triage's order."""

CSSRS_NUMBERS = {question: question[1:].replace("_recent", "a") for question in CSSRS_QUESTIONS}
CSSRS_RULE = "Ask 1 and 2. If 2 is no, go on to 6; otherwise ask 3, 4, 5 and 6. Ask 6a if 6 is yes."
YES_NO: tuple[Choice, ...] = (("no", "No"), ("yes", "Yes"), NOT_ANSWERED)

NO_SIGN = frozenset({"", "0", REFUSED[0], DOES_NOT_KNOW[0]})
"""Answers to item 9 of the PHQ-9 that are no sign of danger; an unreadable answer is one."""
