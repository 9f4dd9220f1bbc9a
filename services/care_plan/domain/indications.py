"""Whether maintenance is indicated (ICSI/APA 2010); it is discussed with everybody who ends."""

from services.care_plan.domain.plan import Plan
from services.care_plan.domain.protocol import Protocol
from services.care_plan.events import MaintenanceDiscussed


def indications(plan: Plan, protocol: Protocol) -> tuple[str, ...]:
    """Codes for history from intake, the number of episodes and residual symptoms at the end."""
    defaults = protocol.maintenance
    found = list(plan.history_indications)
    if plan.episode >= defaults.episodes_that_indicate.value and "three_or_more_episodes" not in found:
        found.append("three_or_more_episodes")
    total = plan.last_total()
    if total is not None and total >= defaults.residual_symptoms_from.value:
        found.append("residual_symptoms")
    return tuple(dict.fromkeys(found))


def discussed(plan: Plan, protocol: Protocol) -> MaintenanceDiscussed:
    found = indications(plan, protocol)
    return MaintenanceDiscussed(**plan.identity, indicated=bool(found), indications=found)
