"""Bulk import: up to 500 rows, one transaction, a result per row. One bad row never blocks the others."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field, ValidationError

from services.intake.clinics import Clinics
from services.intake.domain.salvage import evidence_in_document
from services.intake.forms import ImportRow
from services.intake.handlers import Desk, take
from services.intake.importing import error_codes, unreadable
from services.intake.naming import Filing, filing, load_filings, named_by, named_in
from services.intake.set_aside import RefusedForm, followed_up_by, keep_aside, tells_who
from services.intake.store import IntakeWork
from services.intake.views import BulkResult, RowResult
from shared.errors import Refused
from shared.http.caller import Call, Caller
from shared.http.commands import Reply
from shared.http.models import OpaqueId, Strict
from shared.http.problems import Problem
from shared.messaging.work import NotFound
from shared.turns import in_turns

MAX_ROWS = 500
MAX_BYTES = 4_194_304
ROWS_AT_A_TURN = 5
PLACE = "bulk"


class BulkForm(Strict):
    """Rows as `services.intake.importing` makes them; each is checked on its own."""

    clinic_id: OpaqueId | None = None
    """Clinic of rows that name none."""
    rows: Annotated[tuple[Any, ...], Field(min_length=1, max_length=MAX_ROWS)]


@dataclass(frozen=True, slots=True)
class Entry:
    """One row as it arrived: its filing, or the codes for why it cannot be filed."""

    number: int
    filing: Filing | None
    codes: tuple[str, ...]
    about: Filing | None
    """Who the row is about, even if it cannot be filed."""
    refused: RefusedForm
    """What is set aside if the row is refused."""


async def entries(form: BulkForm, call: Call, clinics: Clinics) -> list[Entry]:
    """Check the rows."""
    numbered = in_turns(enumerate(form.rows, start=1), ROWS_AT_A_TURN)
    return [_entry(position, row, form.clinic_id, call, clinics) async for position, row in numbered]


def _entry(position: int, raw: Any, clinic_id: str | None, call: Call, clinics: Clinics) -> Entry:
    filed, codes, caller = None, tuple[str, ...](), call.caller
    try:
        filed = filing(caller, ImportRow.model_validate(raw), clinic_id)
    except ValidationError as error:
        codes = error_codes(error) if (code := unreadable(raw)) is None else (code,)
    except Problem as problem:
        codes = _codes(problem)
    except NotFound:
        codes = ("clinic_id:not_found",)
    named = raw.get("clinic_id") if isinstance(raw, dict) else None
    followed_up = followed_up_by(caller, clinics, named, clinic_id)
    content = json.dumps(raw, sort_keys=True).encode()
    if not tells_who(content):
        content += (call.idempotency_key or call.request_id).encode()
    refused = RefusedForm.of(caller, followed_up, evidence_in_document(raw), PLACE, content)
    return Entry(_number(raw, position), filed, codes, filed or named_by(caller, raw, clinic_id), refused)


def _number(raw: Any, position: int) -> int:
    number = raw.get("row") if isinstance(raw, dict) else None
    return number if type(number) is int else position


async def load_entries(work: IntakeWork, rows: Sequence[Entry]) -> None:
    """Load all that the rows are about: five queries for one clinic if everything is readable."""
    await load_filings(work, [entry.about for entry in rows if entry.about is not None])
    await work.set_aside_forms.load(e.refused.id for e in rows if e.refused.evidence.severity is not None)


async def import_rows(work: IntakeWork, desk: Desk, caller: Caller, rows: Sequence[Entry]) -> Reply:
    in_order = in_turns(rows, ROWS_AT_A_TURN)
    return Reply(BulkResult.of([_import(work, desk, caller, entry) async for entry in in_order]))


def _import(work: IntakeWork, desk: Desk, caller: Caller, entry: Entry) -> RowResult:
    if entry.filing is None:
        return _refused(work, desk, entry, entry.codes)
    id = entry.filing.referral_id
    before = _flags(work, id)
    try:
        outcome = take(work, desk, entry.filing, by=caller.subject)
    except Problem as problem:
        return _refused(work, desk, entry, _codes(problem))
    except Refused as refusal:
        return _refused(work, desk, entry, (refusal.reason,))
    return RowResult(row=entry.number, outcome=outcome, referral_id=id, flagged=_flags(work, id) > before)


def _refused(work: IntakeWork, desk: Desk, entry: Entry, codes: tuple[str, ...]) -> RowResult:
    """The result for a row that is not filed; its crisis evidence is set aside and a human alerted.

    If the row does not fit its referral's person, nobody knows who it means. The flag then does not go to the
    referral, and the row's sender has to be asked.
    """
    flagged = keep_aside(work, desk, entry.refused, named_in(work, entry.about))
    return RowResult(row=entry.number, outcome="error", codes=codes, flagged=flagged)


def _flags(work: IntakeWork, id: str) -> int:
    referral = work.referrals.get(id)
    return referral.crisis.flags if referral else 0


def _codes(problem: Problem) -> tuple[str, ...]:
    found = problem.more.get("errors", [])
    return tuple(f"{error['field']}:{error['problem']}" for error in found) or (problem.reason,)
