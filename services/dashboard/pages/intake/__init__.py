"""Intake: the review queue, the referral form, and each referral in full."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import HTMLResponse

from services.dashboard.pages.desk import Carer, Desk
from services.dashboard.pages.intake import new as intake_new
from services.dashboard.pages.intake import queue as intake_queue
from services.dashboard.pages.intake import referral as intake_referral
from services.dashboard.pages.intake import words as intake_words
from services.dashboard.web.viewer import Viewer
from shared.http.problems import Problem

Tab = Annotated[str, Query(max_length=20)]
After = Annotated[str, Query(max_length=100, pattern=r"^[A-Za-z0-9_.\-]*$")]


def router(desk: Desk) -> APIRouter:
    api = APIRouter(tags=["intake"])
    clinics = desk.clinics

    @api.get("/intake", response_class=HTMLResponse)
    async def show_queue(request: Request, viewer: Carer, tab: Tab = "review", after: After = "") -> Any:
        """Referrals that wait for a decision or for answers, the oldest first."""
        content = await _content(desk, viewer, tab, after)
        return await desk.page(request, viewer, "intake.html", title="Intake", clinics=clinics, **content)

    @api.get("/parts/intake", response_class=HTMLResponse)
    async def show_part(request: Request, viewer: Carer, tab: Tab = "review", after: After = "") -> Any:
        """Only the queue."""
        content = await _content(desk, viewer, tab, after)
        return desk.part(request, viewer, "parts/intake-queue.html", clinics=clinics, **content)

    intake_new.add(api, desk, clinics)
    intake_referral.add(api, desk, clinics)
    return api


async def _content(desk: Desk, viewer: Viewer, tab: str, after: str) -> dict[str, Any]:
    if tab not in intake_queue.TABS:
        raise _unknown()
    try:
        found = await intake_queue.page(desk.database, viewer, tab, after, desk.clock.now())
    except intake_queue.BadPlace:
        raise _unknown() from None
    counts = await intake_queue.counts(desk.database, viewer)
    return {
        "tab": tab,
        "tabs": [(f"/intake?tab={name}", said, _said(counts.get(name))) for name, said in TABS],
        "lines": found.lines,
        "next_href": f"/intake?tab={tab}&after={found.next}" if found.next else None,
        "after": after,
        "words": intake_words,
    }


TABS = tuple(intake_queue.TABS.items())


def _said(count: int | None) -> str | None:
    if count is None:
        return None
    return f"{intake_queue.COUNTED}+" if count > intake_queue.COUNTED else str(count)


def _unknown() -> Problem:
    return Problem(422, "place_unknown", "There is no such place in the queue; begin again at Intake.")
