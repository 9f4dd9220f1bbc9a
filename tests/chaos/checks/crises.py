"""Every crisis flag becomes evidence of an alert, and somebody is paged about it."""

from collections import defaultdict
from collections.abc import Iterator
from math import inf

from tests.chaos.checks.violation import Violation
from tests.chaos.desks import request_id
from tests.chaos.history import Announced, History, Planted, Row, consumers_of

AT_ONCE = ("high", "moderate")
CRISIS_TOPIC = ".crisis-flags"


def crises(history: History) -> Iterator[Violation]:
    """Each flag is in an alert, and its own round of pages rang after it was raised.

    A flag that joins an existing alert pages again (clinical.md, Crisis). A page from before the flag, or
    about another flag alone, does not count for it.
    """
    alert_of = {evidence["id"]: alert for alert, evidence in _evidence(history.rows("alerts.alerts"))}
    raised: dict[str, list[tuple[float, Announced]]] = defaultdict(list)
    asked = _first_asked(history)
    for flag in history.of_type("CrisisFlagRaised"):
        id, severity = flag.body["flag_id"], flag.body["severity"]
        if id not in alert_of:
            yield Violation("crisis_not_alerted", (id,), f"{severity}, no alert holds it")
        elif severity in AT_ONCE:
            raised[alert_of[id]["_id"]].append((asked.get(flag.correlation, -inf), flag))
    rang = _rounds(history)
    for alert_id, flags in raised.items():
        yield from _unpaged(alert_id, flags, rang[alert_id])


def _evidence(alerts: list[Row]) -> Iterator[tuple[Row, Row]]:
    for alert in alerts:
        for evidence in alert["evidence"] if alert["kind"] == "crisis" else ():
            yield alert, evidence


def _first_asked(history: History) -> dict[str, float]:
    """Story → when its request was first sent: its page may ring before the answer, but not earlier."""
    asked: dict[str, float] = {}
    for entry in history.entries:
        asked.setdefault(request_id(entry.key), entry.at)
    return asked


def _rounds(history: History) -> dict[str, dict[int, float]]:
    """Alert → round → time of the last page about it that was answered."""
    round_of = {row["_id"]: row["round"] for row in history.documents["alerts.deliveries"]}
    rang: dict[str, dict[int, float]] = defaultdict(dict)
    for page in history.pages:
        if page.answered and page.id in round_of:
            for alert_id in page.alert_ids:
                last = rang[alert_id].get(round_of[page.id], -inf)
                rang[alert_id][round_of[page.id]] = max(last, page.at)
    return rang


def _unpaged(
    alert_id: str, flags: list[tuple[float, Announced]], rounds: dict[int, float]
) -> Iterator[Violation]:
    """The last flag needs one round since it was raised, the last two need two since the earlier one, …"""
    ordered = sorted(flags, key=lambda one: one[0], reverse=True)
    for wanted, (since, flag) in enumerate(ordered, start=1):
        if (found := sum(at >= since for at in rounds.values())) < wanted:
            evidence = f"{flag.body['severity']}, {found} of {wanted} rounds rang since it was raised"
            yield Violation("crisis_not_paged", (flag.body["flag_id"], alert_id), evidence)


def strangers(history: History) -> Iterator[Violation]:
    """A torn crisis message still pages, by its person's id, or by its own if it names nobody."""
    alert_of = {evidence["id"]: alert for alert, evidence in _evidence(history.documents["alerts.alerts"])}
    rang = {id: max(rounds.values()) for id, rounds in _rounds(history).items()}
    for planted in history.planted:
        if not planted.torn or not planted.topic.endswith(CRISIS_TOPIC):
            continue
        for letter in _letters(history, planted):
            alert = alert_of.get(letter)
            if alert is None or (planted.enveloped and alert["patient_id"] != planted.key):
                yield Violation("crisis_not_alerted", (planted.key, letter), "a torn crisis message")
            elif alert["_id"] not in rang:
                yield Violation("crisis_not_paged", (planted.key, letter), "a torn crisis message")


def _letters(history: History, planted: Planted) -> list[str]:
    """Ids of its dead letters; its place if no consumer of its topic has created one."""
    place = (planted.topic, planted.partition, planted.offset, planted.epoch[-8:])
    made = [
        str(row["_id"])
        for service in consumers_of(planted.topic)
        for row in history.documents[f"{service}.dead_letters"]
        if (row["topic"], row["partition"], row["offset"], row["epoch"][-8:]) == place
    ]
    return made or [":".join(map(str, place))]
