"""The interpersonal inventory, its ranks, and the focus of treatment."""

from collections.abc import Sequence

from services.care_plan.domain.plan import Decision, InventoryEntry, Moment, Plan, require_phase
from services.care_plan.domain.refusals import refuse
from services.care_plan.domain.transitions import advance
from services.care_plan.events import FocusSelected, ProblemArea


def record_inventory(plan: Plan, entries: Sequence[InventoryEntry], moment: Moment) -> Decision:
    """Replace the entries. A completed inventory may be refined, but stays complete.

    Refuses `wrong_phase` after the middle phase, `inventory_empty`, `inventory_unranked`.
    """
    require_phase(plan, "initial", "middle")
    if plan.inventory_completed_at is not None:
        _require_ranked(entries)
    return plan.changed(inventory=tuple(entries)), []


def complete_inventory(plan: Plan, moment: Moment) -> Decision:
    """Mark the inventory as complete: all issues are recorded and ranked (clinical.md, initial sessions)."""
    require_phase(plan, "initial", "middle")
    _require_ranked(plan.inventory)
    if plan.inventory_completed_at is not None:
        return plan, []
    return advance(plan.changed(inventory_completed_at=moment.now), moment)


def _require_ranked(entries: Sequence[InventoryEntry]) -> None:
    """Ranks are 1 … n, each once."""
    if not entries:
        refuse("inventory_empty")
    ranks = {entry.rank for entry in entries}
    if ranks != set(range(1, len(entries) + 1)):
        refuse("inventory_unranked", entries=len(entries), ranked=len(ranks - {None}))


def select_focus(plan: Plan, problem_areas: Sequence[ProblemArea], moment: Moment) -> Decision:
    """Choose one or two of the four problem areas as the focus (clinical.md, the course of care)."""
    require_phase(plan, "initial", "middle")
    focus = tuple(problem_areas)
    if focus == plan.focus:
        return plan, []
    selected = FocusSelected(**plan.identity, problem_areas=focus)
    plan, events = advance(plan.changed(focus=focus), moment)
    return plan, [selected, *events]
