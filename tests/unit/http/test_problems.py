"""What services raise becomes a problem that says what to do and nothing about anybody."""

import httpx2
import pytest
import structlog
from pydantic import BaseModel
from pymongo.errors import OperationFailure, ServerSelectionTimeoutError

from shared.metrics import REQUESTS
from tests.support.http_sample import Storage, bearer, client, sample_app


async def test_a_refusal_carries_its_reason_and_facts(http: httpx2.AsyncClient) -> None:
    answer = await http.post("/entries/e1/close")
    assert answer.status_code == 409
    assert answer.json() == {
        "type": "urn:kith:problem:entry_already_closed",
        "title": "Conflict",
        "status": 409,
        "reason": "entry_already_closed",
        "detail": "A rule refuses this: entry already closed (closed_for_days 3).",
        "facts": {"closed_for_days": 3},
    }


async def test_storage_that_is_away_is_answered_with_503_and_a_time_to_come_back(
    http: httpx2.AsyncClient, storage: Storage
) -> None:
    storage.failing = ServerSelectionTimeoutError("mongo.internal:27017")
    answer = await http.get("/failing")
    assert (answer.status_code, answer.json()["reason"]) == (503, "storage_unavailable")
    assert int(answer.headers["retry-after"]) > 0
    assert "mongo" not in answer.text


class Person(BaseModel):
    age: int


def _invalid() -> Exception:
    try:
        Person.model_validate({"age": "Jane Roe"})
    except ValueError as error:
        return error
    raise AssertionError


@pytest.mark.parametrize(
    "error", [RuntimeError("Jane Roe"), OperationFailure("Jane Roe"), KeyError("Jane Roe"), _invalid()]
)
async def test_the_unexpected_is_a_500_and_a_log_line_without_content(
    http: httpx2.AsyncClient, storage: Storage, error: Exception
) -> None:
    storage.failing = error
    with structlog.testing.capture_logs() as logged:
        answer = await http.get("/failing", headers={"X-Request-ID": "request-0001"})
    assert (answer.status_code, answer.json()["reason"]) == (500, "unexpected")
    assert answer.headers["x-request-id"] == "request-0001"
    assert [entry["error"] for entry in logged] == [type(error).__name__]
    assert "Jane" not in answer.text + str(logged)


async def test_a_well_formed_request_id_is_kept_and_any_other_replaced(http: httpx2.AsyncClient) -> None:
    for offered, kept in {"0123456789abcdef": True, "Jane Roe": False, "x" * 65: False, "a": False}.items():
        answer = await http.get("/health/live", headers={"X-Request-ID": offered})
        assert (answer.headers["x-request-id"] == offered) is kept


async def test_no_answer_may_be_kept_by_a_cache(http: httpx2.AsyncClient) -> None:
    assert (await http.get("/entries")).headers["cache-control"] == "no-store"


def _counted(route: str, status: str) -> float:
    samples = [sample for metric in REQUESTS.collect() for sample in metric.samples]
    wanted = {"route": route, "status": status}
    return sum(s.value for s in samples if s.name.endswith("_count") and wanted.items() <= s.labels.items())


async def test_requests_are_counted_by_route_and_not_by_address(http: httpx2.AsyncClient) -> None:
    before, unknown = _counted("/entries/{id}", "200"), _counted("-", "404")
    await http.get("/entries/e1")
    await http.get("/entries/e2")
    await http.get("/nowhere/e3")
    assert _counted("/entries/{id}", "200") == before + 2
    assert _counted("-", "404") == unknown + 1
    metrics = (await http.get("/metrics")).text
    assert 'route="/entries/{id}"' in metrics
    assert "e2" not in metrics.replace("e2e", "")


async def test_readiness_names_the_check_that_is_red() -> None:
    async def readiness() -> dict[str, bool]:
        return {"database": True, "broker": False}

    async with client(sample_app(readiness=readiness, liveness=lambda: False)) as http:
        ready, live = await http.get("/health/ready"), await http.get("/health/live")
        serving = await http.get("/health/serving")
    assert (ready.status_code, ready.json()["red"]) == (503, ["broker"])
    assert live.status_code == 503
    assert serving.status_code == 200, "what people enter is stored and announced later"


async def test_headers_that_a_person_sends_do_not_reach_the_log(http: httpx2.AsyncClient) -> None:
    with structlog.testing.capture_logs() as logged:
        await http.get("/entries", headers={"X-Name": "Jane Roe", "If-Match": "Jane Roe"})
        await http.get("/entries", headers=bearer(now=0.0))
    assert "Jane" not in str(logged)
