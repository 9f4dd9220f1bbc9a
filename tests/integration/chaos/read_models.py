"""What the page keeps of a history in which every promise was kept."""

from copy import deepcopy
from typing import Any

from tests.chaos.history import PAGE, Announced, Row, consumers_of, place_in_story

STATUS = {"fulfilled": "attended", "booked": "planned"}


def read_model(announced: list[Announced], owned: dict[str, list[Row]]) -> dict[str, list[Row]]:
    """Its collections. `owned`: the documents of the owners of one person's referral and plan."""
    (referral,), (plan,), (schedule,) = (
        owned[place] for place in ("intake.referrals", "care_plan.plans", "scheduler.schedules")
    )
    told = [event for event in announced if event.type == "AlertNotified"]
    alerts = [_alert(row, told) for row in owned["alerts.alerts"]]
    flags = [event for event in announced if event.type == "CrisisFlagRaised"]
    patient_id = plan["patient_id"]
    parts = {
        "referrals": [{"id": referral["_id"], "state": referral["stage"]["status"]}],
        "courses": [_course(plan, schedule)],
        "flags": [{"id": flag.body["flag_id"], "severity": flag.body["severity"]} for flag in flags],
    }
    people = {
        alert["patient_id"]: _person(alert, alerts) for alert in alerts if alert["patient_id"] != "unknown"
    }
    people[patient_id] |= {**parts, "phase": plan["phase"]["name"]}
    return {
        f"{PAGE}.people": list(people.values()),
        f"{PAGE}.alerts": alerts,
        f"{PAGE}.story": [
            told_in_the_story(event) for event in announced if PAGE in consumers_of(event.topic)
        ],
    }


def _person(about: Row, alerts: list[Row]) -> Row:
    """Somebody in a crisis that was taken."""
    id = about["patient_id"]
    live = [{**alert, "id": alert["_id"]} for alert in alerts if alert["patient_id"] == id]
    empty: dict[str, list[Any]] = {"referrals": [], "courses": [], "flags": []}
    return {"_id": id, "alerts": live, "risk": 3, "phase": "referred", **empty}


def _alert(row: Row, told: list[Announced]) -> Row:
    known = {name: row[name] for name in ("_id", "patient_id", "kind", "severity", "state")}
    delivered = [{"delivery_id": e.body["delivery_id"]} for e in told if e.subject == row["_id"]]
    return {**known, "told": delivered, "climbed": []}


def _course(plan: Row, schedule: Row) -> Row:
    appointments = [
        {**deepcopy(appointment), "status": STATUS[appointment["state"]]}
        for appointment in schedule["appointments"]
    ]
    known = {name: plan[name] for name in ("referral_id", "clinician_id", "episode", "attended", "focus")}
    nothing_yet = {"closed": None, "hold": None, "maintenance": None, "missed_in_a_row": 0}
    empty: dict[str, list[Any]] = {"phases": [], "measures": [], "marks": []}
    return {
        "id": plan["_id"],
        "sessions": plan["contract"]["sessions"],
        "appointments": appointments,
        **known,
        **nothing_yet,
        **empty,
    }


def told_in_the_story(event: Announced) -> Row:
    place = place_in_story(event.topic, event.subject, event.sequence)
    about = {"message_id": event.id, "type": event.type, "patient_id": event.body["patient_id"]}
    return {"_id": place, **about}
