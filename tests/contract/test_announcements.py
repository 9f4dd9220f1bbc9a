"""What the scheduler announces, and what becomes of it in alerts."""

from services.alerts.domain.settling import OF_WHAT_IS_DUE
from services.scheduler.domain.schedule import ASKS


def test_alerts_settles_what_asks_somebody_to_act_and_nothing_else() -> None:
    """`asks` in services/scheduler/announcements.json, `OF_WHAT_IS_DUE` in services/alerts."""
    assert set(OF_WHAT_IS_DUE) == ASKS
