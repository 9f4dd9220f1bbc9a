"""A clinician's sessions as an iCalendar file (RFC 5545): times and numbers, but no names."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from icalendar import Calendar, Event, vDuration

from services.dashboard.calendar.hours import ClinicHours
from services.dashboard.calendar.week import Entry

ASK_AGAIN = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Revision:
    """`number`: 0 as first announced, plus 1 for each change. `at`: when it last changed."""

    number: int
    at: datetime


def calendar(
    clinic: ClinicHours,
    clinician_id: str,
    entries: Iterable[Entry],
    known: Mapping[str, Revision],
    *,
    page: str,
    now: datetime,
) -> bytes:
    """Build the file. `page`: the dashboard's base URL, without a trailing slash."""
    file = Calendar()
    file.add("prodid", "-//Kith//Calendar//EN")
    file.add("version", "2.0")
    file.add("x-wr-calname", f"Kith {clinician_id}")
    file.add("x-wr-timezone", clinic.zone)
    file.add("refresh-interval", vDuration(ASK_AGAIN), parameters={"VALUE": "DURATION"})
    for entry in entries:
        file.add_component(_event(entry, clinic, known.get(entry.id), page, now))
    file.add_missing_timezones()
    return bytes(file.to_ical())


def _event(entry: Entry, clinic: ClinicHours, revision: Revision | None, page: str, now: datetime) -> Event:
    zone = ZoneInfo(clinic.zone)
    changed = revision or Revision(0, now)
    event = Event()
    event.add("uid", entry.id)
    event.add("dtstamp", changed.at)
    event.add("last-modified", changed.at)
    event.add("dtstart", entry.starts_at.astimezone(zone))
    event.add("dtend", entry.ends_at.astimezone(zone))
    event.add("summary", entry.title)
    event.add("status", "CANCELLED" if entry.status == "cancelled" else "CONFIRMED")
    event.add("transp", "TRANSPARENT" if entry.status == "cancelled" else "OPAQUE")
    event.add("class", "PRIVATE")
    event.add("sequence", changed.number)
    event.add("url", f"{page}/people/{entry.patient_id}")
    return event
