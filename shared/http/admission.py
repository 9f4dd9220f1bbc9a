"""Admits requests with a well-formed path, a known route and a verified caller, within a rate per caller."""

import math

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from shared.auth import InvalidToken, KeysUnavailable, Verifier
from shared.http.caller import Caller, arrival_of, unauthenticated
from shared.http.problems import Problem
from shared.http.rates import Buckets, Rates
from shared.http.routes import METHODS, OPEN_PATHS, Found, Routes

MAX_PATH = 1_000
MAX_SEGMENT = 200


class Admission:
    def __init__(self, app: ASGIApp, *, routes: Routes, verifier: Verifier, rates: Rates) -> None:
        self.app = app
        self._routes = routes
        self._verifier = verifier
        self._ordinary, self._crisis = Buckets(rates.ordinary), Buckets(rates.crisis)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._admit(scope)
        await self.app(scope, receive, send)

    async def _admit(self, scope: Scope) -> None:
        """Raises `Problem` 401, 404, 405, 422, 429 or 503."""
        method, path, arrival = scope["method"], scope["path"], arrival_of(scope)
        if not _well_formed(path, scope.get("raw_path") or b""):
            raise not_found()
        found = self._routes.find(method, path)
        if method not in METHODS:
            raise _not_allowed(found)
        if path not in OPEN_PATHS and not (found.route and found.route.open):
            arrival.caller = await self._caller(Headers(scope=scope).get("authorization", ""))
        if found.route is None:
            raise _not_allowed(found) if found.allowed else not_found()
        arrival.route = f"{method} {found.route.template}"
        arrival.media_types, arrival.max_body_bytes = found.route.media_types, found.route.max_body_bytes
        arrival.hears_malformed = found.route.hears_malformed
        if arrival.caller is not None:
            self._pace(arrival.caller, self._crisis if found.route.crisis else self._ordinary)
        if b"%00" in scope["query_string"]:
            raise Problem(422, "text_unstorable", "Text holds no NUL.")

    async def _caller(self, authorization: str) -> Caller:
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise unauthenticated()
        try:
            return await self._verifier.caller(token.strip())
        except InvalidToken:
            raise unauthenticated() from None
        except KeysUnavailable:
            raise Problem(
                503,
                "token_keys_unavailable",
                "The keys that sign tokens cannot be read right now; try again.",
                headers={"Retry-After": "5"},
            ) from None

    def _pace(self, caller: Caller, buckets: Buckets) -> None:
        wait = buckets.take(caller.subject)
        if wait > 0:
            raise Problem(
                429,
                "too_many_requests",
                "Slow down; Retry-After says for how long.",
                headers={"Retry-After": str(math.ceil(wait))},
            )


def _well_formed(path: str, raw: bytes) -> bool:
    """Whether a path has only short segments of printable ASCII, no `.` or `..`, and no escaped slash."""
    if len(path) > MAX_PATH or b"%2f" in raw.lower():
        return False
    segments = path.split("/")
    return all(
        segment not in (".", "..")
        and len(segment) <= MAX_SEGMENT
        and segment.isascii()
        and segment.isprintable()
        for segment in segments
    )


def not_found() -> Problem:
    return Problem(404, "not_found", "There is nothing at this address.")


def _not_allowed(found: Found) -> Problem:
    allow = ", ".join(sorted(found.allowed))
    detail = f"This address takes {allow}." if allow else "This method is not served."
    return Problem(405, "method_not_allowed", detail, headers={"Allow": allow})
