"""Forms that people send: ours alone, and each once."""

import hmac
from uuid import uuid4

from starlette.requests import Request

from services.dashboard.pages.signing_in import form_of
from services.dashboard.web.viewer import Viewer
from shared.http.problems import Problem


async def posted(request: Request, viewer: Viewer) -> dict[str, str]:
    """What was sent; of a field given twice, the first. Raises `Problem` 403 unless it was drawn for them."""
    form = await form_of(request)
    if not hmac.compare_digest(form.get("csrf", "").encode(), viewer.csrf.encode()):
        raise Problem(403, "form_not_ours", "This form is out of date: load the page again.")
    return form


def new_key() -> str:
    """An Idempotency-Key for a form that is drawn now."""
    return uuid4().hex
