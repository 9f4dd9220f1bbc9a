"""The base of request models, and the kinds of fields they share."""

from datetime import UTC, datetime
from typing import Annotated, Any, Self, TypeVar

from fastapi.exceptions import RequestValidationError
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    ModelWrapValidatorHandler,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    model_validator,
)
from pydantic_core import PydanticCustomError, to_json

from shared.clock import whole_milliseconds

M = TypeVar("M", bound=BaseModel)

EARLIEST, LATEST = datetime(1900, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


class Strict(BaseModel):
    """Base of request models: unknown fields are refused, "5", 5.0 and true are no integers, while dates
    and codes still come as JSON strings.

    FastAPI hands over parsed Python objects, for which strict mode would refuse those strings as well; so
    an object that arrives like that is validated once more as the JSON it was.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    @model_validator(mode="wrap")
    @classmethod
    def _as_json(cls, value: Any, validate: ModelWrapValidatorHandler[Self], info: ValidationInfo) -> Self:
        if info.mode == "python" and isinstance(value, dict):
            return cls.model_validate_json(to_json(value))
        return validate(value)


def parse(model: type[M], body: bytes) -> M:
    """Validate a JSON body outside FastAPI. Raises `RequestValidationError`, which becomes the usual 422."""
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise RequestValidationError(
            [{**found, "loc": ("body", *found["loc"])} for found in error.errors(include_url=False)]
        ) from None


def _written_out(value: Any) -> Any:
    """A bare number, as such or in quotes, is no date."""
    if isinstance(value, datetime) or (isinstance(value, str) and "-" in value[1:]):
        return value
    raise PydanticCustomError("datetime_form", "must be an instant like 2026-03-02T15:00:00Z")


def _instant(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise PydanticCustomError("datetime_without_offset", "needs an offset from UTC")
    naive = value.replace(tzinfo=UTC)
    if not EARLIEST < naive < LATEST:
        raise PydanticCustomError("datetime_out_of_range", "must be between 1900 and 2200")
    return whole_milliseconds(value.astimezone(UTC))


AwareDatetime = Annotated[datetime, BeforeValidator(_written_out), AfterValidator(_instant)]
"""An instant with its offset, kept in UTC and whole milliseconds; without an offset it is refused (422)."""

OpaqueId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_\-:.]{1,100}$")]
"""An id in a path or a body: nothing can be read out of it."""
