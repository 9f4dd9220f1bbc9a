"""Documents of people as the read model would store them from their events."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from services.dashboard.domain.alert import OpenAlert
from services.dashboard.domain.person import Appointment, Course, Entered, Measure, Person, Referral
from services.dashboard.store import PEOPLE, Row
from shared.mongo import Document, MongoDatabase

NOW = datetime(2026, 6, 1, 14, 0, tzinfo=UTC)
CLINICS, CLINICIANS = 10, 40
PART = 1_000
SESSIONS = 16
KINDS = ("missed_session", "session_unrecorded", "deterioration", "not_improving", "crisis")
"""Every fortieth person has one of these open."""


async def fill(database: MongoDatabase, size: int) -> None:
    people = rows(size)
    while part := [row for _, row in zip(range(PART), people, strict=False)]:
        await database[PEOPLE].insert_many(part, ordered=False)


def rows(size: int) -> Iterator[Document]:
    for number in range(size):
        row = Row.of(person(number)).model_dump()
        yield {"_id": row.pop("id"), **row, "version": 1, "announced": {}, "trail": []}


def person(number: int) -> Person:
    clinic = f"clinic{number % CLINICS:02}"
    alerts = (_alert(number),) if number % 40 == 0 else ()
    return Person(
        id=f"pat_{number:08x}",
        clinic_id=clinic,
        referrals=(Referral(id=f"ref_{number:08x}", state="completed", received_at=_at(number, 0)),),
        courses=(_course(number, clinic),),
        alerts=alerts,
    )


def _at(number: int, weeks: float) -> datetime:
    return NOW - timedelta(weeks=SESSIONS - number % SESSIONS - weeks, minutes=number % 2_400)


def _alert(number: int) -> OpenAlert:
    kind = KINDS[number // 40 % len(KINDS)]
    raised = NOW - timedelta(minutes=number % 600)
    known: dict[str, Any] = {"reason": kind, "acknowledge_by": None, "lease_until": None}
    return OpenAlert(
        id=f"alr_{number:08x}", kind=kind, severity="moderate", state="open", raised_at=raised, **known
    )


def _course(number: int, clinic: str) -> Course:
    attended = number % SESSIONS
    appointments = tuple(_appointment(number, place, attended, clinic) for place in range(1, SESSIONS + 1))
    return Course(
        id=f"pln_{number:08x}",
        clinician_id=f"{clinic}_cln{number // CLINICS % CLINICIANS:02}",
        episode=1,
        variant="ipt-16",
        sessions=SESSIONS,
        initial_sessions=4,
        termination_sessions=4,
        started_at=_at(number, 0),
        phases=(Entered(phase="initial", at=_at(number, 0)),),
        attended=attended,
        measures=tuple(
            Measure(at=_at(number, week), instrument="phq9", total=max(0, 14 - week), attended=week)
            for week in range(1, attended + 1)
        ),
        appointments=appointments,
    )


def _appointment(number: int, place: int, attended: int, clinic: str) -> Appointment:
    starts_at = _at(number, place)
    seen = place <= attended
    return Appointment(
        id=f"apt_{number:08x}_{place:02}",
        number=place,
        starts_at=starts_at,
        local_time=f"{starts_at:%Y-%m-%dT%H:%M:%S}",
        zone="America/New_York",
        minutes=60,
        clinician_id=f"{clinic}_cln{number // CLINICS % CLINICIANS:02}",
        outcome="attended" if seen else None,
        ended_at=starts_at if seen else None,
    )
