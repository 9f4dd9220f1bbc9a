"""Whatever happens to a plan: phases never go back, attendance is what was recorded, order is nothing."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from unittest.mock import Mock

from hypothesis import given, settings
from hypothesis import strategies as st

from services.care_plan import inbound
from services.care_plan.domain import closing, inventory, maintenance, measures, revision, sessions
from services.care_plan.domain.crisis import EXPLICIT, CrisisRegion, raise_flag
from services.care_plan.domain.phases import ORDER, Maintenance
from services.care_plan.domain.plan import Decision, InventoryEntry, Moment, Plan, derived_id, plan_id_of
from services.care_plan.domain.sessions import Attended, Cancelled, Missed
from services.care_plan.events import PhaseEntered, PhaseOverdue, SessionAttended
from services.care_plan.store import CarePlanWork
from services.care_plan.subscribers import PLANS
from shared.errors import Refused
from shared.messaging.event import Event
from tests.unit.care_plan.builders import (
    LATER,
    NOW,
    PREVENTION,
    START,
    attend,
    moment,
    new_plan,
    of,
    phq9,
    prepared,
    protocol,
)

Command = Callable[[Plan, Moment], Decision]

APPOINTMENTS = st.integers(0, 30).map(lambda number: f"apt_{number}")
TOTALS = st.none() | st.integers(0, 24)
RANKS = st.lists(st.none() | st.integers(1, 3), max_size=3)


def recorded(session: sessions.Happening) -> Command:
    return lambda plan, at: sessions.record_session(plan, session, at)


def attended(appointment: str, total: int | None) -> Command:
    answers = None if total is None else phq9(total)
    return recorded(Attended(appointment_id=appointment, phq9=answers))


def listed(ranks: list[int | None]) -> Command:
    entries = [InventoryEntry(text="x", rank=rank) for rank in ranks]
    return lambda plan, at: inventory.record_inventory(plan, entries, at)


def measured(total: int) -> Command:
    return lambda plan, at: measures.take_measures(plan, phq9(total), None, at)


def revised(sessions_agreed: int) -> Command:
    return lambda plan, at: revision.revise_contract(plan, sessions_agreed, "other", at)


def closed(outcome: Any) -> Command:
    return lambda plan, at: closing.close(plan, outcome, "other", None, at)


def ready(plan: Plan, at: Moment) -> Decision:
    """List, rank and complete in one go, so that courses get far."""
    plan, _ = inventory.record_inventory(plan, [InventoryEntry(text="x", rank=1)], at)
    return inventory.complete_inventory(plan, at)


SESSIONS = st.one_of(
    st.builds(attended, APPOINTMENTS, TOTALS),
    APPOINTMENTS.map(lambda id: recorded(Missed(appointment_id=id))),
    APPOINTMENTS.map(lambda id: recorded(Cancelled(appointment_id=id, by="clinic", reason="holiday"))),
)
DECISIONS: st.SearchStrategy[Command] = st.one_of(
    RANKS.map(listed),
    st.just(inventory.complete_inventory),
    st.just(ready),
    st.just(lambda plan, at: inventory.select_focus(plan, ("grief",), at)),
    st.integers(0, 24).map(measured),
    st.integers(4, 22).map(revised),
    st.just(lambda plan, at: maintenance.record_relapse_prevention(plan, PREVENTION, at)),
    st.just(lambda plan, at: revision.hold(plan, "travel", LATER, at)),
    st.just(revision.resume),
    st.just(maintenance.offer_alternative),
    st.just(lambda plan, at: maintenance.contract_maintenance(plan, None, None, LATER, at)),
    st.just(lambda plan, at: maintenance.review_maintenance(plan, "weekly", LATER, at)),
    st.sampled_from(["completed", "withdrawn", "not_started"]).map(closed),
)
HISTORIES = st.lists(
    st.tuples(st.one_of(SESSIONS, SESSIONS, SESSIONS, DECISIONS), st.booleans()), max_size=60
)


def played(plan: Plan, history: list[tuple[Command, bool]]) -> list[tuple[Plan, list[Event]]]:
    """Every state a history leads through; what a rule refuses changes nothing."""
    states = []
    for hour, (command, in_crisis) in enumerate(history):
        at = Moment(now=NOW + timedelta(hours=hour), protocol=protocol(), in_crisis=in_crisis)
        try:
            plan, events = command(plan, at)
        except Refused:
            events = []
        states.append((plan, events))
    return states


@given(st.sampled_from(["ipt-12", "ipt-b", "ipt-16"]), HISTORIES)
@settings(max_examples=300, deadline=None)
def test_phases_never_go_back_and_every_change_is_announced(
    variant: str, history: list[tuple[Command, bool]]
) -> None:
    before = new_plan(variant)
    for plan, events in played(before, history):
        changes = [(event.previous, event.phase) for event in of(PhaseEntered, events)]
        walked = [before.phase.name, *(phase for _, phase in changes)]
        assert [previous for previous, _ in changes] == walked[:-1]
        assert walked[-1] == plan.phase.name
        assert [ORDER.index(phase) for phase in walked] == sorted({ORDER.index(phase) for phase in walked})
        before = plan


@given(HISTORIES)
@settings(max_examples=200, deadline=None)
def test_attendance_never_exceeds_what_was_recorded(history: list[tuple[Command, bool]]) -> None:
    announced = 0
    for plan, events in played(prepared("ipt-b"), history):
        announced += len(of(SessionAttended, events))
        came = [session for session in plan.sessions if session.outcome == "attended"]
        assert len(came) == announced
        assert plan.attended == len([s for s in came if s.phase != "maintenance"])
        assert plan.attended <= plan.contract.sessions
        if isinstance(plan.phase, Maintenance):
            assert plan.phase.attended == len(came) - plan.attended
        assert len({session.appointment_id for session in plan.sessions}) == len(plan.sessions)


@given(HISTORIES)
@settings(max_examples=200, deadline=None)
def test_in_a_crisis_or_on_hold_no_phase_changes_by_itself(history: list[tuple[Command, bool]]) -> None:
    before = prepared("ipt-b")
    for (_, in_crisis), (plan, events) in zip(history, played(before, history), strict=True):
        by_itself = {"middle", "termination", "ended"} & {event.phase for event in of(PhaseEntered, events)}
        assert not (by_itself and (in_crisis or plan.hold is not None))


@given(HISTORIES)
@settings(max_examples=200, deadline=None)
def test_a_phase_is_announced_as_overdue_at_most_once(history: list[tuple[Command, bool]]) -> None:
    overdue = [
        event.phase for _, events in played(new_plan("ipt-b"), history) for event in of(PhaseOverdue, events)
    ]
    assert len(overdue) == len(set(overdue))


# Inbound facts: order within a topic is kept, across topics it is anything.

PERSON = {"patient_id": "pat_1", "clinic_id": "riverside"}
PLAN = plan_id_of("ref_1")


def intake(referral: str) -> inbound.IntakeCompleted:
    return inbound.IntakeCompleted(
        **PERSON,
        referral_id=referral,
        completed_at=START,
        variant="ipt-12",
        sessions=12,
        clinician_id="cln_1",
        phq9_total=14,
        gad7_total=None,
        maintenance_indications=(),
    )


def alert_story(alert_id: str, evidence_id: str, hours: int) -> list[inbound.AlertFact]:
    about = {**PERSON, "alert_id": alert_id, "kind": "crisis"}
    return [
        inbound.AlertRaised(**about, reason="crisis_flag", evidence_id=evidence_id),
        inbound.AlertAcknowledged(**about),
        inbound.AlertAssessed(**about),
        inbound.AlertResolved(**about, resolved_at=NOW + timedelta(hours=hours)),
    ]


DUE: list[inbound.PlanDue] = [
    inbound.CaseReviewDue(**PERSON, plan_id=PLAN, due_at=NOW, week=8),
    inbound.TerminationPhaseDue(**PERSON, plan_id=PLAN, due_at=NOW, attended=8, sessions=12),
    inbound.TerminationPhaseDue(
        **PERSON, plan_id=PLAN, due_at=NOW + timedelta(days=9), attended=9, sessions=14
    ),
]
ALERTS = [*alert_story("al_1", derived_id("flg", PLAN, 1), 1), *alert_story("al_2", "flg_of_another", 2)]
INTAKES = [intake("ref_1"), intake("ref_1"), intake("ref_2"), intake("ref_1")]


def a_work() -> CarePlanWork:
    work = CarePlanWork(Mock(), now=NOW)
    work.crises._asked.add("pat_1")  # as `prefetch` leaves it, where there is nothing yet
    return work


def react(work: CarePlanWork, fact: Any) -> None:
    reactions: dict[type, Any] = dict(PLANS)
    reactions[type(fact)](fact, work)


def story(work: CarePlanWork) -> tuple[Any, ...]:
    """What is there at the end: states, and what was announced about each plan."""
    said: dict[str, list[str]] = {}
    for envelope in work.announced:
        said.setdefault(envelope.subject, []).append(envelope.type)
    told = {subject: sorted(types) for subject, types in said.items()}
    return {plan.id: plan for plan in work.plans}, {region.id: region for region in work.crises}, told


@st.composite
def interleavings(draw: st.DrawFn, *topics: list[Any]) -> list[Any]:
    """All facts, each topic's in its own order."""
    rest = [list(topic) for topic in topics]
    order = []
    while any(rest):
        chosen = draw(st.sampled_from([topic for topic in rest if topic]))
        order.append(chosen.pop(0))
    return order


def play(order: list[Any], prepare: Callable[[CarePlanWork], None]) -> tuple[Any, ...]:
    work = a_work()
    prepare(work)
    for fact in order:
        react(work, fact)
    return story(work)


@given(interleavings(INTAKES, ALERTS))
@settings(max_examples=100, deadline=None)
def test_alerts_may_speak_before_there_is_a_plan(order: list[Any]) -> None:
    assert play(order, lambda work: None) == play([*INTAKES, *ALERTS], lambda work: None)


def near_its_end(work: CarePlanWork) -> None:
    """Everything attended and recorded, and a crisis that holds the ending back."""
    plan, _ = maintenance.record_relapse_prevention(prepared(), PREVENTION, moment())
    plan, _ = attend(plan, 11)
    region = CrisisRegion(id="pat_1", patient_id="pat_1", clinic_id="riverside")
    plan, region, flag = raise_flag(plan, region, EXPLICIT, NOW)
    plan, events = attend(plan, total=8, in_crisis=True)
    work.crises.save(region)
    work.plans.save(plan, [flag, *events])
    work.count_episode("pat_1", 1)


@given(interleavings(INTAKES, DUE, ALERTS))
@settings(max_examples=150, deadline=None)
def test_any_interleaving_of_topics_ends_in_the_same_plan(order: list[Any]) -> None:
    ending = play([*INTAKES, *DUE, *ALERTS], near_its_end)
    assert play(order, near_its_end) == ending
    plans, regions, said = ending
    assert plans[PLAN].phase.name == "ended"
    assert regions["pat_1"].state == "resolved"
    assert said[PLAN].count("NotImproving") == 1


@given(interleavings(INTAKES, DUE, ALERTS), st.integers(1, 3))
@settings(max_examples=50, deadline=None)
def test_facts_that_come_again_change_nothing(order: list[Any], times: int) -> None:
    twice = [fact for fact in order for _ in range(times)]
    assert play(twice, near_its_end) == play(order, near_its_end)
