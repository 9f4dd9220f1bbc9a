"""What a route checks before it acts: the caller's role, the version they have seen."""

from shared.http.caller import Call, call_for

__all__ = ["PreconditionFailed", "call_for", "if_match"]


class PreconditionFailed(Exception):
    """If-Match names another version than the stored one (412)."""

    def __init__(self, version: int) -> None:
        super().__init__(version)
        self.version = version


def if_match(call: Call, version: int) -> None:
    """Raises `PreconditionFailed` when If-Match was sent and is not `version`."""
    if call.if_match is not None and call.if_match != version:
        raise PreconditionFailed(version)
