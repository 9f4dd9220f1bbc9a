"""Settings and wiring of care_plan: the only place where things are built."""

from services.care_plan import events
from services.care_plan.api import routers
from services.care_plan.books import books
from services.care_plan.store import COLLECTIONS, INDEXES, MIGRATION, CarePlanWork
from services.care_plan.subscribers import PLANS
from shared.clock import clock as clock_of
from shared.http.commands import Commands
from shared.messaging.announced import announced
from shared.service import Service, Subscription, open_database
from shared.settings import Settings

NAME = "care_plan"


def build(settings: Settings) -> Service:
    database = open_database(settings, NAME)
    clock = clock_of(settings.clock_file)

    def open_work() -> CarePlanWork:
        return CarePlanWork(database, now=clock.now())

    return Service(
        name=NAME,
        title="Care plans",
        settings=settings,
        database=database,
        clock=clock,
        open_work=open_work,
        subscriptions=[Subscription(name="plans", reactions=PLANS, concurrency=3)],
        routers=routers(Commands(database, open_work)),
        indexes=INDEXES,
        collections=COLLECTIONS,
        migrations=[MIGRATION],
        events=announced(NAME, events),
        tickers=[],
        books=lambda: books(database),
    )
