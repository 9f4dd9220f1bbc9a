"""Endpoints for engineers beyond those that every service has."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from services.dashboard.rebuild import Rebuild
from services.dashboard.runs import Progress
from shared.http.caller import Call, call_for

Engineer = Annotated[Call, Depends(call_for("engineer", "service"))]


def router(rebuilding: Rebuild) -> APIRouter:
    api = APIRouter(tags=["operations"])

    @api.post("/rebuild", status_code=202)
    async def start_rebuild(call: Engineer, response: Response) -> Progress:
        """Rebuild the read model from the log; 200 with the current run if one is already under way."""
        progress, begun = await rebuilding.start()
        if not begun:
            response.status_code = 200
        return progress

    @api.get("/rebuild")
    async def show_rebuild(call: Engineer) -> Progress:
        """Progress of the latest run, and the checksums of the old and the new read model."""
        return await rebuilding.runs.show()

    return api
