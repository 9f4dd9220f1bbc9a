"""The numbers of scheduling, read from versioned data files in the service, for clinical sign-off."""

from datetime import time, timedelta
from functools import cache
from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, field_validator

HERE = Path(__file__).parents[1]

OfASession = Literal["SessionReminderDue", "WeeklySessionDue", "MaintenanceSessionDue", "SessionOverdue"]
Announced = Literal[
    OfASession,
    "TerminationPhaseDue",
    "CaseReviewDue",
    "HoldReviewDue",
    "MaintenanceReviewDue",
]


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Send(_Data):
    """Still announced, however late."""

    policy: Literal["send"]


class Skip(_Data):
    """Skipped when more than `after_hours` late. The skip is announced."""

    policy: Literal["skip"]
    after_hours: float = Field(gt=0)


class SkipOnceStarted(_Data):
    """Skipped once the session has begun. The skip is announced. For announcements about a session only."""

    policy: Literal["skip_once_started"]


Late = Annotated[Send | Skip | SkipOnceStarted, Field(discriminator="policy")]


class Announcement(_Data):
    """When an announcement is due, and what happens to it when it is late.

    `days` or `clinic_days` (clinic weekdays that are not holidays) after its reference date, at local time
    `at`. `asks`: somebody must act on it, and `AnnouncementSettled` follows once that is done or moot.
    """

    days: int = 0
    clinic_days: int = 0
    lead_sessions: int = 0
    at: time = time(0)
    late: Late
    asks: bool = False
    source: str


class Announcements(_Data):
    version: str
    sign_off: str
    announcements: dict[Announced, Announcement]

    @field_validator("announcements")
    @classmethod
    def _is_complete(cls, given: dict[Announced, Announcement]) -> dict[Announced, Announcement]:
        if missing := sorted(set(get_args(Announced)) - given.keys()):
            raise ValueError(f"says nothing about {', '.join(missing)}")
        for kind, rule in given.items():
            if isinstance(rule.late, SkipOnceStarted) and kind not in get_args(OfASession):
                raise ValueError(f"{kind} is about no session, and cannot be skipped once one has started")
        return given

    def __getitem__(self, kind: Announced) -> Announcement:
        return self.announcements[kind]

    def asking(self) -> frozenset[Announced]:
        """The kinds that ask somebody to act."""
        return frozenset(kind for kind, rule in self.announcements.items() if rule.asks)


class Course(_Data):
    version: str
    sign_off: str
    first_session_within_hours: int
    first_session_notice_hours: int
    days_between_sessions: int
    earlier_by_at_most_days: int
    search_days: int
    maintenance_interval_days: dict[Literal["weekly", "twice_monthly", "monthly"], int]
    sources: dict[str, str]

    @property
    def first_session_within(self) -> timedelta:
        return timedelta(hours=self.first_session_within_hours)

    @property
    def first_session_notice(self) -> timedelta:
        return timedelta(hours=self.first_session_notice_hours)


@cache
def announcements() -> Announcements:
    return Announcements.model_validate_json((HERE / "announcements.json").read_bytes())


@cache
def course() -> Course:
    return Course.model_validate_json((HERE / "course.json").read_bytes())
