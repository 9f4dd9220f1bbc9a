"""A clinic's week as it is drawn: who sees whom when, which slots are free, why a day is closed. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Literal, get_args

from services.dashboard.calendar.hours import Away, ClinicHours

State = Literal["planned", "attended", "missed", "cancelled", "unrecorded"]
STATES: tuple[State, ...] = get_args(State)
ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Entry:
    """One appointment: `starts_at` UTC, `local` the wall time it was promised for."""

    id: str
    patient_id: str
    clinician_id: str
    number: int
    sessions: int
    kind: str
    starts_at: datetime
    local: datetime
    minutes: int
    status: str
    moved: str | None = None
    overdue: bool = False

    @property
    def ends_at(self) -> datetime:
        return self.starts_at + timedelta(minutes=self.minutes)

    @property
    def ends(self) -> datetime:
        """The wall time at which it ends."""
        return self.local + timedelta(minutes=self.minutes)

    @property
    def title(self) -> str:
        """`Session 5 of 16`: names no person."""
        if self.kind == "maintenance":
            return f"Maintenance session {self.number}"
        return f"Session {self.number} of {self.sessions}" if self.sessions else f"Session {self.number}"

    def state(self, now: datetime) -> State:
        """`unrecorded`: its time is past and nobody recorded what happened."""
        match self.status:
            case "attended" | "missed" | "cancelled":
                return self.status
            case _:
                return "unrecorded" if self.overdue or self.ends_at <= now else "planned"


@dataclass(frozen=True, slots=True)
class Lane:
    """One clinician's day. `free`: future slots without a session."""

    clinician_id: str
    day: date
    entries: tuple[Entry, ...]
    free: tuple[time, ...]
    closed: Literal["weekend", "holiday", "leave"] | None
    note: str
    """Why it is closed, in words."""
    counts: dict[State, int]

    @property
    def kept(self) -> int:
        """Number of sessions, whatever their outcome, without cancelled ones."""
        return sum(count for state, count in self.counts.items() if state != "cancelled")


@dataclass(frozen=True, slots=True)
class Cell:
    entries: tuple[Entry, ...]
    free: bool
    closed: bool


def lane(
    clinic: ClinicHours,
    clinician_id: str,
    day: date,
    entries: Iterable[Entry],
    leave: Sequence[Away],
    now: datetime,
) -> Lane:
    """`entries` and `leave` must be that clinician's; those of other days are ignored."""
    mine = tuple(sorted((e for e in entries if e.local.date() == day), key=lambda e: (e.local, e.id)))
    closed, note = _closed(clinic, day, leave)
    states = [entry.state(now) for entry in mine]
    counts = {state: states.count(state) for state in STATES}
    free = () if closed else _free(clinic, day, mine, clinic.local(now))
    return Lane(clinician_id, day, mine, free, closed, note, counts)


def _closed(
    clinic: ClinicHours, day: date, leave: Sequence[Away]
) -> tuple[Literal["weekend", "holiday", "leave"] | None, str]:
    if not clinic.works_on(day):
        return "weekend", "Closed"
    if (holiday := clinic.holiday(day)) is not None:
        return "holiday", holiday
    if any(away.covers(day) for away in leave):
        return "leave", "Leave"
    return None, ""


def _free(clinic: ClinicHours, day: date, entries: Sequence[Entry], now: datetime) -> tuple[time, ...]:
    """Future slots that no session overlaps; a cancelled session frees its slot."""
    standing = [entry for entry in entries if entry.status != "cancelled"]
    slot = timedelta(minutes=clinic.slot_minutes)
    starts = (datetime.combine(day, at) for at in clinic.slot_times)
    return tuple(
        start.time()
        for start in starts
        if start > now and not any(e.local < start + slot and start < e.ends for e in standing)
    )


def grid(clinic: ClinicHours, lanes: Sequence[Lane]) -> list[tuple[time, list[Cell]]]:
    """Rows by the clinic's slots, with extra rows for sessions outside its hours."""
    times = sorted({*clinic.slot_times, *_outside(clinic, lanes)})
    rows = []
    for place, start in enumerate(times):
        end = times[place + 1] if place + 1 < len(times) else time.max
        rows.append((start, [_cell(one, start, end, clinic) for one in lanes]))
    return rows


def _outside(clinic: ClinicHours, lanes: Sequence[Lane]) -> set[time]:
    """The full hours of sessions that start before opening time, or at or after closing time."""
    starts = {entry.local.time() for one in lanes for entry in one.entries}
    return {
        at.replace(minute=0, second=0, microsecond=0)
        for at in starts
        if at < clinic.hours.opens or at >= clinic.hours.closes
    }


def _cell(one: Lane, start: time, end: time, clinic: ClinicHours) -> Cell:
    entries = tuple(e for e in one.entries if start <= e.local.time() < end)
    open_hour = clinic.hours.opens <= start < clinic.hours.closes
    return Cell(entries, start in one.free, one.closed is not None or not open_hour)


def week_of(day: date) -> str:
    """`2026-W22`."""
    year, week, _ = day.isocalendar()
    return f"{year}-W{week:02d}"


def monday_of(week: str) -> date:
    """Monday of an ISO week. Raises `ValueError` if `week` is not one."""
    year, separator, number = week.partition("-W")
    if not separator or len(number) != 2:
        raise ValueError(week)
    return date.fromisocalendar(int(year), int(number), 1)


def days_shown(clinic: ClinicHours, monday: date, entries: Iterable[Entry]) -> list[date]:
    """The clinic's working days, and any other day that has a session."""
    busy = {entry.local.date() for entry in entries if entry.status != "cancelled"}
    days = [monday + number * ONE_DAY for number in range(7)]
    return [day for day in days if clinic.works_on(day) or day in busy]
