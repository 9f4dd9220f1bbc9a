"""Who may look at alerts, and the types shared by the alerts pages."""

from typing import Annotated

from fastapi import Depends
from fastapi import Path as InPath
from starlette.requests import Request

from services.dashboard.web.viewer import Viewer, viewer_of
from shared.http.problems import Problem

AlertId = Annotated[str, InPath(pattern=r"^[A-Za-z0-9_\-]{1,100}$")]


async def watcher_of(request: Request) -> Viewer:
    """A dependency: carers, and engineers for dead letters. Raises `Problem` 401 or 403."""
    viewer = await viewer_of(request)
    if not viewer.cares and "engineer" not in viewer.roles:
        raise Problem(403, "role_required", "Alerts are for coordinators, clinicians and engineers.")
    return viewer


Watcher = Annotated[Viewer, Depends(watcher_of)]
