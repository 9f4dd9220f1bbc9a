"""What stands among the deliveries and nobody can read."""

import pytest

from tests.integration.alerts.conftest import Alerts, MakeAlerts, person
from tests.integration.alerts.receivers import hook
from tests.unit.alerts.cases import MONDAY


@pytest.mark.parametrize("channel", ["inbox", "webhook"])
async def test_a_notification_nobody_can_read_holds_up_no_other_and_is_told_to_engineers(
    make_alerts: MakeAlerts, monkeypatch: pytest.MonkeyPatch, channel: str
) -> None:
    async with hook() as far_end:
        alerts: Alerts = await make_alerts([person("one", "on_call", webhook=far_end.url)])
        monkeypatch.setattr(
            alerts.deliveries, "reserve", lambda page, _: page
        )  # looked for, as after a death
        await alerts.flag("moderate")
        await alerts.flag("moderate", patient="pat_2", flag_id="flg_2")
        (spoilt, _) = await alerts.stored("deliveries", channel=channel)
        await alerts.database["deliveries"].update_one({"_id": spoilt["_id"]}, {"$set": {"attempts": "many"}})
        await alerts.settle()
        states = {row["_id"]: row["state"] for row in await alerts.stored("deliveries", channel=channel)}
        assert states.pop(spoilt["_id"]) == "pending"
        assert set(states.values()) == {"delivered"}
        said = await alerts.alert(kind="dead_letter")
        assert (said["reason"], said["severity"]) == ("delivery_unreadable", "high")
        assert [evidence["id"] for evidence in said["evidence"]] == [f"{spoilt['_id']}@{MONDAY.date()}"]
        taken = await alerts.as_("clinician").do(spoilt["alert_ids"][0], "acknowledge")
        assert taken["state"] == "acknowledged"


async def test_what_engineers_ended_and_did_not_mend_is_told_again_on_the_next_day(
    make_alerts: MakeAlerts,
) -> None:
    alerts: Alerts = await make_alerts()
    await alerts.flag("moderate")
    (spoilt, *_) = await alerts.stored("deliveries", channel="inbox")
    await alerts.database["deliveries"].update_one({"_id": spoilt["_id"]}, {"$set": {"attempts": "many"}})
    await alerts.settle()
    said = await alerts.alert(kind="dead_letter")
    engineer = alerts.as_("engineer", "eng_01", clinic="*")
    ended = await engineer.do(said["_id"], "resolve", {"disposition": "no_action_needed"})
    assert ended["state"] == "resolved"
    await alerts.later(minutes=2)
    assert len(await alerts.stored("alerts", kind="dead_letter")) == 1
    await alerts.later(days=1)
    states = [row["state"] for row in await alerts.stored("alerts", kind="dead_letter")]
    assert sorted(states) == ["open", "resolved"]
