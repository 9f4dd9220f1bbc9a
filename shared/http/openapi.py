"""Adds what FastAPI cannot derive itself: the bearer scheme, problems, and the headers of every write."""

from typing import Any

from shared.http.caller import SAFE_METHODS
from shared.http.problems import MEDIA_TYPE, ProblemDetails

READS = {
    400: "A header or the body cannot be read",
    401: "No valid token",
    403: "Another role is needed",
    404: "Not there, or not in the caller's clinic",
    422: "A field has to be mended",
    429: "Too many requests; see Retry-After",
    503: "Storage is away; see Retry-After",
}
WRITES = READS | {
    408: "The body came too slowly",
    409: "A rule refuses it, others kept changing the same thing, or the Idempotency-Key was used before",
    412: "If-Match names another version",
    413: "The body is too large",
    415: "The body is of another type, or compressed",
}
RETRY_AFTER = {"Retry-After": {"description": "Seconds", "schema": {"type": "integer", "minimum": 0}}}
PARAMETERS = {
    "IdempotencyKey": {
        "name": "Idempotency-Key",
        "in": "header",
        "required": False,
        "description": "The same key with the same request gets the same answer and one effect.",
        "schema": {"type": "string", "pattern": "^[\\x21-\\x7e]{1,255}$"},
    },
    "IfMatch": {
        "name": "If-Match",
        "in": "header",
        "required": False,
        "description": "The ETag that was read; the write is refused (412) if it changed since.",
        "schema": {"type": "string", "pattern": '^("[0-9]{1,18}"|[0-9]{1,18})$'},
    },
}
FASTAPI_ERRORS = ("HTTPValidationError", "ValidationError")


def complete(document: dict[str, Any]) -> dict[str, Any]:
    """Add to FastAPI's document what applies to every route."""
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for name in FASTAPI_ERRORS:
        schemas.pop(name, None)
    schema = ProblemDetails.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas |= schema.pop("$defs")
    schemas["Problem"] = schema
    components["responses"] = {f"Problem{status}": _response(status) for status in WRITES}
    components["parameters"] = PARAMETERS
    components["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}}
    document["security"] = [{"bearer": []}]
    for path in document["paths"].values():
        for method, operation in path.items():
            _complete_operation(method.upper(), operation)
    return document


def _complete_operation(method: str, operation: dict[str, Any]) -> None:
    writes = method not in SAFE_METHODS
    responses = operation["responses"]
    responses.pop("422", None)
    for status in WRITES if writes else READS:
        responses.setdefault(str(status), {"$ref": f"#/components/responses/Problem{status}"})
    if writes:
        operation.setdefault("parameters", []).extend(
            {"$ref": f"#/components/parameters/{name}"} for name in PARAMETERS
        )


def _response(status: int) -> dict[str, Any]:
    response: dict[str, Any] = {
        "description": WRITES[status],
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    if status in (429, 503):
        response["headers"] = RETRY_AFTER
    return response
