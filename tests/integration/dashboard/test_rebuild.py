"""The read model is dropped and built anew, while the old one serves."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import chain, count

import pytest
from aiokafka import AIOKafkaProducer

from services.dashboard import gates
from services.dashboard.app import build
from services.dashboard.runs import OVER, REPLACING, RUNS, Runs
from services.dashboard.tally import checksum
from shared.messaging.envelope import Envelope
from shared.messaging.publishing import Publisher
from shared.messaging.work import Conflict
from shared.mongo import MongoDatabase, PyMongoError
from tests.integration.dashboard.conftest import Dashboard
from tests.support.courses import history
from tests.support.eventually import eventually


def everything(*patients: str) -> list[Envelope]:
    return list(chain.from_iterable(chain.from_iterable(history(patient) for patient in patients)))


async def rebuilt(dashboard: Dashboard) -> dict[str, object]:
    async with dashboard.as_("engineer") as engineer:
        begun = await engineer.post("/rebuild")
    assert begun.status_code == 202
    return await ended(dashboard, begun.json()["run"])


async def ended(dashboard: Dashboard, run: str) -> dict[str, object]:
    """How that run ended."""
    known: dict[str, object] = {}

    async def has_ended() -> bool:
        async with dashboard.as_("engineer") as engineer:
            known.update((await engineer.get("/rebuild")).json())
        assert known["run"] == run
        return known["stage"] in ("done", "failed")

    await eventually(has_ended, within=60, pause=0.1, that="the rebuild ends")
    return known


async def leftovers(dashboard: Dashboard) -> list[str]:
    return list(await dashboard.database.db.list_collection_names(filter={"name": {"$regex": "^rebuilt_"}}))


async def test_a_rebuild_from_the_log_ends_in_the_same_checksum(dashboard: Dashboard) -> None:
    messages = everything("pat_1", "pat_2")
    await dashboard.publish(messages)
    await dashboard.take(messages)
    before = await checksum(dashboard.database)
    known = await rebuilt(dashboard)
    assert known["equal"] is True, known
    assert known["checksum_before"] == known["checksum_after"] == before == await checksum(dashboard.database)
    assert (known["people"], known["newer"]) == (2, 0)
    assert await leftovers(dashboard) == []


async def test_duplicates_and_replays_change_nothing_before_or_after_a_rebuild(dashboard: Dashboard) -> None:
    messages = everything("pat_1")
    await dashboard.publish(messages + messages)
    await dashboard.take(messages)
    before = await checksum(dashboard.database)
    await dashboard.take(messages)
    assert await checksum(dashboard.database) == before
    await rebuilt(dashboard)
    await dashboard.take(messages)
    assert await checksum(dashboard.database) == before


async def test_what_was_shown_wrongly_is_right_after_a_rebuild_and_it_is_said(dashboard: Dashboard) -> None:
    messages = everything("pat_1")
    await dashboard.publish(messages)
    await dashboard.take(messages)
    right = await checksum(dashboard.database)
    await dashboard.database["people"].update_one({"_id": "pat_1"}, {"$set": {"risk": 12}})
    known = await rebuilt(dashboard)
    assert known["equal"] is False
    assert await checksum(dashboard.database) == right


async def test_a_log_that_lost_its_beginning_does_not_replace_what_is_shown(dashboard: Dashboard) -> None:
    messages = everything("pat_1")
    await dashboard.take(messages)
    before = await checksum(dashboard.database)
    known = await rebuilt(dashboard)
    assert known["stage"] == "failed"
    assert "outbox replay" in str(known["problem"])
    assert await checksum(dashboard.database) == before
    assert await leftovers(dashboard) == []
    await dashboard.take(everything("pat_2"))
    assert len(await dashboard.stored("people")) == 2, "the gates are open again"


async def test_what_replicas_have_not_read_yet_is_in_the_new_read_model_and_counts_once(
    dashboard: Dashboard,
) -> None:
    messages = everything("pat_1", "pat_2")
    await dashboard.publish(messages)
    await dashboard.take(messages[:-3])
    known = await rebuilt(dashboard)
    assert (known["stage"], known["equal"]) == ("done", True), known
    assert known["newer"] == 2, "pat_2, and what is about nobody"
    after = await checksum(dashboard.database)
    await dashboard.take(messages[-3:])
    assert await checksum(dashboard.database) == after


@asynccontextmanager
async def traffic(dashboard: Dashboard) -> AsyncIterator[None]:
    """People are referred and treated all the while, and shown, as fast as it goes."""
    publisher = Publisher(AIOKafkaProducer(bootstrap_servers=dashboard.kafka, acks="all"))
    await publisher.start()
    stop = asyncio.Event()

    async def flow() -> None:
        for number in count():
            if stop.is_set():
                return
            messages = everything(f"pat_t{number}")
            await publisher.publish(messages)
            await shown(dashboard, messages)

    flowing = asyncio.create_task(flow())
    try:
        yield
    finally:
        stop.set()
        await flowing
        await publisher.stop()


async def shown(dashboard: Dashboard, messages: list[Envelope]) -> None:
    """As a consumer does it: again, while the gates are closed."""
    while True:
        try:
            return await dashboard.take(messages)
        except Conflict:
            await asyncio.sleep(0)


async def test_a_rebuild_ends_although_traffic_does_not_let_up_and_loses_none_of_it(
    dashboard: Dashboard,
) -> None:
    messages = everything(*(f"pat_{number}" for number in range(20)))
    await dashboard.publish(messages)
    await dashboard.take(messages)
    async with traffic(dashboard):
        known = await rebuilt(dashboard)
    assert (known["stage"], known["equal"]) == ("done", True), known
    people = len(await dashboard.stored("people"))
    live = await checksum(dashboard.database)
    quiet = await rebuilt(dashboard)
    assert (quiet["equal"], quiet["newer"], quiet["people"]) == (True, 0, people), quiet
    assert await checksum(dashboard.database) == live


async def test_a_message_that_only_the_second_read_model_cannot_process_ends_the_rebuild_with_its_reason(
    dashboard: Dashboard,
) -> None:
    messages = everything("pat_1")
    await dashboard.take(messages)
    before = await checksum(dashboard.database)
    strange = [messages[0]._replace(body=b"{}"), messages[1]._replace(type="NobodyKnowsThis"), *messages[2:]]
    await dashboard.publish(strange)
    known = await rebuilt(dashboard)
    assert known["stage"] == "failed"
    assert str(known["problem"]).startswith("2 messages could not be processed"), known
    assert "1 × invalid_body" in str(known["problem"])
    assert "1 × unknown_type" in str(known["problem"])
    assert await checksum(dashboard.database) == before


async def test_a_message_that_is_a_dead_letter_already_does_not_end_the_rebuild(dashboard: Dashboard) -> None:
    messages = everything("pat_1")
    strange = [*messages[:1], messages[1]._replace(type="NobodyKnowsThis"), *messages[2:]]
    await dashboard.publish(strange)
    await dashboard.take(strange)
    known = await rebuilt(dashboard)
    assert (known["stage"], known["equal"]) == ("done", True), known


async def test_a_rebuild_whose_gates_were_open_in_between_replaces_nothing(dashboard: Dashboard) -> None:
    messages = everything("pat_1")
    await dashboard.publish(messages)
    await dashboard.take(messages)
    await dashboard.database["people"].update_one({"_id": "pat_1"}, {"$set": {"risk": 12}})
    wrong = await checksum(dashboard.database)
    stop = asyncio.Event()

    async def open_them() -> None:
        while not stop.is_set():
            await dashboard.database[gates.GATES].update_many({}, {"$unset": {"closed_until": ""}})

    opening = asyncio.create_task(open_them())
    known = await rebuilt(dashboard)
    stop.set()
    await opening
    assert known["stage"] == "failed", known
    assert await checksum(dashboard.database) == wrong


async def test_whoever_closed_the_gates_alone_keeps_and_opens_them(dashboard: Dashboard) -> None:
    database = dashboard.database
    await gates.close(database, "one")
    assert await gates.keep_closed(database, "one")
    assert not await gates.keep_closed(database, "another")
    await gates.open_again(database, "another")
    with pytest.raises(Conflict):
        await dashboard.take(everything("pat_1"))
    await gates.open_again(database, "one")
    assert not await gates.keep_closed(database, "one")
    await dashboard.take(everything("pat_1"))
    assert len(await dashboard.stored("people")) == 1


async def test_two_replicas_asked_at_once_do_one_rebuild_and_both_tell_of_it(dashboard: Dashboard) -> None:
    messages = everything("pat_1")
    await dashboard.publish(messages)
    await dashboard.take(messages)
    settings = dashboard.service.settings.model_copy(update={"instance": "another"})
    other = replace(dashboard, service=build(settings))  # type: ignore[arg-type]
    async with dashboard.as_("engineer") as one, other.as_("engineer") as two:
        first, second = await asyncio.gather(one.post("/rebuild"), two.post("/rebuild"))
    assert sorted([first.status_code, second.status_code]) == [200, 202]
    run = first.json()["run"]
    assert second.json()["run"] == run
    assert (await ended(other, run))["stage"] == "done"
    assert (await ended(dashboard, run))["equal"] is True
    await other.database.close()


async def test_a_rebuild_whose_replica_went_away_has_failed_and_another_one_may_begin(
    dashboard: Dashboard,
) -> None:
    runs = Runs(dashboard.database, "gone")
    lost = await runs.begin()
    assert lost is not None
    assert await runs.begin() is None
    await dashboard.database[RUNS].update_one({}, {"$set": {"until": OVER}})
    found = await runs.show()
    assert (found.run, found.stage) == (lost.run, "failed")
    assert "went away" in str(found.problem)
    assert (await rebuilt(dashboard))["run"] != lost.run
    assert not await runs.keep(lost), "who comes back finds that it is not theirs any more"


async def half_of_them(database: MongoDatabase, names: Sequence[str], prefix: str) -> None:
    """As far as a process came that died over it."""
    for name in names[:2]:
        await database.db[prefix + name].rename(name, dropTarget=True)
    raise PyMongoError


async def left_half_way(dashboard: Dashboard, monkeypatch: pytest.MonkeyPatch) -> str:
    """The run that was begun and is not finished."""
    monkeypatch.setattr(MongoDatabase, "replace_collections", half_of_them)
    async with dashboard.as_("engineer") as engineer:
        run: str = (await engineer.post("/rebuild")).json()["run"]

    async def is_left() -> bool:
        return await dashboard.database[RUNS].find_one({"stage": REPLACING, "until": OVER}) is not None

    await eventually(is_left, within=60, pause=0.1, that="replacing is left half way")
    monkeypatch.undo()
    return run


@asynccontextmanager
async def another_process(dashboard: Dashboard) -> AsyncIterator[None]:
    """What a replica does by itself; it need not be the one that was asked."""
    stop = asyncio.Event()
    tasks = [asyncio.create_task(run(stop)) for run in dashboard.service.background]
    yield
    stop.set()
    await asyncio.wait(tasks, timeout=5)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_read_model_that_was_left_half_replaced_is_finished_and_nothing_counts_twice(
    dashboard: Dashboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    messages = everything("pat_1", "pat_2")
    await dashboard.publish(messages)
    await dashboard.take(messages[:-3])
    run = await left_half_way(dashboard, monkeypatch)
    with pytest.raises(Conflict):
        await dashboard.take(messages[-3:])
    async with another_process(dashboard):
        known = await ended(dashboard, run)
    assert (known["stage"], known["equal"]) == ("done", True), known
    assert await leftovers(dashboard) == []
    await dashboard.take(messages[-3:])
    after = await checksum(dashboard.database)
    await rebuilt(dashboard)
    assert await checksum(dashboard.database) == after


async def test_no_rebuild_is_begun_over_one_that_was_left_half_replaced(
    dashboard: Dashboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    messages = everything("pat_1")
    await dashboard.publish(messages)
    await dashboard.take(messages)
    run = await left_half_way(dashboard, monkeypatch)
    async with dashboard.as_("engineer") as engineer:
        again = await engineer.post("/rebuild")
    assert (again.status_code, again.json()["run"], again.json()["stage"]) == (200, run, REPLACING)


async def test_what_was_left_before_anything_was_replaced_stays_as_it_was(dashboard: Dashboard) -> None:
    messages = everything("pat_1")
    await dashboard.take(messages)
    before = await checksum(dashboard.database)
    lost = await Runs(dashboard.database, dashboard.service.settings.instance).begin()
    assert lost is not None
    await dashboard.database[RUNS].update_one({}, {"$set": {"stage": REPLACING}})
    await dashboard.database.db[f"{lost.prefix}people"].insert_one({"_id": "nobody"})
    async with another_process(dashboard):
        known = await ended(dashboard, lost.run)
    assert (known["stage"], known["problem"]) == (
        "failed",
        "somebody may have written meanwhile: rebuild again",
    )
    assert await checksum(dashboard.database) == before


async def test_a_beat_that_comes_late_does_not_draw_the_bolt(dashboard: Dashboard) -> None:
    database = dashboard.database
    await gates.close(database, "one")
    assert await gates.bolt(database, "one")
    assert await gates.keep_closed(database, "one")
    untils = [row["closed_until"] for row in await dashboard.stored(gates.GATES)]
    assert untils == [gates.FOR_GOOD] * gates.GATE_COUNT
    await gates.open_again(database, "one")
    assert not await gates.bolt(database, "one")


async def test_only_engineers_rebuild(dashboard: Dashboard) -> None:
    async with dashboard.as_("coordinator") as coordinator:
        assert (await coordinator.post("/rebuild")).status_code == 403
