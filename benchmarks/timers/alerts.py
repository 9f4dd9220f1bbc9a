"""Alerts as the alerts service stores them, one per person, created by its own reaction."""

from datetime import datetime, timedelta

from deploy.embedded.plan import ROOT
from services.alerts.app import read_on_call
from services.alerts.domain.alert import Alert
from services.alerts.handlers import when_phase_overdue_ask_for_its_work
from services.alerts.inbound import PhaseOverdue
from services.alerts.settings import AlertsSettings
from services.alerts.store import ALERTS, INDEXES, AlertsWork
from shared.mongo import Document, MongoDatabase

AT_ONCE = 1000
CONFIG = ROOT / "deploy" / "config"


def settings(mongodb: str, prefix: str, jwks: str) -> AlertsSettings:
    return AlertsSettings.model_validate(
        {
            "environment": "development",
            "mongodb": mongodb,
            "database_prefix": prefix,
            "jwks": jwks,
            "clinics_file": CONFIG / "clinics.json",
            "on_call_file": CONFIG / "on_call.json",
        }
    )


async def fill(database: MongoDatabase, chosen: AlertsSettings, count: int, now: datetime) -> datetime:
    """Store `count` open alerts; return the moment just before the first of them is due."""
    alert = _raised(database, chosen, now)
    if alert.next_due is None:
        raise LookupError("a new alert waits for nothing")
    row = alert.model_dump(exclude={"id"}) | {"version": 1, "announced": {}, "trail": []}
    await database.ensure_indexes(INDEXES)
    for start in range(1, count + 1, AT_ONCE):
        part = [_document(row, number) for number in range(start, min(start + AT_ONCE, count + 1))]
        await database[ALERTS].insert_many(part, ordered=False)
    await database.client.admin.command("fsync")
    return alert.next_due - timedelta(seconds=1)


def _raised(database: MongoDatabase, chosen: AlertsSettings, now: datetime) -> Alert:
    work = AlertsWork(database, now=now, on_call=read_on_call(chosen))
    fact = PhaseOverdue(
        patient_id="pat", clinic_id="riverside", plan_id="pln", clinician_id="cln_r01", phase="initial"
    )
    when_phase_overdue_ask_for_its_work(fact, work)
    (alert,) = work.alerts
    return alert


def _document(row: Document, number: int) -> Document:
    own = f"{number:032x}"
    return row | {
        "_id": f"alr_{own}",
        "patient_id": f"pat_{own}",
        "about": f"plan/pln_{own}",
        "position": f"{row['position']}{own}",
    }
