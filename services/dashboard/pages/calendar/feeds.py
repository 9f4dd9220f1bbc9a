"""iCalendar feeds: managed by their clinician or a coordinator, readable by anybody with the address."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Path
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from services.dashboard import calendar, feeds
from services.dashboard.calendar import feed as calendar_feed
from services.dashboard.pages.calendar.place import Asked, Place
from services.dashboard.pages.calendar.view import NEW_ADDRESS, CalendarView
from services.dashboard.pages.desk import Carer
from services.dashboard.pages.forms import posted
from services.dashboard.pages.signing_in import FORM, OPEN, is_secure
from services.dashboard.web.viewer import Viewer
from shared.http.admission import not_found
from shared.http.problems import Problem

Secret = Annotated[str, Path(max_length=100, pattern=r"^[A-Za-z0-9_\-]+$")]
LOOK_BACK = timedelta(days=60)
HEADERS = {
    "Cache-Control": "private, max-age=300",
    "Content-Disposition": 'inline; filename="kith.ics"',
    "X-Robots-Tag": "noindex",
}


def feed_routes(api: APIRouter, view: CalendarView) -> None:
    desk = view.desk

    @api.get("/calendar/feeds/{secret}.ics", openapi_extra=OPEN)
    async def read_feed(request: Request, secret: Secret) -> Response:
        """A clinician's sessions, for calendar programs: the secret in the address is the only key."""
        body = await _file(view, secret, str(request.base_url).rstrip("/"))
        return Response(body, media_type="text/calendar", headers=HEADERS)

    @api.post("/calendar/feeds", openapi_extra=FORM)
    async def make_feed(request: Request, viewer: Carer) -> Response:
        """Make a new secret address; the previous one stops working."""
        form = await posted(request, viewer)
        place = _place(view, viewer, form)
        secret = feeds.secret_for(viewer, place.clinician, form.get("idempotency_key", ""))
        await feeds.make(
            desk.database, feeds.Feed(place.clinician, place.clinic.id, desk.clock.now()), secret
        )
        answer = RedirectResponse(place.address(said="feed-made") + "#feed", 303)
        answer.set_cookie(
            NEW_ADDRESS, secret, max_age=60, path="/calendar", httponly=True, samesite="strict",
            secure=is_secure(desk),
        )  # fmt: skip
        return answer

    @api.post("/calendar/feeds/withdraw", openapi_extra=FORM)
    async def withdraw_feed(request: Request, viewer: Carer) -> Response:
        """Withdraw the secret address; it stops working."""
        form = await posted(request, viewer)
        feed = await feeds.of(desk.database, form.get("clinician_id", ""))
        if feed is None:
            _place(view, viewer, form)
        else:
            _require_kept(viewer, feed.clinician_id, feed.clinic_id)
            await feeds.withdraw(desk.database, feed.clinician_id)
        return RedirectResponse(_withdrawn(view, viewer, form, feed), 303)


async def _file(view: CalendarView, secret: str, page: str) -> bytes:
    """The calendar file that a secret opens, with links to `page`.

    Raises `Problem` 404, also for a clinician who no longer works at the clinic.
    """
    database, now = view.desk.database, view.desk.clock.now()
    feed = await feeds.behind(database, secret)
    clinic = view.clinics.get(feed.clinic_id) if feed else None
    if feed is None or clinic is None or feed.clinician_id not in clinic.clinician_ids:
        raise not_found()
    who = feed.clinician_id
    entries = await calendar.appointments(database, clinic.id, now - LOOK_BACK, clinician_id=who)
    known = await feeds.revisions(database, entries)
    return calendar_feed.calendar(clinic, who, entries, known, page=page, now=now)


def _place(view: CalendarView, viewer: Viewer, form: Mapping[str, str]) -> Place:
    """The calendar the form was on. Raises `Problem` 404, or 403 for somebody else's."""
    clinician = form.get("clinician_id", "")
    works_at = view.clinics.where_works(clinician)
    if works_at is None:
        raise not_found()
    place = view.place(viewer, Asked(works_at.id, clinician, form.get("week", "")))
    _require_kept(viewer, clinician, place.clinic.id)
    return place


def _require_kept(viewer: Viewer, clinician: str, clinic: str) -> None:
    """Raises `Problem` 404 for another clinic's feed, 403 for somebody else's."""
    if not viewer.sees(clinic):
        raise not_found()
    if not feeds.may_keep(viewer, clinician, clinic):
        raise Problem(403, "not_yours", "A calendar's address is made by its clinician or a coordinator.")


def _withdrawn(view: CalendarView, viewer: Viewer, form: Mapping[str, str], feed: feeds.Feed | None) -> str:
    """The calendar's address, or the plain page's if it cannot be shown: the clinician may have left."""
    clinic = feed.clinic_id if feed else ""
    try:
        place = view.place(viewer, Asked(clinic, form.get("clinician_id", ""), form.get("week", "")))
    except Problem:
        return "/calendar?said=feed-withdrawn"
    return place.address(said="feed-withdrawn") + "#feed"
