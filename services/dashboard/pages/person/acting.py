"""Actions on a person: one page each. A refusal shows the guard's reason, and nothing is done twice."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from services.dashboard.pages.desk import Carer, Desk
from services.dashboard.pages.forms import EARLIER, Unfit, is_ours, key_of, keyed, new_key, version_seen
from services.dashboard.pages.person import unread
from services.dashboard.pages.person.acts import Act, Ask, Scene, zone_of
from services.dashboard.pages.person.answers import SUPPORT, Reply, reply, unfit, unsent
from services.dashboard.pages.person.catalogue import CATALOGUE
from services.dashboard.pages.person.fields import Entered, Field
from services.dashboard.pages.person.measures import shows_danger
from services.dashboard.pages.person.view import head_context, own_row, plan_of
from services.dashboard.pages.signing_in import FORM, form_of
from services.dashboard.web.services import Answer
from services.dashboard.web.viewer import Viewer
from shared.http.admission import not_found
from shared.http.problems import Problem
from shared.http.routes import CRISIS
from shared.mongo import PyMongoError

PATH = "/people/{patient_id}/actions/{action}"
READ_SECONDS = 3.0
UNREAD = Reply("unavailable", "Not done yet", "Your entry is kept below: send it again in a moment.")
"""The reply to an action on an appointment while the read model cannot be read."""


@dataclass(frozen=True)
class Drawn:
    """A form as rendered: its values, the document version it is for, and its Idempotency-Key."""

    values: Mapping[str, str]
    version: int | None
    key: str
    reply: Reply | None = None
    carried: Mapping[str, str] = field(default_factory=dict)
    """Hidden fields, see `unread`."""


def add(api: APIRouter, desk: Desk) -> None:
    @api.get(PATH, response_class=HTMLResponse)
    async def show_action(
        request: Request,
        patient_id: str,
        action: str,
        viewer: Carer,
        appointment: Annotated[str, Query(max_length=200)] = "",
    ) -> HTMLResponse:
        """The form of one action, filled with the current values."""
        act = _act(action, viewer)
        row = await own_row(desk, viewer, patient_id)
        scene = Scene(row, viewer, desk.clock.now(), zone_of(desk.clinics, row), appointment_id=appointment)
        scene, version, answer = await _with_document(desk, scene, act)
        drawn = Drawn(act.initial(scene), version, new_key())
        return await _page(desk, request, act, scene, drawn, answer)

    @api.post(PATH, response_class=HTMLResponse, openapi_extra=FORM, tags=[CRISIS])
    async def take_action(request: Request, patient_id: str, action: str, viewer: Carer) -> Response:
        """Take the action: redirect to the person on success, otherwise show the form with its input."""
        act = _act(action, viewer)
        entered = keyed(await form_of(request))
        scene = await _scene_of(desk, viewer, patient_id, entered)
        answer = await _take(desk, act, scene, entered)
        if isinstance(answer, Reply):
            return await _again(desk, request, act, scene, entered, answer)
        if notice := _notice(act, answer):
            known = head_context(scene) | {"act": act, "notice_of": notice}
            return await desk.page(request, viewer, "person-crisis.html", title="Crisis flag raised", **known)
        if scene.is_unread:
            return await desk.page(
                request, viewer, "person-done.html", title=act.title, act=act, row=scene.row
            )
        return RedirectResponse(f"/people/{patient_id}?done={act.name}", 303)


async def _scene_of(desk: Desk, viewer: Viewer, patient_id: str, entered: Entered) -> Scene:
    """The scene from the read model; from the form itself if that cannot be read in time."""
    now = desk.clock.now()
    try:
        async with asyncio.timeout(READ_SECONDS):
            row = await own_row(desk, viewer, patient_id)
    except (PyMongoError, TimeoutError):
        return unread.scene_of(patient_id, viewer, now, entered)
    return Scene(row, viewer, now, zone_of(desk.clinics, row))


async def _take(desk: Desk, act: Act, scene: Scene, entered: Entered) -> Answer | Reply:
    """The service's answer if the action was done, otherwise the reply that says why not."""
    if not is_ours(entered.get("csrf", ""), scene.viewer):
        return unsent(EARLIER)
    fields = _fields(act, scene)
    is_unread = scene.is_unread and "appointment" in fields
    if is_unread and not act.heeded:
        return UNREAD
    try:
        ask = act.ask(scene, entered)
    except Problem as problem:
        return unsent(problem.detail)
    except Unfit as error:
        return unfit(list(error.errors))
    answer = await _send(desk, scene.viewer, act, ask, entered)
    if answer.ok:
        return answer
    said = reply(answer, fields, heeded=act.heeded)
    return replace(UNREAD, state="refused", alerted=said.alerted) if is_unread and said.errors else said


def _act(name: str, viewer: Viewer) -> Act:
    """Raises `Problem` 404 for an unknown action, 403 for one the viewer's role may not take."""
    act = CATALOGUE.get(name)
    if act is None:
        raise not_found()
    if act.clinicians_only and not viewer.treats:
        raise Problem(403, "role_required", "This is decided by a clinician.")
    return act


async def _with_document(desk: Desk, scene: Scene, act: Act) -> tuple[Scene, int | None, Answer | None]:
    """Fetch the document that the act changes, live from its service, with its version."""
    answer = await plan_of(desk, scene.viewer, scene.course) if act.changes != "schedule" else None
    if answer and answer.ok:
        scene = replace(scene, plan=answer.body)
    if act.changes == "schedule" and scene.course is not None:
        answer = await desk.services.get(scene.viewer, "scheduler", f"/schedules/{scene.course.id}")
    return scene, answer.version if answer else None, answer


def speaks_of_danger(act: Act, entered: Entered) -> bool:
    """True for a crisis flag, and for questionnaires whose answers show danger."""
    return act.name == "crisis-flag" or (act.heeded and shows_danger(entered))


def _fields(act: Act, scene: Scene) -> dict[str, Field]:
    return {name: field for form in act.forms(scene) for name, field in form.fields.items()}


async def _send(desk: Desk, viewer: Viewer, act: Act, ask: Ask, entered: Entered) -> Answer:
    """Send with the form's key, so that it takes effect once, and the version its sender has seen."""
    version = version_seen(entered) if act.changes else None
    return await desk.services.send(
        viewer, ask.service, ask.method, ask.path, ask.body, key=key_of(entered), version=version
    )


def _notice(act: Act, answer: Answer) -> Mapping[str, Any] | None:
    """The notice of a crisis flag that this entry raised, if any."""
    body = answer.body if isinstance(answer.body, Mapping) else {}
    notice: Mapping[str, Any] | None = body.get("crisis_notice")
    if notice is None and act.name == "crisis-flag":
        return {"severity": "high", "evidence": ["explicit"], "support": SUPPORT}
    return notice


async def _again(
    desk: Desk, request: Request, act: Act, scene: Scene, entered: Entered, said: Reply
) -> HTMLResponse:
    """Show the form again with its input.

    After a conflict it carries the version shown now, so that sending it again is a deliberate decision.
    Otherwise it carries the version its sender saw. If the action may have been done, the form keeps its key.
    """
    if not scene.is_unread:
        scene = await _scene_of(desk, scene.viewer, scene.row.id, entered)
    scene, version, answer = await _with_document(desk, replace(scene, entered=entered), act)
    if said.state != "conflict" or version is None:
        version = version_seen(entered)
    key = key_of(entered) if said.state == "unavailable" else new_key()
    return await _page(desk, request, act, scene, Drawn(entered, version, key, said), answer)


async def _page(
    desk: Desk, request: Request, act: Act, scene: Scene, drawn: Drawn, answer: Answer | None
) -> HTMLResponse:
    away = act.changes is not None and drawn.reply is None and not (answer and answer.ok)
    known = head_context(scene) | {
        "act": act,
        "answer": answer,
        "away": away,
        "open_here": act.is_open_to(scene),
        "forms": act.forms(scene),
        "drawn": replace(drawn, carried=unread.carried(scene)),
        "danger": drawn.reply is not None and speaks_of_danger(act, drawn.values),
        "support": SUPPORT,
    }
    status = 503 if away else drawn.reply.status if drawn.reply else 200
    return await desk.page(
        request, scene.viewer, "person-action.html", title=act.title, status=status, **known
    )
