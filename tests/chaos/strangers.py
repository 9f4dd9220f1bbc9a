"""Invented people: torn crisis messages page a clinician, who finds no such person and resolves the alert."""

from datetime import timedelta
from typing import Any

from deploy.demo.desks import Answered
from tests.chaos.faults import Scene

UNKNOWN = "unknown"


async def take_care_of_strangers(scene: Scene, notes: list[str]) -> None:
    """Resolve their alerts as people would, so that states are comparable; refusals are noted."""
    strangers = {planted.key for planted in scene.planted if planted.torn}
    if not strangers - {UNKNOWN}:
        return
    await scene.time.settle()
    for alert in await scene.desks.all_pages("alerts", "/alerts", kind="crisis", state="open"):
        if alert["patient_id"] in strangers | {UNKNOWN}:
            end = {"disposition": "false_alarm", "safety_plan": False}
            end["next_contact"] = (scene.time.now + timedelta(days=1)).isoformat()
            await _resolve(scene, alert["id"], end, "clinician", notes)
    for alert in await scene.desks.all_pages("alerts", "/alerts", role="engineer", kind="dead_letter"):
        if alert["state"] == "open":
            await _resolve(scene, alert["id"], {"disposition": "no_action_needed"}, "engineer", notes)


async def _resolve(scene: Scene, alert_id: str, end: dict[str, Any], role: str, notes: list[str]) -> None:
    path, send, key = f"/alerts/{alert_id}", scene.desks.send, scene.time.now.isoformat()
    try:
        await send("alerts", "POST", f"{path}/acknowledge", role=role, key=key)
        if role == "clinician":
            found = {"result": "false_alarm", "contact_made": True}
            await send("alerts", "POST", f"{path}/assess", found, role=role, key=key)
        await send("alerts", "POST", f"{path}/resolve", end, role=role, key=key)
    except Answered as refused:
        notes.append(f"a stranger's alert stays open: {refused.reason}")
