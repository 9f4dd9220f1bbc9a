"""Who calls, and what they may see."""

from dataclasses import dataclass
from typing import Literal, get_args

from shared.messaging.work import NotFound

Role = Literal["coordinator", "clinician", "engineer", "service"]
ROLES: frozenset[Role] = frozenset(get_args(Role))
ALL_CLINICS = "*"


@dataclass(frozen=True, slots=True)
class Caller:
    """A verified caller: `subject` names the person or program, `clinic` the one they may see."""

    subject: str
    roles: frozenset[Role]
    clinic: str
    """A clinic id, or `*` for all clinics."""

    def may_see(self, clinic_id: str) -> bool:
        return self.clinic in (ALL_CLINICS, clinic_id)

    def require_clinic(self, clinic_id: str, what: str, id: str) -> None:
        """Raises `NotFound`: another clinic's document is as if absent."""
        if not self.may_see(clinic_id):
            raise NotFound(what, id)
