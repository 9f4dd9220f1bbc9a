"""Finds a request's route before FastAPI does, so that each route can have its own limits."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import FastAPI
from fastapi.routing import RouteContext, iter_route_contexts

from shared.http.lenient_route import LenientRoute

JSON = "application/json"
OPEN_PATHS = frozenset(
    {"/health/live", "/health/ready", "/health/serving", "/metrics", "/openapi.json", "/asyncapi.json"}
)
"""Answered without a token."""

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
CRISIS = "crisis"
"""The tag of routes that use the separate crisis rate limit."""


@dataclass(frozen=True, slots=True)
class KnownRoute:
    template: str
    pattern: re.Pattern[str]
    methods: frozenset[str]
    crisis: bool
    media_types: frozenset[str]
    """Accepted media types: JSON, or those that the route's `openapi_extra` documents."""
    max_body_bytes: int | None
    """The route's own limit (`x-max-body-bytes`), for bulk imports."""
    hears_malformed: bool
    open: bool
    """Answered without a token (`x-open`): sign-in, static files, feeds that carry a secret."""


@dataclass(frozen=True, slots=True)
class Found:
    route: KnownRoute | None
    """The route that matches this path and method."""
    allowed: frozenset[str]
    """Methods allowed at this path; empty if no route matches it."""


class Routes:
    """The app's routes as a table, built at the first request, when all are registered."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app
        self._table: list[KnownRoute] | None = None

    @property
    def table(self) -> Sequence[KnownRoute]:
        if self._table is None:
            self._table = [
                _known(context) for context in iter_route_contexts(self._app.routes) if context.methods
            ]
        return self._table

    def find(self, method: str, path: str) -> Found:
        matching = [route for route in self.table if route.pattern.match(path)]
        for route in matching:
            if method in route.methods:
                return Found(route, route.methods)
        literal = [route for route in matching if route.template == path]
        allowed = (route.methods for route in literal or matching)
        return Found(None, frozenset().union(*allowed))


def _known(context: RouteContext) -> KnownRoute:
    extra = getattr(context, "openapi_extra", None) or {}
    documented = extra.get("requestBody", {}).get("content", {})
    return KnownRoute(
        template=context.path or "",
        pattern=context.path_regex,
        methods=frozenset(context.methods or ()),
        crisis=CRISIS in (getattr(context, "tags", None) or []) or bool(extra.get("x-crisis")),
        media_types=frozenset(documented) or frozenset({JSON}),
        max_body_bytes=extra.get("x-max-body-bytes"),
        hears_malformed=isinstance(context.original_route, LenientRoute),
        open=bool(extra.get("x-open")),
    )
