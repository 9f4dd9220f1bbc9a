"""Base class of every state and fact."""

from pydantic import BaseModel, ConfigDict


class Frozen(BaseModel):
    """Immutable. Unknown fields are refused, so that a newer document is never rewritten without them."""

    model_config = ConfigDict(frozen=True, extra="forbid")
