"""Routes that raise a crisis flag for signs of danger even in a request that is then refused."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from services.care_plan import handlers
from services.care_plan.domain.crisis import EXPLICIT, Signs
from services.care_plan.salvage import signs_in_refused
from services.care_plan.store import CarePlanWork
from services.care_plan.views import CrisisNotice
from shared.errors import Refused
from shared.http.caller import Call, Caller, Role, arrival_of, digest_of
from shared.http.commands import ChangedMeanwhile, Commands
from shared.http.guard import PreconditionFailed
from shared.http.lenient_route import LenientRoute, refusal_with
from shared.http.problems import Problem
from shared.http.routes import CRISIS

REFUSALS = (
    RequestValidationError,
    Refused,
    PreconditionFailed,
    ChangedMeanwhile,
    Problem,
    ValidationError,
)
"""`ValidationError`: a newer release stored fields in the plan that this one cannot read."""
UNKNOWN_OUTCOME = 503
"""The flag may have been raised and the sender is told to retry, so it is not raised again here."""

CARERS: frozenset[Role] = frozenset({"clinician", "coordinator"})

Handle = Callable[[Request], Coroutine[Any, Any, Response]]


def crisis_aware(commands: Commands[CarePlanWork]) -> type[LenientRoute]:
    """Build a route class for one plan's routes; only signs from callers with the routes' own roles count.

    On a route that raises a crisis explicitly the request itself is the sign, whatever is wrong with it.
    """

    class CrisisAwareRoute(LenientRoute):
        def get_route_handler(self) -> Handle:
            handle = super().get_route_handler()
            outright = CRISIS in self.tags

            async def refuse_and_flag(request: Request) -> Response:
                try:
                    return await handle(request)
                except REFUSALS as refusal:
                    if outright and isinstance(refusal, Problem) and refusal.status == UNKNOWN_OUTCOME:
                        raise
                    signs = EXPLICIT if outright else signs_in_refused(await request.body())
                    caller = arrival_of(request.scope).caller
                    if signs is None or caller is None or not caller.roles & CARERS:
                        raise
                    await _flag(commands, await _call(request, caller, once=not outright), signs, request)
                    return await _with_notice(request, refusal, signs)

            return refuse_and_flag

    return CrisisAwareRoute


async def _call(request: Request, caller: Caller, *, once: bool) -> Call:
    """Build the call without the request's headers, which may be the reason for the refusal.

    `once`: the same form refused again is the same sign, so its digest serves as the Idempotency-Key.
    """
    arrival, digest = arrival_of(request.scope), digest_of(request, caller, await request.body())
    key = f"heeded-{digest.hex()}" if once else None
    return Call(caller, arrival.request_id, key, None, digest, arrival.route)


async def _flag(commands: Commands[CarePlanWork], call: Call, signs: Signs, request: Request) -> None:
    """Raise the crisis flag. Raises `NotFound` for another clinic's plan."""
    plan_id = request.path_params["plan_id"]
    await commands.run(
        call,
        lambda work: work.load_for_flag(plan_id),
        lambda work: handlers.raise_crisis_flag(work, call, plan_id, signs),
    )


async def _with_notice(request: Request, refusal: Exception, signs: Signs) -> Response:
    """The usual response to this refusal, with the crisis notice added."""
    match refusal:
        case Refused():
            detail = "A rule refuses this; the crisis flag was raised all the same."
            refusal = Problem(409, refusal.reason, detail, facts=refusal.facts)
        case ValidationError():
            detail = "A newer release keeps this: nothing was recorded, but the crisis flag was raised."
            refusal = Problem(503, "kept_by_newer_release", detail)
    crisis_notice = CrisisNotice.of(signs).model_dump(mode="json")
    return await refusal_with(request, refusal, crisis_notice=crisis_notice)
