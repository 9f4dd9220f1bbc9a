"""Signing in with a token, or on a development stack as one of its users, and signing out."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from services.dashboard.pages.desk import Anybody, Desk
from services.dashboard.web.gate import SIGN_OUT, parts_of
from services.dashboard.web.viewer import CARING, forget, keep
from shared.auth import InvalidToken, KeysUnavailable, Verifier, mint
from shared.http.caller import Role

FORM = {"requestBody": {"content": {"application/x-www-form-urlencoded": {"schema": {"type": "object"}}}}}
"""For routes that take a form (see `shared.http.body`)."""

OPEN = {"x-open": True}
DEVELOPERS: dict[str, Role] = {
    "dev-coordinator": "coordinator",
    "dev-clinician": "clinician",
    "dev-engineer": "engineer",
}
LONGEST = 4_000
"""Maximum length of an address of this service."""

REASONS = {
    "ended": "Your sign-in has ended. Sign in again to go on where you were.",
    "unsent": "Your sign-in had ended: what you just sent was not received. Nothing was saved and nobody was "
    "alerted. Sign in and enter it again. If somebody is in danger, call 911, or the clinician on call, now.",
    "expired": "Your sign-in has ended. Sign in again to go on where you were.",
    "idle": "You were signed out because nothing was done for a while.",
    "out": "You are signed out.",
}


def router(desk: Desk) -> APIRouter:
    api = APIRouter(tags=["sign-in"])
    verifier = Verifier.from_settings(desk.settings)

    @api.get("/sign-in", response_class=HTMLResponse, openapi_extra=OPEN)
    async def show_sign_in(next: str = "/", reason: str = "") -> HTMLResponse:
        """The form for a token, and on a development stack the choice of a user."""
        return _page(desk, next, REASONS.get(reason, ""))

    @api.post("/sign-in", openapi_extra=OPEN | FORM)
    async def sign_in(request: Request) -> Response:
        """Verify a token and store it in its cookie."""
        form = await form_of(request)
        following = _own(form.get("next", "/"))
        token = form.get("token", "").strip()
        if not token and desk.settings.development_key is not None:
            token = _developer(desk.settings.development_key, form)
        try:
            caller = await verifier.caller(token)
        except InvalidToken:
            return _page(desk, following, "This token is not good, or not any more.", status=401)
        except KeysUnavailable:
            return _page(desk, following, "Tokens cannot be checked right now; try again.", status=503)
        if following == "/" and not caller.roles & CARING:
            following = "/alerts"
        answer = RedirectResponse(following, 303)
        keep(answer, token, idle_minutes=desk.settings.idle_minutes, secure=is_secure(desk))
        return answer

    @api.post(SIGN_OUT, openapi_extra=FORM)
    async def sign_out(viewer: Anybody) -> Response:
        """Delete the token's cookie; the token itself stays valid until it expires."""
        answer = RedirectResponse("/sign-in?reason=out", 303)
        forget(answer)
        return answer

    return api


def is_secure(desk: Desk) -> bool:
    return desk.settings.environment == "production"


def _page(desk: Desk, following: str, said: str, *, status: int = 200) -> HTMLResponse:
    development = desk.settings.development_key is not None
    known = {"next": _own(following), "said": said, "developers": DEVELOPERS if development else {}}
    return desk.drawing.page("sign-in.html", "/sign-in", None, title="Sign in", status=status, **known)


def _own(following: str) -> str:
    """The address if it is on this site and not too long, else `/`."""
    parts = parts_of(following)
    if parts is None or parts.scheme or parts.netloc or len(following) > LONGEST:
        return "/"
    return following if following.startswith("/") and not following.startswith(("//", "/\\")) else "/"


def _developer(key: Path, form: dict[str, str]) -> str:
    """A token for one of the development stack's users; empty for anybody else."""
    subject = form.get("subject", "")
    role: Any = DEVELOPERS.get(form.get("as", ""))
    if role is None:
        return ""
    clinic = form.get("clinic", "") or "*"
    return mint(json.loads(key.read_text()), subject=subject or form["as"], roles=[role], clinic=clinic)


async def form_of(request: Request) -> dict[str, str]:
    """The posted form; the first value of a repeated field."""
    body = (await request.body()).decode("utf-8", "replace")
    return {name: values[0] for name, values in parse_qs(body, keep_blank_values=True).items()}
