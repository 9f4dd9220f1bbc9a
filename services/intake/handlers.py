"""Intake's commands: read from the work, ask the domain, save what follows."""

from dataclasses import dataclass
from datetime import date, datetime
from uuid import uuid4

from services.intake.clinics import Clinics, assigned
from services.intake.domain import decisions, intake
from services.intake.domain.crisis import assess_statement
from services.intake.domain.eligibility import Rules
from services.intake.domain.intake import Change
from services.intake.domain.person import Person, age_on
from services.intake.domain.referral import Referral, Submission
from services.intake.finding import MOST
from services.intake.forms import DeclineForm, EnrolForm, ImportRow, ReferralForm
from services.intake.naming import (
    Filing,
    field_problem,
    is_about_somebody_else,
    is_kept_by_newer_release,
    kept_by_newer_release,
    numbered,
)
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
from shared.http.caller import Call
from shared.http.commands import Reply
from shared.http.guard import if_match

PERSON_DIFFERS = "person_differs"
"""Reason for refusing a form whose referral or patient number is known to be somebody else's."""

UNKNOWN = "unknown"
"""Clinic of a refused form when neither the form nor its caller names a configured one."""

NOT_SHOWN = {"patient_id", "referral_id"}


@dataclass(frozen=True, slots=True)
class Desk:
    """Configuration that intake's commands need besides the work."""

    rules: Rules
    clinics: Clinics


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
    """Store a referral and its person; saves nothing if it raises or if nothing is new.

    Raises `Problem` 422 for an unknown clinic or clinician or a birth date in the future, `Problem` 503 if a
    newer release stored the referral or person, and `Refused` if the referral or number is somebody else's,
    or if consent or clinician changes after the decision.
    """
    if is_kept_by_newer_release(work, filing):
        raise kept_by_newer_release()
    clinician_id = _clinician(desk, filing)
    known = work.referrals.get(filing.referral_id)
    person = _person(work, known, filing)
    today = desk.clinics.today(filing.clinic_id, work.now)
    submission = filing.form.submission(_age(filing.form, today))
    if known is None:
        referral = _new_referral(filing, person, clinician_id, work.now)
        is_new_person = work.people.get(person.id) is None
        others = [] if is_new_person else work.others_of(referral)
        change = intake.receive(referral, submission, work.now, desk.rules, by, others)
    else:
        others = [] if known.is_decided else work.others_of(known)
        change = intake.record(known, submission, work.now, desk.rules, by, others)
    return _saved(work, person, known, change)


def _saved(work: IntakeWork, person: Person, known: Referral | None, change: Change) -> Outcome:
    """Save what changed; a new referral saves its person too, so that a concurrent one conflicts."""
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
    """The form's person. Equal clinic and number mean one patient; ids reveal nothing about anyone."""
    told = filing.form.person.identity()
    if known is None:
        person = numbered(work, filing) or _new_person(filing.clinic_id)
        differs = person.has_number_of_another(told)
    else:
        person = work.people[known.patient_id]
        differs = is_about_somebody_else(work, known, filing)
    if differs:
        raise Refused(PERSON_DIFFERS)
    return person.told(told)


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
    """Record screening answers, consent or the age for a known referral."""
    known = _seen(work, call, id)
    others = work.others_of(known)
    after, events = intake.record(known, submission, work.now, desk.rules, call.caller.subject, others)
    if after != known or events:
        work.referrals.save(after, events)
    return _reply(work, desk, id)


def decide(work: IntakeWork, desk: Desk, call: Call, id: str, form: EnrolForm | DeclineForm) -> Reply:
    """Apply a clinician's decision. Raises `Refused` with a named reason."""
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
    """Raise a crisis explicitly. No version is required: an alarm is never stale."""
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
    """Forms of the caller's clinic, and those with no known clinic; the latest first."""
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
    """The people found, in order of name; only the first `MOST` if there are more."""
    people = [person for person in work.people if call.caller.sees(person.clinic_id)]
    shown = [FoundPerson.of(person) for person in people[:MOST]]
    return Reply(FoundPeople(items=shown, more=len(people) > MOST))


def _seen(work: IntakeWork, call: Call, id: str) -> Referral:
    """The referral, if the caller may see it and their If-Match, if any, names its current version."""
    referral = work.referrals[id]
    call.caller.require_clinic(referral.clinic_id, REFERRALS, id)
    if_match(call, work.referrals.version(id))
    return referral


def _reply(work: IntakeWork, desk: Desk, id: str) -> Reply:
    view = ReferralView.of(work.referrals[id], desk.rules.onset_after)
    return Reply(view, version=work.referrals.version(id))
