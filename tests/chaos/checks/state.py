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
first. In the same way a skipped announcement counts as the announcement that it would have been."""


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
    }


Known = dict[tuple[str, str], Any]
"""(part, name) → the difference that was told before."""


def differences(ours: State, undisturbed: State, known: Known | None = None) -> Iterator[Violation]:
    """What is not as it should be, and was not already so, by the same amount, at the last look."""
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
