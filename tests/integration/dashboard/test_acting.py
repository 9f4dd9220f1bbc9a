"""Forms about alerts that may or may not have been done, or were never sent: the entry kept, and said so."""

import re
from datetime import UTC, datetime

from services.dashboard.domain.alert import Alert
from services.dashboard.store import ALERTS
from tests.integration.dashboard.conftest import Dashboard


async def keep_crisis(dashboard: Dashboard) -> str:
    """A crisis alert that the read model has heard of; the alerts service is away."""
    crisis = Alert(
        id="alr_1", patient_id="pat_1", clinic_id="riverside", kind="crisis", severity="high",
        state="acknowledged", reason="crisis_flag", raised_at=datetime.now(UTC),
    )  # fmt: skip
    row = crisis.model_dump()
    await dashboard.database[ALERTS].insert_one({"_id": row.pop("id"), **row})
    return crisis.id


async def test_an_assessment_entered_under_an_earlier_sign_in_is_kept_and_was_not_sent(
    dashboard: Dashboard,
) -> None:
    alert = await keep_crisis(dashboard)
    entered = {"result": "referred_on", "contact_made": "yes", "csrf": "drawn before"}
    async with dashboard.as_("clinician", "riverside") as clinician:
        answer = await clinician.post(f"/alerts/{alert}/assess", data=entered)
    assert answer.status_code == 403
    assert "Nothing was sent yet" in answer.text
    assert "Nobody has heard of it yet" in answer.text
    assert 'value="referred_on" checked' in answer.text
    assert 'name="contact_made" value="yes" checked' in answer.text


async def test_an_assessment_without_an_answer_may_have_been_done_and_keeps_its_key(
    dashboard: Dashboard,
) -> None:
    alert = await keep_crisis(dashboard)
    async with dashboard.as_("clinician", "riverside") as clinician:
        page = await clinician.get(f"/alerts/{alert}")
        (csrf,) = {*re.findall(r'name="csrf" value="([^"]+)"', page.text)}
        entered = {"result": "referred_on", "contact_made": "no", "csrf": csrf, "idempotency_key": "k1"}
        answer = await clinician.post(f"/alerts/{alert}/assess", data=entered)
    assert answer.status_code == 503
    assert "It is not certain that this was done" in answer.text
    assert "Act now as if it was not done" in answer.text
    assert 'name="idempotency_key" value="k1"' in answer.text
