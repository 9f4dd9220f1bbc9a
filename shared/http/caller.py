"""The caller of a request, what they may see, and the headers every command understands."""

import hashlib
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal, get_args

from starlette.requests import Request
from starlette.types import Scope

from shared.http.problems import Problem
from shared.messaging.work import NotFound

Role = Literal["coordinator", "clinician", "engineer", "service"]
ROLES: frozenset[Role] = frozenset(get_args(Role))
ALL_CLINICS = "*"

IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e]{1,255}")
ENTITY_TAG = re.compile(r'"([0-9]{1,18})"|([0-9]{1,18})')
"""Quoted as in RFC 9110, or bare, because many clients drop the quotes."""
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
ARRIVAL = "kith.arrival"


@dataclass(frozen=True, slots=True)
class Caller:
    """A verified caller: `subject` names the person or program, `clinic` the clinic they may see."""

    subject: str
    roles: frozenset[Role]
    clinic: str
    """A clinic id, or `*` for all clinics."""

    def sees(self, clinic_id: str) -> bool:
        return self.clinic in (ALL_CLINICS, clinic_id)

    def require_clinic(self, clinic_id: str, what: str, id: str) -> None:
        """Raises `NotFound` for another clinic's document, as if it did not exist."""
        if not self.sees(clinic_id):
            raise NotFound(what, id)


@dataclass(slots=True)
class Arrival:
    """What the middleware knows about a request; stored in the ASGI scope under `ARRIVAL`."""

    request_id: str
    route: str = "-"
    """Method and path template, `POST /plans/{plan_id}/sessions`; `-` if no route matches."""
    caller: Caller | None = None
    media_types: frozenset[str] = frozenset({"application/json"})
    """Media types the route accepts."""
    max_body_bytes: int | None = None
    """The route's own limit, if any."""
    hears_malformed: bool = False
    """Whether the route also handles bodies that are not valid JSON (see `shared.http.lenient_route`)."""
    malformed: Problem | None = None
    """For such a route: why the body is not valid JSON."""


def arrival_of(scope: Scope) -> Arrival:
    arrival: Arrival = scope[ARRIVAL]
    return arrival


@dataclass(frozen=True, slots=True)
class Call:
    caller: Caller
    request_id: str
    idempotency_key: str | None
    if_match: int | None
    """The version the caller has seen, from `If-Match: "7"`."""
    digest: bytes
    """SHA-256 of the request and its caller: method, address, subject, clinic and body."""
    route: str = "-"
    """Method and path template."""


def call_for(*roles: Role) -> Callable[[Request], Awaitable[Call]]:
    """A dependency that admits callers with any of these roles: `Annotated[Call, Depends(call_for(...))]`.

    Raises `Problem` 403 for other roles, 400 for a malformed Idempotency-Key or If-Match.
    """
    allowed = frozenset(roles)

    async def call(request: Request) -> Call:
        arrival = arrival_of(request.scope)
        caller = arrival.caller
        if caller is None:
            raise unauthenticated()
        if not caller.roles & allowed:
            raise Problem(403, "role_required", f"This needs one of the roles {', '.join(sorted(allowed))}.")
        writes = request.method not in SAFE_METHODS
        return Call(
            caller=caller,
            request_id=arrival.request_id,
            idempotency_key=_idempotency_key(request) if writes else None,
            if_match=_if_match(request) if writes else None,
            digest=digest_of(request, caller, await request.body()),
            route=arrival.route,
        )

    return call


def unauthenticated() -> Problem:
    return Problem(
        401,
        "token_required",
        "Send a valid bearer token in the Authorization header.",
        headers={"WWW-Authenticate": "Bearer"},
    )


def _idempotency_key(request: Request) -> str | None:
    key = request.headers.get("idempotency-key")
    if key is not None and IDEMPOTENCY_KEY.fullmatch(key) is None:
        raise Problem(
            400, "idempotency_key_malformed", "Idempotency-Key takes 1 to 255 visible ASCII characters."
        )
    return key


def _if_match(request: Request) -> int | None:
    tag = request.headers.get("if-match")
    if tag is None or tag.strip() == "*":
        return None
    matched = ENTITY_TAG.fullmatch(tag.strip())
    if matched is None:
        raise Problem(
            400, "if_match_malformed", 'If-Match takes one entity tag as it was answered, like "7".'
        )
    return int(matched[1] or matched[2])


def digest_of(request: Request, caller: Caller, body: bytes) -> bytes:
    """Compute `Call.digest`."""
    target = f"{request.method} {request.url.path}?{request.url.query}\n{caller.subject}\n{caller.clinic}\n"
    return hashlib.sha256(target.encode() + body).digest()
