"""A clinician's diary at a clinic: which slots are open, and the nearest open one to a wished time."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import NamedTuple

from services.scheduler.domain.clinics import ONE_DAY, Clinic, Leave
from services.scheduler.domain.rules import course
from services.scheduler.domain.wall_time import local_of, resolve
from services.scheduler.events import MoveReason
from shared.errors import Refused

WEEK = timedelta(days=7)


class Slot(NamedTuple):
    """An open slot: its instant (UTC) and its wall time (naive)."""

    starts_at: datetime
    local: datetime


@dataclass(frozen=True, slots=True)
class Diary:
    """One clinician's time at a clinic. `taken` holds the instants at which sessions are booked."""

    clinic: Clinic
    leave: tuple[Leave, ...]
    taken: Collection[datetime]

    def closed(self, day: date) -> MoveReason | None:
        """Why nothing can be booked on a day: no clinic day, a public holiday, the clinician's leave."""
        if not self.clinic.works_on(day):
            return "clinic_hours"
        if self.clinic.is_holiday(day):
            return "holiday"
        if any(leave.covers(day) for leave in self.leave):
            return "clinician_leave"
        return None

    def obstacle(self, local: datetime) -> MoveReason | None:
        """Why a session cannot start at a wall time; `None` if it can.

        A wall time that does not exist counts as outside clinic hours: nothing is ever booked into a gap.
        """
        if local.time() not in self.clinic.slot_times():
            return "clinic_hours"
        if (reason := self.closed(local.date())) is not None:
            return reason
        moment = resolve(local, self.clinic.zone)
        if moment.oddity == "gap":
            return "clinic_hours"
        return "double_booking" if moment.starts_at in self.taken else None

    def open_slots(self, day: date) -> Iterator[Slot]:
        """The open slots of a day, in order."""
        if self.closed(day) is not None:
            return
        for clock in self.clinic.slot_times():
            local = datetime.combine(day, clock)
            moment = resolve(local, self.clinic.zone)
            if moment.oddity != "gap" and moment.starts_at not in self.taken:
                yield Slot(moment.starts_at, local)

    def today(self, now: datetime) -> date:
        return local_of(now, self.clinic.zone).date()

    def nearest(self, wished: datetime, *, after: datetime, keep_clear: Collection[date]) -> Slot:
        """The open slot nearest to a wall time: by day, then by hour, the later one on a tie.

        It starts after the instant `after`, keeps its distance from the days in `keep_clear`, and is at most
        a few days earlier than wished (clinical.md: a holiday, leave or double booking moves a session, never
        drops it). Raises `Refused("no_free_slot")` if the diary is full for a year.
        """
        rules = course()
        apart = range(1 - rules.days_between_sessions, rules.days_between_sessions)
        blocked = {day + offset * ONE_DAY for day in keep_clear for offset in apart}
        if wished.date() not in blocked and self.obstacle(wished) is None:
            regular = Slot(resolve(wished, self.clinic.zone).starts_at, wished)
            if regular.starts_at > after:
                return regular
        for day in _outward(wished.date(), rules.earlier_by_at_most_days, rules.search_days):
            if day in blocked:
                continue
            slots = [slot for slot in self.open_slots(day) if slot.starts_at > after]
            if slots:
                return min(slots, key=lambda slot: _distance(slot.local.time(), wished.time()))
        raise Refused("no_free_slot")

    def first(self, *, since: datetime, now: datetime, weeks: int) -> tuple[Slot, tuple[MoveReason, ...]]:
        """The first session's slot, within 48 hours of `since` (clinical.md), else the next clinic day.

        Of the slots that are soon enough, returns the one whose weekday and hour stay open in most of the
        following `weeks`, since it becomes the regular one. Also returns reasons if 48 hours do not suffice.
        """
        rules = course()
        latest = since + rules.first_session_within
        days = _days(self.today(since), self.today(latest))
        soon = [s for day in days for s in self.open_slots(day) if max(since, now) < s.starts_at <= latest]
        if soon:
            noticed = since + rules.first_session_notice
            return self._steadiest([s for s in soon if s.starts_at >= noticed] or soon, weeks), ()
        if now >= latest:
            reasons: tuple[MoveReason, ...] = ("late_start",)
        else:
            found = {self.closed(day) or self._why_full(day) for day in days}
            reasons = tuple(sorted(found))
        for day in _days(self.today(max(latest, now)), None):
            slots = [s for s in self.open_slots(day) if s.starts_at > max(latest, now)]
            if slots:
                return self._steadiest(slots, weeks), reasons
        raise Refused("no_free_slot")

    def _why_full(self, day: date) -> MoveReason:
        """Why an open day had no slot in time: all taken, or its hours lie outside the span."""
        times = self.clinic.slot_times()
        free = any(self.obstacle(datetime.combine(day, clock)) is None for clock in times)
        return "clinic_hours" if free else "double_booking"

    def _steadiest(self, slots: list[Slot], weeks: int) -> Slot:
        """The slot least often taken in the coming weeks; the earliest on a tie."""

        def taken(slot: Slot) -> int:
            moments = (resolve(slot.local + week * WEEK, self.clinic.zone) for week in range(1, weeks))
            return sum(moment.starts_at in self.taken for moment in moments)

        return min(slots, key=lambda slot: (taken(slot), slot.starts_at))


def _distance(found: time, wished: time) -> tuple[int, bool]:
    """Sort key: minutes apart, the later first on a tie."""
    apart = (found.hour * 60 + found.minute) - (wished.hour * 60 + wished.minute)
    return abs(apart), apart < 0


def _outward(middle: date, back: int, ahead: int) -> Iterator[date]:
    """The day itself, then alternately later and earlier, at most `back` days earlier."""
    yield middle
    for distance in range(1, ahead + 1):
        yield middle + distance * ONE_DAY
        if distance <= back:
            yield middle - distance * ONE_DAY


def _days(first: date, last: date | None) -> list[date]:
    """The days from the first to the last. Without a last one, as many days as a diary is searched."""
    count = course().search_days if last is None else (last - first).days + 1
    return [first + number * ONE_DAY for number in range(count)]
