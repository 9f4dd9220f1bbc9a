"""Routes on which a refused request is still read for crisis evidence (reliability.md, 20 and 21)."""

import json
from collections.abc import Callable
from typing import Any

from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response

from services.intake.domain.crisis import CRISIS_SUPPORT, Assessment
from services.intake.domain.salvage import EXPLICIT, evidence_in
from services.intake.handlers import Desk
from services.intake.naming import KEPT, kept_by_newer_release, load_filings, named_by, named_in
from services.intake.set_aside import RefusedForm, followed_up_by, keep_aside, tells_who
from services.intake.store import IntakeWork
from shared.errors import Refused
from shared.http.caller import Call, Role, arrival_of
from shared.http.commands import ChangedMeanwhile, Commands, Reply
from shared.http.guard import PreconditionFailed
from shared.http.lenient_route import LenientRoute, refusal_with
from shared.http.problems import Problem
from shared.http.routes import CRISIS
from shared.messaging.work import NotFound

REFUSALS = (
    RequestValidationError,
    Problem,
    Refused,
    NotFound,
    PreconditionFailed,
    ChangedMeanwhile,
    ValidationError,
)
"""`ValidationError`: a newer release stored fields in the referral that cannot be read here."""
UNHEARD = frozenset({401, 403, 408, 413, 415, 429, 503})
"""Statuses for callers without access here, and for requests that were not read at all."""

MAY_REFER: tuple[Role, ...] = ("coordinator", "clinician", "service")


def crisis_aware(commands: Commands[IntakeWork], desk: Desk) -> type[LenientRoute]:
    """Build a route class that sets aside refused requests with crisis evidence and alerts a human first."""

    class CrisisAwareRoute(LenientRoute):
        def get_route_handler(self) -> Callable[[Request], Any]:
            handle = super().get_route_handler()
            outright = CRISIS in self.tags

            async def handle_or_keep_aside(request: Request) -> Response:
                try:
                    return await handle(request)
                except REFUSALS as error:
                    found = await _evidence(request, error, outright)
                    if found is None:
                        raise
                    await _keep(commands, desk, request, found, outright=outright)
                    return await _with_support(request, error)

            return handle_or_keep_aside

    return CrisisAwareRoute


async def _evidence(request: Request, error: Exception, outright: bool) -> Assessment | None:
    """The evidence to keep; `None` if there is none, or the caller has no access here."""
    caller = arrival_of(request.scope).caller
    unheard = isinstance(error, Problem) and error.status in UNHEARD and error.reason != KEPT
    if unheard or caller is None or not caller.roles & set(MAY_REFER):
        return None
    found = evidence_in(await request.body())
    if outright:
        found = found.joined(EXPLICIT)
    return found if found.severity is not None else None


async def _keep(
    commands: Commands[IntakeWork], desk: Desk, request: Request, found: Assessment, *, outright: bool
) -> None:
    """Set the request aside, once for the same form; an explicit crisis is a new flag for each request.

    The flag goes to the referral named by the path, or by the form as for a row of a bulk import.
    """
    arrival = arrival_of(request.scope)
    caller, body = arrival.caller, await request.body()
    assert caller is not None  # noqa: S101 - `_evidence` found one
    named, said = str(request.path_params.get("referral_id", "")), _object_in(body)
    about = named_by(caller, said)
    content = body
    if outright or not (named or tells_who(body)):
        content += request.headers.get("idempotency-key", arrival.request_id).encode()
    clinic_id = followed_up_by(caller, desk.clinics, said.get("clinic_id"))
    refused = RefusedForm.of(caller, clinic_id, found, request.url.path, content)
    call = Call(caller, arrival.request_id, None, None, b"", arrival.route)

    async def load(work: IntakeWork) -> None:
        if named:
            await work.load_readable({named})
            await work.load_referrals_of({referral.patient_id for referral in work.referrals})
        elif about is not None:
            await load_filings(work, [about])
        await work.set_aside_forms.load([refused.id])

    def keep(work: IntakeWork) -> Reply:
        by_path = work.referrals.get(named) or work.in_danger.get(named)
        known = by_path if named else named_in(work, about)
        if known is not None and not caller.sees(known.clinic_id):
            known = None
        keep_aside(work, desk, refused, known)
        return Reply(None)

    await commands.run(call, load, keep)


def _object_in(body: bytes) -> dict[str, Any]:
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


async def _with_support(request: Request, error: Exception) -> Response:
    """The usual response to this error, with the crisis lines added."""
    if isinstance(error, ValidationError):
        error = kept_by_newer_release()
    return await refusal_with(request, error, crisis_support=CRISIS_SUPPORT)
