"""The clinics file, as far as intake reads it: a clinic's clinicians and local date."""

from datetime import UTC, date, datetime
from hashlib import blake2b
from pathlib import Path
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict


class Clinician(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str


class Clinic(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str
    zone: ZoneInfo = ZoneInfo("UTC")
    clinicians: tuple[Clinician, ...]


class Clinics(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    clinics: tuple[Clinic, ...]

    @classmethod
    def read(cls, path: Path) -> "Clinics":
        return cls.model_validate_json(path.read_bytes())

    def clinicians(self, clinic_id: str) -> tuple[str, ...] | None:
        """Ids of the clinic's clinicians; `None` for an unknown clinic."""
        clinic = self._get(clinic_id)
        return None if clinic is None else tuple(clinician.id for clinician in clinic.clinicians)

    def today(self, clinic_id: str, now: datetime) -> date:
        clinic = self._get(clinic_id)
        return now.astimezone(clinic.zone if clinic else UTC).date()

    def _get(self, clinic_id: str) -> Clinic | None:
        return next((clinic for clinic in self.clinics if clinic.id == clinic_id), None)


def assigned(clinicians: tuple[str, ...], referral_id: str) -> str:
    """The clinician for a referral: spread evenly, and always the same for the same referral."""
    digest = blake2b(referral_id.encode(), digest_size=8).digest()
    return clinicians[int.from_bytes(digest) % len(clinicians)]
