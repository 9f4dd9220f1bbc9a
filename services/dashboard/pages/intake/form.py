"""Converts posted forms to intake's request bodies. Pure.

Nothing is validated here: an unreadable value is passed on as written, so that intake reports the error and
detects signs of a crisis. Names of form fields are the paths of intake's own fields.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from services.dashboard.pages.instruments import CSSRS_QUESTIONS, NO_SIGN
from services.dashboard.pages.intake.words import CONDITIONS, HISTORY_FLAGS, VARIANTS

Document = dict[str, Any]
Form = Mapping[str, str]

PHQ9 = [f"screening.phq9.items.{place}" for place in range(9)]
GAD7 = [f"screening.gad7.items.{place}" for place in range(7)]
CSSRS = [f"screening.cssrs.{question}" for question in CSSRS_QUESTIONS]
DIFFICULTY = "screening.phq9.difficulty"
SCREENING = (*PHQ9, DIFFICULTY, *GAD7, *CSSRS)
YES_NO = {"yes": True, "no": False}
IDENTITY = ("external_id", "given_name", "family_name", "birth_date", "email", "phone")
PERSON_TEXTS = ("external_id", "given_name", "family_name", "birth_date", "sex", "email", "phone", "note")


def referral_of(form: Form) -> Document:
    """The body of `POST /referrals`. An empty field is absent."""
    names = ("clinic_id", "clinician_id", "external_id", "source_system")
    told: Document = _filled(form, names)
    told["person"] = _filled(form, PERSON_TEXTS, prefix="person.")
    if form.get("age", "").strip():
        told["age"] = _number(form["age"])
    told |= _consent(form) | _crisis(form) | _part("history", history_of(form))
    return told | _part("screening", screening_of(form))


def screening_of(form: Form) -> Document:
    """The body of `PUT /referrals/{id}/screening`: the instruments with at least one answer."""
    items, difficulty = _answers(form, PHQ9), _answer(form.get(DIFFICULTY, ""))
    gad7 = {"items": _answers(form, GAD7)}
    cssrs = {name.rpartition(".")[2]: form.get(name) or None for name in CSSRS}
    found: Document = {}
    if any(answer is not None for answer in (*items, difficulty)):
        found["phq9"] = {"items": items, "difficulty": difficulty}
    if any(answer is not None for answer in gad7["items"]):
        found["gad7"] = gad7
    if any(cssrs.values()):
        found["cssrs"] = cssrs
    return found


def history_of(form: Form) -> Document:
    """The history; empty if it was not taken. `history.taken` marks one that was taken without findings."""
    numbers: Document = {
        name: _number(form[f"history.{name}"])
        for name in ("episodes", "onset_age")
        if form.get(f"history.{name}", "").strip()
    }
    flags: Document = {name: True for name in HISTORY_FLAGS if form.get(f"history.{name}")}
    conditions = [name for name in CONDITIONS if form.get(f"history.conditions.{name}")]
    found = numbers | flags | ({"conditions": conditions} if conditions else {})
    if found or form.get("history.taken"):
        return {"episodes": None, **found}
    return {}


def consent_of(form: Form) -> Document:
    """The body of `PUT /referrals/{id}/consent`. Without a choice it is null, which intake refuses."""
    return {"given": YES_NO.get(form.get("given", ""))}


def age_of(form: Form) -> Document:
    """The body of `PUT /referrals/{id}/age`."""
    return {"age": _number(form.get("age", ""))}


def enrolment_of(form: Form) -> Document:
    variant = form.get("variant", "")
    sessions = VARIANTS[variant][0] if variant in VARIANTS else 1
    assessed = bool(form.get("crisis_assessed"))
    return {"decision": "enrol", "variant": variant, "sessions": sessions, "crisis_assessed": assessed}


def declining_of(form: Form) -> Document:
    """The decision to decline. It has to tell whether an alternative was offered."""
    return {
        "decision": "decline",
        "reason": form.get("reason", ""),
        "alternative_offered": YES_NO.get(form.get("alternative_offered", "")),
        "crisis_assessed": bool(form.get("crisis_assessed")),
    }


def is_alarming(form: Form) -> bool:
    """True if the form has signs of a crisis: if it cannot be sent, a human must act on it now.

    As in intake, an invalid answer never counts as a no. An unfinished C-SSRS without a yes is no sign: it
    only lacks its other answers.
    """
    return (
        form.get("crisis", "") not in ("", "no")
        or bool(form.get("history.conditions.acutely_suicidal"))
        or form.get(PHQ9[8], "") not in NO_SIGN
        or any(form.get(name, "") not in ("", "no") for name in CSSRS)
    )


def is_about_nobody(form: Form) -> bool:
    """True without any name, birth date, number or contact: nobody could find this person again."""
    told = (*(f"person.{name}" for name in IDENTITY), "external_id")
    return not any(form.get(name, "").strip() for name in told)


def answers_of(referral: Mapping[str, Any]) -> dict[str, str]:
    """Intake's stored screening of a referral, as values of the form's fields."""
    given = dict(zip(PHQ9, referral["phq9"]["items"], strict=True))
    given |= zip(GAD7, referral["gad7"]["items"], strict=True)
    given[DIFFICULTY] = referral["difficulty"]
    given |= {name: referral["cssrs"]["answers"][name.rpartition(".")[2]] for name in CSSRS}
    return {name: "" if answer is None else str(answer) for name, answer in given.items()}


def seen_of(answers: Form) -> str:
    """The answers a form is rendered with, as a hidden field that shows which ones its sender changed."""
    return ",".join(answers.get(name, "") for name in SCREENING)


def merged(form: Form, stored: Form) -> dict[str, str]:
    """Merge a form after a conflict: the stored answers, overridden by those that the sender changed."""
    seen = form.get("seen", "").split(",")
    before = dict(zip(SCREENING, seen, strict=True)) if len(seen) == len(SCREENING) else {}
    sent = {name: form.get(name, "") for name in SCREENING}
    return {
        name: said if said != before.get(name, "") else stored.get(name, "") for name, said in sent.items()
    }


def _filled(form: Form, names: Iterable[str], prefix: str = "") -> Document:
    return {name: form[prefix + name].strip() for name in names if form.get(prefix + name, "").strip()}


def _part(name: str, content: Document) -> Document:
    return {name: content} if content else {}


def _consent(form: Form) -> Document:
    said = YES_NO.get(form.get("consent", ""))
    return {} if said is None else {"consent": said}


def _crisis(form: Form) -> Document:
    """A value other than yes or no becomes `None`, unknown, which intake never treats as a no."""
    said = form.get("crisis", "")
    return {"crisis": said if said in ("yes", "no") else None} if said else {}


def _answers(form: Form, names: list[str]) -> list[int | str | None]:
    return [_answer(form.get(name, "")) for name in names]


def _answer(said: str) -> int | str | None:
    return _number(said) if said else None


def _number(text: str) -> int | str:
    text = text.strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else text
