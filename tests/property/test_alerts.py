"""No crisis is lost, whatever comes in whatever order: flags, repeats, people, silence."""

from datetime import datetime, timedelta
from typing import get_args

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from services.alerts.domain import crisis
from services.alerts.domain.acknowledgement import acknowledge, assess, hand_over, resolve
from services.alerts.domain.alert import Alert, Evidence, Outcome, rank
from services.alerts.domain.crisis import CrisisHistory, Report
from services.alerts.domain.delivery import Delivery
from services.alerts.domain.escalation import when_due
from services.alerts.domain.telling import why_not
from services.alerts.events import (
    AlertAcknowledged,
    AlertAssessed,
    AlertEscalated,
    AlertEvent,
    AlertResolved,
    Severity,
)
from tests.unit.alerts.cases import CLINIC, MONDAY, assessment, disposition, minutes, on_call

DESK = on_call()
EVERYONE = {contact.id for contact in DESK.policy.clinics[CLINIC]}
PATIENTS = ("pat_1", "pat_2")
LONG_SILENCE = timedelta(days=30)
SEVERITIES = st.sampled_from([severity for severity in get_args(Severity) if severity != "routine"])
patients = st.sampled_from(PATIENTS)


def tells_of_breach(event: AlertEvent) -> datetime | None:
    """When the event announces that something was not done in time, if it does."""
    match event:
        case AlertEscalated():
            return event.escalated_at
        case AlertAcknowledged(in_time=False):
            return event.acknowledged_at
        case AlertAssessed() if event.overdue:
            return event.assessed_at
        case AlertResolved() if event.overdue:
            return event.resolved_at
    return None


class Crises(RuleBasedStateMachine):
    """One clinic, two people, an on-call ladder and a clock that only moves forward."""

    def __init__(self) -> None:
        super().__init__()
        self.now: datetime = MONDAY
        self.histories: dict[str, CrisisHistory] = {}
        self.alerts: dict[str, Alert] = {}
        self.accepted: set[str] = set()
        self.deliveries: list[Delivery] = []
        self.announced: list[AlertEvent] = []

    def keep(self, out: Outcome) -> None:
        before = self.alerts.get(out.alert.id)
        if before is not None:
            assert rank(out.alert.severity) >= rank(before.severity), "severity never falls"
            assert out.alert.round >= before.round
        self.alerts[out.alert.id] = out.alert
        self.deliveries += out.deliveries
        self.announced += out.events

    def open_crisis(self, patient: str) -> Alert | None:
        history = self.histories.get(patient)
        return None if history is None or history.open is None else self.alerts[history.open]

    @rule(
        patient=patients,
        severity=SEVERITIES,
        flag=st.integers(0, 12),
        source=st.sampled_from(["flag", "dead_letter"]),
    )
    def flag(self, patient: str, severity: Severity, flag: int, source: str) -> None:
        """Ids come from a small pool, so that many arrive twice, also long after their crisis ended."""
        id = f"{patient}/{flag}"
        evidence = Evidence.model_validate(
            {"id": id, "source": source, "severity": severity, "reason": "crisis_flag", "at": self.now}
        )
        report = Report(patient, CLINIC, "cln_r05", evidence)
        taken = crisis.open_or_join(
            self.histories.get(patient), self.open_crisis(patient), report, DESK, self.now
        )
        assert (taken is None) == (id in self.accepted)
        if taken is not None:
            self.accepted.add(id)
            self.histories[patient] = taken[0]
            self.keep(taken[1])

    @rule(patient=patients, by=st.sampled_from(["cln_r01", "cln_r02"]))
    def acknowledge(self, patient: str, by: str) -> None:
        if (alert := self.open_crisis(patient)) is not None:
            out = acknowledge(alert, by, DESK, self.now)
            self.keep(out)
            if out.events:
                pages = [d for d in self.deliveries if alert.id in d.alert_ids]
                assert all(why_not(page, [out.alert]) == "acknowledged" for page in pages)

    @rule(patient=patients, contact_made=st.booleans())
    def assess(self, patient: str, contact_made: bool) -> None:
        if (alert := self.open_crisis(patient)) is not None:
            self.keep(assess(alert, assessment(self.now, contact_made=contact_made), DESK, self.now))

    @rule(patient=patients)
    def hand_over(self, patient: str) -> None:
        alert, to = self.open_crisis(patient), DESK.contact("con_r03")
        if alert is not None and alert.state != "open" and to is not None:
            self.keep(hand_over(alert, "cln_r01", to, DESK, self.now))

    @rule(patient=patients)
    def resolve(self, patient: str) -> None:
        alert = self.open_crisis(patient)
        if alert is not None and alert.state == "assessed":
            self.keep(resolve(alert, "cln_r01", disposition(self.now), self.now))
            self.histories[patient] = crisis.ended(self.histories[patient], alert, self.now)

    @rule(ahead=st.sampled_from([0, 1, 4, 5, 6, 30, 61, 600, 6000]))
    def time_passes(self, ahead: int) -> None:
        self.now += minutes(ahead)

    @rule()
    def tick(self) -> None:
        for alert in list(self.alerts.values()):
            out = when_due(alert, DESK, self.now)
            self.keep(out)
            assert when_due(out.alert, DESK, self.now).alert == out.alert, "what fired does not fire again"

    @precondition(lambda self: self.alerts)
    @rule(exact=st.booleans())
    def long_silence(self, exact: bool) -> None:
        """Nobody does anything: every crisis that nobody assessed reaches everyone."""
        silent_since = len(self.deliveries)
        for _ in range(60 if exact else 0):
            dues = [alert.next_due for alert in self.alerts.values() if alert.next_due is not None]
            self.now = max([self.now, min(dues, default=self.now)])
            self.tick()
        for _ in range(2):  # in the first a lease may end, in the second what it reopened goes its way
            self.now += LONG_SILENCE
            self.tick()
        for alert in self.alerts.values():
            told = {d.contact_id for d in self.deliveries[silent_since:] if alert.id in d.alert_ids}
            assert alert.state != "acknowledged", "a lease does not outlast a silence"
            if alert.state == "open":
                assert told >= EVERYONE
            if alert.state == "assessed":
                assert told, "assessed and unresolved is mentioned again"

    @invariant()
    def no_flag_is_lost_and_each_is_in_exactly_one_crisis(self) -> None:
        found = [evidence.id for alert in self.alerts.values() for evidence in alert.evidence]
        assert sorted(found) == sorted(self.accepted)

    @invariant()
    def never_two_open_crises_for_one_person(self) -> None:
        live = [alert.patient_id for alert in self.alerts.values() if alert.live]
        assert len(live) == len(set(live))
        assert {h.id for h in self.histories.values() if h.open is not None} == set(live)

    @invariant()
    def what_is_not_resolved_has_a_next_moment(self) -> None:
        assert all(alert.waiting for alert in self.alerts.values() if alert.live)
        assert not any(alert.waiting for alert in self.alerts.values() if not alert.live)

    @invariant()
    def every_delivery_was_decided_once_and_under_an_id_of_its_own(self) -> None:
        decided = sum(d.deliveries for alert in self.alerts.values() for d in alert.decisions)
        assert decided == len(self.deliveries) == len({delivery.id for delivery in self.deliveries})

    @invariant()
    def every_obligation_is_on_the_books_and_ends(self) -> None:
        for alert in self.alerts.values():
            owed = sum(d.times for d in alert.decisions if d.what == "oblige")
            assert owed == len(alert.obligations)
            still_open = [obligation for obligation in alert.obligations if obligation.state == "open"]
            assert alert.live or not still_open
            assert len({obligation.kind for obligation in still_open}) == len(still_open)

    @invariant()
    def every_breach_was_announced(self) -> None:
        for alert in self.alerts.values():
            breaches = {o.ended_at for o in alert.obligations if o.state == "breached"}
            events = [event for event in self.announced if event.alert_id == alert.id]
            assert breaches <= {at for event in events if (at := tells_of_breach(event)) is not None}


TestCrises = Crises.TestCase
TestCrises.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
