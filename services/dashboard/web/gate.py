"""The outermost middleware: turns cookies into tokens, and refusals into pages."""

from http.cookies import CookieError, SimpleCookie
from urllib.parse import SplitResult, quote, urlsplit

import orjson
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.dashboard.web.drawing import Drawing
from services.dashboard.web.viewer import COOKIE
from shared.http.problems import MEDIA_TYPE, Problem

TOUCH = "/touch"
"""Requested by pages while somebody works on them without navigating."""

SIGN_IN, SIGN_OUT = "/sign-in", "/sign-out"
UNSAFE = frozenset({"POST", "PUT", "PATCH", "DELETE"})


class Gate:
    """`idle_minutes`: every request prolongs the cookie's life by this long."""

    def __init__(self, app: ASGIApp, *, drawing: Drawing, idle_minutes: int, secure: bool) -> None:
        self.app = app
        self._drawing, self._idle, self._secure = drawing, idle_minutes, secure

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        from_browser = "authorization" not in headers
        token = _cookie(headers) if from_browser else None
        if from_browser and scope["method"] in UNSAFE and _is_foreign(headers):
            refusal = Problem(403, "foreign_form", "This came from another site.")
            await refusal.response()(scope, receive, send)
            return
        if token is not None:
            scope = dict(scope)
            scope["headers"] = [*scope["headers"], (b"authorization", b"Bearer " + token.encode())]
        wants_page = "text/html" in headers.get("accept", "") and "x-fragment" not in headers
        is_touch = scope["path"] == TOUCH
        answer = _Answer(self, scope, send, token, wants_page) if wants_page or is_touch else None
        await self.app(scope, receive, answer or send)
        if answer is not None and answer.problem is not None:
            await self._page(scope, answer.problem, known=token is not None or _came_from_us(headers))(
                scope, receive, send
            )

    def _page(self, scope: Scope, problem: dict[str, object], *, known: bool) -> Response:
        if problem["status"] == 401 and scope["path"] == SIGN_OUT:
            return RedirectResponse("/sign-in?reason=out", 303)
        if problem["status"] == 401:
            reason = "unsent" if scope["method"] in UNSAFE else "ended" if known else ""
            why = f"reason={reason}&" if reason else ""
            return RedirectResponse(f"{SIGN_IN}?{why}next={quote(_place(scope), safe='')}", 303)
        return self._drawing.problem(problem, scope, unconfirmed=scope["method"] in UNSAFE)

    def prolong(self, headers: MutableHeaders, token: str) -> None:
        """Restart the idle limit, unless the response sets the cookie itself."""
        if any(value.startswith(f"{COOKIE}=") for value in headers.getlist("set-cookie")):
            return
        secure = "; Secure" if self._secure else ""
        headers.append(
            "Set-Cookie",
            f"{COOKIE}={token}; Max-Age={self._idle * 60}; Path=/; HttpOnly; SameSite=Lax{secure}",
        )


class _Answer:
    """Passes responses through, but holds back problems so that they can be rendered as pages."""

    def __init__(self, gate: Gate, scope: Scope, send: Send, token: str | None, draws: bool) -> None:
        self._draws = draws
        self._gate, self._scope, self._send, self._token = gate, scope, send, token
        self._held: Message | None = None
        self._body = b""
        self.problem: dict[str, object] | None = None

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            refused = headers.get("content-type", "").startswith(MEDIA_TYPE)
            if refused and self._draws:
                self._held = message
                return
            if self._token is not None and not refused:
                self._gate.prolong(headers, self._token)
        elif self._held is not None:
            self._body += message.get("body", b"")
            if not message.get("more_body", False):
                self.problem = orjson.loads(self._body)
            return
        await self._send(message)


def _place(scope: Scope) -> str:
    """The page to return to: the requested one, or for a form the page that contained it."""
    if scope["method"] == "GET":
        query = scope["query_string"].decode("latin-1")
        return str(scope["path"]) + (f"?{query}" if query else "")
    stood_on = parts_of(Headers(scope=scope).get("referer", "/"))
    if stood_on is None:
        return "/"
    return (stood_on.path or "/") + (f"?{stood_on.query}" if stood_on.query else "")


def _came_from_us(headers: Headers) -> bool:
    """True if a link on our own pages led here: the user had signed in there, even if the cookie is gone."""
    parts = parts_of(headers.get("referer", ""))
    return parts is not None and parts.netloc == headers.get("host", "") and parts.path != SIGN_IN


def _cookie(headers: Headers) -> str | None:
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return None
    value = found.value if found is not None else ""
    return value if value and value.isascii() and value.isprintable() else None


def _is_foreign(headers: Headers) -> bool:
    """True if the browser says that another site sent this request.

    SameSite keeps the cookie out of requests from browsers that do not say. Requests without a cookie are
    checked too: another site could otherwise sign its own user in here.
    """
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site not in ("same-origin", "none")
    origin = headers.get("origin")
    if origin is None:
        return False
    parts = parts_of(origin)
    return parts is None or parts.netloc != headers.get("host", "")


def parts_of(address: str) -> SplitResult | None:
    """Parse an address; `None` if it is not one, such as `http://[`."""
    try:
        return urlsplit(address)
    except ValueError:
        return None
