"""Templates and static files: pages load everything from this service, nothing from outside."""

import hashlib
import mimetypes
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from starlette.responses import HTMLResponse, Response
from starlette.types import Scope

from services.dashboard.web import words
from services.dashboard.web.viewer import Viewer, viewer_in
from shared.clock import Clock

HERE = Path(__file__).parents[1]
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}


class Drawing:
    """Renders pages. The header of every page shows `crises` nobody holds, if the caller passes them."""

    def __init__(self, clock: Clock, *, idle_minutes: int) -> None:
        self._clock, self._idle_seconds = clock, idle_minutes * 60
        self._environment = Environment(
            loader=FileSystemLoader(HERE / "templates"),
            autoescape=select_autoescape(default=True),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.globals.update(words.ALL)
        self._environment.filters.update(words.FILTERS)
        self.static = {path.name: StaticFile(path) for path in (HERE / "static").iterdir() if path.is_file()}

    @property
    def now(self) -> datetime:
        return self._clock.now()

    def page(
        self,
        template: str,
        path: str,
        viewer: Viewer | None,
        *,
        title: str,
        status: int = 200,
        **context: Any,
    ) -> HTMLResponse:
        """Render a whole page; `path` selects the entry of the navigation."""
        return HTMLResponse(
            self.text(template, path=path, viewer=viewer, title=title, **context), status, HEADERS
        )

    def text(
        self, template: str, *, path: str, viewer: Viewer | None, title: str = "", **context: Any
    ) -> str:
        known = {
            "page": path,
            "viewer": viewer,
            "title": title,
            "csrf": viewer.csrf if viewer else "",
            "crises": None,
            "now": self.now,
            "idle_seconds": self._idle_seconds,
        }
        return self._environment.get_template(template).render(known | context)

    def problem(
        self, problem: Mapping[str, object], scope: Scope, *, unconfirmed: bool = False
    ) -> HTMLResponse:
        """Render a refusal as a page, without echoing the input. `unconfirmed`: the request sent a form."""
        status = int(str(problem["status"]))
        return self.page(
            "problem.html",
            scope["path"],
            viewer_in(scope),
            title=str(problem["title"]),
            status=status,
            problem=problem,
            unconfirmed=unconfirmed,
        )


class StaticFile:
    """A file read once at start; answers 304 if the browser already has this version."""

    def __init__(self, path: Path) -> None:
        self._body = path.read_bytes()
        self._kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        self._tag = f'"{hashlib.sha256(self._body).hexdigest()[:16]}"'

    def response(self, seen: str | None) -> Response:
        headers = {"ETag": self._tag, "Cache-Control": "no-cache"}
        if seen == self._tag:
            return Response(status_code=304, headers=headers)
        return Response(self._body, headers=headers, media_type=self._kind)
