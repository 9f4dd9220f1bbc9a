"""The read model is dropped and built anew, while the old one serves."""

from itertools import chain

from services.dashboard.rebuild import checksum
from shared.messaging.envelope import Envelope
from tests.integration.dashboard.conftest import Dashboard
from tests.support.courses import history
from tests.support.eventually import eventually


def everything(*patients: str) -> list[Envelope]:
    return list(chain.from_iterable(chain.from_iterable(history(patient) for patient in patients)))


async def rebuilt(dashboard: Dashboard) -> dict[str, object]:
    ended: dict[str, object] = {}

    async def has_ended() -> bool:
        async with dashboard.as_("engineer") as engineer:
            ended.update((await engineer.get("/rebuild")).json())
        return ended["stage"] in ("done", "failed")

    async with dashboard.as_("engineer") as engineer:
        assert (await engineer.post("/rebuild")).status_code == 202
    await eventually(has_ended, that="the rebuild ends")
    return ended


async def test_a_rebuild_from_the_log_ends_in_the_same_checksum(dashboard: Dashboard) -> None:
    messages = everything("pat_1", "pat_2")
    await dashboard.publish(messages)
    await dashboard.take(messages)
    before = await checksum(dashboard.database)
    ended = await rebuilt(dashboard)
    assert ended["equal"] is True, ended
    assert ended["checksum_before"] == ended["checksum_after"] == before == await checksum(dashboard.database)
    assert ended["people"] == 2
    assert await dashboard.database.db.list_collection_names(filter={"name": {"$regex": "^rebuilt_"}}) == []


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
    ended = await rebuilt(dashboard)
    assert ended["equal"] is False
    assert await checksum(dashboard.database) == right


async def test_a_log_that_lost_its_beginning_does_not_replace_what_is_shown(dashboard: Dashboard) -> None:
    messages = everything("pat_1")
    await dashboard.take(messages)
    before = await checksum(dashboard.database)
    ended = await rebuilt(dashboard)
    assert ended["stage"] == "failed"
    assert "outbox replay" in str(ended["problem"])
    assert await checksum(dashboard.database) == before
    await dashboard.take(everything("pat_2"))
    assert len(await dashboard.stored("people")) == 2, "the gates are open again"


async def test_only_engineers_rebuild(dashboard: Dashboard) -> None:
    async with dashboard.as_("coordinator") as coordinator:
        assert (await coordinator.post("/rebuild")).status_code == 403
