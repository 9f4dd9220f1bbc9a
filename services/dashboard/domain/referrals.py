"""Folds intake's facts, from referral to decision, and crisis flags."""

from datetime import datetime

from services.dashboard import inbound
from services.dashboard.domain.parts import on_referral, put
from services.dashboard.domain.person import Flag, Person


def received(person: Person, fact: inbound.ReferralReceived) -> Person:
    return on_referral(person, fact.referral_id, lambda r: r.but(received_at=fact.received_at))


def incomplete(person: Person, fact: inbound.ScreeningIncomplete) -> Person:
    return on_referral(person, fact.referral_id, lambda r: r.but(state="incomplete", codes=fact.missing))


def in_review(person: Person, fact: inbound.IntakeReviewRequired) -> Person:
    return on_referral(
        person,
        fact.referral_id,
        lambda r: r.but(state="review", codes=fact.reasons, clinician_id=fact.clinician_id or r.clinician_id),
    )


def completed(person: Person, fact: inbound.IntakeCompleted) -> Person:
    decided = {"state": "completed", "codes": (), "decided_at": fact.completed_at}
    return on_referral(person, fact.referral_id, lambda r: r.but(**decided, clinician_id=fact.clinician_id))


def declined(person: Person, fact: inbound.IntakeDeclined, at: datetime) -> Person:
    return on_referral(
        person, fact.referral_id, lambda r: r.but(state="declined", codes=(fact.reason,), decided_at=at)
    )


def flagged(person: Person, fact: inbound.CrisisFlag, message_id: str) -> Person:
    flag = Flag(
        id=fact.flag_id,
        severity=fact.severity,
        evidence=fact.evidence,
        at=fact.raised_at,
        message_id=message_id,
    )
    flagged: Person = person.but(flags=put(person.flags, flag))
    return flagged
