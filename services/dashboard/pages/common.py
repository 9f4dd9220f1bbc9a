"""Static files, name lookup, and the stream of changes."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Body
from pydantic import BaseModel, Field
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from services.dashboard import attention
from services.dashboard.charts.samples import samples
from services.dashboard.pages.desk import Anybody, Carer, Desk
from services.dashboard.pages.signing_in import OPEN
from services.dashboard.web.drawing import HEADERS
from services.dashboard.web.live import audiences_of, messages
from services.dashboard.web.viewer import Viewer
from shared.http.admission import not_found

PING_SECONDS = 15


class Asked(BaseModel):
    patient_ids: Annotated[list[str], Field(max_length=200)]


def router(desk: Desk) -> APIRouter:
    api = APIRouter()

    @api.get("/static/{name}", openapi_extra=OPEN, include_in_schema=False)
    async def static(request: Request, name: str) -> Response:
        file = desk.drawing.static.get(name)
        if file is None:
            raise not_found()
        return file.response(request.headers.get("if-none-match"))

    @api.post("/names")
    async def look_up_names(viewer: Carer, asked: Annotated[Asked, Body()]) -> Response:
        """Look up a page of ids in intake with the viewer's own token; names are stored nowhere."""
        answer = await desk.services.send(
            viewer, "intake", "POST", "/people/lookup", {"ids": asked.patient_ids}
        )
        found: list[dict[str, Any]] = answer.body["items"] if answer.ok else []
        return JSONResponse(
            {"names": {name.pop("patient_id"): name for name in found}}, 200 if answer.ok else 502
        )

    _add_live(api, desk)
    if desk.settings.development_key is not None:
        _add_gallery(api, desk)
    return api


def _add_live(api: APIRouter, desk: Desk) -> None:
    @api.get("/live", include_in_schema=False)
    async def live(viewer: Anybody) -> EventSourceResponse:
        """Stream the ids of people and alerts that change, until the sign-in expires."""

        async def stream() -> AsyncIterator[ServerSentEvent]:
            left = (viewer.expires_at - datetime.now(UTC)).total_seconds()
            async for event, data in messages(desk.live, audiences_of(viewer), seconds=left):
                yield ServerSentEvent(event=event, data=data.decode())

        return EventSourceResponse(stream(), ping=PING_SECONDS, headers={"Cache-Control": "no-store"})

    @api.get("/parts/crises", response_class=HTMLResponse, include_in_schema=False)
    async def show_crises(viewer: Anybody) -> HTMLResponse:
        """The count of crises in the header of every page."""
        return await _crises(desk, viewer, "parts/crises.html")

    @api.get("/parts/alarms", response_class=HTMLResponse, include_in_schema=False)
    async def show_alarms(viewer: Anybody) -> HTMLResponse:
        """The crises nobody holds, shown at the top of every page."""
        return await _crises(desk, viewer, "parts/alarms.html")

    @api.get("/touch", status_code=204, include_in_schema=False)
    async def touch(viewer: Anybody) -> None:
        """Prolong the sign-in while somebody works on a page: see `Gate`."""


async def _crises(desk: Desk, viewer: Viewer, template: str) -> HTMLResponse:
    async def draw() -> str:
        known = await attention.crises(desk.database, viewer, desk.clock.now(), desk.clinics.ids)
        return desk.drawing.text(template, path="/", viewer=None, crises=known)

    key = (viewer.clinic, viewer.cares, template)
    return HTMLResponse(await desk.parts.text(key, draw), headers=HEADERS)


def _add_gallery(api: APIRouter, desk: Desk) -> None:
    @api.get("/gallery", response_class=HTMLResponse, include_in_schema=False)
    async def show_gallery(request: Request, viewer: Anybody) -> HTMLResponse:
        """All page components with samples; on development stacks only."""
        now = desk.drawing.now
        later = now + timedelta(minutes=5)
        return await desk.page(
            request, viewer, "gallery.html", title="Gallery", pictures=samples(now), later=later
        )
