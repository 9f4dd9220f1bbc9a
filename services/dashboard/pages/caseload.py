"""The caseload, riskiest first, with each person's next action: as a page, a page part and a CSV file."""

import asyncio
import csv
from collections.abc import AsyncIterator, Callable, Mapping
from functools import partial
from io import StringIO
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response, StreamingResponse

from services.dashboard import caseload
from services.dashboard.charts.points import Point
from services.dashboard.charts.sparkline import sparkline
from services.dashboard.domain.person import Course, Measure
from services.dashboard.listing import BadQuery
from services.dashboard.pages.desk import Carer, Code, Cursor, Desk
from services.dashboard.store import NEVER, NEVER_YET, Row
from services.dashboard.web.drawing import HEADERS
from services.dashboard.web.viewer import Viewer
from services.dashboard.web.words import RISKS, said
from shared.http.problems import Problem


def _of_course(found: Callable[[Course], Any]) -> Callable[[Row], Any]:
    return lambda row: "" if row.course is None else found(row.course)


def _of_last(found: Callable[[Measure], Any]) -> Callable[[Row], Any]:
    return _of_course(lambda course: "" if course.last is None else found(course.last))


COLUMNS: Mapping[str, Callable[[Row], Any]] = {
    "patient_id": lambda row: row.id,
    "clinic_id": lambda row: row.clinic_id,
    "clinician_id": lambda row: row.clinician_id,
    "risk": lambda row: RISKS[row.risk][1],
    "next_action": lambda row: said(row.action),
    "phase": lambda row: row.phase,
    "attended": _of_course(lambda course: course.attended),
    "sessions": _of_course(lambda course: course.sessions),
    "next_appointment": lambda row: "" if row.next_at == NEVER else row.next_at.isoformat(),
    "last_contact": lambda row: "" if row.last_contact == NEVER_YET else row.last_contact.isoformat(),
    "phq9_baseline": _of_course(lambda course: course.baseline),
    "phq9_last": _of_last(lambda measure: measure.total),
    "phq9_change": _of_course(lambda course: course.change),
    "phq9_at": _of_last(lambda measure: measure.at.isoformat()),
    "flags": lambda row: " ".join(sorted({alert.kind for alert in row.alerts})),
}
"""Columns of the CSV file: name, and how the value is read from a row."""


async def asked(
    clinic: Code = "",
    clinician: Code = "",
    phase: Code = "",
    flag: Code = "",
    text: Code = "",
    sort: Code = "risk",
    after: Cursor = "",
) -> caseload.Query:
    """A dependency: the caseload's query, read from the address."""
    return caseload.Query(clinic, clinician, phase, flag, text, sort, after)


Asked = Annotated[caseload.Query, Depends(asked)]


def router(desk: Desk) -> APIRouter:
    api = APIRouter(tags=["caseload"])

    @api.get("/", response_class=HTMLResponse)
    async def show_caseload(request: Request, viewer: Carer, query: Asked) -> HTMLResponse:
        """Everybody the viewer may see, riskiest first, filtered and ordered as the address says."""
        known = await _content(desk, query, viewer)
        return await desk.page(request, viewer, "caseload.html", title="Caseload", **known)

    @api.get("/parts/caseload", response_class=HTMLResponse)
    async def show_part(request: Request, viewer: Carer, query: Asked) -> HTMLResponse:
        """Only the groups and the table, rendered once for all viewers of a clinic with the same query."""
        draw = partial(_table, desk, viewer, query, request.url.path)
        return HTMLResponse(await desk.parts.text((viewer.clinic, query), draw), headers=HEADERS)

    @api.get("/caseload.csv")
    async def export_caseload(viewer: Carer, query: Asked) -> Response:
        """The same rows as a file with ids only: names are not stored here."""
        _check(query, viewer)
        headers = {"Content-Disposition": 'attachment; filename="caseload.csv"'}
        return StreamingResponse(_csv(desk, query, viewer), media_type="text/csv", headers=headers)

    return api


async def _table(desk: Desk, viewer: Viewer, query: caseload.Query, path: str) -> str:
    known = await _content(desk, query, viewer)
    return desk.drawing.text("parts/caseload.html", path=path, viewer=None, **known)


def _check(query: caseload.Query, viewer: Viewer) -> None:
    try:
        caseload.matching(query, viewer)
    except BadQuery:
        raise _unknown() from None


def _unknown() -> Problem:
    return Problem(422, "filter_unknown", "There is no such filter or order; begin again at the caseload.")


async def _content(desk: Desk, query: caseload.Query, viewer: Viewer) -> dict[str, Any]:
    try:
        found, groups = await asyncio.gather(
            caseload.page(desk.database, query, viewer), caseload.groups(desk.database, query, viewer)
        )
    except BadQuery:
        raise _unknown() from None
    return {
        "query": query,
        "groups": groups,
        "rows": [_line(row) for row in found.rows],
        "next_href": query.address(after=found.next) if found.next else None,
        "total": found.total,
        "counted": caseload.COUNTED,
        "part_href": query.address("/parts/caseload"),
        "csv_href": query.address("/caseload.csv", after=""),
    }


def _line(row: Row) -> dict[str, Any]:
    """One person as shown in the table."""
    course = row.course
    upcoming = course.next_appointment if course else None
    points = [Point(m.at, m.total) for m in course.scores()] if course else []
    return {
        "row": row,
        "course": course,
        "risk": RISKS[row.risk],
        "action": said(row.action),
        "next": upcoming,
        "last_contact": None if row.last_contact == NEVER_YET else row.last_contact,
        "sparkline": sparkline(points) if points else "",
        "last": course.last if course else None,
    }


async def _csv(desk: Desk, query: caseload.Query, viewer: Viewer) -> AsyncIterator[str]:
    text = StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    async for row in caseload.all_rows(desk.database, query, viewer):
        writer.writerow([cell(row) for cell in COLUMNS.values()])
        yield _taken(text)
    yield _taken(text)


def _taken(text: StringIO) -> str:
    """Take what was written since the last call, and empty the buffer."""
    written = text.getvalue()
    text.seek(0)
    text.truncate()
    return written
