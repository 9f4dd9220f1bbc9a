"""The viewer of a page, identified by a token in a cookie that no script can read."""

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass
from datetime import UTC, datetime

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from shared.http.caller import ALL_CLINICS, ARRIVAL, Arrival, Role
from shared.http.problems import Problem

COOKIE = "kith_token"
CARING: frozenset[Role] = frozenset({"clinician", "coordinator"})
"""Roles that have patients."""


@dataclass(frozen=True, slots=True)
class Viewer:
    """`token` is passed to the other services with every request of this viewer."""

    subject: str
    roles: frozenset[Role]
    clinic: str
    expires_at: datetime
    token: str

    @property
    def only_clinic(self) -> str | None:
        """The only clinic they may see; `None` means all clinics."""
        return None if self.clinic == ALL_CLINICS else self.clinic

    @property
    def treats(self) -> bool:
        return "clinician" in self.roles

    @property
    def cares(self) -> bool:
        return bool(self.roles & CARING)

    @property
    def csrf(self) -> str:
        """Proof that a form was rendered here, for this token."""
        return hmac.new(self.token.encode(), b"kith form", hashlib.sha256).hexdigest()

    def sees(self, clinic_id: str) -> bool:
        return self.clinic in (ALL_CLINICS, clinic_id)


async def viewer_of(request: Request) -> Viewer:
    """A dependency: the signed-in viewer. Raises `Problem` 401 if there is none."""
    viewer = viewer_in(request.scope)
    if viewer is None:
        raise Problem(401, "token_required", "Sign in.")
    return viewer


def viewer_in(scope: Scope) -> Viewer | None:
    """The caller authenticated for this request, if any."""
    arrival: Arrival | None = scope.get(ARRIVAL)
    if arrival is None or arrival.caller is None:
        return None
    caller = arrival.caller
    token = Headers(scope=scope)["authorization"].partition(" ")[2].strip()
    return Viewer(caller.subject, caller.roles, caller.clinic, expiry(token), token)


async def carer_of(request: Request) -> Viewer:
    """A dependency: a viewer who may see patients. Raises `Problem` 401 or 403."""
    viewer = await viewer_of(request)
    if not viewer.cares:
        raise Problem(403, "role_required", "This page is for coordinators and clinicians.")
    return viewer


def expiry(token: str) -> datetime:
    """When a token expires; the epoch if it is not a token. Does not verify it: the caller does."""
    try:
        body = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        return datetime.fromtimestamp(float(claims["exp"]), UTC)
    except (IndexError, ValueError, KeyError, TypeError, OverflowError):
        return datetime.fromtimestamp(0, UTC)


def keep(response: Response, token: str, *, idle_minutes: int, secure: bool) -> None:
    """Store the token in its cookie for the length of the idle limit.

    SameSite is lax so that links in mails work; requests that change anything carry their own proof (`csrf`).
    """
    response.set_cookie(
        COOKIE, token, max_age=idle_minutes * 60, httponly=True, samesite="lax", secure=secure, path="/"
    )


def forget(response: Response) -> None:
    response.delete_cookie(COOKIE, path="/")
