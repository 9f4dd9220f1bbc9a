"""Posted forms: only those rendered here are accepted, and each takes effect once."""

import hmac
import re
from collections.abc import Mapping
from uuid import uuid4

from starlette.requests import Request

from services.dashboard.pages.signing_in import form_of
from services.dashboard.web.viewer import Viewer
from shared.http.problems import Problem

EARLIER = "This form was drawn for an earlier sign-in."
KEY = re.compile(r"[A-Za-z0-9-]{1,64}")
"""An Idempotency-Key that every service takes."""


class Unfit(Exception):
    """An entry that cannot be passed to a service. `errors` are pairs of a field's name and a sentence."""

    def __init__(self, *errors: tuple[str, str]) -> None:
        super().__init__(*(name for name, _ in errors))
        self.errors = errors


async def posted(request: Request, viewer: Viewer) -> dict[str, str]:
    """The posted form, first values only. Raises `Problem` 403 unless it was rendered for this viewer."""
    form = await form_of(request)
    if not is_ours(form.get("csrf", ""), viewer):
        raise not_ours()
    return form


def is_ours(token: str, viewer: Viewer) -> bool:
    """True if the form with this proof was rendered for this sign-in."""
    return hmac.compare_digest(token.encode(), viewer.csrf.encode())


def not_ours() -> Problem:
    return Problem(403, "form_not_ours", f"{EARLIER} Load the page again.")


def new_key() -> str:
    """An Idempotency-Key for a form that is rendered now."""
    return uuid4().hex


def key_of(form: Mapping[str, str]) -> str:
    """The form's Idempotency-Key; a new one if it has none that every service accepts."""
    given = form.get("idempotency_key", "")
    return given if KEY.fullmatch(given) else new_key()


def keyed(form: Mapping[str, str]) -> dict[str, str]:
    """The form with a valid key, so that it takes effect once even if it is shown and sent again."""
    return {**form, "idempotency_key": key_of(form)}


def version_seen(form: Mapping[str, str], field: str = "if_match") -> int:
    """The version of the document that a form was rendered for, for If-Match.

    It is 0 for a form without one. No document has version 0, so such a form changes nothing.
    """
    given = form.get(field, "")
    return int(given) if given.isascii() and given.isdecimal() and len(given) < 18 else 0
