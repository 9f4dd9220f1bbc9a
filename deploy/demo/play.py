"""Plays whole courses of care in stepped time: referrals, sixteen weeks or more, three months after that."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta

from deploy.demo.clinic import ROUND_HOURS, Clinic, together, working_days
from deploy.demo.life import Life

START = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
"""A Monday, 07:00 in New York."""

REFERRAL_HOURS = (14, 15, 16, 18, 19)
"""UTC: when people are referred on a day."""

STOPS = ((12, 0), (13, 0), (14, 0), (16, 30), ROUND_HOURS)
"""UTC: clock stops at which the day's routine timers fire in groups: late, but not expired."""

NEAR = timedelta(minutes=90)
"""While a crisis is being handled, the clock stops exactly at due moments nearer than this."""

Watch = Callable[[datetime, int], Awaitable[None]]
"""Called after each day with the instant and the number of days played."""


async def play(clinic: Clinic, lives: Sequence[Life], *, weeks: int, watch: Watch) -> None:
    """Play until `weeks` are over and everything has settled. Raises `Unsettled`."""
    end = clinic.time.now + timedelta(weeks=weeks)
    _plan_referrals(clinic, lives)
    _plan_rounds(clinic, end)
    day = clinic.time.now.date()
    while clinic.time.now < end:
        await clinic.time.advance(_next_moment(clinic, end))
        while actions := clinic.agenda.take(clinic.time.now):
            await together(action() for action in actions)
            await clinic.time.settle_writes()
        if clinic.time.now.date() != day:
            day = clinic.time.now.date()
            await watch(clinic.time.now, (day - (end - timedelta(weeks=weeks)).date()).days)
    await watch(clinic.time.now, weeks * 7)


def _next_moment(clinic: Clinic, end: datetime) -> datetime:
    """The next moment at which a person acts or a timer is due."""
    now = clinic.time.now
    moments = [end]
    if (act := clinic.agenda.next) is not None:
        moments.append(act)
    near = NEAR if clinic.crises_under_way else timedelta(0)
    for due in clinic.time.due:
        moments.append(due if due - now < near else next_stop(due))
    return max(now, min(moments))


def next_stop(moment: datetime) -> datetime:
    """The moment itself if it is a stop, else the next stop; after the day's last, tomorrow's first."""
    day = moment.replace(minute=0, second=0, microsecond=0)
    for hour, minute in STOPS:
        if (stop := day.replace(hour=hour, minute=minute)) >= moment:
            return stop
    hour, minute = STOPS[0]
    return day.replace(hour=hour, minute=minute) + timedelta(days=1)


def _plan_referrals(clinic: Clinic, lives: Sequence[Life]) -> None:
    """Schedule at most one referral per clinician at a time, so that slots are assigned in a fixed order."""
    waiting = list(lives)
    rounds: list[list[Life]] = []
    while waiting:
        taken: dict[str, Life] = {}
        for life in waiting:
            taken.setdefault(life.clinician, life)
        rounds.append(list(taken.values()))
        chosen = {life.person.number for life in taken.values()}
        waiting = [life for life in waiting if life.person.number not in chosen]
    days = working_days(clinic.time.now.date(), len(rounds) // len(REFERRAL_HOURS) + 1)
    moments = [
        datetime(day.year, day.month, day.day, hour, tzinfo=UTC) for day in days for hour in REFERRAL_HOURS
    ]
    for moment, group in zip(moments, rounds, strict=False):
        clinic.agenda.put(moment, lambda group=group: together(clinic.refer(life) for life in group))  # type: ignore[misc]


def _plan_rounds(clinic: Clinic, end: datetime) -> None:
    hour, minute = ROUND_HOURS
    for day in working_days(clinic.time.now.date(), (end - clinic.time.now).days):
        moment = datetime(day.year, day.month, day.day, hour, minute, tzinfo=UTC)
        if moment < end:
            clinic.agenda.put(moment, clinic.round)
