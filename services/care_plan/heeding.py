"""Routes that heed signs of danger although the request is refused: keep them, alert, then refuse."""

from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError

from services.care_plan import handlers
from services.care_plan.domain.crisis import Signs
from services.care_plan.salvage import signs_in_refused
from services.care_plan.store import CarePlanWork
from services.care_plan.views import notice
from shared.errors import Refused
from shared.http.caller import call_for
from shared.http.commands import ChangedMeanwhile, Commands
from shared.http.guard import PreconditionFailed
from shared.http.hearing import HearingRoute
from shared.http.problems import Problem

REFUSALS = (RequestValidationError, Refused, PreconditionFailed, ChangedMeanwhile, Problem)
CARERS = call_for("clinician", "coordinator")

Handle = Callable[[Request], Coroutine[Any, Any, Response]]


def heeding_route(commands: Commands[CarePlanWork]) -> type[HearingRoute]:
    """A route class for one plan's routes; only callers with the routes' own roles are heeded."""

    class HeedingRoute(HearingRoute):
        def get_route_handler(self) -> Handle:
            handle = super().get_route_handler()

            async def heed(request: Request) -> Response:
                try:
                    return await handle(request)
                except REFUSALS as refusal:
                    signs = signs_in_refused(await request.body())
                    if signs is None:
                        raise
                    await _flag(commands, request, signs)
                    raise _with_notice(refusal, signs) from None

            return heed

    return HeedingRoute


async def _flag(commands: Commands[CarePlanWork], request: Request, signs: Signs) -> None:
    """Once per refused request: its digest is the key. Raises `NotFound` for another clinic's plan."""
    asked = await CARERS(request)
    call = replace(asked, idempotency_key=f"heeded-{asked.digest.hex()}", if_match=None)
    plan_id = request.path_params["plan_id"]
    await commands.run(
        call,
        lambda work: work.load_plan(plan_id),
        lambda work: handlers.raise_crisis_flag(work, call, plan_id, signs),
    )


def _with_notice(refusal: Exception, signs: Signs) -> Exception:
    """A refusal by rule also says where help is; others stand as they are."""
    support = notice(signs)
    if not isinstance(refusal, Refused) or support is None:
        return refusal
    return Problem(
        409,
        refusal.reason,
        "A rule refuses this; the crisis flag was raised all the same.",
        facts=refusal.facts,
        crisis_notice=support.model_dump(mode="json"),
    )
