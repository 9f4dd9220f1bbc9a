"""Who looks at a page: the token of A in a cookie that no script can read."""

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response

from shared.http.caller import ALL_CLINICS, Caller, Role, arrival_of
from shared.http.problems import Problem

COOKIE = "kith_token"


@dataclass(frozen=True, slots=True)
class Viewer:
    """`token` goes to the other services with everything this viewer asks for."""

    subject: str
    roles: frozenset[Role]
    clinic: str
    expires_at: datetime
    token: str

    @property
    def only_clinic(self) -> str | None:
        """The one clinic they may see; `None`: all of them."""
        return None if self.clinic == ALL_CLINICS else self.clinic

    @property
    def treats(self) -> bool:
        return "clinician" in self.roles

    @property
    def cares(self) -> bool:
        return bool(self.roles & {"clinician", "coordinator"})

    @property
    def csrf(self) -> str:
        """Proof that a form was made here, for this token."""
        return hmac.new(self.token.encode(), b"kith form", hashlib.sha256).hexdigest()

    def sees(self, clinic_id: str) -> bool:
        return self.clinic in (ALL_CLINICS, clinic_id)


def viewer_of(request: Request) -> Viewer:
    """A dependency: whoever looks. Raises `Problem` 403 for roles without patients."""
    arrival = arrival_of(request.scope)
    caller: Caller | None = arrival.caller
    if caller is None:
        raise Problem(401, "token_required", "Sign in.")
    token = request.headers["authorization"].partition(" ")[2].strip()
    return Viewer(caller.subject, caller.roles, caller.clinic, expiry(token), token)


def carer_of(request: Request) -> Viewer:
    """A dependency: somebody who may see people. Raises `Problem` 403."""
    viewer = viewer_of(request)
    if not viewer.cares:
        raise Problem(403, "role_required", "This page is for coordinators and clinicians.")
    return viewer


def expiry(token: str) -> datetime:
    """Of a token that was verified, or is about to be. The epoch for what is no token."""
    try:
        body = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        return datetime.fromtimestamp(float(claims["exp"]), UTC)
    except (IndexError, ValueError, KeyError, TypeError, OverflowError):
        return datetime.fromtimestamp(0, UTC)


def keep(response: Response, token: str, *, idle_minutes: int, secure: bool) -> None:
    """Put the token into its cookie, for as long as the idle limit allows."""
    response.set_cookie(
        COOKIE, token, max_age=idle_minutes * 60, httponly=True, samesite="strict", secure=secure, path="/"
    )


def forget(response: Response) -> None:
    response.delete_cookie(COOKIE, path="/")
