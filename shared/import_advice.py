"""How to correct a row that intake refused to import. It never repeats the row's content."""

import re
from collections.abc import Container

ADVICE = {
    "not_json": "The line is not JSON.",
    "not_an_object": "The line is JSON, but not an object.",
    "repeated_field": "The line names a field more than once: keep one of them.",
    "person_differs": (
        "This referral or this person_id is known, and is somebody else's: the person_id, the birth date, "
        "the names, or the sex or age where nothing else is known, differ. Check the numbers. A correction "
        "needs the referral and the person_id that are known."
    ),
    "kept_by_newer_release": (
        "A newer release keeps this referral or person: import the row again once every service is of it."
    ),
    "rows_in_a_cell": (
        "A cell holds what looks like other rows: is there a stray quote in it? Mend it, or write the cell "
        "on one line."
    ),
    "body_too_large": "The row is too large: shorten its texts.",
    "missing": "Fill in {column}.",
    "json_invalid": "The row holds characters or a nesting that nothing can store.",
    "extra_forbidden": "Leave out what is not known in {column}, or check its spelling.",
    "literal_error": "Use one of the allowed values in {column}.",
    "enum": "Use one of the allowed values in {column}.",
    "greater_than_equal": "The value in {column} is too small.",
    "less_than_equal": "The value in {column} is too large.",
    "int_type": "Write a whole number in {column}.",
    "int_parsing": "Write a whole number in {column}.",
    "bool_type": "Write yes or no in {column}.",
    "bool_parsing": "Write yes or no in {column}.",
    "string_type": "Write text in {column}.",
    "string_pattern_mismatch": "Characters or length of {column} are not allowed.",
    "date_form": "Write a day like 1984-05-23 in {column}.",
    "too_short": "Give exactly one answer per question in {column}.",
    "too_long": "Give exactly one answer per question in {column}.",
    "unknown_clinic": "Name a clinic that exists in {column}.",
    "unknown_clinician": "Name a clinician of this clinic in {column}.",
    "not_found": "Name a clinic that is yours in {column}.",
    "date_in_the_future": "The day in {column} is in the future.",
    "wrong_number": "The row has more or fewer cells than the header.",
}
"""By error code, or by the part of the code after the field."""

ANSWER = re.compile(r"screening\.(phq9|gad7)\.(items\.\d|difficulty)")
OF_AN_ANSWER = "Write 0 to 3, refused or dont_know in {column}."
VALUES = {"literal_error", "int_type", "greater_than_equal", "less_than_equal"}

WORD = re.compile(r"[a-z0-9_]+")
LIST_PLACE = re.compile(r"\.\d+$")


def shown(code: str, fields: Container[str]) -> str:
    """`field.path:problem` with every name not in `fields` as `*`: it may be content of the row."""
    path, colon, problem = code.rpartition(":")
    parts = [part if part.isdigit() or part in fields else "*" for part in path.split(".") if part]
    return f"{'.'.join(parts)}{colon}{problem if WORD.fullmatch(problem) else '*'}"


def advice(path: str, problem: str, column: str, *, answers_in_words: bool = True) -> str:
    """One sentence about a `path` and `problem` as `shown`.

    `column`: the field's name in the file, or what to call the row as a whole. `answers_in_words`: whether
    the file's format writes an unanswered question as a word.
    """
    told = ADVICE.get(problem, "Mend {column}." if path else "Refused: {problem}.")
    if answers_in_words and problem in VALUES and ANSWER.fullmatch(path):
        told = OF_AN_ANSWER
    return told.format(column=column, problem=problem.replace("_", " "))


def without_place(path: str) -> str:
    """The path of the list rather than of one of its members."""
    return LIST_PLACE.sub("", path)
