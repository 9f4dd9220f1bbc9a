"""Intake's errors about a form in words, by the field they are about. Pure."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

LABELS = {
    "clinic_id": "Clinic",
    "clinician_id": "Clinician",
    "external_id": "Referral number",
    "source_system": "Where the number comes from",
    "person.external_id": "Patient number",
    "person.given_name": "Given name",
    "person.family_name": "Family name",
    "person.birth_date": "Date of birth",
    "person.sex": "Sex",
    "person.email": "Email",
    "person.phone": "Phone",
    "person.note": "Note",
    "age": "Age",
    "history.episodes": "Episodes",
    "history.onset_age": "Age at the first episode",
    "variant": "Variant",
    "reason": "Reason",
    "alternative_offered": "Alternative",
    "given": "Consent",
}
SENTENCES = {
    "person.email": "write one address, like name@example.org",
    "person.phone": "use 3 to 40 digits, spaces and + ( ) . / - x",
    "person.given_name": "use at most 200 characters",
    "person.family_name": "use at most 200 characters",
    "person.note": "use at most 4,000 characters",
    "external_id": "use at most 100 characters on one line",
    "source_system": "use at most 100 characters on one line",
    "person.external_id": "use at most 100 characters on one line",
    "reason": "choose one",
    "given": "choose one",
    "variant": "choose one",
    "alternative_offered": "say whether one was offered",
}
"""What a valid value looks like, for fields that intake refuses for their format alone."""

PROBLEMS = {
    "missing": "this is needed",
    "unknown_clinic": "choose a clinic that exists",
    "unknown_clinician": "choose a clinician of this clinic",
    "date_in_the_future": "this day is in the future",
    "date_form": "write a day like 1984-05-23",
    "int_type": "write a whole number",
    "greater_than_equal": "use {ge} or more",
    "less_than_equal": "use {le} or less",
}
PROBLEMS_FIRST = frozenset({"missing", "date_in_the_future", "unknown_clinic", "unknown_clinician"})
ITEM = re.compile(r"screening\.(phq9|gad7)\.items\.(\d+)")
INSTRUMENTS = {"phq9": "PHQ-9", "gad7": "GAD-7"}

FieldErrors = dict[str, str]


def field_errors(problem: Mapping[str, Any], fields: Iterable[str], *, within: str = "") -> FieldErrors:
    """Sentences by form field, in intake's order; `within`: the form's prefix to intake's own paths.

    An error about no field of the form is kept under its own path, so that none is lost.
    """
    known = sorted(fields, key=len, reverse=True)
    found: FieldErrors = {}
    for error in problem.get("errors") or ():
        path = within + str(error["field"]).removeprefix("body.")
        name = next((field for field in known if _is_at(path, field)), path)
        found.setdefault(name, _sentence(name, error))
    return found


def _is_at(path: str, field: str) -> bool:
    """True if a path is about a field: paths may go deeper than it, and start with the kind of a decision."""
    return f".{path}.".endswith(f".{field}.") or path.startswith(f"{field}.")


def _sentence(name: str, error: Mapping[str, Any]) -> str:
    kind = str(error["problem"])
    said = PROBLEMS.get(kind) if kind in PROBLEMS_FIRST or name not in SENTENCES else SENTENCES[name]
    text = (said or "this is not acceptable ({code})").format_map(
        {"ge": "", "le": "", **error.get("allowed", {}), "code": kind.replace("_", " ")}
    )
    return f"{label(name)}: {text}."


def label(name: str) -> str:
    if item := ITEM.fullmatch(name):
        return f"{INSTRUMENTS[item[1]]}, question {int(item[2]) + 1}"
    if name.startswith("screening.cssrs."):
        return f"C-SSRS, question {name.rpartition('.')[2][1:].replace('_recent', 'a')}"
    return LABELS.get(name) or name.rpartition(".")[2].replace("_", " ").capitalize()
