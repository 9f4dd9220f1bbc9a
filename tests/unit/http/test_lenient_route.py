"""Catalogue line 20, the edge's part: a route may listen to a body that cannot be read."""

from collections.abc import Callable
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Depends, Request, Response

from shared.http.caller import Call, call_for
from shared.http.lenient_route import LenientRoute
from shared.http.problems import Problem
from tests.support.http_sample import ENTRY, Entry, bearer, client, sample_app

JSON = {"Content-Type": "application/json"}


def listening(heard: list[bytes]) -> APIRouter:
    class Listening(LenientRoute):
        def get_route_handler(self) -> Callable[[Request], Any]:
            handle = super().get_route_handler()

            async def listen(request: Request) -> Response:
                try:
                    return await handle(request)
                except Problem:
                    heard.append(await request.body())
                    raise

            return listen

    api = APIRouter(route_class=Listening)

    @api.post("/heard")
    async def hear(entry: Entry, call: Annotated[Call, Depends(call_for("clinician"))]) -> None: ...

    return api


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"help": true', 400),
        (b'{"help": 1, "help": 2}', 400),
        (b'{"help": "\\u0000"}', 422),
        (b"\xff", 400),
    ],
)
async def test_a_route_that_listens_gets_the_raw_body_and_the_caller_the_usual_answer(
    body: bytes, status: int
) -> None:
    heard: list[bytes] = []
    async with client(sample_app(routers=[listening(heard)]), bearer()) as http:
        answer = await http.post("/heard", content=body, headers=JSON)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert heard == [body]


async def test_a_route_that_listens_serves_well_formed_bodies_as_any_other() -> None:
    heard: list[bytes] = []
    async with client(sample_app(routers=[listening(heard)]), bearer()) as http:
        assert (await http.post("/heard", json=ENTRY)).status_code == 200
        large = await http.post("/heard", content=b" " * 300_000, headers=JSON)
    assert (large.status_code, heard) == (413, [])
