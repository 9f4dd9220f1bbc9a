"""All that can be done about a person, and which of it comes first."""

from services.dashboard.pages.person.acts import SECTIONS, Act, Scene
from services.dashboard.pages.person.calendar import CALENDAR
from services.dashboard.pages.person.ending import ENDING
from services.dashboard.pages.person.recording import RECORDING
from services.dashboard.pages.person.treatment import TREATMENT
from services.dashboard.web.words import said

CATALOGUE: dict[str, Act] = {act.name: act for act in (*RECORDING, *CALENDAR, *TREATMENT, *ENDING)}

NEXT = {
    "record_session": ("record-session",),
    "complete_phase_work": ("inventory", "relapse-prevention"),
    "review_hold": ("resume",),
    "review_maintenance": ("review-maintenance",),
    "discuss_maintenance": ("maintenance",),
    "prepare_ending": ("relapse-prevention",),
    "decide_relapse": ("confirm-relapse",),
}
"""What is done about a next action right here, the first one that is open to the viewer."""


def offered(scene: Scene) -> dict[str, list[Act]]:
    """By section, in the order of the catalogue; sections without any are left out."""
    acts = [act for act in CATALOGUE.values() if act.is_open_to(scene)]
    grouped = {section: [act for act in acts if act.section == section] for section in SECTIONS}
    return {section: found for section, found in grouped.items() if found}


def next_action(scene: Scene) -> tuple[str, str] | None:
    """Its words and where it is done; `None` when nothing is open. A crisis is always done on its alert."""
    row = scene.row
    if row.action == "none":
        return None
    words = said(row.action)
    here = [name for name in NEXT.get(row.action, ()) if CATALOGUE[name].is_open_to(scene)]
    if here:
        return words, f"/people/{row.id}/actions/{here[0]}"
    if row.alert_id:
        return words, f"/alerts/{row.alert_id}"
    if row.action in ("decide_referral", "complete_screening") and row.referral:
        return words, f"/intake/{row.referral.id}"
    if row.action == "answer_flag":
        return words, "#flags"
    return words, "#appointments" if row.action in ("see", "book", "prepare_ending") else "#plan"
