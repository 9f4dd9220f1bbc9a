"""Maps the errors that a service raises to problem responses."""

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from shared.errors import Refused
from shared.http.commands import ChangedMeanwhile
from shared.http.guard import PreconditionFailed
from shared.http.problems import Problem
from shared.http.validation import names_in, problem
from shared.messaging.work import Conflict, NotFound
from shared.mongo import PyMongoError, is_transient

Handler = Callable[[Request, Any], Awaitable[Response]]


def install(app: FastAPI) -> None:
    """Register a handler for every known error; all others reach `Context` and become a 500."""
    names: list[frozenset[str]] = []

    async def invalid(_: Request, error: RequestValidationError) -> Response:
        if not names:
            names.append(names_in(app.openapi()))
        return problem(error.errors(), names[0]).response()

    handlers: dict[type[Exception], Handler] = {
        RequestValidationError: invalid,
        Problem: _answered(lambda error: error),
        HTTPException: _answered(_http),
        Refused: _answered(_refused),
        NotFound: _answered(_not_found),
        PreconditionFailed: _answered(_precondition_failed),
        ChangedMeanwhile: _answered(_changed_meanwhile),
        Conflict: _answered(_changed_meanwhile),
        PyMongoError: _answered(_storage),
    }
    for kind, handler in handlers.items():
        app.add_exception_handler(kind, handler)


def _answered(to_problem: Callable[[Any], Problem]) -> Handler:
    async def handler(_: Request, error: Exception) -> Response:
        return to_problem(error).response()

    return handler


def _http(error: HTTPException) -> Problem:
    phrase = HTTPStatus(error.status_code).phrase
    reason = phrase.lower().replace(" ", "_").replace("-", "_")
    return Problem(error.status_code, reason, f"{phrase}.", headers=error.headers)


def _refused(error: Refused) -> Problem:
    said = ", ".join(f"{name} {value}" for name, value in error.facts.items())
    detail = error.reason.replace("_", " ") + (f" ({said})" if said else "")
    return Problem(409, error.reason, f"A rule refuses this: {detail}.", facts=error.facts)


def _not_found(error: NotFound) -> Problem:
    return Problem(404, "not_found", f"There is no such entry in {error.collection.replace('_', ' ')}.")


def _precondition_failed(error: PreconditionFailed) -> Problem:
    return Problem(
        412,
        "version_changed",
        "It was changed since it was read: read it again, then send the new ETag as If-Match.",
        headers={"ETag": f'"{error.version}"'},
    )


def _changed_meanwhile(_: Exception) -> Problem:
    return Problem(
        409,
        "changed_meanwhile",
        "Others were changing the same thing at this moment: send it again.",
        headers={"Retry-After": "1"},
    )


def _storage(error: PyMongoError) -> Problem:
    """Re-raises the error if a retry would not help."""
    if not is_transient(error):
        raise error
    return Problem(
        503,
        "storage_unavailable",
        "Nothing can be read or written right now: send it again, a write with the same Idempotency-Key.",
        headers={"Retry-After": "2"},
    )
