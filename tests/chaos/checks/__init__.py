"""The checker: verifies every guarantee from outside. A check is a function: history → violations."""

from collections.abc import Callable, Iterator

from tests.chaos.checks import crises, doubles, losses, order, read_model, shown, timers
from tests.chaos.checks.violation import Kind, Violation
from tests.chaos.history import History

__all__ = ["CHECKS", "Kind", "Violation", "check"]

Check = Callable[[History], Iterator[Violation]]

CHECKS: tuple[Check, ...] = (
    losses.acknowledged_requests,
    losses.effects,
    losses.publication,
    losses.processing,
    doubles.plans,
    doubles.appointments,
    doubles.announcements,
    doubles.pages,
    doubles.rings,
    doubles.evidence,
    order.logs,
    order.partitions,
    order.positions,
    order.dead_letters,
    timers.timers,
    timers.alerts,
    timers.wall_times,
    crises.crises,
    crises.strangers,
    read_model.people,
    read_model.doubles,
    read_model.story,
    read_model.positions,
    read_model.order,
    read_model.rebuilds,
    shown.shown,
)


def check(history: History) -> list[Violation]:
    """All violations in a run, as far as they are visible from outside."""
    return [violation for one in CHECKS for violation in one(history)]
