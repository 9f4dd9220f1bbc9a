"""All actions on a person, and which one comes next."""

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
"""Acts on this page for a next action; the first one open to the viewer is used."""


def offered(scene: Scene) -> dict[str, list[Act]]:
    """Acts open to the viewer by section, in the order of the catalogue; empty sections are left out."""
    acts = [act for act in CATALOGUE.values() if act.is_open_to(scene)]
    grouped = {section: [act for act in acts if act.section == section] for section in SECTIONS}
    return {section: found for section, found in grouped.items() if found}


def next_action(scene: Scene) -> tuple[str, str] | None:
    """The next action's text and link; `None` if there is none. A crisis always links to its alert."""
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
