"""The dependencies shared by all pages."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Query
from starlette.requests import Request
from starlette.responses import HTMLResponse

from services.dashboard import attention
from services.dashboard.calendar.hours import Clinics
from services.dashboard.settings import DashboardSettings
from services.dashboard.store import ReadWork
from services.dashboard.web.drawing import HEADERS, Drawing
from services.dashboard.web.live import Live
from services.dashboard.web.parts import Parts
from services.dashboard.web.services import Services
from services.dashboard.web.viewer import Viewer, carer_of, viewer_of
from shared.clock import Clock
from shared.mongo import MongoDatabase, PyMongoError

CRISES_SECONDS = 2.0

Carer = Annotated[Viewer, Depends(carer_of)]
"""A coordinator or clinician."""

Anybody = Annotated[Viewer, Depends(viewer_of)]

Code = Annotated[str, Query(max_length=100, pattern=r"^[A-Za-z0-9_\-.:@|]*$")]
"""An id or a code in an address; empty means any."""

MaybeCode = Annotated[str | None, Query(max_length=100, pattern=r"^[A-Za-z0-9_\-.:@|]*$")]
"""The same, where absent and empty have different meanings."""

Cursor = Annotated[str, Query(max_length=400, pattern=r"^[A-Za-z0-9_\-]*$")]


@dataclass(frozen=True)
class Desk:
    settings: DashboardSettings
    database: MongoDatabase
    clock: Clock
    open_work: Callable[[], ReadWork]
    drawing: Drawing
    live: Live
    services: Services
    parts: Parts
    clinics: Clinics

    async def page(
        self,
        request: Request,
        viewer: Viewer,
        template: str,
        *,
        title: str,
        status: int = 200,
        **context: Any,
    ) -> HTMLResponse:
        """Render a whole page for this viewer."""
        crises = await self._crises(viewer)
        path = request.url.path
        return self.drawing.page(template, path, viewer, title=title, status=status, crises=crises, **context)

    async def _crises(self, viewer: Viewer) -> attention.Crises | None:
        """The crises for the page header; `NOT_KNOWN` if they cannot be read in time, so no page is lost."""
        try:
            async with asyncio.timeout(CRISES_SECONDS):
                return await attention.crises(self.database, viewer, self.clock.now(), self.clinics.ids)
        except (PyMongoError, TimeoutError):
            return attention.NOT_KNOWN

    def part(self, request: Request, viewer: Viewer, template: str, **context: Any) -> HTMLResponse:
        """Render a part of a page, which is fetched again when something changes."""
        text = self.drawing.text(template, path=request.url.path, viewer=viewer, **context)
        return HTMLResponse(text, headers=HEADERS)
