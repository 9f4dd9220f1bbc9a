"""Maintenance: less frequent sessions after the course, until the contract's review (Frank 2007)."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta

from services.scheduler.domain import timers
from services.scheduler.domain.booking import CALLED_OFF, Decision, book_on, cancel_all
from services.scheduler.domain.diary import Diary
from services.scheduler.domain.rules import course
from services.scheduler.domain.schedule import Maintenance, Schedule
from services.scheduler.events import MoveReason, ScheduleEvent
from services.scheduler.inbound import MaintenanceContracted
from shared.errors import Refused

FARTHEST = timedelta(days=3 * 366)
"""Nothing is booked further ahead. care_plan refuses such reviews, but older messages may have one."""


def contract(
    schedule: Schedule, fact: MaintenanceContracted, place: int, diary: Diary, now: datetime
) -> Decision:
    """Book sessions in the contracted rhythm until the review, which is announced on its date.

    clinical.md: maintenance has its own contract; its review is announced. A new contract replaces the
    sessions of the previous one. If only its review moved, the rhythm continues. Today's session takes place.
    `place`: the sequence of the fact's message. Raises `Refused("contracted_since")`.
    """
    if schedule.maintenance is not None and place < schedule.maintenance.place:
        raise Refused("contracted_since")
    schedule, reviews = timers.withdraw_plan_timers(
        schedule, "MaintenanceReviewDue", now=now, reason="contracted"
    )
    agreed = Maintenance(
        frequency=fact.frequency,
        first_on_or_after=fact.first_on_or_after,
        review_on=fact.review_on,
        place=place,
    )
    to_come = [a for a in schedule.booked("maintenance") if diary.today(a.starts_at) > diary.today(now)]
    if _is_prolonged(schedule.maintenance, agreed):
        to_come = [a for a in to_come if a.regular_on > agreed.review_on]
    schedule, events = cancel_all(schedule, to_come, "maintenance_changed", now=now)
    schedule = schedule.revised(maintenance=agreed)
    review_at = timers.moment("MaintenanceReviewDue", fact.review_on, diary.clinic)
    if timers.was_announced(schedule, "MaintenanceReviewDue", review_at):
        review_at = now  # that was for an earlier contract: this one needs its own
    schedule = timers.with_plan_timer(schedule, "MaintenanceReviewDue", review_at)
    schedule, booked = rebook(schedule, diary, now)
    return schedule, [*reviews, *events, *booked]


def rebook(schedule: Schedule, diary: Diary, now: datetime, *, why: Sequence[MoveReason] = ()) -> Decision:
    """Book what the maintenance contract still asks for; nothing without a contract or on hold."""
    events: list[ScheduleEvent] = []
    contracted = schedule.maintenance
    if contracted is None or schedule.hold is not None or schedule.is_closed:
        return schedule, events
    for day in _rhythm(schedule, contracted, diary.today(now)):
        schedule, booked = book_on(schedule, "maintenance", day, diary, now, why=why)
        events += booked
    return schedule, events


def _is_prolonged(before: Maintenance | None, agreed: Maintenance) -> bool:
    """Whether nothing but the review date has changed."""
    if before is None:
        return False
    return (before.frequency, before.first_on_or_after) == (agreed.frequency, agreed.first_on_or_after)


def _rhythm(schedule: Schedule, contracted: Maintenance, today: date) -> Iterator[date]:
    """Days on the regular weekday, from the contracted day on and an interval after the last session.

    A day whose session was called off stays free, as in the acute course.
    """
    interval = timedelta(days=course().maintenance_interval_days[contracted.frequency])
    earliest = max(contracted.first_on_or_after, today + timedelta(days=1))
    booked = [a for a in schedule.appointments if a.kind == "maintenance"]
    kept = [a.regular_on for a in booked if a.state != "cancelled"]
    called_off = {a.regular_on for a in booked if a.state == "cancelled" and a.reason in CALLED_OFF}
    if kept:
        earliest = max(earliest, max(kept) + interval)
    weekday = regular_weekday(schedule)
    day = earliest + timedelta(days=(weekday - earliest.weekday()) % 7)
    while day <= min(contracted.review_on, today + FARTHEST):
        if day not in called_off:
            yield day
        day += interval


def regular_weekday(schedule: Schedule) -> int:
    """The weekday of the first session. Monday is 0."""
    return schedule.appointments[0].regular_on.weekday()
