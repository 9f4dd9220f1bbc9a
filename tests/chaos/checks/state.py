"""The final state by people's numbers: equal in every run with the same seed."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from tests.chaos.checks.violation import Violation
from tests.chaos.history import PAGE, History, Row

State = dict[str, dict[str, Any]]
"""Part → person or thing → its state."""

NOT_COUNTED = {"AlertNotified"}
"""Whether a page was delivered or had just become moot depends on the order of simultaneous events. For the
same reason a skipped announcement counts as the announcement that it replaces."""


def state(history: History, numbers: dict[str, int]) -> State:
    """`numbers`: patient id → the person's number in the play."""

    def who(row: dict[str, Any]) -> str:
        return f"person {numbers.get(row['patient_id'], '?')}"

    plans = {
        f"{who(row)} episode {row['episode']}": [
            row["phase"]["name"],
            row["attended"],
            row["contract"]["sessions"],
        ]
        for row in history.rows("care_plan.plans")
    }
    schedules = {
        f"{who(row)} schedule {row['started_at']:%Y-%m-%d}": dict(
            sorted(Counter(a["state"] for a in row["appointments"]).items())
        )
        for row in history.rows("scheduler.schedules")
    }
    alerts = Counter(
        f"{who(row)} {row['kind']} {row['severity']} {row['state']}"
        for row in history.rows("alerts.alerts")
        if row["kind"] != "dead_letter"
    )
    counts = Counter(
        str(event.body.get("skipped") or event.type)
        for event in history.distinct
        if event.type not in NOT_COUNTED
    )
    return {
        "referrals": {who(row): row["stage"]["status"] for row in history.rows("intake.referrals")},
        "plans": plans,
        "appointments": schedules,
        "alerts": dict(alerts),
        "announced": dict(counts),
        "shown": _shown(history, numbers),
    }


def _shown(history: History, numbers: dict[str, int]) -> dict[str, Any]:
    """The page's read model, person by person.

    Omits what may differ between runs of the same seed: ids and anything sorted by them (which of two equally
    urgent alerts names its action), who was told (`NOT_COUNTED`), and moments (a lease or a moved session is
    announced again at another time of day).
    """
    told = Counter(
        row["patient_id"]
        for row in history.documents[f"{PAGE}.story"]
        if row["type"] not in NOT_COUNTED and row["_id"].split("/")[1] not in history.strangers
    )
    return {
        f"person {numbers.get(row['_id'], '?')}": [
            row["phase"],
            row["risk"],
            sorted(referral["state"] for referral in row["referrals"]),
            [_course(course) for course in sorted(row["courses"], key=lambda course: course["episode"])],
            sorted(flag["severity"] for flag in row["flags"]),
            sorted(" ".join((alert["kind"], alert["severity"], alert["state"])) for alert in row["alerts"]),
            told[row["_id"]],
        ]
        for row in history.documents[f"{PAGE}.people"]
        if row["_id"] not in history.strangers
    }


def _course(row: Row) -> list[Any]:
    return [
        [entered["phase"] for entered in row["phases"]],
        row["attended"],
        row["missed_in_a_row"],
        row["sessions"],
        row["focus"],
        row["maintenance"],
        row["hold"] and row["hold"]["reason"],
        [(measure["instrument"], measure["total"]) for measure in row["measures"]],
        sorted(mark["kind"] for mark in row["marks"]),
        dict(sorted(Counter(appointment["status"] for appointment in row["appointments"]).items())),
    ]


Known = dict[tuple[str, str], Any]
"""(part, name) → the difference already reported."""


def differences(ours: State, undisturbed: State, known: Known | None = None) -> Iterator[Violation]:
    """Differences from the undisturbed run, except those that were the same at the last look."""
    known = {} if known is None else known
    for part, expected in undisturbed.items():
        found = ours.get(part, {})
        for name in sorted(expected.keys() | found.keys()):
            is_, should = found.get(name), expected.get(name)
            difference = _difference(is_, should)
            if is_ != should and known.get((part, name)) != difference:
                yield Violation("state_differs", (part, name), f"{is_} instead of {should}")
            known[part, name] = difference


def _difference(is_: Any, should: Any) -> Any:
    if isinstance(is_, int) and isinstance(should, int):
        return is_ - should
    return None if is_ == should else (is_, should)
