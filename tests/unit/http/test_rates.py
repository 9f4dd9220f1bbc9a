"""Catalogue line 29: a flood is slowed down, and never in the way of a crisis."""

from shared.http.rates import Buckets, Rate, Rates
from tests.support.http_sample import bearer, client, sample_app

SMALL = Rates(ordinary=Rate(0.001, 3), crisis=Rate(0.001, 2))


async def test_a_flood_is_answered_with_429_and_a_time_to_come_back() -> None:
    async with client(sample_app(rates=SMALL), bearer()) as http:
        answers = [await http.get("/entries") for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
    assert int(answers[-1].headers["retry-after"]) >= 1
    assert answers[-1].json()["reason"] == "too_many_requests"


async def test_a_crisis_has_a_bucket_of_its_own() -> None:
    async with client(sample_app(rates=SMALL), bearer()) as http:
        while (await http.get("/entries")).status_code == 200:
            pass
        assert [(await http.post("/alarm")).status_code for _ in range(3)] == [200, 200, 429]


async def test_one_callers_flood_slows_nobody_else() -> None:
    async with client(sample_app(rates=SMALL)) as http:
        while (await http.get("/entries", headers=bearer(subject="flood"))).status_code == 200:
            pass
        assert (await http.get("/entries", headers=bearer(subject="calm"))).status_code == 200


async def test_health_is_never_slowed() -> None:
    async with client(sample_app(rates=SMALL)) as http:
        assert {(await http.get("/health/live")).status_code for _ in range(20)} == {200}


def test_a_bucket_refills_at_its_rate_and_never_beyond_its_burst() -> None:
    moment = [0.0]
    buckets = Buckets(Rate(per_second=2, burst=3), clock=lambda: moment[0])
    assert [buckets.take("a") for _ in range(4)] == [0, 0, 0, 0.5]
    moment[0] += 0.5
    assert [buckets.take("a") for _ in range(2)] == [0, 0.5]
    moment[0] += 1_000
    assert [buckets.take("a") for _ in range(4)] == [0, 0, 0, 0.5]
