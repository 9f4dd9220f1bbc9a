"""What becomes of measuring that fails: it is said, not too often, and not repeated without a pause."""

from types import SimpleNamespace
from typing import Any, cast

import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from shared import gauges
from shared.gauges import Gauges, Watched

COUNTED = "kith_books_counted_timestamp_seconds"


class Time:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    monotonic = Time()
    monkeypatch.setattr(gauges, "monotonic", monotonic)
    return monotonic


def measuring(books: Any = None) -> Gauges:
    service = SimpleNamespace(name="care_plan", database={}, books=books)
    process = SimpleNamespace(service=service, messaging=SimpleNamespace(leads=True))
    return Gauges(cast(Watched, process))


async def fail() -> None:
    raise ConnectionError("mongodb://kith:secret@away")


async def test_measuring_that_fails_is_said_once_a_minute_for_each_kind_of_work(time: Time) -> None:
    measured = measuring()
    with capture_logs() as said:
        for _ in range(13):
            await measured._trying("gauges", fail)
            await measured._trying("books", fail)
            time.now += 5
    assert [(line["what"], line["log_level"]) for line in said] == [
        ("gauges", "warning"),
        ("books", "warning"),
    ] * 2
    assert {line["error"] for line in said} == {"ConnectionError"}
    assert "secret" not in str(said)


async def test_a_count_that_fails_after_long_is_not_repeated_sooner_than_one_that_succeeds(
    time: Time,
) -> None:
    async def books() -> list[Any]:
        time.now += 30
        raise ConnectionError

    measured = measuring(books)
    await measured._trying("books", measured.count_books)
    assert measured._books_took == 30


async def test_books_are_of_the_moment_at_which_counting_them_began(
    time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All services begin at the same moment, and only what is of one moment is compared."""

    async def books() -> list[Any]:
        time.now += 45
        return []

    monkeypatch.setattr(gauges, "time", time)
    await measuring(books).count_books()
    assert REGISTRY.get_sample_value(COUNTED, {"service": "care_plan"}) == 1000.0
