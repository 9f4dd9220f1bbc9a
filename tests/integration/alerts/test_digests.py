"""What waits for its digest, and whom it reaches."""

import orjson

from services.care_plan.events import PhaseEntered
from tests.integration.alerts.conftest import Alerts, MakeAlerts, person
from tests.integration.alerts.receivers import hook
from tests.unit.alerts.cases import MONDAY


def termination(number: str, *, clinician_id: str) -> PhaseEntered:
    return PhaseEntered(
        patient_id=f"pat_{number}",
        clinic_id="riverside",
        plan_id=f"pln_{number}",
        clinician_id=clinician_id,
        phase="termination",
        previous="middle",
        attended=12,
        entered_at=MONDAY,
    )


async def test_what_only_informs_reaches_every_reader_of_its_digest(make_alerts: MakeAlerts) -> None:
    async with hook() as far_end:
        clinician = person("two", "treating_clinician", webhook=far_end.url)
        alerts: Alerts = await make_alerts([person("one", "coordinator"), clinician])
        await alerts.take(alerts.record(termination("1", clinician_id="sub_two"), "pln_1"))
        await alerts.later(hours=6)
    assert {row["state"] for row in await alerts.stored("deliveries")} == {"delivered"}
    assert {row["contact_id"] for row in await alerts.stored("notices")} == {"one", "two"}
    assert len(far_end.bodies) == 1


async def test_where_nobody_was_reached_outwardly_what_only_informs_comes_back_in_the_next_digest(
    make_alerts: MakeAlerts,
) -> None:
    """The inbox is our own: it never fails, and wakes nobody."""
    async with hook(500, 500, 500, 500) as far_end:
        alerts: Alerts = await make_alerts([person("one", "coordinator", webhook=far_end.url)])
        await alerts.take(alerts.record(termination("1", clinician_id="sub_one"), "pln_1"))
        await alerts.later(hours=6)
        for seconds in (2, 5, 10):
            await alerts.later(seconds=seconds)
        assert (await alerts.alert())["state"] == "open"
        await alerts.later(hours=18)
    assert len(far_end.bodies) == 5
    assert (await alerts.alert())["state"] == "informed"


async def test_routine_alerts_come_as_one_digest_per_contact(make_alerts: MakeAlerts) -> None:
    async with hook() as far_end:
        alerts: Alerts = await make_alerts([person("one", "coordinator", webhook=far_end.url)])
        for number in range(3):
            event = termination(str(number), clinician_id="sub_one")
            await alerts.take(alerts.record(event, f"pln_{number}"))
        await alerts.settle()
        assert far_end.bodies == []
        await alerts.later(hours=6)
    (body,) = far_end.bodies
    said = orjson.loads(body)
    assert len(said["alert_ids"]) == 3
    assert (said["severity"], said["link"]) == ("routine", "https://kith.example/alerts/notices")
    assert {row["state"] for row in await alerts.stored("alerts")} == {"informed"}
    books = await alerts.books()
    assert books["notification"] == {"expected": 2, "open": 0, "done": 2, "cancelled": 0, "breached": 0}
    assert books["alert"] == {"expected": 3, "open": 0, "done": 3}
