"""Errors shared by all services: classes carry facts, the HTTP edge and the logs turn them into text."""

from typing import Any


class Refused(Exception):
    """A rule refuses. `reason` is a stable code from a closed list; `facts` are numbers and codes.

    Raised by a domain; never carries text a person wrote. Over HTTP it is a 409 problem with that reason.
    """

    def __init__(self, reason: str, **facts: Any) -> None:
        super().__init__(reason)
        self.reason, self.facts = reason, facts


class SettingRefused(Exception):
    """A reachable server refuses us; retrying will not help. `settings` are those to correct."""

    def __init__(self, *settings: str, why: str) -> None:
        super().__init__(f"{' and '.join(settings)}: {why}")
        self.settings, self.why = settings, why
