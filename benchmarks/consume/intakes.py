"""Completed intakes as intake announces them, and the plan that care_plan creates from one."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from bson import encode

from services.care_plan.domain.plan import start
from services.care_plan.protocols import contract_today
from services.intake.events import IntakeCompleted
from shared.clock import whole_milliseconds
from shared.messaging.envelope import Cause, Envelope, seal
from shared.mongo import CODEC, ObjectId

CLINICIANS = [f"cln_r{number:02}" for number in range(1, 7)]


CLINICS = ("riverside",)


def completed(number: int, now: datetime, clinics: Sequence[str] = CLINICS) -> IntakeCompleted:
    """A distinct patient with a first referral, at one of the clinics in turn."""
    return IntakeCompleted(
        patient_id=f"pat_{number:032x}",
        clinic_id=clinics[number % len(clinics)],
        referral_id=f"ref_{number:032x}",
        completed_at=now,
        variant="ipt-16",
        sessions=16,
        clinician_id=CLINICIANS[number % len(CLINICIANS)],
        phq9_total=8 + number % 7,
        gad7_total=number % 15,
        maintenance_indications=("recurrent",) if number % 3 else (),
        decided_by="rule",
    )


def envelopes(count: int, clinics: Sequence[str] = CLINICS) -> list[Envelope]:
    """One message per referral, in its real envelope."""
    now = whole_milliseconds(datetime.now(UTC))
    return [_sealed(completed(number, now, clinics), now) for number in range(1, count + 1)]


def _sealed(intake: IntakeCompleted, now: datetime) -> Envelope:
    cause = Cause(correlation_id=f"req_{intake.referral_id[4:]}")
    return seal(intake, source="intake", subject=intake.referral_id, sequence=1, now=now, cause=cause)


def write_template(path: Path) -> Path:
    """Write the stored document of a new plan and its event as BSON: the hand-written sides' template."""
    intake = completed(0, whole_milliseconds(datetime.now(UTC)))
    plan, events = start(
        patient_id=intake.patient_id,
        clinic_id=intake.clinic_id,
        clinician_id=intake.clinician_id,
        referral_id=intake.referral_id,
        episode=1,
        contract=contract_today(intake.variant, intake.sessions),
        started_at=intake.completed_at,
        baseline_phq9=intake.phq9_total,
        baseline_gad7=intake.gad7_total,
        history_indications=intake.maintenance_indications,
    )
    row = plan.model_dump(exclude={"id"})
    row |= {"_id": plan.id, "version": 1, "announced": {events[0].topic: 1}, "trail": [ObjectId()]}
    path.write_bytes(encode({"plan": row, "event": events[0].model_dump(mode="json")}, codec_options=CODEC))
    return path
