"""Builds the dashboard: the only place that reads settings and wires the parts together."""

import zlib
from functools import partial

from services.dashboard import operating, store
from services.dashboard.calendar.hours import read_clinics
from services.dashboard.gates import GATE_COUNT
from services.dashboard.pages import (
    alerts,
    calendar,
    caseload,
    common,
    finding,
    imports,
    intake,
    outcomes,
    person,
    signing_in,
)
from services.dashboard.pages.desk import Desk
from services.dashboard.rebuild import Rebuild
from services.dashboard.runs import Runs
from services.dashboard.settings import DashboardSettings
from services.dashboard.store import ReadWork
from services.dashboard.subscribers import PEOPLE
from services.dashboard.web.drawing import Drawing
from services.dashboard.web.gate import Gate
from services.dashboard.web.live import Live
from services.dashboard.web.parts import Parts
from services.dashboard.web.services import Services
from shared.clock import clock as clock_of
from shared.mongo import MongoDatabase
from shared.service import BookEntry, Service, Subscription, open_database

NAME = "dashboard"
PAGES = (common, signing_in, caseload, finding, person, alerts, intake, imports, calendar, outcomes)


def build(settings: DashboardSettings) -> Service:
    clock = clock_of(settings.clock_file)
    database = open_database(settings, NAME)
    gate = zlib.crc32(settings.instance.encode()) % GATE_COUNT

    def open_work() -> ReadWork:
        return ReadWork(database, now=clock.now(), gate=gate)

    drawing = Drawing(clock, idle_minutes=settings.idle_minutes)
    clinics = read_clinics(settings.clinics_file)
    live = Live(database, clock, clinics.ids)
    services, parts = Services(settings.urls), Parts(live)
    desk = Desk(settings, database, clock, open_work, drawing, live, services, parts, clinics)

    def open_second(prefix: str) -> MongoDatabase:
        return open_database(settings, NAME, prefix=prefix)

    rebuilding = Rebuild(settings, database, clock, open_second, Runs(database, settings.instance))
    secure = signing_in.is_secure(desk)
    return Service(
        name=NAME,
        title="Kith dashboard",
        settings=settings,
        database=database,
        clock=clock,
        open_work=open_work,
        subscriptions=[Subscription("people", PEOPLE)],
        routers=[*(page.router(desk) for page in PAGES), operating.router(rebuilding)],
        indexes=store.INDEXES,
        collections=store.COLLECTIONS,
        events=[],
        tickers=[],
        books=_books,
        background=[live.run, rebuilding.finish_what_was_left],
        follow=live.follow,
        middleware=[partial(Gate, drawing=drawing, idle_minutes=settings.idle_minutes, secure=secure)],
    )


async def _books() -> list[BookEntry]:
    """Always empty: a read model owes nothing except to catch up."""
    return []
