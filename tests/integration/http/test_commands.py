"""Catalogue lines 22 to 25 and 28, and concurrent change, against a real MongoDB."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import httpx2
import pytest
from fastapi import APIRouter, Depends, FastAPI, Response
from pydantic import BaseModel, ConfigDict

from shared.errors import Refused
from shared.http import commands
from shared.http.caller import Call
from shared.http.commands import Commands, Reply
from shared.http.guard import call_for, if_match
from shared.http.models import OpaqueId, Strict
from shared.messaging.work import Work
from shared.mongo import Document, Driver, MongoDatabase
from tests.support.http_sample import HERE, bearer, client, sample_app
from tests.support.letting_go import all_gone, no_collector
from tests.support.servers import running_mongod

NOW = datetime(2026, 3, 2, 15, tzinfo=UTC)


class Counter(BaseModel):
    model_config = ConfigDict(frozen=True)

    id: str
    patient_id: str
    clinic_id: str
    total: int


class Shown(BaseModel):
    id: str
    total: int


class Step(Strict):
    by: int


class CounterWork(Work):
    def __init__(self, database: MongoDatabase) -> None:
        super().__init__(database, service="sample", now=NOW)
        self.counters = self.documents("counters", Counter)


def router(database: MongoDatabase) -> APIRouter:
    api = APIRouter()
    runs: Commands[CounterWork] = Commands(database, lambda: CounterWork(database))
    carer = Annotated[Call, Depends(call_for("clinician"))]

    @api.put("/counters/{id}", response_model=Shown)
    async def open_counter(id: OpaqueId, step: Step, call: carer) -> Response:
        def decide(work: CounterWork) -> Reply:
            if work.counters.get(id) is not None:
                raise Refused("counter_exists")
            work.counters.save(Counter(id=id, patient_id="p1", clinic_id=HERE, total=step.by))
            return shown(work, id, status=201)

        return await runs.run(call, lambda work: work.counters.load([id]), decide)

    @api.post("/counters/{id}/steps", response_model=Shown)
    async def step_counter(id: OpaqueId, step: Step, call: carer) -> Response:
        def decide(work: CounterWork) -> Reply:
            counter = work.counters[id]
            call.caller.require_clinic(counter.clinic_id, "counters", id)
            if_match(call, work.counters.version(id))
            if counter.total + step.by < 0:
                raise Refused("below_zero", total=counter.total)
            work.counters.save(counter.model_copy(update={"total": counter.total + step.by}))
            return shown(work, id)

        return await runs.run(call, lambda work: work.counters.load([id]), decide)

    @api.post("/counters/{id}/contested")
    async def contested(id: OpaqueId, call: carer) -> Response:
        async def load(work: CounterWork) -> None:
            await work.counters.load([id])
            await database["counters"].update_one({"_id": id}, {"$inc": {"version": 1}})

        def decide(work: CounterWork) -> Reply:
            work.counters.save(work.counters[id])
            return Reply(None)

        return await runs.run(call, load, decide)

    @api.get("/counters/{id}", response_model=Shown)
    async def read_counter(id: OpaqueId, call: carer) -> Response:
        return await runs.read(call, lambda work: work.counters.load([id]), lambda work: shown(work, id))

    return api


def shown(work: CounterWork, id: str, status: int = 200) -> Reply:
    return Reply(
        Shown(id=id, total=work.counters[id].total),
        status=status,
        version=work.counters.version(id),
        location=f"/counters/{id}" if status == 201 else None,
    )


def counting_app(database: MongoDatabase) -> FastAPI:
    return sample_app(routers=[router(database)])


@pytest.fixture(params=["motor", "pymongo"])
async def database(
    request: pytest.FixtureRequest, mongodb_uri: str, database_name: str
) -> AsyncIterator[MongoDatabase]:
    driver: Driver = request.param
    database = MongoDatabase(mongodb_uri, database_name, driver=driver)
    await database.ensure_collections([*commands.COLLECTIONS, "counters", "outbox"])
    await database.ensure_indexes(commands.INDEXES)
    yield database
    await database.close()


@pytest.fixture
async def http(database: MongoDatabase) -> AsyncIterator[httpx2.AsyncClient]:
    async with client(counting_app(database), bearer()) as http:
        await http.put("/counters/c1", json={"by": 0})
        yield http


async def stepped(
    http: httpx2.AsyncClient,
    by: int = 1,
    *,
    key: str = "",
    seen: str = "",
    token: dict[str, str] | None = None,
) -> httpx2.Response:
    headers = {"Idempotency-Key": key, "If-Match": seen}
    sent = {name: value for name, value in headers.items() if value} | (token or {})
    return await http.post("/counters/c1/steps", json={"by": by}, headers=sent)


async def total(http: httpx2.AsyncClient) -> int:
    answer: dict[str, Any] = (await http.get("/counters/c1")).json()
    return int(answer["total"])


async def test_a_write_answers_with_its_version_and_place(http: httpx2.AsyncClient) -> None:
    opened = await http.put("/counters/c2", json={"by": 3})
    assert (opened.status_code, opened.headers["location"]) == (201, "/counters/c2")
    assert opened.headers["etag"] == '"1"'
    read = await http.get("/counters/c2")
    assert (read.json(), read.headers["etag"]) == ({"id": "c2", "total": 3}, '"1"')


async def test_the_same_key_gets_the_same_answer_and_one_effect(http: httpx2.AsyncClient) -> None:
    first, second = [await stepped(http, key="k1") for _ in range(2)]
    assert (first.status_code, first.content) == (second.status_code, second.content)
    assert first.headers["etag"] == second.headers["etag"] == '"2"'
    assert first.headers["content-type"] == second.headers["content-type"] == "application/json"
    assert "idempotent-replayed" not in first.headers
    assert second.headers["idempotent-replayed"] == "true"
    assert await total(http) == 1


async def test_a_replayed_creation_is_still_a_creation(http: httpx2.AsyncClient) -> None:
    key = {"Idempotency-Key": "k1"}
    first, second = [await http.put("/counters/c3", json={"by": 1}, headers=key) for _ in range(2)]
    assert (first.status_code, second.status_code) == (201, 201)
    assert second.headers["location"] == first.headers["location"]


async def test_the_same_key_for_something_else_is_answered_with_409(http: httpx2.AsyncClient) -> None:
    await stepped(http, key="k1")
    other = await stepped(http, by=2, key="k1")
    assert (other.status_code, other.json()["reason"]) == (409, "idempotency_key_reused")
    assert await total(http) == 1


async def test_two_callers_may_choose_the_same_key(http: httpx2.AsyncClient) -> None:
    await stepped(http, key="k1")
    await stepped(http, key="k1", token=bearer(subject="somebody-else"))
    assert await total(http) == 2


async def test_twenty_at_once_with_one_key_have_one_effect(http: httpx2.AsyncClient) -> None:
    answers = await asyncio.gather(*(stepped(http, key="k1") for _ in range(20)))
    assert {(answer.status_code, answer.content) for answer in answers} == {(200, answers[0].content)}
    assert sum("idempotent-replayed" not in answer.headers for answer in answers) == 1
    assert await total(http) == 1


async def test_what_changes_at_the_same_time_is_decided_again_and_nothing_is_lost(
    http: httpx2.AsyncClient,
) -> None:
    answers = await asyncio.gather(*(stepped(http) for _ in range(8)))
    assert [answer.status_code for answer in answers] == [200] * 8
    assert sorted(answer.json()["total"] for answer in answers) == list(range(1, 9))
    assert await total(http) == 8


async def test_two_who_make_the_same_thing_at_once_leave_one_and_one_refusal(
    http: httpx2.AsyncClient,
) -> None:
    answers = await asyncio.gather(*(http.put("/counters/c4", json={"by": n}) for n in range(2)))
    assert sorted(answer.status_code for answer in answers) == [201, 409]
    assert {a.json().get("reason") for a in answers} == {None, "counter_exists"}


async def test_what_others_never_stop_changing_is_given_up_with_409(http: httpx2.AsyncClient) -> None:
    answer = await http.post("/counters/c1/contested")
    assert (answer.status_code, answer.json()["reason"]) == (409, "changed_meanwhile")


async def test_a_refusal_is_not_remembered_under_its_key(http: httpx2.AsyncClient) -> None:
    refused = await stepped(http, by=-1, key="k1")
    await stepped(http)
    later = await stepped(http, by=-1, key="k1")
    assert (refused.status_code, refused.json()["reason"], later.status_code) == (409, "below_zero", 200)


async def test_an_outdated_version_changes_nothing(http: httpx2.AsyncClient) -> None:
    assert (await stepped(http, seen='"1"')).status_code == 200
    assert (await stepped(http, seen='"1"')).status_code == 412
    assert await total(http) == 1


async def test_the_answer_kept_for_a_key_stands_beside_the_effect(
    http: httpx2.AsyncClient, database: MongoDatabase
) -> None:
    await stepped(http, key="k1")
    row: Document = await database["idempotency"].find_one({})
    assert row["_id"] == "somebody:POST /counters/{id}/steps:k1"
    assert row["status"] == 200


async def test_another_clinics_counter_is_as_if_absent(http: httpx2.AsyncClient) -> None:
    foreign = await stepped(http, token=bearer(clinic="clinic-elsewhere"))
    assert (foreign.status_code, foreign.json()["reason"]) == (404, "not_found")
    assert await total(http) == 0


@pytest.mark.parametrize("driver", ["motor", "pymongo"])
async def test_reads_and_writes_are_answered_with_503_while_mongodb_is_away(driver: Driver) -> None:
    database = MongoDatabase(
        "mongodb://127.0.0.1:1/?directConnection=true", "x", driver=driver, timeout_ms=200
    )
    async with client(counting_app(database), bearer()) as http, asyncio.timeout(5):
        for answer in (await http.get("/counters/c1"), await stepped(http, key="k1")):
            assert (answer.status_code, answer.json()["reason"]) == (503, "storage_unavailable")
            assert int(answer.headers["retry-after"]) > 0
    await database.close()


async def test_a_mongodb_that_dies_before_the_commit_is_answered_with_503_in_time(tmp_path: Path) -> None:
    async with running_mongod(tmp_path) as mongod:
        database = MongoDatabase(mongod.uri, "t", timeout_ms=500)
        await database.ensure_collections([*commands.COLLECTIONS, "counters", "outbox"])
        runs: Commands[CounterWork] = Commands(database, lambda: CounterWork(database), deadline_seconds=2)
        api = APIRouter()

        @api.post("/dying")
        async def dying(call: Annotated[Call, Depends(call_for("clinician"))]) -> Response:
            async def load(work: CounterWork) -> None:
                await work.counters.load(["c1"])

            def decide(work: CounterWork) -> Reply:
                mongod.kill()
                work.counters.save(Counter(id="c1", patient_id="p1", clinic_id=HERE, total=1))
                return Reply(None)

            return await runs.run(call, load, decide)

        async with client(sample_app(routers=[api]), bearer()) as http, asyncio.timeout(5):
            answer = await http.post("/dying")
        assert (answer.status_code, answer.json()["reason"]) == (503, "storage_unavailable")
        await database.close()


async def test_all_that_a_request_had_in_hand_is_freed_when_it_is_answered(
    http: httpx2.AsyncClient,
) -> None:
    key = {"Idempotency-Key": "k1"}
    with no_collector():
        assert (await http.post("/counters/c1/steps", json={"by": 2}, headers=key)).status_code == 200
        assert (await http.get("/counters/c1")).json()["total"] == 2
        await all_gone(CounterWork)
