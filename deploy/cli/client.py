"""HTTP access to a deployment's services: addresses, tokens, and failures as one clear line."""

import asyncio
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self
from urllib.parse import quote

import typer

from deploy.cli.console import fail, running_stack
from deploy.embedded.plan import PAGE, SERVICES

if TYPE_CHECKING:
    import httpx2

URL, TOKEN = "KITH_URL", "KITH_TOKEN"
PLACE = "{service}"

Address = Annotated[
    str,
    typer.Option(
        "--url",
        envvar=URL,
        help=f"Another deployment, {PLACE} where a service's name goes; its token is read from {TOKEN}.",
    ),
]

CONNECT_SECONDS, ANSWER_SECONDS = 5.0, 30.0
"""The answer timeout exceeds the 15 s after which a service gives up on its database and reports that."""

COUNT_SECONDS = 310.0
"""Timeout of requests that count the whole history: the service itself gives up after five minutes."""

TOKEN_LIFETIME = timedelta(minutes=10)

Role = Literal["engineer", "service"]
Json = dict[str, Any]


class ServiceName(StrEnum):
    """One of `SERVICES`, or the page, as a command-line option."""

    INTAKE = "intake"
    CARE_PLAN = "care_plan"
    SCHEDULER = "scheduler"
    ALERTS = "alerts"
    DASHBOARD = PAGE


class Failed(Exception):
    """A request got no usable answer; the message is fit to show to a person."""

    transient = False


class NoAnswer(Failed):
    """Nothing answers at the address, or not in time."""

    transient = True

    def __init__(self, service: str, url: str, *, embedded: bool = True) -> None:
        hint = ": kith status" if embedded else ""
        super().__init__(f"{service} does not answer at {url}{hint}")


class Refusal(Failed):
    """The service refused the request and gave a reason."""

    def __init__(self, service: str, status: int, title: str, reason: str, detail: str) -> None:
        super().__init__(f"{service}: {title} ({reason}): {detail}")
        self.status, self.reason = status, reason
        self.transient = status >= 500 or status == 429 or reason == "changed_meanwhile"


@dataclass(frozen=True)
class Deployment:
    """`token` returns a token valid for the next request; `embedded` is true for this machine's stack."""

    urls: Mapping[str, str]
    token: Callable[[], str]
    embedded: bool = False


def deployment(data: Path, url: str, role: Role) -> Deployment:
    """The stack that runs in `data`, or the deployment at `url`; ends the command when there is none."""
    if url:
        return _elsewhere(url)
    state = running_stack(data)
    urls = {name: member.address for name, member in state.services.items()}
    return Deployment(urls, _Minted(state.signing_key, role), embedded=True)


def _elsewhere(url: str) -> Deployment:
    token = os.environ.get(TOKEN, "")
    if not token:
        fail(f"--url (or {URL}) names another deployment: put a bearer token for it into {TOKEN}", code=2)
    if not url.startswith(("https://", "http://")):
        fail(f"--url: write an address such as https://kith.example.org/{PLACE}", code=2)
    return Deployment(addresses(url), lambda: token)


def addresses(url: str) -> dict[str, str]:
    """Each service's address; without a placeholder for the name, all share the same address."""
    base = url.rstrip("/")
    return {service: base.replace(PLACE, service.replace("_", "-")) for service in (*SERVICES, PAGE)}


class _Minted:
    """Mints short-lived development tokens, each renewed well before it expires."""

    def __init__(self, signing_key: Path, role: Role) -> None:
        self._signing_key, self._role = signing_key, role
        self._token, self._good_until = "", 0.0

    def __call__(self) -> str:
        if time.monotonic() > self._good_until:
            from deploy.embedded.keys import development_token

            self._token = development_token(
                self._signing_key, self._role, subject="kith-cli", lifetime=TOKEN_LIFETIME
            )
            self._good_until = time.monotonic() + TOKEN_LIFETIME.total_seconds() / 2
        return self._token


class Client:
    """HTTP client for the services of one deployment. Raises `NoAnswer` and `Refusal`.

    `transport` replaces the network in tests; `patience` is the answer timeout in seconds.
    """

    def __init__(
        self,
        deployment: Deployment,
        *,
        transport: "httpx2.AsyncBaseTransport | None" = None,
        patience: float = ANSWER_SECONDS,
    ) -> None:
        import httpx2

        self._deployment = deployment
        self._http = httpx2.AsyncClient(
            timeout=httpx2.Timeout(patience, connect=CONNECT_SECONDS),
            trust_env=not deployment.embedded,
            transport=transport,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def get(self, service: str, path: str, **parameters: str | int) -> Json:
        return await self._ask("GET", service, path, params=parameters)

    async def post(self, service: str, path: str, **request: Any) -> Json:
        """Send a POST; `request` takes `params`, `json`, `content` and `headers` as httpx2 does."""
        return await self._ask("POST", service, path, **request)

    async def get_all(self, path: str, **parameters: str | int) -> dict[str, Json]:
        """GET the same path from every service concurrently. Raises the first failure."""
        answers = await asyncio.gather(*(self.get(name, path, **parameters) for name in SERVICES))
        return dict(zip(SERVICES, answers, strict=True))

    async def get_each(self, path: str, **parameters: str | int) -> dict[str, Json | Failed]:
        """GET the same path from every service concurrently; a failure takes the answer's place."""
        asked = (self._or_failure(name, path, **parameters) for name in SERVICES)
        return dict(zip(SERVICES, await asyncio.gather(*asked), strict=True))

    async def _or_failure(self, service: str, path: str, **parameters: str | int) -> Json | Failed:
        try:
            return await self.get(service, path, **parameters)
        except Failed as failed:
            return failed

    async def _ask(self, method: str, service: str, path: str, **request: Any) -> Json:
        import httpx2

        url = self._deployment.urls[service]
        headers = {"Authorization": f"Bearer {self._deployment.token()}", **request.pop("headers", {})}
        try:
            answer = await self._http.request(method, url + path, headers=headers, **request)
        except (httpx2.TransportError, httpx2.InvalidURL):
            raise NoAnswer(service, url, embedded=self._deployment.embedded) from None
        try:
            body = answer.json()
        except ValueError:
            body = None
        if not isinstance(body, dict):
            body = {} if answer.status_code >= 400 else None
        return _answered(service, url, answer.status_code, body)


def _answered(service: str, url: str, status: int, body: Json | None) -> Json:
    if body is None or 300 <= status < 400:
        raise Refusal(service, status, "Not Kith", "unexpected_answer", f"what is at {url} is no {service}.")
    if status < 400:
        return body
    title, reason = body.get("title") or f"HTTP {status}", body.get("reason") or "unexplained"
    raise Refusal(service, status, str(title), str(reason), str(body.get("detail") or "no detail given."))


def segment(id: str) -> str:
    """Quote an id for use as one segment of a path."""
    return quote(id, safe="")


@contextmanager
def failures_in_one_line(*, code: int = 1) -> Iterator[None]:
    """End the command with the failure's message."""
    try:
        yield
    except Failed as failed:
        fail(str(failed), code=code)
