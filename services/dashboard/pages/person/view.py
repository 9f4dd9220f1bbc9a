"""Reads what is known of a person and prepares it for the templates."""

import asyncio
from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

from services.dashboard.attention import concerns
from services.dashboard.domain.alert import Alert
from services.dashboard.domain.person import UNKNOWN, Course
from services.dashboard.domain.risk import Risk
from services.dashboard.pages.desk import Desk
from services.dashboard.pages.person import pictures
from services.dashboard.pages.person import story as person_story
from services.dashboard.pages.person.acts import Scene, zone_of
from services.dashboard.pages.person.catalogue import next_action, offered
from services.dashboard.pages.person.flags import explained
from services.dashboard.store import ALERTS, NEVER_YET, PEOPLE, Row
from services.dashboard.web.services import Answer
from services.dashboard.web.viewer import Viewer
from services.dashboard.web.words import RISKS, said
from shared.http.admission import not_found

PLAN_SECONDS = 2.0
"""Timeout of the request to care_plan: the page can be shown without its answer."""

CRISES = 200


async def own_row(desk: Desk, viewer: Viewer, patient_id: str) -> Row:
    """The person's row. Raises `Problem` 404 for an unknown person or one of another clinic."""
    found = await _row(desk, patient_id)
    if not viewer.sees(found.clinic_id):
        raise not_found()
    return found


async def _row(desk: Desk, patient_id: str) -> Row:
    found = await desk.database[PEOPLE].find_one({"_id": patient_id})
    if found is None:
        raise not_found()
    return Row.model_validate({"id": found.pop("_id"), **found})


async def _is_alarming(desk: Desk, viewer: Viewer, row: Row) -> bool:
    """True if a person of an unconfigured clinic concerns this viewer.

    A person without a clinic concerns everybody. A person of an unconfigured clinic concerns everybody while
    nobody holds their crisis, and its holder afterwards.
    """
    if not concerns(viewer, row.clinic_id, desk.clinics.ids):
        return False
    if row.clinic_id == UNKNOWN or row.risk < Risk.CRISIS_TAKEN:
        return True
    theirs = {"patient_id": row.id, "kind": "crisis", "acknowledged_by": viewer.subject}
    held = await desk.database[ALERTS].find_one({**theirs, "state": {"$in": ["acknowledged", "assessed"]}})
    return held is not None


async def plan_of(desk: Desk, viewer: Viewer, course: Course | None) -> Answer | None:
    """The plan from care_plan, with the viewer's own rights; `None` before there is one."""
    if course is None:
        return None
    try:
        async with asyncio.timeout(PLAN_SECONDS):
            return await desk.services.get(viewer, "care_plan", f"/plans/{course.id}")
    except TimeoutError:
        return Answer(0, None)


async def alerts_of(desk: Desk, patient_id: str) -> list[Alert]:
    """The person's crises, the latest first."""
    wanted = {"patient_id": patient_id, "kind": "crisis"}
    rows = desk.database[ALERTS].find(wanted, sort=[("raised_at", -1)], limit=CRISES)
    return [Alert.model_validate({"id": row.pop("_id"), **row}) for row in await rows.to_list(None)]


async def content(desk: Desk, viewer: Viewer, patient_id: str, story: str) -> dict[str, Any]:
    """The data for the templates. `story`: the entry that the page of the story begins with.

    For a person outside the viewer's clinic whose crisis concerns the viewer, only that crisis is shown.
    """
    row = await _row(desk, patient_id)
    if not viewer.sees(row.clinic_id):
        if not await _is_alarming(desk, viewer, row):
            raise not_found()
        return _crisis_alone(desk, viewer, row)
    answer, alerts, told = await asyncio.gather(
        plan_of(desk, viewer, row.course),
        alerts_of(desk, patient_id),
        person_story.page(desk.database, patient_id, story),
    )
    plan = answer.body if answer and answer.ok else None
    scene = Scene(row, viewer, desk.clock.now(), zone_of(desk.clinics, row), plan)
    part = f"/parts/people/{row.id}" + (f"?story={story}" if story else "")
    return {
        **head_context(scene),
        "crisis_alone": False,
        "answer": answer,
        "sections": offered(scene),
        "next_action": next_action(scene),
        "flags": explained(row, scene.zone),
        "episodes": episodes(scene, alerts),
        "story": told,
        "story_begins": story,
        "part_href": part,
    }


def _crisis_alone(desk: Desk, viewer: Viewer, row: Row) -> dict[str, Any]:
    known: Row = row.but(courses=(), referrals=())
    scene = Scene(known, viewer, desk.clock.now(), zone_of(desk.clinics, row))
    return {
        **head_context(scene),
        "crisis_alone": True,
        "next_action": next_action(scene),
        "flags": explained(known, scene.zone),
        "part_href": f"/parts/people/{row.id}",
    }


def head_context(scene: Scene) -> dict[str, Any]:
    """The person's current state, for the header of every page about them."""
    row, course = scene.row, scene.course
    return {
        "row": row,
        "course": course,
        "plan": scene.plan,
        "zone": scene.zone,
        "is_unread": scene.is_unread,
        "phase": scene.phase or row.phase,
        "risk": RISKS[row.risk],
        "last_contact": None if row.last_contact == NEVER_YET else row.last_contact,
        "baseline": baseline(scene),
        "plan_inventory": ranked(scene),
        "plan_missing": missing(scene),
        "recordable": {a.id for a in scene.recordable},
        "to_come": {a.id for a in scene.to_come},
    }


def ranked(scene: Scene) -> list[dict[str, Any]]:
    """The inventory ordered by rank; entries without a rank come last."""
    known: list[dict[str, Any]] = scene.plan["inventory"] if scene.plan else []
    return sorted(known, key=lambda entry: (entry["rank"] is None, entry["rank"] or 0))


def missing(scene: Scene) -> list[str]:
    """The work still missing in the phase, in words."""
    codes = scene.plan["missing"] if scene.plan else ()
    return [
        f"Final {said(code.removeprefix('final_'))}" if code.startswith("final_") else said(code)
        for code in codes
    ]


def baseline(scene: Scene) -> int | None:
    """The PHQ-9 baseline: the plan's, which may come from intake, else the one that was announced."""
    if scene.plan is not None:
        known: int | None = scene.plan["progress"]["baseline"]
        return known
    return scene.course.baseline if scene.course else None


def episodes(scene: Scene, alerts: Sequence[Alert]) -> list[dict[str, Any]]:
    """Episodes, the latest first, with their charts and the same data as table rows."""
    courses = sorted(scene.row.courses, key=lambda c: (c.episode, c.id), reverse=True)
    return [
        _episode(scene, course, alerts, following)
        for following, course in zip([None, *courses], courses, strict=False)
    ]


def _episode(
    scene: Scene, course: Course, alerts: Sequence[Alert], following: Course | None
) -> dict[str, Any]:
    crises, zone = pictures.crises(alerts, course, following), ZoneInfo(scene.zone)
    known = baseline(scene) if following is None else course.baseline
    end = course.closed_at or scene.now
    return {
        "course": course,
        "phases": pictures.phases(course),
        "crises": crises,
        "picture": (pictures.picture(course, crises, end, zone), pictures.legend(crises)),
        "measured": pictures.measured(course, known, zone),
        "measures": pictures.measure_rows(course),
        "planned": [a for a in pictures.sessions(course) if a.status == "planned"],
        "past": [a for a in reversed(pictures.sessions(course)) if a.status != "planned"],
    }
