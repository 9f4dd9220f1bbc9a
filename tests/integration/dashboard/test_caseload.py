"""The caseload's tabs, its file, and addresses made by hand."""

import re

import pytest

from services.dashboard import caseload
from services.dashboard.caseload import EXPORTED, Query
from services.dashboard.listing import cursor
from services.dashboard.store import PEOPLE
from services.dashboard.web.viewer import Viewer
from tests.integration.dashboard.conftest import Dashboard
from tests.support.courses import history, later


def coordinator(clinic: str = "*") -> Viewer:
    return Viewer("somebody", frozenset({"coordinator"}), clinic, later(hours=1), "token")


async def keep(dashboard: Dashboard, *ids: str) -> None:
    """People who wait for their plan: only their referral was told."""
    messages = [message for id in ids for message in history(id)[0]]
    for start in range(0, len(messages), 300):
        await dashboard.take(messages[start : start + 300])


@pytest.mark.parametrize(
    "query",
    [
        Query(),
        Query(clinic="riverside"),
        Query(clinic="lakeside"),
        Query(clinician="cln_r01"),
        Query(phase="middle"),
        Query(text="pat_b"),
        Query(text="pat_b", clinician="nobody"),
        Query(flag="crisis", phase="referred"),
    ],
)
async def test_a_tab_counts_what_its_list_holds(dashboard: Dashboard, query: Query) -> None:
    await keep(dashboard, "pat_a1", "pat_b1", "pat_b2")
    for stream in history("pat_c1"):
        await dashboard.take(stream)
    viewer = coordinator()
    counted = await caseload.groups(dashboard.database, query, viewer)
    for flag, count in counted.items():
        asked = Query(query.clinic, query.clinician, query.phase, flag, query.text)
        assert count == (await caseload.page(dashboard.database, asked, viewer)).total, flag


async def test_a_tab_counts_nobody_of_another_clinic(dashboard: Dashboard) -> None:
    await keep(dashboard, "pat_a1")
    for clinic, waiting in (("riverside", 1), ("lakeside", 0)):
        counted = await caseload.groups(dashboard.database, Query(), coordinator(clinic))
        assert counted["waiting"] == waiting


async def test_the_file_holds_everybody_once_although_risk_changes_meanwhile(dashboard: Dashboard) -> None:
    ids = [f"pat_{number:04}" for number in range(EXPORTED + 30)]
    await keep(dashboard, *ids)
    found: list[str] = []
    async for row in caseload.all_rows(dashboard.database, Query(), coordinator()):
        found.append(row.id)
        if len(found) == 10:
            await dashboard.database[PEOPLE].update_many({"_id": {"$lt": ids[5]}}, {"$set": {"risk": 13}})
            await dashboard.database[PEOPLE].update_many({"_id": {"$gt": ids[-5]}}, {"$set": {"risk": 0}})
    assert found == ids


BY_HAND = {
    "a number of thirty digits": [10**30, "2026-03-02T15:00:00+00:00", "pat_1"],
    "infinity": [float("inf"), "2026-03-02T15:00:00+00:00", "pat_1"],
    "half a character": [3, "2026-03-02T15:00:00+00:00", "\ud800"],
    "before the first year": [3, "0001-01-01T00:00:00+14:00", "pat_1"],
    "too few": [3],
}


@pytest.mark.parametrize("kind", BY_HAND)
async def test_a_cursor_made_by_hand_is_refused_in_words(dashboard: Dashboard, kind: str) -> None:
    async with dashboard.as_("coordinator") as asking:
        for path in ("/", "/parts/caseload", "/alerts"):
            answer = await asking.get(f"{path}?after={cursor(BY_HAND[kind])}")
            assert answer.status_code == 422, path


async def test_the_tabs_of_an_address_that_no_link_made_are_refused(dashboard: Dashboard) -> None:
    async with dashboard.as_("coordinator") as asking:
        assert (await asking.get("/parts/caseload?sort=nonsense")).status_code == 422
        shown = await asking.get("/parts/caseload")
    assert re.search(r"Waiting\b", shown.text)
