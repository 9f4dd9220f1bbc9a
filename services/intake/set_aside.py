"""Set aside refused forms that contain crisis evidence, and alert a human.

Only ids, clinic, caller, time and the evidence as codes are stored: no answers and no text.
"""

import re
from dataclasses import dataclass
from datetime import timedelta
from uuid import uuid4, uuid5

from services.intake.clinics import Clinics
from services.intake.domain import intake
from services.intake.domain.crisis import Assessment
from services.intake.domain.referral import InDanger, Referral
from services.intake.events import CrisisFlagRaised
from services.intake.handlers import UNKNOWN, Desk
from services.intake.naming import NAMESPACE
from services.intake.store import IntakeWork, SetAsideForm
from shared.http.caller import Caller
from shared.messaging.event import Event

NOBODY = "unknown-"
"""Prefix of the id of a person not yet identified."""

TELLING = re.compile(
    rb'"(?:external_id|given_name|family_name|email|phone)\\?"\s*+:\s*+(?:\\?"(?!\\?")|[0-9])'
)
"""Matches a non-empty number, name or contact, even within a file's line that is sent as a string."""

SAME_FOR = timedelta(days=7)
"""How long a repeat counts as the same form. After that, it may mean a new danger."""


@dataclass(frozen=True, slots=True)
class RefusedForm:
    """A form that was not accepted. `id` is the same if the same form is sent again."""

    id: str
    caller: Caller
    clinic_id: str
    """The clinic that follows it up."""
    evidence: Assessment

    @classmethod
    def of(
        cls, caller: Caller, clinic_id: str, evidence: Assessment, place: str, content: bytes
    ) -> "RefusedForm":
        about = b"\0".join((caller.clinic.encode(), caller.subject.encode(), place.encode(), content))
        return cls(f"aside_{uuid5(NAMESPACE, about.hex()).hex}", caller, clinic_id, evidence)


def tells_who(content: bytes) -> bool:
    """Whether a form contains anything that identifies a person.

    Without it, two equal forms may be about two people, so only a retry of the same request is a repeat.
    """
    return TELLING.search(content) is not None


def followed_up_by(caller: Caller, clinics: Clinics, *named: object) -> str:
    """The first configured clinic that the form names and the caller may see, else the caller's own.

    If that is not configured either, `UNKNOWN`: then everybody is alerted, since otherwise nobody would be.
    """
    theirs = (asked for asked in (*named, caller.clinic) if isinstance(asked, str) and caller.sees(asked))
    return next((asked for asked in theirs if clinics.clinicians(asked) is not None), UNKNOWN)


def keep_aside(work: IntakeWork, desk: Desk, refused: RefusedForm, known: Referral | InDanger | None) -> bool:
    """Set the form aside and raise its flag, on the referral if that is `known`.

    Returns whether a flag was raised: not without evidence, and not for a repeat of the same form.
    """
    if refused.evidence.severity is None:
        return False
    earlier = work.set_aside_forms.get(refused.id)
    if earlier is not None and work.now - earlier.at < SAME_FOR:
        work.note("crisis_flag", "form_already_set_aside")
        return False
    match known:
        case Referral():
            others = work.others_of(known)
            work.referrals.save(*intake.raise_flag(known, refused.evidence, work.now, desk.rules, others))
        case InDanger():
            work.in_danger.save(*intake.flagged(known, refused.evidence, work.now))
    form = SetAsideForm(
        id=refused.id,
        patient_id=known.patient_id if known else earlier.patient_id if earlier else f"{NOBODY}{uuid4().hex}",
        clinic_id=known.clinic_id if known else refused.clinic_id,
        referral_id=known.id if known else None,
        caller=refused.caller.subject,
        at=work.now,
        severity=refused.evidence.severity,
        evidence=intake.codes(refused.evidence.evidence),
        times=earlier.times + 1 if earlier else 1,
    )
    work.set_aside_forms.save(form, [] if known else [_flag(form)])
    return True


def _flag(form: SetAsideForm) -> Event:
    """The flag for a form about an unidentified person: whoever follows it up can ask the caller."""
    return CrisisFlagRaised(
        patient_id=form.patient_id,
        clinic_id=form.clinic_id,
        flag_id=f"flag_{form.id}" if form.times == 1 else f"flag_{form.id}_{form.times}",
        referral_id=form.id,
        severity=form.severity,
        evidence=form.evidence,
        clinician_id=None,
        raised_at=form.at,
    )
