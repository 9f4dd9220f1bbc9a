"""A broken guarantee, as the checker reports it."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal[
    "acknowledged_request_lost",
    "effect_nobody_asked_for",
    "announcement_not_published",
    "plan_missing",
    "schedule_missing",
    "plan_doubled",
    "appointment_doubled",
    "announcement_doubled",
    "page_doubled",
    "evidence_doubled",
    "page_invented",
    "page_unrecorded",
    "order_broken",
    "partition_changed",
    "position_wrong",
    "message_held",
    "timer_overdue",
    "timer_not_announced",
    "timer_announced_twice",
    "wall_time_drifted",
    "crisis_not_alerted",
    "crisis_not_paged",
    "dead_letter_missing",
    "dead_letter_unexpected",
    "person_missing",
    "person_invented",
    "shown_twice",
    "shown_wrong",
    "story_incomplete",
    "story_invented",
    "stuck",
    "not_ready",
    "state_differs",
]


@dataclass(frozen=True)
class Violation:
    """`ids`: the people or things concerned. `evidence`: numbers and codes that show it."""

    kind: Kind
    ids: tuple[str, ...]
    evidence: str

    @property
    def line(self) -> str:
        return f"{self.kind.replace('_', ' ')}: {', '.join(self.ids)} ({self.evidence})"
