"""The final state, named by people's numbers: equal in every run of the same seed."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from tests.chaos.checks.violation import Violation
from tests.chaos.history import History

State = dict[str, dict[str, Any]]
"""Part → whom or what → how it stands."""

NOT_COUNTED = {"AlertNotified"}
"""Whether a page reached its end or had just become moot depends on which of two simultaneous things came
first; that each delivery ended is counted instead."""


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
    counts = Counter(event.type for event in history.distinct if event.type not in NOT_COUNTED)
    return {
        "referrals": {who(row): row["stage"]["status"] for row in history.rows("intake.referrals")},
        "plans": plans,
        "appointments": schedules,
        "alerts": dict(alerts),
        "announced": dict(counts),
    }


def differences(ours: State, undisturbed: State) -> Iterator[Violation]:
    for part, expected in undisturbed.items():
        found = ours.get(part, {})
        for name in sorted(expected.keys() | found.keys()):
            if expected.get(name) != found.get(name):
                evidence = f"{found.get(name)} instead of {expected.get(name)}"
                yield Violation("state_differs", (part, name), evidence)
