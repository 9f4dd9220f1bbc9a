"""What the middleware found out about a request before any route saw it."""

from dataclasses import dataclass

from starlette.types import Scope

from shared.http.caller import Caller

KEY = "kith.arrival"


@dataclass(slots=True)
class Arrival:
    """Lives in the ASGI scope under `KEY`."""

    request_id: str
    route: str = "-"
    """Method and path template, `POST /plans/{plan_id}/sessions`; `-` if no route fits."""
    caller: Caller | None = None


def arrival_of(scope: Scope) -> Arrival:
    arrival: Arrival = scope[KEY]
    return arrival
