"""Problem details (RFC 9457): every error names what to correct and repeats nothing of the request."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse

MEDIA_TYPE = "application/problem+json"


class FieldProblem(BaseModel):
    """One field that has to be corrected."""

    field: str = Field(description="Where: the path of declared names and positions, `*` for a name of yours")
    problem: str = Field(description="A code: what is wrong")
    allowed: dict[str, Any] = Field(default_factory=dict, description="The constraint: numbers and codes")


class ProblemDetails(BaseModel):
    """The body of every answer that is not a success."""

    model_config = ConfigDict(title="Problem")

    type: str = Field(description="urn:kith:problem:<reason>")
    title: str
    status: int
    reason: str = Field(description="A stable code")
    detail: str = Field(description="What to mend")
    facts: dict[str, Any] | None = Field(default=None, description="Numbers and codes behind a refusal")
    errors: list[FieldProblem] | None = None


class Problem(Exception):
    """An error response, raised anywhere below the HTTP edge.

    `detail` is our own text and says what to correct; it never repeats the request. `more` are further
    members (`facts`, `errors`).
    """

    def __init__(
        self, status: int, reason: str, detail: str, *, headers: Mapping[str, str] | None = None, **more: Any
    ) -> None:
        super().__init__(reason)
        self.status, self.reason, self.detail = status, reason, detail
        self.headers = dict(headers or {})
        self.more = more

    def response(self) -> JSONResponse:
        return JSONResponse(
            {
                "type": f"urn:kith:problem:{self.reason}",
                "title": HTTPStatus(self.status).phrase,
                "status": self.status,
                "reason": self.reason,
                "detail": self.detail,
                **self.more,
            },
            status_code=self.status,
            headers=self.headers,
            media_type=MEDIA_TYPE,
        )
