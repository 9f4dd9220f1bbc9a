"""The calendar page: a week or day, arranged for the template."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Annotated, Any

from fastapi import Depends, Query
from starlette.requests import Request
from starlette.responses import HTMLResponse

from services.dashboard import calendar, feeds
from services.dashboard.calendar.hours import Away, ClinicHours, Clinics
from services.dashboard.calendar.week import ONE_DAY, Entry, Lane, days_shown, grid, lane
from services.dashboard.pages.calendar.leave import Leave, LeaveBook
from services.dashboard.pages.calendar.place import Asked, Place, resolve
from services.dashboard.pages.desk import Desk
from services.dashboard.pages.forms import new_key
from services.dashboard.web.viewer import Viewer
from shared.mongo import PyMongoError

NEW_ADDRESS = "kith_feed"
"""The cookie that carries a new secret address back to its requester, to be shown once."""

UNTOUCHED: Mapping[str, Any] = {
    "refused": None,
    "conflict": False,
    "unsure": False,
    "unsent": False,
    "errors": [],
    "form": {},
}
"""The state of a form: refused, in conflict, outcome unknown, or never sent; none by default."""

NO_FEED: Mapping[str, Any] = {"feed": None, "keeps_feed": False, "address": ""}
MOST_MOVED = 40
MOVED_BACK, MOVED_AHEAD = timedelta(days=30), timedelta(days=366)

NOTICES = {
    "leave-given": ("success", "Leave is entered"),
    "leave-withdrawn": ("success", "Leave is withdrawn"),
    "feed-made": ("success", "The calendar has a new address"),
    "feed-withdrawn": ("success", "The calendar's address is withdrawn"),
}


@dataclass(frozen=True, slots=True)
class SaidNow:
    """The notice of what was just done, from the address: a code, and the sessions it moved."""

    code: str = ""
    moved: tuple[str, ...] = ()
    count: int = 0


async def said(
    said: Annotated[str, Query(max_length=20)] = "",
    moved: Annotated[str, Query(max_length=4_000, pattern=r"^[A-Za-z0-9_\-.,]*$")] = "",
    count: Annotated[int, Query(ge=0, le=100_000)] = 0,
) -> SaidNow:
    return SaidNow(
        said if said in NOTICES else "", tuple(moved.split(","))[:MOST_MOVED] if moved else (), count
    )


Said = Annotated[SaidNow, Depends(said)]


@dataclass(frozen=True)
class CalendarView:
    desk: Desk
    clinics: Clinics
    book: LeaveBook = field(repr=False)

    def place(self, viewer: Viewer, asked: Asked) -> Place:
        """Raises `Problem` 404 or 422."""
        return resolve(self.clinics, viewer, asked, self.desk.clock.now())

    async def page(
        self,
        request: Request,
        viewer: Viewer,
        place: Place,
        said: SaidNow,
        *,
        status: int = 200,
        **known: Any,
    ) -> HTMLResponse:
        """Render the page. `known`: the state of a form that was not accepted, as in `UNTOUCHED`."""
        is_held = bool(known)
        content = await self.content(viewer, place, said, may_be_unread=is_held)
        around = {**UNTOUCHED, "key": new_key()} | known
        around |= NO_FEED if content["is_unread"] else await self._feed(request, viewer, place)
        clinics = [clinic for clinic in self.clinics.clinics if viewer.sees(clinic.id)]
        around["choices"] = _choices(clinics, place, content["people"])
        answer = await self.desk.page(
            request,
            viewer,
            "calendar.html",
            title="Calendar",
            status=status,
            clinics=clinics,
            notice_said=NOTICES.get(said.code),
            **content,
            **around,
        )
        if around["address"]:
            answer.delete_cookie(NEW_ADDRESS, path="/calendar")
        return answer

    async def content(
        self, viewer: Viewer, place: Place, said: SaidNow, *, may_be_unread: bool = False
    ) -> dict[str, Any]:
        """The data for the template of the week or day.

        `may_be_unread`: go on without the sessions if they cannot be read, to show the input again.
        """
        clinic, is_unread = place.clinic, False
        try:
            entries = await calendar.appointments(
                self.desk.database, clinic.id, *place.span, clinician_id=place.clinician or None
            )
        except PyMongoError:
            if not may_be_unread:
                raise
            entries, is_unread = [], True
        people = who(clinic, place.clinician, entries)
        leave = await self.book.read(viewer, clinic, people)
        return {
            "place": place,
            "people": people,
            "leave": leave,
            "is_unread": is_unread,
            "given": _given(people, leave, place.today),
            "unrecorded": [e for e in entries if e.state(self.desk.clock.now()) == "unrecorded"],
            "moved": await self._moved(place, said) if said.moved else [],
            "said": said,
            "part_href": _part(place, said),
            **self._arranged(place, entries, people, leave),
        }

    def _arranged(
        self, place: Place, entries: list[Entry], people: list[str], leave: Leave
    ) -> dict[str, Any]:
        """Lanes for the template: one clinician's days of a week, everybody's week, or everybody's day."""
        days = [place.day] if place.view == "day" else days_shown(place.clinic, place.monday, entries)
        of: dict[str, list[Entry]] = {}
        for entry in entries:
            of.setdefault(entry.clinician_id, []).append(entry)
        now = self.desk.clock.now()

        def lane_of(id: str, day: date) -> Lane:
            return lane(place.clinic, id, day, of.get(id, ()), leave.of(id), now)

        table = [(id, [lane_of(id, day) for day in days]) for id in people]
        overview = place.view == "week" and not place.clinician
        lanes = [] if overview else [one for _, row in table for one in row]
        return {
            "days": days,
            "holidays": {day: place.clinic.holiday(day) for day in days},
            "table": table if overview else [],
            "lanes": lanes,
            "rows": grid(place.clinic, lanes),
        }

    async def _moved(self, place: Place, said: SaidNow) -> list[Entry]:
        """The sessions moved by the leave just given, at their current times."""
        since, until = place.span
        found = await calendar.appointments(
            self.desk.database,
            place.clinic.id,
            since - MOVED_BACK,
            until + MOVED_AHEAD,
            clinician_id=place.clinician or None,
        )
        return [entry for entry in found if entry.id in said.moved]

    async def _feed(self, request: Request, viewer: Viewer, place: Place) -> Mapping[str, Any]:
        """The clinician's feed, with its address if it was just made."""
        clinician = place.clinician
        if not clinician or not feeds.may_keep(viewer, clinician, place.clinic.id):
            return NO_FEED
        feed = await feeds.of(self.desk.database, clinician)
        secret = request.cookies.get(NEW_ADDRESS, "")
        opened = await feeds.behind(self.desk.database, secret) if secret else None
        is_new = feed is not None and opened is not None and opened.clinician_id == clinician
        address = f"{request.base_url}calendar/feeds/{secret}.ics" if is_new else ""
        return {"feed": feed, "keeps_feed": True, "address": address}


def who(clinic: ClinicHours, clinician: str, entries: list[Entry]) -> list[str]:
    """The clinician asked for, else everybody who works there or has an appointment there."""
    if clinician:
        return [clinician]
    others = {entry.clinician_id for entry in entries} - set(clinic.clinician_ids)
    return [*clinic.clinician_ids, *sorted(others)]


def _choices(clinics: list[ClinicHours], place: Place, people: list[str]) -> dict[str, list[tuple[str, str]]]:
    """Options of the forms' selects: pairs of value and label."""
    here = list(dict.fromkeys([*place.clinic.clinician_ids, *people]))
    return {
        "clinics": [(clinic.id, clinic.title) for clinic in clinics],
        "clinicians": [("", "Everybody"), *((id, id) for id in here)],
        "staff": [("", "Choose one"), *((id, id) for id in place.clinic.clinician_ids)],
    }


def _given(people: list[str], leave: Leave, today: date) -> list[tuple[str, Away]]:
    """Leave that has not ended, or ended within the last 7 days, ordered by first day."""
    known = [(id, away) for id in people for away in leave.of(id) if away.last >= today - 7 * ONE_DAY]
    return sorted(known, key=lambda one: (one[1].first, one[0]))


def _part(place: Place, said: SaidNow) -> str:
    moved = {"said": said.code, "moved": ",".join(said.moved), "count": str(said.count)} if said.moved else {}
    return place.address("/calendar/parts/week", **moved)
