"""What every route of every service keeps to."""

from collections.abc import Callable, Iterator
from importlib import import_module
from inspect import isasyncgenfunction, iscoroutinefunction
from pathlib import Path
from typing import Any

import pytest
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, iter_route_contexts

from deploy.contracts.export import SERVICES
from deploy.doctor.reading import settings_class
from deploy.embedded.keys import ensure_keys
from shared.process import Process


def calls(dependant: Dependant) -> Iterator[Callable[..., Any]]:
    """The endpoint and everything it depends on."""
    if dependant.call is not None:
        yield dependant.call
    for inner in dependant.dependencies:
        yield from calls(inner)


@pytest.mark.parametrize("service", SERVICES)
async def test_nothing_that_answers_a_request_is_sent_to_a_thread(service: str, tmp_path: Path) -> None:
    """FastAPI runs a plain function in a thread, which costs more than most of them do."""
    ensure_keys(tmp_path / "key.json", tmp_path / "jwks.json")
    settings = settings_class(service)(environment="development", jwks=str(tmp_path / "jwks.json"))
    app = Process(import_module(f"services.{service}.app").build(settings)).app()
    found = (context.original_route for context in iter_route_contexts(app.routes))
    routes = [route for route in found if isinstance(route, APIRoute)]
    assert len(routes) > 10
    plain = {
        f"{call.__module__}.{call.__qualname__}"
        for route in routes
        for call in calls(route.dependant)
        if not (iscoroutinefunction(call) or isasyncgenfunction(call))
    }
    assert plain == set()
