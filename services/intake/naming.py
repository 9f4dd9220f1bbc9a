"""Who a form is about: its clinic, the referral that it names, and the person as far as known."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID, uuid4, uuid5

from pydantic import ValidationError

from services.intake.domain.person import Person, age_on
from services.intake.domain.referral import InDanger, Referral
from services.intake.forms import PersonForm, ReferralForm
from services.intake.store import IntakeWork
from shared.http.caller import ALL_CLINICS, Caller
from shared.http.problems import FieldProblem, Problem
from shared.messaging.work import NotFound

NAMESPACE = UUID("b1d0a4b2-6d0c-4b0e-9f0e-3a7c5d1f2e60")

NAMING = {"clinic_id", "source_system", "external_id"}
"""Form fields that identify the referral."""

KEPT = "kept_by_newer_release"


@dataclass(frozen=True, slots=True)
class Filing:
    """A form with its clinic and the referral it is about."""

    clinic_id: str
    referral_id: str
    form: ReferralForm


def filing(caller: Caller, form: ReferralForm, clinic_id: str | None = None) -> Filing:
    """`clinic_id`: for forms that name none. Raises like `clinic_of`."""
    clinic_id = clinic_of(caller, form.clinic_id or clinic_id)
    return Filing(clinic_id, _referral_id(clinic_id, form), form)


def field_problem(field: str, code: str) -> Problem:
    """A 422 for a field error that only this service can detect."""
    found = FieldProblem(field=field, problem=code).model_dump()
    return Problem(422, "invalid", f"Mend the field {field}.", errors=[found])


def clinic_of(caller: Caller, asked: str | None) -> str:
    """The clinic a referral goes to. Raises `NotFound` for another clinic's, `Problem` 422 without one."""
    clinic_id = caller.clinic if asked is None else asked
    if clinic_id == ALL_CLINICS:
        raise field_problem("clinic_id", "missing")
    caller.require_clinic(clinic_id, "clinics", clinic_id)
    return clinic_id


def _referral_id(clinic_id: str, form: ReferralForm) -> str:
    """Derive the id from the referral's source and external id, so that a repeat is the same referral."""
    if form.external_id is None:
        return f"ref_{uuid4().hex}"
    return f"ref_{uuid5(NAMESPACE, chr(0).join((clinic_id, form.source_system, form.external_id))).hex}"


def named_by(caller: Caller, said: object, clinic_id: str | None = None) -> Filing | None:
    """Who a refused form is about, whatever else is wrong with it; `None` if it does not say.

    Every field of the person that validates is used. A row with wrong `cells` identifies nobody.
    """
    told = said if isinstance(said, dict) else {}
    person = told.get("person")
    if not isinstance(person, dict) or "cells" in told:
        return None
    read = {name: value for name, value in person.items() if _validates(name, value)}
    if person and not read:
        return None
    naming = {name: told[name] for name in NAMING & told.keys()}
    try:
        return filing(caller, ReferralForm.model_validate({**naming, "person": read}), clinic_id)
    except (ValidationError, Problem, NotFound):
        return None


def _validates(name: str, value: Any) -> bool:
    try:
        PersonForm.model_validate({name: value})
    except ValidationError:
        return False
    return True


async def load_filings(work: IntakeWork, filings: Sequence[Filing]) -> None:
    """Load all that the forms are about: four queries for one clinic if everything is readable.

    An unreadable person does not block the others."""
    numbers: defaultdict[str, set[str]] = defaultdict(set)
    for filed in filings:
        if (number := filed.form.person.external_id) is not None:
            numbers[filed.clinic_id].add(number)
    await work.load_readable({filed.referral_id for filed in filings})
    await work.load_people({referral.patient_id for referral in (*work.referrals, *work.in_danger)})
    await work.load_people_by_number(numbers)
    await work.load_referrals_of({person.patient_id for person in work.people})


def is_kept_by_newer_release(work: IntakeWork, filing: Filing) -> bool:
    """Whether the referral, its person or the person with this number cannot be read here."""
    known = work.referrals.get(filing.referral_id)
    return work.is_unread(filing.referral_id if known is None else known.patient_id) or work.is_number_unread(
        filing.clinic_id, filing.form.person.external_id
    )


def kept_by_newer_release() -> Problem:
    return Problem(
        503,
        KEPT,
        "A newer release keeps this: nothing was recorded; any crisis in it was told. Send it again later.",
    )


def numbered(work: IntakeWork, filing: Filing) -> Person | None:
    return work.person_by_number(filing.clinic_id, filing.form.person.external_id)


def is_about_somebody_else(work: IntakeWork, known: Referral | InDanger, filing: Filing) -> bool:
    """Whether the form does not mean the referral's person: two files may both number referrals from 1."""
    person, told = work.people[known.patient_id], filing.form.person
    if (numbered(work, filing) or person).id != person.id:
        return True
    today = work.now.date()
    known_age = known.age if isinstance(known, Referral) else None
    ages = _years(person.birth_date, known_age, today), _years(told.birth_date, filing.form.age, today)
    return person.is_somebody_else(told.identity(), *ages)


def _years(birth_date: date | None, age: int | None, today: date) -> int | None:
    return age if birth_date is None else age_on(birth_date, today)


def named_in(work: IntakeWork, filing: Filing | None) -> Referral | InDanger | None:
    """The referral that a form names; `None` if it is unknown, or is or may be somebody else's."""
    if filing is None:
        return None
    known = work.referrals.get(filing.referral_id) or work.in_danger.get(filing.referral_id)
    if known is None or work.people.get(known.patient_id) is None:
        return None
    if work.is_number_unread(filing.clinic_id, filing.form.person.external_id):
        return None
    return None if is_about_somebody_else(work, known, filing) else known
