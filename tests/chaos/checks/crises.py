"""Every crisis flag becomes evidence of an alert, and somebody is paged."""

from collections.abc import Iterator

from tests.chaos.checks.violation import Violation
from tests.chaos.history import History

AT_ONCE = ("high", "moderate")


def crises(history: History) -> Iterator[Violation]:
    alert_of = {
        evidence["id"]: alert
        for alert in history.rows("alerts.alerts")
        if alert["kind"] == "crisis"
        for evidence in alert["evidence"]
    }
    paged = {id for page in history.pages if page.answered for id in page.alert_ids}
    for flag in history.of_type("CrisisFlagRaised"):
        id, severity = flag.body["flag_id"], flag.body["severity"]
        alert = alert_of.get(id)
        if alert is None:
            yield Violation("crisis_not_alerted", (id,), f"{severity}, no alert holds it")
        elif severity in AT_ONCE and alert["_id"] not in paged:
            yield Violation("crisis_not_paged", (id, alert["_id"]), f"{severity}, nobody's telephone rang")


def strangers(history: History) -> Iterator[Violation]:
    """A torn crisis message is a page by ids all the same."""
    keys = {alert["patient_id"] for alert in history.documents["alerts.alerts"] if alert["kind"] == "crisis"}
    if "unknown" in keys:
        return
    for planted in history.planted:
        if planted.torn and planted.topic.endswith(".crisis-flags") and planted.key not in keys:
            yield Violation("crisis_not_alerted", (planted.key, planted.topic), "a torn crisis message")
