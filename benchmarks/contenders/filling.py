"""The plan and announcement that hand-written sides create from a completed intake. Needs only `bson`."""

import json
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path
from typing import Any

from bson import decode
from bson.codec_options import CodecOptions

Document = dict[str, Any]

INTAKE_TOPIC, PLAN_TOPIC = "intake.referrals", "care-plan.plans"


def task() -> Document:
    """The benchmark's instructions to this side, from the command line."""
    told: Document = json.loads(sys.argv[1])
    return told


@dataclass(frozen=True)
class Filling:
    """Templates of a stored plan and an event body, filled in for each referral."""

    plan: Document
    event: Document

    @classmethod
    def read(cls, path: str) -> "Filling":
        aware: CodecOptions[Document] = CodecOptions(tz_aware=True)
        found = decode(Path(path).read_bytes(), aware)
        return cls(found["plan"], found["event"])

    def plan_for(self, intake: Document) -> Document:
        started = datetime.fromisoformat(intake["completed_at"]).astimezone(UTC)
        return self.plan | {
            "_id": plan_id(intake["referral_id"]),
            "patient_id": intake["patient_id"],
            "clinic_id": intake["clinic_id"],
            "clinician_id": intake["clinician_id"],
            "referral_id": intake["referral_id"],
            "started_at": started,
            "phase": {"name": "initial", "entered_at": started},
            "baseline_phq9": intake["phq9_total"],
            "baseline_gad7": intake["gad7_total"],
            "history_indications": intake["maintenance_indications"],
        }

    def event_for(self, plan: Document, started_at: str) -> Document:
        return self.event | {
            "patient_id": plan["patient_id"],
            "clinic_id": plan["clinic_id"],
            "plan_id": plan["_id"],
            "clinician_id": plan["clinician_id"],
            "referral_id": plan["referral_id"],
            "started_at": started_at,
        }


def plan_id(referral_id: str) -> str:
    digest = blake2b(f"pln/{referral_id}".encode(), digest_size=16, person=b"care_plan")
    return f"pln_{digest.hexdigest()}"


def envelope(event_id: str, plan: Document, cause: Document, now: str) -> list[tuple[str, bytes]]:
    """CloudEvents headers like Kith's. `cause`: the incoming message's headers."""
    return [
        ("ce_specversion", b"1.0"),
        ("ce_id", event_id.encode()),
        ("ce_type", b"CarePlanStarted"),
        ("ce_source", b"care_plan"),
        ("ce_subject", plan["_id"].encode()),
        ("ce_time", now.encode()),
        ("ce_sequence", b"1"),
        ("ce_schemaversion", b"1"),
        ("ce_partitionkey", plan["patient_id"].encode()),
        ("ce_correlationid", cause["ce_correlationid"]),
        ("content-type", b"application/json"),
        ("ce_causationid", cause["ce_id"]),
    ]
