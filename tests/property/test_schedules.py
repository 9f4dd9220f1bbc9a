"""Schedules under any order of facts: nothing is dropped, doubled or announced twice."""

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.scheduler import inbound
from services.scheduler.bookings import DiaryNotReadError, Unread
from services.scheduler.domain import course, moving, timers
from services.scheduler.domain.clinics import Leave
from services.scheduler.domain.diary import Diary
from services.scheduler.domain.schedule import Schedule, Timer
from services.scheduler.domain.timers import OF_A_SESSION
from services.scheduler.events import DUE, DueEvent
from services.scheduler.handlers import PlanNotStartedError
from services.scheduler.store import SchedulerWork
from services.scheduler.subscribers import PLANS as REACTIONS
from shared.errors import Refused
from tests.unit.scheduler.builders import clinic, clinics, course_of

START = datetime(2026, 3, 2, 15, 30, tzinfo=UTC)
CLINICIAN = "cln_r01"
NAMES = ("one", "two", "three")
REACT: dict[str, Callable[[Any, Any], None]] = {model.__name__: react for model, react in REACTIONS}


class Desk(SchedulerWork):
    """All schedules in memory; the diary is what stands in them."""

    place = 0  # type: ignore[assignment] # set by whoever tells, for there are no messages

    def __init__(self) -> None:
        super().__init__(None, clinics(), now=START)  # type: ignore[arg-type]
        self.leave: list[Leave] = []

    def hear(self, fact: inbound.PlanFact, place: int) -> None:
        self.place = place
        REACT[type(fact).__name__](fact, self)

    def diary(self, clinic_id: str, clinician_id: str) -> Diary:
        return Diary(self.clinics[clinic_id], tuple(self.leave), self.standing())

    def standing(self) -> set[datetime]:
        return {a.starts_at for schedule in self.schedules for a in schedule.booked()}


class World:
    """Plans as care_plan would tell of them, in order and out of it, and people who move things."""

    def __init__(self) -> None:
        self.desk = Desk()
        self.told: list[tuple[inbound.PlanFact, int]] = []
        """With the place of each in its plan's stream."""
        self.met: list[tuple[Schedule | None, datetime]] = []
        """For each that was told: the plan's schedule just before, and when."""
        self.attended = dict.fromkeys(NAMES, 0)
        self.refusals: set[str] = set()

    def about(self, plan: str) -> dict[str, Any]:
        return {"patient_id": f"pat_{plan}", "clinic_id": "riverside", "plan_id": plan}

    def tell(self, fact: inbound.PlanFact) -> None:
        before = sum(earlier.plan_id == fact.plan_id for earlier, _ in self.told)
        self.told.append((fact, before + 1))
        self.met.append((self.desk.schedules.get(fact.plan_id), self.desk.now))
        self.hear(*self.told[-1])

    def hear(self, fact: inbound.PlanFact, place: int) -> None:
        with suppress(PlanNotStartedError):
            self.desk.hear(fact, place)

    def start(self, plan: str, sessions: int) -> None:
        self.tell(
            inbound.CarePlanStarted(
                **self.about(plan),
                clinician_id=CLINICIAN,
                sessions=sessions,
                termination_sessions=2,
                started_at=self.desk.now,
            )
        )

    def record(self, plan: str, which: int, outcome: str) -> None:
        """One of the plan's appointments (or one nobody knows) was attended, missed or cancelled."""
        schedule = self.desk.schedules.get(plan)
        ids = [a.id for a in schedule.appointments] if schedule else []
        id = ids[which % len(ids)] if ids and which % 11 else "elsewhere"
        if outcome == "missed":
            self.tell(inbound.SessionMissed(**self.about(plan), appointment_id=id))
        elif outcome == "cancelled":
            self.tell(inbound.SessionCancelled(**self.about(plan), appointment_id=id))
        else:
            sessions = schedule.sessions if schedule and schedule.sessions else 6
            self.attended[plan] = min(self.attended[plan] + 1, sessions)
            self.tell(
                inbound.SessionAttended(
                    **self.about(plan),
                    appointment_id=id,
                    attended=self.attended[plan],
                    sessions=sessions,
                    phase="middle",
                )
            )

    def record_next(self, plan: str, outcome: str) -> None:
        """The first booked session of the plan has an outcome."""
        schedule = self.desk.schedules.get(plan)
        booked = schedule.booked() if schedule else []
        if schedule and booked:
            index = [a.id for a in schedule.appointments].index(booked[0].id)
            self.record(plan, index if index % 11 else index + 11 * len(schedule.appointments), outcome)

    def repeat(self, which: int) -> None:
        """Something told before comes again, however long ago it was."""
        if self.told:
            self.hear(*self.told[which % len(self.told)])

    def revise(self, plan: str, sessions: int) -> None:
        self.tell(inbound.ContractRevised(**self.about(plan), sessions=sessions, termination_sessions=2))

    def hold(self, plan: str, days: int) -> None:
        review_on = (self.desk.now + timedelta(days=days)).date()
        self.tell(inbound.CarePlanHeld(**self.about(plan), held_at=self.desk.now, review_on=review_on))

    def resume(self, plan: str) -> None:
        self.tell(inbound.CarePlanResumed(**self.about(plan), resumed_at=self.desk.now))

    def enter(self, plan: str, phase: str) -> None:
        self.tell(inbound.PhaseEntered(**self.about(plan), phase=phase, entered_at=self.desk.now))

    def maintain(self, plan: str, days: int) -> None:
        today = self.desk.now.date()
        self.tell(
            inbound.MaintenanceContracted(
                **self.about(plan),
                frequency="twice_monthly",
                first_on_or_after=today,
                review_on=today + timedelta(days=days * 5),
            )
        )

    def close(self, plan: str) -> None:
        self.tell(inbound.CarePlanClosed(**self.about(plan), clinician_id=CLINICIAN, closed_at=self.desk.now))

    def move(self, plan: str, which: int, hours: int) -> None:
        self.ask(plan, which, lambda s, id, diary, now: moving.move_as_asked(
            s, id, s.appointment(id).local + timedelta(hours=hours), diary, now)[:2])  # fmt: skip

    def there_and_back(self, plan: str, which: int, hours: int) -> None:
        self.move(plan, which, hours)
        self.move(plan, which, -hours)
        self.tick(0)

    def call_off(self, plan: str, which: int) -> None:
        self.ask(plan, which, lambda s, id, d, now: moving.cancel_as_asked(s, id, "patient_asked", d, now))

    def ask(self, plan: str, which: int, decide: Callable[..., Any]) -> None:
        schedule = self.desk.schedules.get(plan)
        if schedule is None or not schedule.appointments:
            return
        id = schedule.appointments[which % len(schedule.appointments)].id
        try:
            self.desk.keep(*decide(schedule, id, self.desk.diary_of(schedule), self.desk.now))
        except Refused as refused:
            self.refusals.add(refused.reason)

    def leave(self, days: int) -> None:
        first = (self.desk.now + timedelta(days=days)).date()
        self.desk.leave.append(Leave(first=first, last=first + timedelta(days=2)))
        for schedule in list(self.desk.schedules):
            self.desk.keep(
                *moving.make_way(schedule, self.desk.leave, self.desk.diary_of(schedule), self.desk.now)
            )

    def tick(self, hours: int) -> None:
        self.desk.now += timedelta(hours=hours)
        for schedule in list(self.desk.schedules):
            self.desk.keep(*timers.due(schedule, self.desk.now))
        for schedule in list(self.desk.schedules):
            if course.has_run_dry(schedule):
                self.desk.keep(*course.go_on(schedule, self.desk.diary_of(schedule), self.desk.now))


PLAN = st.sampled_from(NAMES)
OUTCOME = st.sampled_from(["attended", "attended", "missed", "cancelled"])
SMALL = st.integers(1, 60)

STEP = st.one_of(
    st.tuples(st.just("start"), PLAN, st.integers(2, 16)),
    st.tuples(st.just("record"), PLAN, SMALL, OUTCOME),
    st.tuples(st.just("record_next"), PLAN, OUTCOME),
    st.tuples(st.just("record_next"), PLAN, OUTCOME),
    st.tuples(st.just("repeat"), SMALL),
    st.tuples(st.just("revise"), PLAN, st.integers(2, 18)),
    st.tuples(st.just("hold"), PLAN, SMALL),
    st.tuples(st.just("resume"), PLAN),
    st.tuples(st.just("enter"), PLAN, st.sampled_from(["middle", "termination", "ended", "maintenance"])),
    st.tuples(st.just("maintain"), PLAN, SMALL),
    st.tuples(st.just("close"), PLAN),
    st.tuples(st.just("move"), PLAN, SMALL, st.integers(-30, 30)),
    st.tuples(st.just("there_and_back"), PLAN, SMALL, st.sampled_from([1, -1, 24, 48, -24])),
    st.tuples(st.just("call_off"), PLAN, SMALL),
    st.tuples(st.just("leave"), SMALL),
    st.tuples(st.just("tick"), st.integers(0, 400)),
    st.tuples(st.just("tick"), st.integers(0, 48)),
)


def played(steps: list[tuple[Any, ...]]) -> World:
    world = World()
    world.start("one", 6)
    for name, *arguments in steps:
        getattr(world, name)(*arguments)
        nobody_is_booked_twice(world)
        n_can_still_be_attended(world)
    return world


def nobody_is_booked_twice(world: World) -> None:
    booked = [a.starts_at for schedule in world.desk.schedules for a in schedule.booked()]
    assert len(booked) == len(set(booked))


def n_can_still_be_attended(world: World) -> None:
    for schedule in world.desk.schedules:
        if schedule.is_closed or schedule.hold or schedule.phase in ("ended", "maintenance"):
            continue
        booked = schedule.booked("acute")
        assert len(booked) >= schedule.sessions - schedule.attended
        if schedule.attended < schedule.sessions:
            assert any(not a.is_overdue for a in booked)


def everything_has_an_end(schedule: Schedule) -> None:
    for appointment in schedule.appointments:
        assert (appointment.state == "cancelled") == (appointment.reason is not None)
        of_this_start = {t.kind for t in appointment.timers if t.session_at == appointment.starts_at}
        assert of_this_start == set(OF_A_SESSION[appointment.kind])
        if appointment.state != "booked":
            assert all(t.state != "armed" for t in appointment.timers)
    for timer in (*schedule.timers, *(t for a in schedule.appointments for t in a.timers)):
        assert (timer.state in ("skipped", "withdrawn")) == (
            timer.reason is not None and timer.state != "fired"
        )
    assert not asked_in_vain(schedule)


def asked_in_vain(schedule: Schedule) -> list[Timer]:
    """What still asks for something that was done since, or is moot."""
    over = [t for a in schedule.appointments if not a.is_booked for t in a.timers]
    moot = {"HoldReviewDue": schedule.hold is None}
    over += [t for t in schedule.timers if moot.get(t.kind, schedule.is_closed)]
    return [t for t in over if t.is_asking]


@settings(deadline=None, max_examples=150)
@given(st.lists(STEP, max_size=40))
def test_whatever_comes_in_whatever_order_n_can_be_attended_and_nothing_is_dropped(
    steps: list[tuple[Any, ...]],
) -> None:
    world = played(steps)
    for schedule in world.desk.schedules:
        everything_has_an_end(schedule)
    assert "no_free_slot" not in world.refusals


@settings(deadline=None, max_examples=100)
@given(st.lists(STEP, max_size=40))
def test_every_event_is_announced_once_and_the_books_balance(steps: list[tuple[Any, ...]]) -> None:
    world = played(steps)
    announced = world.desk.announced
    ids = [envelope.id for envelope in announced]
    assert len(ids) == len(set(ids))
    schedules = list(world.desk.schedules)
    appointments = [a for schedule in schedules for a in schedule.appointments]
    kept = [t for s in schedules for t in (*s.timers, *(t for a in s.appointments for t in a.timers))]
    count = {kind: sum(e.type == kind for e in announced) for kind in {e.type for e in announced}}
    due = sum(count.get(event.__name__, 0) for event in DUE)
    assert count.get("SessionScheduled", 0) == len(appointments)
    assert sum(t.state == "fired" for t in kept) == due
    assert sum(t.state == "skipped" for t in kept) == count.get("AnnouncementSkipped", 0)
    assert sum(t.state == "fired" and t.reason is not None for t in kept) == count.get(
        "AnnouncementSettled", 0
    )


@settings(deadline=None, max_examples=100)
@given(st.lists(STEP, max_size=30))
def test_what_may_not_book_never_looks_into_the_diary(steps: list[tuple[Any, ...]]) -> None:
    """`course.may_book` decides which diaries are read; where it says no, none must be needed."""
    world = played(steps)
    for (fact, place), (schedule, now) in zip(world.told, world.met, strict=True):
        if schedule is None or isinstance(fact, inbound.CarePlanStarted) or course.may_book(schedule, fact):
            continue
        unread = Desk()
        unread.now = now
        unread.schedules.save(schedule)
        unread.diary = lambda *_: Diary(clinic(), (), Unread())  # type: ignore[method-assign]
        unread.hear(fact, place)


DECISION = st.one_of(
    st.tuples(st.just("revise"), st.just("one"), st.integers(2, 18)),
    st.tuples(st.just("enter"), st.just("one"), st.sampled_from(["middle", "termination", "ended"])),
    st.tuples(st.just("hold"), st.just("one"), SMALL),
    st.tuples(st.just("resume"), st.just("one")),
    st.tuples(st.just("maintain"), st.just("one"), SMALL),
    st.tuples(st.just("record"), st.just("one"), st.just(11), st.just("attended")),
)


@settings(deadline=None, max_examples=50)
@given(st.lists(DECISION, min_size=2, max_size=10), st.data())
def test_decisions_that_are_replayed_in_any_order_end_in_the_same_course(
    steps: list[tuple[Any, ...]], data: st.DataObject
) -> None:
    world = played(steps)
    replayed = World()
    replayed.start("one", 6)
    for fact, place in data.draw(st.permutations(world.told[1:])):
        replayed.hear(fact, place)
    assert essence(replayed.desk.schedules["one"]) == essence(world.desk.schedules["one"])


def essence(schedule: Schedule) -> dict[str, Any]:
    """What was agreed, and how many sessions are to come of each kind."""
    agreed = ("sessions", "termination_sessions", "attended", "phase", "hold", "maintenance")
    kinds = {kind: len(schedule.booked(kind)) for kind in OF_A_SESSION}
    return {name: getattr(schedule, name) for name in agreed} | kinds


ZONES = ["America/Halifax", "America/Chicago", "America/Los_Angeles", "Asia/Kolkata", "Pacific/Auckland"]


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(ZONES), st.integers(0, 24 * 30), st.sets(st.integers(0, 24 * 40), max_size=40))
def test_whatever_zone_a_clinic_gets_nobody_is_booked_twice_or_into_the_past(
    zone: str, hours: int, others: set[int]
) -> None:
    now = START + timedelta(hours=hours)
    schedules = [course_of(4), course_of(4, diary=Diary(clinic(), (), instants(course_of(4))))]
    standing = {START.replace(minute=0) + timedelta(hours=number) for number in others}
    staying = standing - instants(*schedules)
    moved = moving.keep_wall_times(
        schedules, Diary(clinic(zone=zone), (), staying | instants(*schedules)), now
    )
    assert len(instants(*(schedule for schedule, _ in moved))) == 8
    for before, appointment in zip(
        [a for s in schedules for a in s.appointments],
        [a for s, _ in moved for a in s.appointments],
        strict=True,
    ):
        if before.starts_at <= now:
            assert appointment == before
        else:
            assert appointment.zone == zone
            assert appointment.starts_at > now
            assert appointment.starts_at not in staying


def instants(*schedules: Schedule) -> set[datetime]:
    return {a.starts_at for schedule in schedules for a in schedule.booked()}


@settings(deadline=None, max_examples=60)
@given(st.integers(2, 16), st.lists(st.integers(1, 59), min_size=1, max_size=40))
def test_a_tick_each_minute_or_each_hour_announces_the_same(sessions: int, minutes: list[int]) -> None:
    """Within the late policies the granularity of ticking changes nothing."""
    schedule = course_of(sessions)
    assert ticked(schedule, minutes) == ticked(schedule, [59])


@settings(deadline=None, max_examples=60)
@given(st.integers(2, 16), st.lists(st.integers(1, 5000), min_size=1, max_size=20))
def test_however_coarse_the_ticks_each_announcement_is_made_or_skipped_aloud(
    sessions: int, hours: list[int]
) -> None:
    schedule = course_of(sessions)
    fine, coarse = ticked(schedule, [59]), ticked(schedule, [hour * 60 for hour in hours])
    assert {about(event) for event in coarse} == {about(event) for event in fine}
    assert len(coarse) == len(fine)
    assert all(event.due_at <= START + timedelta(weeks=sessions + 10) for event in coarse)


def ticked(schedule: Schedule, minutes: list[int]) -> list[DueEvent]:
    """Everything announced until the course is over, ticking in steps of so many minutes, in turn."""
    now, end, step = START, START + timedelta(weeks=schedule.sessions + 10), 0
    events: list[DueEvent] = []
    while now < end:
        due = schedule.next_due
        pace = timedelta(minutes=minutes[step % len(minutes)])
        if due is not None and due > now + 10 * pace:
            now += pace * ((due - now) // pace)
        now, step = min(now + pace, end), step + 1
        schedule, told = timers.due(schedule, now)
        events += told
    return [event.model_copy(update={"late_by_seconds": 0}) for event in events]


def about(event: DueEvent) -> tuple[Any, ...]:
    kind = getattr(event, "skipped", type(event).__name__)
    return (kind, getattr(event, "appointment_id", None), event.due_at)


def test_a_diary_nobody_read_says_so() -> None:
    with pytest.raises(DiaryNotReadError):
        assert START in Unread()
