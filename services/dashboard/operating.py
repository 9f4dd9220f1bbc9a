"""What engineers ask of the dashboard besides what they ask of every service."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from services.dashboard.rebuild import Progress, Rebuild
from shared.http.caller import Call, call_for

Engineer = Annotated[Call, Depends(call_for("engineer", "service"))]


def router(rebuilding: Rebuild) -> APIRouter:
    api = APIRouter(tags=["operations"])

    @api.post("/rebuild", status_code=202)
    async def start_rebuild(call: Engineer, response: Response) -> Progress:
        """Build the read model anew from the log; 200 if that is under way already."""
        if not rebuilding.start():
            response.status_code = 200
        return rebuilding.progress

    @api.get("/rebuild")
    async def show_rebuild(call: Engineer) -> Progress:
        """How far it has come, and the checksums of the old and the new read model."""
        return rebuilding.progress

    return api
