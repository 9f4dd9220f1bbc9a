"""The calendar: a day or a week of a clinician or a whole clinic, leave, and calendar feeds."""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import HTMLResponse

from services.dashboard.pages.calendar.away import leave_routes
from services.dashboard.pages.calendar.feeds import feed_routes
from services.dashboard.pages.calendar.leave import LeaveBook
from services.dashboard.pages.calendar.place import AskedFor
from services.dashboard.pages.calendar.view import CalendarView, Said
from services.dashboard.pages.desk import Carer, Desk


def router(desk: Desk) -> APIRouter:
    api = APIRouter(tags=["calendar"])
    view = CalendarView(desk, desk.clinics, LeaveBook(desk))

    @api.get("/calendar", response_class=HTMLResponse)
    async def show_calendar(request: Request, viewer: Carer, asked: AskedFor, said: Said) -> HTMLResponse:
        """A week or a day of a clinician, or of everybody who works at a clinic."""
        return await view.page(request, viewer, view.place(viewer, asked), said)

    @api.get("/calendar/parts/week", response_class=HTMLResponse)
    async def show_part(request: Request, viewer: Carer, asked: AskedFor, said: Said) -> HTMLResponse:
        """Only the week or day."""
        content = await view.content(viewer, view.place(viewer, asked), said)
        return desk.part(request, viewer, "parts/calendar-week.html", **content)

    leave_routes(api, view)
    feed_routes(api, view)
    return api
