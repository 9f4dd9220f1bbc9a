"""Intake's commands: read from the work, ask the domain, save what follows."""

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID, uuid4, uuid5

from services.intake.clinics import Clinics, assigned
from services.intake.domain import decisions, intake
from services.intake.domain.crisis import assess_statement
from services.intake.domain.eligibility import Rules
from services.intake.domain.intake import Change
from services.intake.domain.person import Person, age_on
from services.intake.domain.referral import Referral, Submission
from services.intake.finding import MOST
from services.intake.forms import DeclineForm, EnrolForm, ImportRow, ReferralForm
from services.intake.store import PEOPLE, REFERRALS, IntakeWork
from services.intake.views import (
    FoundPeople,
    FoundPerson,
    Name,
    Names,
    Outcome,
    PersonView,
    ReferralView,
    SetAside,
    SetAsideForms,
)
from shared.errors import Refused
from shared.http.caller import ALL_CLINICS, Call, Caller
from shared.http.commands import Reply
from shared.http.guard import if_match
from shared.http.problems import FieldProblem, Problem

NAMESPACE = UUID("b1d0a4b2-6d0c-4b0e-9f0e-3a7c5d1f2e60")

PERSON_DIFFERS = "person_differs"
"""Why a form is refused whose referral is known and is about somebody else."""

UNKNOWN = "unknown"
"""The clinic of a form that named none, sent by somebody of all clinics."""

NOT_SHOWN = {"patient_id", "referral_id"}


@dataclass(frozen=True, slots=True)
class Desk:
    """What every command of intake needs besides its work."""

    rules: Rules
    clinics: Clinics


@dataclass(frozen=True, slots=True)
class Filing:
    """A form with the clinic it goes to and the referral it is about."""

    clinic_id: str
    referral_id: str
    form: ReferralForm


def filing(caller: Caller, form: ReferralForm, clinic_id: str | None = None) -> Filing:
    """`clinic_id`: for forms that name none. Raises like `clinic_of`."""
    clinic_id = clinic_of(caller, form.clinic_id or clinic_id)
    return Filing(clinic_id, _referral_id(clinic_id, form), form)


def field_problem(field: str, code: str) -> Problem:
    """A 422 for what only this service can find wrong with a field."""
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
    """Derived from where the referral comes from, so that the same referral twice is one referral."""
    if form.external_id is None:
        return f"ref_{uuid4().hex}"
    return f"ref_{uuid5(NAMESPACE, chr(0).join((clinic_id, form.source_system, form.external_id))).hex}"


async def load_filing(work: IntakeWork, filing: Filing) -> None:
    await work.referrals.load([filing.referral_id])
    if (referral := work.referrals.get(filing.referral_id)) is not None:
        await work.people.load([referral.patient_id])
    if (number := filing.form.person.external_id) is not None:
        await work.load_people_by_number({filing.clinic_id: {number}})
    await work.load_referrals_of({person.patient_id for person in work.people})


def refer(work: IntakeWork, desk: Desk, call: Call, filing: Filing) -> Reply:
    """Receive a referral, or add to it if it is known (201 or 200)."""
    id = filing.referral_id
    if work.referrals.get(id) is not None:
        if_match(call, work.referrals.version(id))
    outcome = take(work, desk, filing, by=call.caller.subject)
    reply = _reply(work, desk, id)
    if outcome != "created":
        return reply
    return Reply(reply.body, 201, reply.version, location=f"/referrals/{id}")


def take(work: IntakeWork, desk: Desk, filing: Filing, *, by: str) -> Outcome:
    """Take in a referral and its person; saves nothing if it raises or if nothing is new.

    Raises `Problem` 422 for an unknown clinic or clinician and a birth date in the future, `Refused` when
    the referral is known to be about somebody else, or is decided and consent changes.
    """
    clinician_id = _clinician(desk, filing)
    known = work.referrals.get(filing.referral_id)
    person = _person(work, known, filing)
    today = desk.clinics.today(filing.clinic_id, work.now)
    submission = filing.form.submission(_age(filing.form, today))
    if known is None:
        referral = _new_referral(filing, person, clinician_id, work.now)
        others = work.others_of(referral) if work.people.get(person.id) is not None else []
        change = intake.receive(referral, submission, work.now, desk.rules, by, others)
    else:
        others = [] if known.is_decided else work.others_of(known)
        change = intake.record(known, submission, work.now, desk.rules, by, others)
    return _saved(work, person, known, change)


def _saved(work: IntakeWork, person: Person, known: Referral | None, change: Change) -> Outcome:
    """Whoever refers somebody writes the person, too: of two referrals at once the second is decided anew."""
    after, events = change
    person_is_told = work.people.get(person.id) != person
    if person_is_told or known is None:
        work.save_person(person)
    if after != known or events:
        work.referrals.save(after, events)
    if known is None:
        return "created"
    return "updated" if after != known or person_is_told else "unchanged"


def _person(work: IntakeWork, known: Referral | None, filing: Filing) -> Person:
    """The same person twice (same clinic, same number) is one patient; ids say nothing about anyone."""
    if known is None:
        person = _numbered(work, filing) or _new_person(filing.clinic_id)
    elif _is_about_somebody_else(work, known, filing):
        raise Refused(PERSON_DIFFERS)
    else:
        person = work.people[known.patient_id]
    return person.told(filing.form.person.identity())


def _numbered(work: IntakeWork, filing: Filing) -> Person | None:
    return work.person_by_number(filing.clinic_id, filing.form.person.external_id)


def _is_about_somebody_else(work: IntakeWork, known: Referral, filing: Filing) -> bool:
    """Numbers of referrals repeat: two files may both begin with 1."""
    person = work.people[known.patient_id]
    numbered = _numbered(work, filing) or person
    return numbered.id != person.id or person.is_somebody_else(filing.form.person.identity())


def named_in(work: IntakeWork, filing: Filing | None) -> Referral | None:
    """The referral that a form names; `None` if nobody knows it, or if it is about somebody else."""
    known = None if filing is None else work.referrals.get(filing.referral_id)
    if filing is None or known is None or _is_about_somebody_else(work, known, filing):
        return None
    return known


def _new_person(clinic_id: str) -> Person:
    id = f"pat_{uuid4().hex}"
    return Person(id=id, patient_id=id, clinic_id=clinic_id)


def _new_referral(filing: Filing, person: Person, clinician_id: str, now: datetime) -> Referral:
    return Referral(
        id=filing.referral_id,
        patient_id=person.patient_id,
        clinic_id=filing.clinic_id,
        clinician_id=clinician_id,
        source="import" if isinstance(filing.form, ImportRow) else "form",
        system=filing.form.source_system,
        external_id=filing.form.external_id,
        received_at=now,
    )


def _clinician(desk: Desk, filing: Filing) -> str:
    clinicians, asked = desk.clinics.clinicians(filing.clinic_id), filing.form.clinician_id
    if not clinicians:
        raise field_problem("clinic_id", "unknown_clinic")
    if asked is not None and asked not in clinicians:
        raise field_problem("clinician_id", "unknown_clinician")
    return asked or assigned(clinicians, filing.referral_id)


def _age(form: ReferralForm, today: date) -> int | None:
    if form.person.birth_date is None:
        return form.age
    if form.person.birth_date > today:
        raise field_problem("person.birth_date", "date_in_the_future")
    return age_on(form.person.birth_date, today)


def record(work: IntakeWork, desk: Desk, call: Call, id: str, submission: Submission) -> Reply:
    """Screening answers or consent for a known referral."""
    known = _seen(work, call, id)
    others = work.others_of(known)
    after, events = intake.record(known, submission, work.now, desk.rules, call.caller.subject, others)
    if after != known or events:
        work.referrals.save(after, events)
    return _reply(work, desk, id)


def decide(work: IntakeWork, desk: Desk, call: Call, id: str, form: EnrolForm | DeclineForm) -> Reply:
    """A clinician's decision. Raises `Refused` with a named reason."""
    known, by = _seen(work, call, id), call.caller.subject
    match form:
        case EnrolForm():
            change = decisions.enrol(
                known,
                form.variant,
                form.sessions,
                work.now,
                desk.rules,
                by=by,
                crisis_assessed=form.crisis_assessed,
                others=work.others_of(known),
            )
        case DeclineForm():
            change = decisions.decline(
                known,
                form.reason,
                work.now,
                desk.rules,
                by=by,
                alternative_offered=form.alternative_offered,
                crisis_assessed=form.crisis_assessed,
            )
    work.referrals.save(*change)
    return _reply(work, desk, id)


def flag_crisis(work: IntakeWork, desk: Desk, call: Call, id: str) -> Reply:
    """Somebody raises a crisis outright. No version is asked for: an alarm is never out of date."""
    referral = work.referrals[id]
    call.caller.require_clinic(referral.clinic_id, REFERRALS, id)
    others = work.others_of(referral)
    work.referrals.save(*intake.raise_flag(referral, assess_statement("yes"), work.now, desk.rules, others))
    reply = _reply(work, desk, id)
    return Reply(reply.body, 201, reply.version)


def show(work: IntakeWork, desk: Desk, call: Call, id: str) -> Reply:
    call.caller.require_clinic(work.referrals[id].clinic_id, REFERRALS, id)
    return _reply(work, desk, id)


def show_person(work: IntakeWork, call: Call, id: str) -> Reply:
    person = work.people[id]
    call.caller.require_clinic(person.clinic_id, PEOPLE, id)
    return Reply(PersonView.of(person), version=work.people.version(id))


def show_set_aside(work: IntakeWork, call: Call) -> Reply:
    """Forms of the caller's clinic, and those of which no clinic is known; the latest first."""
    seen = [
        form for form in work.set_aside_forms if form.clinic_id == UNKNOWN or call.caller.sees(form.clinic_id)
    ]
    latest_first = sorted(seen, key=lambda form: form.at, reverse=True)
    return Reply(
        SetAsideForms(items=[SetAside(**form.model_dump(exclude=NOT_SHOWN)) for form in latest_first])
    )


def look_up_names(work: IntakeWork, call: Call, ids: tuple[str, ...]) -> Reply:
    people = [person for id in ids if (person := work.people.get(id)) is not None]
    return Reply(Names(items=[Name.of(person) for person in people if call.caller.sees(person.clinic_id)]))


def found_people(work: IntakeWork, call: Call) -> Reply:
    """Whoever was looked for, in order of their names; the first of them where there are many."""
    people = [person for person in work.people if call.caller.sees(person.clinic_id)]
    shown = [FoundPerson.of(person) for person in people[:MOST]]
    return Reply(FoundPeople(items=shown, more=len(people) > MOST))


def _seen(work: IntakeWork, call: Call, id: str) -> Referral:
    """The referral, if it is the caller's to see and has not changed since they saw it."""
    referral = work.referrals[id]
    call.caller.require_clinic(referral.clinic_id, REFERRALS, id)
    if_match(call, work.referrals.version(id))
    return referral


def _reply(work: IntakeWork, desk: Desk, id: str) -> Reply:
    view = ReferralView.of(work.referrals[id], desk.rules.onset_after)
    return Reply(view, version=work.referrals.version(id))
