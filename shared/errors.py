"""Errors that every service speaks: classes carry facts, the HTTP edge and the logs make sentences."""

from typing import Any


class Refused(Exception):
    """A rule says no. `reason` is a stable code from a closed list; `facts` are numbers and codes.

    Raised by a domain; never carries what a person wrote. Over HTTP it is a 409 problem with that reason.
    """

    def __init__(self, reason: str, **facts: Any) -> None:
        super().__init__(reason)
        self.reason, self.facts = reason, facts


class SettingRefused(Exception):
    """A server is there and refuses us: no waiting mends it. `settings` are those that must be mended."""

    def __init__(self, *settings: str, why: str) -> None:
        super().__init__(f"{' and '.join(settings)}: {why}")
        self.settings, self.why = settings, why
