"""Finding a person by name: intake finds candidates, the read model adds their risk; nothing is stored."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import HTMLResponse

from services.dashboard.domain.risk import Risk
from services.dashboard.pages.desk import Carer, Desk
from services.dashboard.pages.forms import posted
from services.dashboard.pages.signing_in import FORM
from services.dashboard.store import PEOPLE, Row
from services.dashboard.web.viewer import Viewer
from services.dashboard.web.words import RISKS, said, short_id
from shared.http.problems import Problem
from shared.mongo import Document, MongoDatabase

SHORTEST, LONGEST = 2, 100
"""Limits on the length of a search text, the same as intake's."""

SHOWN = 80
"""Maximum length of a displayed name, the same as in `static/names.js`."""


@dataclass(frozen=True)
class Line:
    """A candidate. `row` is `None` as long as the read model does not know them."""

    patient_id: str
    name: str
    born: date | None
    row: Row | None

    @property
    def href(self) -> str | None:
        """The person's page, or the referral's before there is a course."""
        if self.row is None:
            return None
        if self.row.course is None and self.row.referral is not None:
            return f"/intake/{self.row.referral.id}"
        return f"/people/{self.patient_id}"

    @property
    def risk(self) -> tuple[str, str] | None:
        return RISKS[self.row.risk] if self.row else None

    @property
    def action(self) -> str:
        return said(self.row.action) if self.row else ""


def router(desk: Desk) -> APIRouter:
    api = APIRouter(tags=["finding"])
    clinics = desk.clinics

    async def page(request: Request, viewer: Viewer, status: int = 200, **known: Any) -> HTMLResponse:
        nothing: dict[str, Any] = {"lines": None, "more": False, "wrong": "", "away": False}
        return await desk.page(
            request,
            viewer,
            "find.html",
            title="Find a person",
            status=status,
            clinics=clinics,
            **nothing | known,
        )

    @api.get("/find", response_class=HTMLResponse)
    async def show_find(request: Request, viewer: Carer) -> HTMLResponse:
        """How to find somebody; the search field is in the header of every page."""
        return await page(request, viewer)

    @api.post("/find", response_class=HTMLResponse, openapi_extra=FORM)
    async def find(request: Request, viewer: Carer) -> HTMLResponse:
        """The viewer's people whose names begin with the text, the most urgent first, then by name."""
        text = (await posted(request, viewer)).get("text", "").replace("\0", "").strip()
        if wrong := _wrong(text):
            return await page(request, viewer, 422, find_text=text[:LONGEST], wrong=wrong)
        answer = await desk.services.send(viewer, "intake", "POST", "/people/search", {"text": text})
        if answer.status == 401:
            raise Problem(401, "token_required", "Sign in.")
        if not answer.ok:
            return await page(request, viewer, 503, find_text=text, away=True)
        hits = answer.body["items"]
        rows = await _rows(desk.database, viewer, [hit["patient_id"] for hit in hits])
        return await page(
            request, viewer, find_text=text, lines=lines_of(hits, rows), more=answer.body["more"]
        )

    return api


def _wrong(text: str) -> str:
    if len(text) < SHORTEST:
        return "Type at least two letters of the name"
    return f"Type at most {LONGEST} letters" if len(text) > LONGEST else ""


async def _rows(database: MongoDatabase, viewer: Viewer, ids: list[str]) -> dict[str, Row]:
    """The rows of these ids that the read model has and this viewer may see."""
    wanted: Document = {"_id": {"$in": ids}}
    if viewer.only_clinic is not None:
        wanted["clinic_id"] = viewer.only_clinic
    found = await database[PEOPLE].find(wanted, {"flags": 0}).to_list(None)
    return {row["_id"]: Row.model_validate({"id": row["_id"], **row}) for row in found}


def lines_of(hits: Sequence[Mapping[str, Any]], rows: Mapping[str, Row]) -> list[Line]:
    """The most urgent first, then in intake's order by name; people not in the read model yet come last."""
    lines = [_line(hit, rows.get(hit["patient_id"])) for hit in hits]
    return sorted(lines, key=lambda line: line.row.risk if line.row else len(Risk))


def _line(hit: Mapping[str, Any], row: Row | None) -> Line:
    born = date.fromisoformat(hit["birth_date"]) if hit["birth_date"] else None
    return Line(hit["patient_id"], _name(hit), born, row)


def _name(hit: Mapping[str, Any]) -> str:
    whole = " ".join(name for name in (hit["given_name"], hit["family_name"]) if name)
    return (whole if len(whole) <= SHOWN else f"{whole[:SHOWN]}…") or short_id(hit["patient_id"])
