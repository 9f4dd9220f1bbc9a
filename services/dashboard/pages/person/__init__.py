"""A person: chart of the course, measures, flags, appointments, plan, story and possible actions."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import HTMLResponse

from services.dashboard.pages.desk import Carer, Desk
from services.dashboard.pages.person import acting
from services.dashboard.pages.person.catalogue import CATALOGUE
from services.dashboard.pages.person.view import content
from services.dashboard.web.words import short_id

Place = Annotated[str, Query(max_length=120)]


def router(desk: Desk) -> APIRouter:
    api = APIRouter(tags=["person"])

    @api.get("/people/{patient_id}", response_class=HTMLResponse)
    async def show_person(
        request: Request, patient_id: str, viewer: Carer, story: Place = "", done: Place = ""
    ) -> HTMLResponse:
        """Everything known about one person, and the possible actions."""
        known = await content(desk, viewer, patient_id, story)
        act = CATALOGUE.get(done)
        title = f"Person {short_id(patient_id)}"
        notice = act.done if act else ""
        return await desk.page(request, viewer, "person.html", title=title, done=notice, **known)

    @api.get("/parts/people/{patient_id}", response_class=HTMLResponse)
    async def show_part(request: Request, patient_id: str, viewer: Carer, story: Place = "") -> HTMLResponse:
        """Only the content of the person's page."""
        known = await content(desk, viewer, patient_id, story)
        return desk.part(request, viewer, "parts/person.html", **known)

    acting.add(api, desk)
    return api
