"""Display texts for codes. A code without a text is shown as it is, never hidden."""

from collections.abc import Callable
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from services.dashboard.domain.risk import Risk

UTC = "UTC"
"""The zone used where the clinic's is unknown; times in it are marked as UTC."""

RISKS: dict[int, tuple[str, str]] = {
    Risk.CRISIS_HIGH: ("crisis-high", "Crisis, high"),
    Risk.CRISIS_MODERATE: ("crisis-moderate", "Crisis, moderate"),
    Risk.CRISIS_LOW: ("crisis-low", "Crisis, low"),
    Risk.CRISIS_TAKEN: ("acknowledged", "Crisis, in hand"),
    Risk.RELAPSE: ("relapse", "Relapse signal"),
    Risk.DETERIORATION: ("deteriorated", "Deteriorated"),
    Risk.NOT_IMPROVING: ("not-improving", "Not improving"),
    Risk.MISSED: ("overdue", "Missed a session"),
    Risk.OVERDUE: ("overdue", "Overdue"),
    Risk.REVIEW: ("review", "Needs a decision"),
    Risk.WAITING: ("review", "Waiting for a plan"),
    Risk.ON_HOLD: ("hold", "On hold"),
    Risk.ON_COURSE: ("on-course", "On course"),
    Risk.DONE: ("done", "No open work"),
}
"""Badge and label of each risk, in the caseload's order."""

ACTIONS = {
    "take_crisis": "Take the crisis now",
    "answer_flag": "Act on the crisis flag now: no alert is known",
    "assess_crisis": "Record the crisis assessment",
    "resolve_crisis": "Resolve the crisis with its disposition",
    "decide_relapse": "Decide about the relapse signal",
    "review_deterioration": "Look at the deterioration",
    "review_course": "Hold the case review",
    "reach_out": "Reach out after the missed session",
    "record_session": "Record what happened in the last session",
    "complete_phase_work": "Complete the phase's work",
    "review_hold": "Review the hold",
    "review_maintenance": "Review maintenance",
    "decide_referral": "Decide about the referral",
    "complete_screening": "Complete the screening",
    "ask_for_plan": "Find out why no care plan began",
    "look_at_alert": "Look at the alert",
    "prepare_ending": "Prepare the ending",
    "see": "See at the next session",
    "book": "Book a session",
    "discuss_maintenance": "Discuss maintenance or close",
    "none": "Nothing open",
}

PHASES = {
    "referred": "Referred",
    "initial": "Initial sessions",
    "middle": "Middle sessions",
    "termination": "Termination phase",
    "ended": "Ended",
    "maintenance": "Maintenance",
    "closed": "Closed",
}

ELSE = {
    "phq9": "PHQ-9",
    "gad7": "GAD-7",
    "cssrs": "C-SSRS",
    "phq9_item9": "PHQ-9 item 9",
    "cssrs_high": "C-SSRS high",
    "cssrs_moderate": "C-SSRS moderate",
    "cssrs_low": "C-SSRS low",
}


def said(code: str | None) -> str:
    """A code in words: `not_improving` → Not improving."""
    if not code:
        return "–"
    known = ELSE.get(code) or ACTIONS.get(code) or PHASES.get(code)
    return known or code.replace("_", " ").replace("-", " ").capitalize()


def day(at: datetime | None, zone: str = UTC) -> str:
    """The date in the clinic's zone; in UTC, marked as such, if the zone is unknown."""
    return _in_zone(at, zone, "%a %d %b %Y")


def moment(at: datetime | None, zone: str = UTC) -> str:
    """Date and time in the clinic's zone; in UTC, marked as such, if the zone is unknown."""
    return _in_zone(at, zone, "%a %d %b %Y %H:%M")


def _in_zone(at: datetime | None, zone: str, form: str) -> str:
    if at is None:
        return "–"
    return f"{at.astimezone(ZoneInfo(zone)):{form}}" + (f" {UTC}" if zone == UTC else "")


def local(text: str) -> str:
    """The scheduler's wall-clock time: `2026-03-02T10:00:00` → Mon 02 Mar 10:00."""
    return f"{datetime.fromisoformat(text):%a %d %b %H:%M}" if text else "–"


def short_id(id: str) -> str:
    """Shorten an opaque id to what tells two apart on a page."""
    kind, _, rest = id.partition("_")
    return f"{kind} {rest[:6]}" if rest else id[:10]


def days_between(earlier: datetime, later: datetime) -> int:
    return max(0, (later - earlier).days)


ALL: dict[str, Any] = {"RISKS": RISKS, "ACTIONS": ACTIONS, "PHASES": PHASES, "days_between": days_between}
FILTERS: dict[str, Callable[..., Any]] = {
    "said": said,
    "day": day,
    "moment": moment,
    "local": local,
    "short_id": short_id,
}
