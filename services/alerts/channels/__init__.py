"""Channels to people. Each takes a message that names nobody, and raises if it could not deliver it."""

from dataclasses import dataclass
from typing import Protocol

from services.alerts.domain.reasons import AttemptFailure
from services.alerts.events import Severity


@dataclass(frozen=True, slots=True)
class Message:
    """All that is sent outwards (clinical.md, Privacy): opaque ids, a severity, a link that asks for login.

    `delivery_id` is the same on every attempt.
    """

    delivery_id: str
    alert_ids: tuple[str, ...]
    severity: Severity
    link: str

    @property
    def subject(self) -> str:
        if len(self.alert_ids) == 1:
            return f"Kith alert: {self.severity}"
        return f"Kith alerts: {len(self.alert_ids)} {self.severity}"

    @property
    def text(self) -> str:
        return f"{self.subject}\n\nLog in to read and answer: {self.link}\n"


class Undelivered(Exception):
    """One attempt failed. `for_good`: retrying will not help."""

    def __init__(self, reason: AttemptFailure, *, for_good: bool = False) -> None:
        super().__init__(reason)
        self.reason: AttemptFailure = reason
        self.for_good = for_good


class Channel(Protocol):
    timeout: float
    """Seconds of real time that one attempt may take."""

    async def send(self, to: str, message: Message) -> None:
        """Deliver to one address. Raises `Undelivered`; may deliver twice, under the same id."""
        ...
