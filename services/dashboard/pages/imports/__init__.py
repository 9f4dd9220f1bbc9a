"""Bulk import: passes a file's rows to intake in parts, with the viewer's own token.

With script the browser reads the file and sends its parts. Without script a file of a single part is
uploaded. Nothing of the file is stored here.
"""

from pathlib import PurePath
from typing import Annotated, Any

from fastapi import APIRouter, Body
from pydantic import BaseModel, Field
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from services.dashboard.calendar.hours import Clinics
from services.dashboard.pages.desk import Carer, Desk
from services.dashboard.pages.forms import is_ours, new_key, not_ours
from services.dashboard.pages.imports.rows import COLUMNS, Format, Part, Unusable, read_part
from services.dashboard.pages.imports.words import advice, shown
from services.dashboard.web.viewer import Viewer
from shared.http.problems import Problem

MAX_BYTES = 1_000_000
"""Maximum size of a request. Small enough that an uploaded file stays in memory."""

MAX_ROWS = 500
"""Maximum number of rows that intake takes in one request."""

UNCERTAIN = (
    "Intake did not answer in time, so some rows may have been taken in. Import the same file again: rows "
    "that are known already change nothing."
)
LINES = {".ndjson", ".jsonl"}
UPLOAD = {
    "requestBody": {"content": {"multipart/form-data": {"schema": {"type": "object"}}}},
    "x-max-body-bytes": MAX_BYTES,
}


class PartForm(BaseModel):
    """Some rows of a file as text. `first`: number of the first row; `key`: this part's Idempotency-Key."""

    format: Format
    header: Annotated[str, Field(max_length=100_000)] = ""
    text: Annotated[str, Field(max_length=MAX_BYTES)]
    first: Annotated[int, Field(ge=1)]
    clinic_id: Annotated[str, Field(max_length=100)] = ""
    key: Annotated[str, Field(pattern=r"^[a-z0-9\-]{1,100}$")]


def router(desk: Desk) -> APIRouter:
    api = APIRouter(tags=["imports"])

    @api.get("/intake/import", response_class=HTMLResponse)
    async def show_import(request: Request, viewer: Carer) -> HTMLResponse:
        """The page to choose a file and follow its import."""
        return await _page(desk, request, viewer)

    @api.post("/intake/import/parts", openapi_extra={"x-max-body-bytes": MAX_BYTES})
    async def import_part(request: Request, viewer: Carer, form: Annotated[PartForm, Body()]) -> Response:
        """Import one part of a file that the browser reads; returns counts and the rows' errors."""
        if not is_ours(request.headers.get("x-csrf-token", ""), viewer):
            raise not_ours()
        try:
            part = read_part(form.text, form.format, header=form.header, first=form.first)
        except Unusable as unusable:
            raise Problem(422, "file_unusable", unusable.said) from None
        return JSONResponse(await pass_on(desk, viewer, part, form.format, form.clinic_id, form.key))

    @api.post("/intake/import", openapi_extra=UPLOAD)
    async def import_file(request: Request, viewer: Carer) -> Response:
        """Import a whole file of one part, for browsers without script."""
        async with request.form(max_files=1, max_fields=10) as sent:
            form = {name: value for name, value in sent.items() if isinstance(value, str)}
            return await _whole(desk, request, viewer, form, sent.get("file"))

    return api


async def _page(
    desk: Desk, request: Request, viewer: Viewer, status: int = 200, **context: Any
) -> HTMLResponse:
    known = {"clinic_id": "", "result": None, "said": "", "unsure": False, "key": new_key(), **context}
    known |= {"clinics": _seen(desk.clinics, viewer), "columns": sorted(COLUMNS), "max_rows": MAX_ROWS}
    return await desk.page(request, viewer, "import.html", title="Import", status=status, **known)


async def _whole(
    desk: Desk, request: Request, viewer: Viewer, form: dict[str, str], file: Any
) -> HTMLResponse:
    """The result for an uploaded file; if it was not accepted, the form again with the same key."""
    kept = {"clinic_id": form.get("clinic_id", ""), "key": form.get("idempotency_key") or new_key()}
    try:
        if not is_ours(form.get("csrf", ""), viewer):
            raise not_ours()
        format, part = await _uploaded(file)
        result = await pass_on(desk, viewer, part, format, kept["clinic_id"], kept["key"])
    except Unusable as unusable:
        return await _page(desk, request, viewer, 422, **kept, said=unusable.said)
    except Problem as problem:
        unsure = problem.status >= 500
        said = UNCERTAIN if unsure else problem.detail
        return await _page(desk, request, viewer, problem.status, **kept, said=said, unsure=unsure)
    return await _page(desk, request, viewer, clinic_id=kept["clinic_id"], result=result)


async def pass_on(
    desk: Desk, viewer: Viewer, part: Part, format: Format, clinic_id: str, key: str
) -> dict[str, Any]:
    """Import the rows; returns counts, and errors by row. Raises `Problem` if intake refuses the request."""
    counts: dict[str, Any] = {"created": 0, "updated": 0, "unchanged": 0, "results": []}
    if part.rows:
        body = {"rows": part.rows} | ({"clinic_id": clinic_id} if clinic_id else {})
        answer = await desk.services.send(viewer, "intake", "POST", "/referrals/bulk", body, key=key)
        if not answer.ok:
            raise _not_taken(answer.status, answer.body)
        counts = answer.body
    wrong = _wrong(part, counts["results"])
    return {
        "rows": part.count,
        **{name: counts[name] for name in ("created", "updated", "unchanged")},
        "refused": len(wrong),
        "flagged": sum(bool(result["flagged"]) for result in counts["results"]),
        "errors": [
            {"row": row, "code": shown(code), "advice": advice(code, format)}
            for row, codes in sorted(wrong.items())
            for code in codes
        ],
    }


def _wrong(part: Part, results: list[dict[str, Any]]) -> dict[int, tuple[str, ...]]:
    """Error codes by row. Errors found here replace intake's, because they are more specific."""
    told = {result["row"]: tuple(result["codes"]) for result in results if result["outcome"] == "error"}
    return told | part.wrong


def _not_taken(status: int, body: Any) -> Problem:
    problem = body if isinstance(body, dict) else {}
    detail = str(problem.get("detail", "Intake does not answer right now; send it again."))
    return Problem(status or 503, str(problem.get("reason", "service_unreachable")), detail)


async def _uploaded(file: Any) -> tuple[Format, Part]:
    """The format and rows of an uploaded file. Raises `Unusable`."""
    if not isinstance(file, UploadFile) or not file.size:
        raise Unusable("Choose a file that is not empty.")
    try:
        text = (await file.read()).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Unusable("The file is not UTF-8 text: save it as UTF-8.") from None
    lines = PurePath(file.filename or "").suffix.lower() in LINES or text.lstrip().startswith("{")
    header, _, rest = ("", "", text) if lines else text.partition("\n")
    format: Format = "ndjson" if lines else "csv"
    part = read_part(rest, format, header=header.rstrip("\r"))
    if part.count == 0:
        raise Unusable("The file has no rows.")
    if part.count > MAX_ROWS:
        raise Unusable(f"Without script at most {MAX_ROWS} rows go at once: cut the file, or turn script on.")
    return format, part


def _seen(clinics: Clinics, viewer: Viewer) -> list[tuple[str, str]]:
    return [(clinic.id, clinic.title) for clinic in clinics.clinics if viewer.sees(clinic.id)]
