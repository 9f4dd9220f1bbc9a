"""Forms that people send: ours alone, and each once."""

import hmac
from uuid import uuid4

from starlette.requests import Request

from services.dashboard.pages.signing_in import form_of
from services.dashboard.web.viewer import Viewer
from shared.http.problems import Problem

EARLIER = "This form was drawn for an earlier sign-in."


async def posted(request: Request, viewer: Viewer) -> dict[str, str]:
    """What was sent; of a field given twice, the first. Raises `Problem` 403 unless it was drawn for them."""
    form = await form_of(request)
    if not is_ours(form.get("csrf", ""), viewer):
        raise not_ours()
    return form


def is_ours(token: str, viewer: Viewer) -> bool:
    """Whether a form with this proof was drawn for this sign-in."""
    return hmac.compare_digest(token.encode(), viewer.csrf.encode())


def not_ours() -> Problem:
    return Problem(403, "form_not_ours", f"{EARLIER} Load the page again.")


def new_key() -> str:
    """An Idempotency-Key for a form that is drawn now."""
    return uuid4().hex
