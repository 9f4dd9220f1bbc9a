"""Settings and wiring of the scheduler: the only place where things are built."""

from datetime import datetime

from services.scheduler import books, events
from services.scheduler.api import routers
from services.scheduler.configured import Alignment, read_clinics
from services.scheduler.domain import rules
from services.scheduler.domain.wall_time import zones
from services.scheduler.share import Share
from services.scheduler.store import COLLECTIONS, INDEXES, SchedulerWork
from services.scheduler.subscribers import PLANS
from services.scheduler.tickers import Announcing, Rechecking
from shared.clock import clock as clock_of
from shared.http.commands import Commands
from shared.messaging.announced import announced
from shared.service import Service, Subscription, open_database
from shared.settings import Settings

NAME = "scheduler"
PLANS_AT_ONCE = 50
"""Each plan becomes a course of some fifty announcements and its appointments: about 300 kB in memory."""


def build(settings: Settings) -> Service:
    """Raises `NoZonesError` without a time zone database and `ValidationError` for an invalid data file."""
    zones()
    rules.announcements()
    rules.course()
    clinics = read_clinics(settings.clinics_file)
    clock = clock_of(settings.clock_file)
    database = open_database(settings, NAME)

    def open_work_at(now: datetime) -> SchedulerWork:
        return SchedulerWork(database, clinics, now=now)

    def open_work() -> SchedulerWork:
        return open_work_at(clock.now())

    share = Share(database, settings.instance)
    return Service(
        name=NAME,
        title="Appointments and what is due",
        settings=settings,
        database=database,
        clock=clock,
        open_work=open_work,
        subscriptions=[Subscription(name="plans", reactions=PLANS, records=PLANS_AT_ONCE)],
        routers=routers(Commands(database, open_work), clinics),
        indexes=INDEXES,
        collections=COLLECTIONS,
        events=announced(NAME, events),
        tickers=[Announcing(database, open_work_at, share), Rechecking(database, open_work_at)],
        books=lambda: books.books(database, clock.now()),
        background=[Alignment(database, clinics, open_work).run],
    )
