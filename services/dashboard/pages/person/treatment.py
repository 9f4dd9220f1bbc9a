"""Actions on the treatment: the interpersonal inventory, the focus, the contracted number of sessions."""

from typing import Any

from services.dashboard.pages.forms import Unfit
from services.dashboard.pages.person.acts import Act, Ask, Scene, codes, in_phases, one_of
from services.dashboard.pages.person.fields import (
    Entered,
    Field,
    Form,
    Group,
    number,
    optional,
    plain,
    text,
)

AREAS = ("role_disputes", "role_transitions", "grief", "interpersonal_deficits")
REVISIONS = ("extra_sessions_needed", "goals_reached_early", "patient_request", "other")
ROWS, SPARE, MOST = 4, 3, 100
"""Rows of the inventory: the minimum, empty ones after those filled in, and the maximum of care_plan."""


def _entries(scene: Scene) -> list[dict[str, Any]]:
    known = list(scene.plan["inventory"]) if scene.plan else []
    return sorted(known, key=lambda entry: entry["rank"] or MOST + 1)


def _inventory_form(scene: Scene) -> tuple[Form, ...]:
    """Enough rows for the plan's entries, and for those in a form that was sent."""
    sent = max((place for place in range(1, MOST + 1) if _is_filled(scene.entered, place)), default=0)
    rows = min(MOST, max(ROWS, len(_entries(scene)) + SPARE, sent))
    return (Form(tuple(_row(number) for number in range(1, rows + 1)), "Save the inventory"),)


def _row(number: int) -> Group:
    fields = (
        Field(f"entry_{number}_text", "What is the issue", "textarea", maxlength=4000, rows=2),
        Field(f"entry_{number}_area", "Problem area", "select", (("", "Not decided"), *codes(*AREAS))),
        Field(f"entry_{number}_rank", "Rank", "number", min="1", max=str(MOST)),
    )
    return Group(f"Issue {number}", fields, beside=True)


def _inventory_so_far(scene: Scene) -> dict[str, str]:
    filled: dict[str, str] = {}
    for place, entry in enumerate(_entries(scene), 1):
        filled[f"entry_{place}_text"] = entry["text"] or ""
        filled[f"entry_{place}_area"] = entry["problem_area"] or ""
        filled[f"entry_{place}_rank"] = str(entry["rank"] or "")
    return filled


def _inventory(scene: Scene, entered: Entered) -> Ask:
    """Send all entries; they replace those recorded before."""
    entries = [_entry(entered, place) for place in range(1, MOST + 1) if _is_filled(entered, place)]
    return Ask("care_plan", "PUT", scene.plan_path("/inventory"), {"entries": entries})


def _is_filled(entered: Entered, place: int) -> bool:
    return any(optional(entered, f"entry_{place}_{part}") for part in ("text", "area", "rank"))


def _entry(entered: Entered, place: int) -> dict[str, Any]:
    rank = optional(entered, f"entry_{place}_rank")
    return {
        "text": text(entered, f"entry_{place}_text", f"Issue {place}").replace("\r\n", "\n"),
        "problem_area": optional(entered, f"entry_{place}_area"),
        "rank": number(entered, f"entry_{place}_rank", f"Rank of issue {place}") if rank else None,
    }


def _focus_form(_: Scene) -> tuple[Form, ...]:
    return plain(
        Field("focus_1", "Focus", "select", one_of(*AREAS), required=True),
        Field("focus_2", "Second focus", "select", (("", "None"), *codes(*AREAS))),
        submit="Select the focus",
        beside=True,
    )


def _focus(scene: Scene, entered: Entered) -> Ask:
    areas = [text(entered, "focus_1", "Focus")]
    if second := optional(entered, "focus_2"):
        areas.append(second)
    if len(set(areas)) != len(areas):
        raise Unfit(("focus_2", "Second focus: choose another one than the first, or none."))
    return Ask("care_plan", "PUT", scene.plan_path("/focus"), {"problem_areas": areas})


def _focus_so_far(scene: Scene) -> dict[str, str]:
    known = scene.plan["focus"] if scene.plan else ()
    return {f"focus_{place}": area for place, area in enumerate(known, 1)}


def _contract_form(_: Scene) -> tuple[Form, ...]:
    return plain(
        Field("sessions", "Number of sessions", "number", required=True, min="1", max="100"),
        Field("reason", "Reason", "select", one_of(*REVISIONS), required=True),
        submit="Revise the contract",
        beside=True,
    )


def _contract(scene: Scene, entered: Entered) -> Ask:
    body = {
        "sessions": number(entered, "sessions", "Number of sessions"),
        "reason": text(entered, "reason", "Reason"),
    }
    return Ask("care_plan", "POST", scene.plan_path("/contract"), body)


def _may_complete(scene: Scene) -> bool:
    early = scene.phase in ("initial", "middle")
    return early and scene.plan is not None and scene.plan["inventory_completed_at"] is None


TREATMENT = (
    Act(
        name="inventory",
        title="Record the inventory",
        hint="The interpersonal issues, ranked. What is saved takes the place of what stood there before.",
        done="The inventory is saved.",
        section="Treatment",
        offered=in_phases("initial", "middle"),
        forms=_inventory_form,
        ask=_inventory,
        clinicians_only=True,
        changes="plan",
        initial=_inventory_so_far,
    ),
    Act(
        name="complete-inventory",
        title="Complete the inventory",
        hint="All interpersonal issues are recorded and ranked 1, 2, 3 and so on, each rank once.",
        done="The inventory is complete.",
        section="Treatment",
        offered=_may_complete,
        forms=lambda _: plain(submit="The inventory is complete"),
        ask=lambda scene, _: Ask("care_plan", "POST", scene.plan_path("/inventory/complete")),
        clinicians_only=True,
        changes="plan",
    ),
    Act(
        name="focus",
        title="Select the focus",
        hint="One problem area, two at most, to work on in the middle sessions.",
        done="The focus is selected.",
        section="Treatment",
        offered=in_phases("initial", "middle"),
        forms=_focus_form,
        ask=_focus,
        clinicians_only=True,
        changes="plan",
        initial=_focus_so_far,
    ),
    Act(
        name="contract",
        title="Revise the contract",
        hint="Another number of sessions. The phases' lengths and the appointments follow.",
        done="The contract is revised.",
        section="Treatment",
        offered=in_phases("initial", "middle", "termination"),
        forms=_contract_form,
        ask=_contract,
        clinicians_only=True,
        changes="plan",
        initial=lambda scene: {"sessions": str(scene.course.sessions)} if scene.course else {},
    ),
)
