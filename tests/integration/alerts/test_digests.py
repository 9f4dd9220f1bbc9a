"""What waits for its digest, and whom it reaches."""

import asyncio
from datetime import timedelta

import orjson

from services.alerts.tickers import due_alerts
from services.care_plan.events import NotImproving, PhaseEntered
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


async def test_what_only_the_digest_that_failed_had_named_comes_back_in_the_next_one(
    make_alerts: MakeAlerts,
) -> None:
    """Two digests begin with the same alert, and name others besides."""
    async with hook() as clinicians, hook(410) as coordinators:
        people = [
            person("one", "treating_clinician", webhook=clinicians.url),
            person("two", "coordinator", webhook=coordinators.url),
        ]
        alerts: Alerts = await make_alerts(people)
        await alerts.take(alerts.record(termination("1", clinician_id="sub_one"), "pln_1"))
        await alerts.take(alerts.record(termination("2", clinician_id="sub_who_left"), "pln_2"))
        await alerts.later(hours=6, seconds=1)
        assert (len(clinicians.bodies), len(coordinators.bodies)) == (1, 1)
        assert (await alerts.alert(patient_id="pat_1"))["state"] == "informed"
        left_out = await alerts.alert(patient_id="pat_2")
        assert (left_out["state"], left_out["waiting"]) == ("open", True)
        await alerts.later(hours=18)
    assert len(coordinators.bodies) == 2
    assert (await alerts.alert(patient_id="pat_2"))["state"] == "informed"


async def test_a_reminder_that_failed_comes_back_in_the_next_digest_though_an_earlier_one_arrived(
    make_alerts: MakeAlerts,
) -> None:
    async with hook(200, 410) as far_end:
        alerts: Alerts = await make_alerts([person("one", "coordinator", webhook=far_end.url)])
        calm = NotImproving(
            patient_id="pat_1",
            clinic_id="riverside",
            plan_id="pln_1",
            clinician_id="cln_who_left",
            week=8,
            baseline=14,
            total=13,
        )
        await alerts.take(alerts.record(calm, "pln_1"))
        await alerts.later(hours=6, seconds=1)
        reminded = (await alerts.alert())["next_due"]
        alerts.at(reminded)
        await alerts.later(seconds=1)
    assert len(far_end.bodies) == 2
    assert (await alerts.alert())["next_due"] < reminded + timedelta(days=1)


async def test_a_routine_alert_nobody_can_read_keeps_the_others_in_one_digest_by_whichever_replica(
    make_alerts: MakeAlerts,
) -> None:
    async with hook() as far_end:
        alerts: Alerts = await make_alerts([person("one", "coordinator", webhook=far_end.url)])
        for number in range(5):
            event = termination(str(number), clinician_id="sub_one")
            await alerts.take(alerts.record(event, f"pln_{number}"))
        await alerts.database["alerts"].update_one({"patient_id": "pat_2"}, {"$set": {"step": "three"}})
        alerts.at(alerts.now + timedelta(hours=6))
        replicas = [t for t in alerts.service.tickers if t.name == "digests"]
        replicas += [due_alerts(alerts.database, alerts.deliveries._open_work)[1] for _ in range(2)]
        await asyncio.gather(*(replica.tick(alerts.now) for replica in replicas), return_exceptions=True)
        await alerts.settle()
    (body,) = far_end.bodies
    assert len(orjson.loads(body)["alert_ids"]) == 4
    assert (await alerts.alert(kind="dead_letter"))["reason"] == "alert_unreadable"
