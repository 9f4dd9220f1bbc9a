"""What open pages are told."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from typing import Any

import orjson
import pytest

from services.alerts.events import AlertRaised
from services.dashboard import attention
from services.dashboard.domain.person import UNKNOWN
from services.dashboard.web import live
from services.dashboard.web.live import Listener, Live, audiences_of
from services.dashboard.web.parts import Parts
from services.dashboard.web.viewer import Viewer
from shared.http.caller import Role
from tests.integration.dashboard.conftest import Dashboard
from tests.support.courses import BEGIN, alert_raised, history, sealed

NOWHERE = [UNKNOWN, "closed"]
"""No clinic, and one that is not configured."""

KNOWN = frozenset({"riverside", "lakeside"})


def lost(clinic: str = UNKNOWN) -> AlertRaised:
    return alert_raised(at=BEGIN, alert_id="alr_lost", patient_id=UNKNOWN, clinic_id=clinic)


def viewer(*roles: Role, clinic: str = "riverside") -> Viewer:
    return Viewer("somebody", frozenset(roles), clinic, BEGIN + timedelta(hours=1), "token")


@asynccontextmanager
async def listening(dashboard: Dashboard, *viewers: Viewer) -> AsyncIterator[list[Listener]]:
    """Pages that were told of the open stream, and of nothing since."""
    told = Live(dashboard.database, dashboard.service.clock, KNOWN)
    listeners = [told.listen(audiences_of(each)) for each in viewers]
    running = asyncio.create_task(told.run(asyncio.Event()))
    try:
        for listener in listeners:
            while b"*" not in (await asyncio.wait_for(listener.waiting.get(), 10))[1]:
                pass
        yield listeners
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


async def heard(listener: Listener, event: str) -> dict[str, Any]:
    while True:
        name, data = await asyncio.wait_for(listener.waiting.get(), 10)
        if name == event and b"*" not in data:
            return dict(orjson.loads(data))


def left(listener: Listener) -> bytes:
    return b"".join(listener.waiting.get_nowait()[1] for _ in range(listener.waiting.qsize()))


async def test_a_crisis_reaches_the_open_pages_of_its_clinic_alone(dashboard: Dashboard) -> None:
    pages = viewer("coordinator"), viewer("coordinator", clinic="lakeside")
    async with listening(dashboard, *pages) as (own, other):
        await dashboard.take(history("pat_1")[-1][:3])
        assert await heard(own, "change") == {"people": ["pat_1"], "alerts": ["alr_pat_1"]}
    assert b"pat_1" not in left(other)


@pytest.mark.parametrize("nowhere", NOWHERE)
async def test_a_crisis_of_a_clinic_nobody_knows_reaches_every_carers_page(
    dashboard: Dashboard, nowhere: str
) -> None:
    pages = viewer("coordinator"), viewer("clinician", clinic="lakeside"), viewer("engineer", clinic="*")
    async with listening(dashboard, *pages) as (one, another, engineer):
        await dashboard.take(sealed("alr_lost", [lost(nowhere)]))
        assert (await heard(one, "change"))["alerts"] == ["alr_lost"]
        assert (await heard(another, "change"))["alerts"] == ["alr_lost"]
    assert b"alr_lost" not in left(engineer)


@pytest.mark.parametrize("clinic", ["riverside", UNKNOWN])
async def test_dead_letters_reach_the_pages_of_engineers_alone(dashboard: Dashboard, clinic: str) -> None:
    pages = viewer("engineer", clinic="lakeside"), viewer("coordinator", clinic="*")
    async with listening(dashboard, *pages) as (engineer, carer):
        letter = alert_raised(at=BEGIN, alert_id="alr_letter", kind="dead_letter", clinic_id=clinic)
        await dashboard.take(sealed("alr_letter", [letter]))
        assert "alr_letter" in (await heard(engineer, "change"))["alerts"]
    assert b"alr_letter" not in left(carer)


async def test_while_only_people_change_pages_are_told_seldom_and_of_an_alert_at_once(
    dashboard: Dashboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "SPACING_SECONDS", 600.0)
    async with listening(dashboard, viewer("coordinator")) as (page,):
        await dashboard.database["people"].insert_one({"_id": "pat_9", "clinic_id": "riverside"})
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(heard(page, "change"), 1.0)
        await dashboard.database["alerts"].insert_one({"_id": "alr_9", "clinic_id": "riverside"})
        assert await heard(page, "change") == {"people": ["pat_9"], "alerts": ["alr_9"]}


async def test_a_part_is_drawn_anew_once_pages_were_told_of_a_change(dashboard: Dashboard) -> None:
    drawn: list[str] = []

    async def draw() -> str:
        drawn.append(f"drawing {len(drawn) + 1}")
        return drawn[-1]

    told = Live(dashboard.database, dashboard.service.clock, KNOWN)
    parts = Parts(told)
    assert [await parts.text("caseload", draw) for _ in range(3)] == ["drawing 1"] * 3
    page, running = told.listen(audiences_of(viewer("coordinator"))), asyncio.create_task(told._tell())
    told._note("people", {"documentKey": {"_id": "pat_1"}, "fullDocument": {"clinic_id": "riverside"}})
    await heard(page, "change")
    running.cancel()
    assert [await parts.text("caseload", draw) for _ in range(3)] == ["drawing 2"] * 3


async def alarms(dashboard: Dashboard, role: str, clinic: str) -> tuple[str, str]:
    """The list of alarms and the count as they stand in the head of a page."""
    async with dashboard.as_(role, clinic) as client:
        answers = [await client.get(path) for path in ("/parts/alarms", "/parts/crises")]
    return answers[0].text, " ".join(answers[1].text.split())


@pytest.mark.parametrize("nowhere", NOWHERE)
async def test_every_page_names_the_crises_nobody_has_and_counts_the_same(
    dashboard: Dashboard, nowhere: str
) -> None:
    await dashboard.take(sealed("alr_lost", [lost(nowhere)]))
    for patient, severity in (("pat_1", "high"), ("pat_2", "low")):
        raised = alert_raised(at=BEGIN, alert_id=f"alr_{patient}", patient_id=patient, severity=severity)
        await dashboard.take(sealed(f"alr_{patient}", [raised]))
    listed, counted = await alarms(dashboard, "coordinator", "riverside")
    assert listed.index("alr_lost") < listed.index("alr_pat_2"), "the most severe first"
    assert all(id in listed for id in ("alr_lost", "alr_pat_1", "alr_pat_2"))
    assert "3 open crises" in counted
    listed, counted = await alarms(dashboard, "clinician", "lakeside")
    assert ("alr_lost" in listed, "alr_pat_1" in listed) == (True, False)
    assert "1 open crisis" in counted
    assert await alarms(dashboard, "engineer", "*") == ("", ""), "nothing is said of what they may not know"
    async with dashboard.as_("clinician", "lakeside") as client:
        listed = (await client.get("/alerts")).text
    assert ("/alerts/alr_lost" in listed, "/alerts/alr_pat_1" in listed) == (True, False)


async def test_where_there_are_too_many_to_tell_the_most_severe_are_told(
    dashboard: Dashboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attention, "MOST", 2)
    for minute, severity in enumerate(("high", "low", "moderate", "moderate")):
        at = BEGIN + timedelta(minutes=minute)
        id, patient = f"alr_{minute}", f"pat_{minute}"
        raised = alert_raised(at=at, alert_id=id, patient_id=patient, severity=severity)
        await dashboard.take(sealed(id, [raised]))
    found = await attention.crises(
        dashboard.database, viewer("coordinator"), BEGIN + timedelta(minutes=9), KNOWN
    )
    assert found is not None
    assert [alarm.address for alarm in found.alarms] == ["/alerts/alr_0", "/alerts/alr_3"]
    assert found.count == 4


async def test_an_alarm_ends_when_somebody_has_the_crisis_and_is_new_when_it_climbs(
    dashboard: Dashboard,
) -> None:
    async def keys(now: datetime) -> list[str]:
        crises = await attention.crises(dashboard.database, viewer("coordinator"), now, KNOWN)
        assert crises is not None
        assert crises.count == len(crises.alarms)
        return [alarm.key for alarm in crises.alarms]

    raised, *told, climbed, taken = history("pat_1")[-1]
    await dashboard.take([raised])
    assert await keys(BEGIN) == ["alr_pat_1.high.0"]
    await dashboard.take([*told, climbed])
    assert await keys(BEGIN) == ["alr_pat_1.high.1"]
    await dashboard.take([taken])
    (alert,) = await dashboard.stored("alerts")
    assert await keys(alert["lease_until"] - timedelta(seconds=1)) == []
    assert await keys(alert["lease_until"]) == ["alr_pat_1.high.1"], "a lease that ran out holds nothing"


async def test_a_flag_that_nobody_was_alerted_of_is_an_alarm_by_itself(dashboard: Dashboard) -> None:
    (flag,) = history("pat_1")[-2]
    await dashboard.take([flag])
    (person,) = await dashboard.stored("people")

    async def alarmed(seconds: int) -> list[str]:
        now = person["since"] + timedelta(seconds=seconds)
        found = await attention.crises(dashboard.database, viewer("coordinator"), now, KNOWN)
        assert found is not None
        return [alarm.address for alarm in found.alarms]

    assert await alarmed(5) == [], "its alert may be on its way"
    assert await alarmed(10) == ["/people/pat_1"]
    await dashboard.take(history("pat_1")[-1][:1])
    assert await alarmed(10) == ["/alerts/alr_pat_1"]


async def test_a_flag_of_a_clinic_nobody_knows_alarms_everybody_and_only_then_opens_the_person(
    dashboard: Dashboard,
) -> None:
    referral, *_, flags, crisis = history("pat_1", clinic="closed")
    now = BEGIN + timedelta(weeks=4)

    async def alarmed() -> list[str]:
        found = await attention.crises(
            dashboard.database, viewer("coordinator", clinic="lakeside"), now, KNOWN
        )
        assert found is not None
        return [alarm.address for alarm in found.alarms]

    async with dashboard.as_("coordinator", "lakeside") as client:
        await dashboard.take(referral)
        assert (await client.get("/people/pat_1")).status_code == 404
        await dashboard.take(flags)
        assert await alarmed() == ["/people/pat_1"]
        assert (await client.get("/people/pat_1")).status_code == 200
        await dashboard.take(crisis[:1])
        assert await alarmed() == ["/alerts/alr_pat_1"]


async def test_what_becomes_alarming_by_the_clock_alone_is_looked_at_again(
    dashboard: Dashboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "BEAT_SECONDS", 0.05)
    await dashboard.take(history("pat_1")[-2])
    async with listening(dashboard, viewer("coordinator")) as (page,):
        assert (await heard(page, "change"))["alerts"] == ["pat_1"]
