"""Settings and wiring of care_plan: the only place where things are built."""

from services.care_plan import events
from services.care_plan.api import routers
from services.care_plan.books import books
from services.care_plan.store import COLLECTIONS, INDEXES, CarePlanWork
from services.care_plan.subscribers import PLANS
from shared.clock import Clock, SteppedClock, SystemClock
from shared.http.commands import Commands
from shared.mongo import MongoDatabase
from shared.service import Service, Subscription
from shared.settings import Settings

EVENTS = (
    events.CarePlanStarted,
    events.PhaseEntered,
    events.PhaseOverdue,
    events.FocusSelected,
    events.ContractRevised,
    events.SessionAttended,
    events.SessionMissed,
    events.SessionCancelled,
    events.MeasureRecorded,
    events.ResponseReached,
    events.RemissionReached,
    events.NotImproving,
    events.DeteriorationDetected,
    events.RelapseSignalled,
    events.MaintenanceContracted,
    events.MaintenanceDiscussed,
    events.CarePlanHeld,
    events.CarePlanResumed,
    events.CarePlanClosed,
    events.CrisisFlagRaised,
)


def build(settings: Settings) -> Service:
    database = MongoDatabase(
        settings.mongodb.get_secret_value(),
        settings.database_name("care_plan"),
        driver=settings.mongodb_driver,
    )
    clock: Clock = SteppedClock(settings.clock_file) if settings.clock_file else SystemClock()

    def open_work() -> CarePlanWork:
        return CarePlanWork(database, now=clock.now())

    return Service(
        name="care_plan",
        title="Care plans",
        settings=settings,
        database=database,
        clock=clock,
        open_work=open_work,
        subscriptions=[Subscription(name="plans", reactions=PLANS)],
        routers=routers(Commands(database, open_work)),
        indexes=INDEXES,
        collections=COLLECTIONS,
        events=EVENTS,
        tickers=[],
        books=lambda: books(database),
    )
