"""Prometheus on the shipped configuration beside a small stack: every rule and every panel put to it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from time import time
from typing import Any

import pytest
import yaml

from deploy.observability.asking import Asking, NotAccepted, Span, span_of
from deploy.observability.panels import DASHBOARDS, SIGNALS, Panel
from deploy.observability.prometheus import FOLDER, NotInstalled, program
from deploy.observability.rehearsal.people import work
from deploy.observability.rehearsal.stage import Stage, stage
from tests.support.eventually import eventually

EVERY = 1.0
PATIENCE = 120.0
BACK = 120.0


@pytest.fixture(scope="module")
async def watched(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """People are at work on it all the time."""
    try:
        program()
    except NotInstalled as missing:
        pytest.skip(str(missing))
    async with stage(tmp_path_factory.mktemp("watched"), EVERY, lambda line: None) as set_up:
        working = asyncio.create_task(work(set_up.desks, seed=7))
        yield set_up
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)


@pytest.fixture
def prometheus(watched: Stage) -> "Ask":
    return Ask(watched.prometheus.address)


class Ask:
    """Asked in a thread: telephones ring in this one."""

    def __init__(self, address: str) -> None:
        self._address = address

    async def __call__(self, question: Callable[[Asking], Any]) -> Any:
        def ask() -> Any:
            with Asking(self._address) as asking:
                return question(asking)

        return await asyncio.to_thread(ask)


def lately() -> Span:
    now = time()
    return span_of(now - BACK, now, EVERY)


async def test_every_target_of_the_shipped_configuration_answers(prometheus: Ask) -> None:
    async def all_up() -> bool:
        result = (await prometheus(lambda it: it.get("query", query="up == 1")))["result"]
        return {row["metric"]["service_name"] for row in result} == {
            *("intake", "care_plan", "scheduler", "alerts", "dashboard", "watchdog")
        }

    await eventually(all_up, within=PATIENCE, pause=0.5)


async def test_every_rule_is_evaluated_without_an_error(prometheus: Ask) -> None:
    files = [yaml.safe_load(path.read_text()) for path in (FOLDER / "rules").glob("*.rules.yml")]
    shipped = {group["name"]: len(group["rules"]) for file in files for group in file["groups"]}
    assert len(shipped) >= 5

    async def all_evaluated() -> bool:
        groups = (await prometheus(lambda it: it.get("rules")))["groups"]
        rules = [rule for group in groups for rule in group["rules"]]
        assert [(rule["name"], rule["lastError"]) for rule in rules if rule.get("lastError")] == []
        return {group["name"]: len(group["rules"]) for group in groups} == shipped and all(
            rule["health"] == "ok" for rule in rules
        )

    await eventually(all_evaluated, within=PATIENCE, pause=0.5)


@pytest.mark.parametrize("name", DASHBOARDS)
async def test_every_panels_queries_are_accepted(prometheus: Ask, name: str) -> None:
    await prometheus(lambda it: [it.panel(panel, lately(), EVERY) for panel in DASHBOARDS[name][1]])


async def test_a_query_that_is_none_is_not_accepted(prometheus: Ask) -> None:
    broken = Panel("broken", "s", {"x": "sum by (service (kith_ready)"})
    with pytest.raises(NotAccepted):
        await prometheus(lambda it: it.panel(broken, lately(), EVERY))


async def test_every_panel_of_the_golden_signals_has_data_though_nothing_went_wrong(prometheus: Ask) -> None:
    def empty(it: Asking) -> list[str]:
        drawn = [(panel.title, it.panel(panel, lately(), EVERY)) for panel in SIGNALS]
        return [title for title, lines in drawn if not any(line.points for line in lines)]

    async def none_is_empty() -> bool:
        assert await prometheus(empty) == []
        return True

    await eventually(none_is_empty, within=PATIENCE, pause=1)


async def test_the_first_late_answer_to_a_crisis_is_seen_for_its_series_is_there_before(
    prometheus: Ask,
) -> None:
    late = 'kith_acknowledgement_seconds_count{kind="crisis", severity="high", in_time="false"} == 0'

    async def is_there() -> bool:
        return bool((await prometheus(lambda it: it.get("query", query=late)))["result"])

    await eventually(is_there, within=PATIENCE, pause=0.5)
