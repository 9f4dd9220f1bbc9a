"""Settings and wiring of intake: the only place where things are built."""

from pathlib import Path

from services.intake import events, store
from services.intake.api import router
from services.intake.clinics import Clinics
from services.intake.domain.eligibility import Rules
from services.intake.finding import MIGRATION
from services.intake.handlers import Desk
from services.intake.store import IntakeWork
from shared.clock import clock as clock_of
from shared.http.commands import Commands
from shared.messaging.announced import announced
from shared.service import Service, open_database
from shared.settings import Settings

NAME = "intake"
ELIGIBILITY = Path(__file__).with_name("eligibility.json")


def read_rules(path: Path = ELIGIBILITY) -> Rules:
    """Read the eligibility file. Raises `ValidationError` if it contains anything the rules do not define."""
    return Rules.model_validate_json(path.read_bytes())


def build(settings: Settings) -> Service:
    clock = clock_of(settings.clock_file)
    database = open_database(settings, NAME)
    desk = Desk(rules=read_rules(), clinics=Clinics.read(settings.clinics_file))

    def open_work() -> IntakeWork:
        return IntakeWork(database, now=clock.now())

    return Service(
        name=NAME,
        title="Kith intake",
        settings=settings,
        database=database,
        clock=clock,
        open_work=open_work,
        subscriptions=[],
        routers=[router(Commands(database, open_work), desk)],
        indexes=store.INDEXES,
        collections=store.COLLECTIONS,
        events=announced(NAME, events),
        tickers=[],
        books=lambda: store.books(database),
        migrations=[MIGRATION],
    )
