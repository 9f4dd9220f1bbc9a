"""A crisis that nobody acknowledges until the last step, and what else may happen to one."""

from datetime import datetime, timedelta

import pytest

from deploy.demo.desks import Answered
from tests.support.world import CALM, HIGH, LOW_MOOD, World


async def crisis(kith: World) -> tuple[str, dict[str, object]]:
    """A person whose C-SSRS at referral is high, and the alert about it."""
    view = await kith.refer(
        clinician_id="cln_r05", screening={"phq9": {"items": [*LOW_MOOD[:8], 2]}, "cssrs": HIGH}
    )
    assert "988" in view["crisis_support"]
    (alert,) = await kith.alerts(patient_id=view["patient_id"], kind="crisis")
    return view["patient_id"], alert


async def test_a_crisis_nobody_acknowledges_climbs_to_everyone_and_never_ends_by_itself(kith: World) -> None:
    raised = kith.now
    patient, alert = await crisis(kith)
    path = f"/alerts/{alert['id']}"
    assert alert["severity"] == "high"

    async def paged() -> set[str]:
        return {d["contact_id"] for d in (await kith.desks.get("alerts", path))["deliveries"]}

    assert await paged() == {"con_r05", "con_r01"}, "treating clinician and on-call, at once"
    for minutes, contact in ((5, "con_r02"), (10, "con_r03"), (15, "con_r_coordination")):
        await kith.until(raised + timedelta(minutes=minutes, seconds=-1))
        assert contact not in await paged()
        await kith.until(raised + timedelta(minutes=minutes))
        assert contact in await paged()
    everyone = await paged()
    before = len((await kith.desks.get("alerts", path))["deliveries"])
    await kith.advance(hours=2)
    detail = await kith.desks.get("alerts", path)
    assert detail["state"] == "open"
    assert len(detail["deliveries"]) > before, "everyone is paged again and again"
    assert {d["contact_id"] for d in detail["deliveries"]} == everyone
    assert any(o["kind"] == "contact" and o["state"] == "breached" for o in detail["obligations"])

    # The last step: somebody takes it. Nobody is paged after that.
    await kith.desks.send("alerts", "POST", f"{path}/acknowledge")
    await kith.time.settle()
    quiet = len((await kith.desks.get("alerts", path))["deliveries"])
    await kith.advance(minutes=29)
    assert len((await kith.desks.get("alerts", path))["deliveries"]) == quiet

    # It is a lease: without an assessment it runs out, and climbing begins again.
    await kith.advance(minutes=2)
    detail = await kith.desks.get("alerts", path)
    assert detail["state"] == "open"
    assert "lease_expired" in repr(await kith.announced(patient, "AlertEscalated"))

    # Closing needs an assessment and a disposition.
    with pytest.raises(Answered, match="409"):
        await kith.desks.send("alerts", "POST", f"{path}/resolve", {"disposition": "contacted"}, key="early")
    await kith.desks.send("alerts", "POST", f"{path}/acknowledge", key="again")
    assessment = {"result": "managed_with_safety_plan", "contact_made": True}
    await kith.desks.send("alerts", "POST", f"{path}/assess", assessment)
    disposition = {
        "disposition": "managed_with_safety_plan",
        "safety_plan": True,
        "next_contact": (kith.now + timedelta(days=1)).isoformat(),
    }
    ended = await kith.desks.send("alerts", "POST", f"{path}/resolve", disposition)
    assert ended["state"] == "resolved"
    assert all(decision["reason"] for decision in ended["decisions"])


async def test_new_evidence_joins_the_open_crisis_and_an_open_crisis_blocks_closing(kith: World) -> None:
    patient = (await kith.refer(clinician_id="cln_r06"))["patient_id"]
    id = (await kith.plan_of(patient))["id"]
    for _ in range(2):
        notice = await kith.change("POST", f"/plans/{id}/crisis-flag")
        assert "988" in notice["crisis_notice"]["support"]
        await kith.advance(minutes=1)
    (alert,) = await kith.alerts(patient_id=patient, kind="crisis")
    assert alert["evidence_count"] == 2
    assert (await kith.plan_of(patient))["crisis"] == "open"
    with pytest.raises(Answered, match="409"):
        await kith.change("POST", f"/plans/{id}/close", {"outcome": "withdrawn", "reason": "moved_away"})


async def test_a_page_follows_its_flag_within_the_same_moment(kith: World) -> None:
    moment = kith.now
    patient, _ = await crisis(kith)
    told = await kith.announced(patient, "AlertNotified")
    assert told
    assert {datetime.fromisoformat(entry["at"]) for entry in told} == {moment}


async def test_a_mild_referral_raises_nothing(kith: World) -> None:
    view = await kith.refer(screening={"phq9": {"items": LOW_MOOD}, "cssrs": CALM})
    assert view["crisis"]["flags"] == 0
    assert await kith.alerts(patient_id=view["patient_id"], kind="crisis") == []
