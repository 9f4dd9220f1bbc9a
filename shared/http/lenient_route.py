"""Routes that also receive bodies that are not valid JSON, because one may hold signs of a crisis."""

import inspect
import json
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

from shared.http.caller import arrival_of


class LenientRoute(APIRoute):
    """A route class to subclass: broken JSON is no longer refused before the route.

    Its handler raises the `Problem` (400 or 422) instead, so that a subclass can catch it like any other
    refusal, inspect the raw `await request.body()`, and re-raise it. Size, time and type of a body are
    still checked first.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def unless_malformed(request: Request) -> Response:
            if (malformed := arrival_of(request.scope).malformed) is not None:
                raise malformed
            return await handle(request)

        return unless_malformed


async def refusal_with(request: Request, error: Exception, **fields: Any) -> Response:
    """The usual response to this error, with further fields in its problem document."""
    handlers = request.app.exception_handlers
    handler = next(handlers[kind] for kind in type(error).__mro__ if kind in handlers)
    answer = handler(request, error)
    response: Response = await answer if inspect.isawaitable(answer) else answer
    problem = {**json.loads(bytes(response.body)), **fields}
    headers = {name: value for name, value in response.headers.items() if name != "content-length"}
    return Response(json.dumps(problem), response.status_code, headers)
