"""Wall-clock time and instants.

An appointment is a local wall time plus an IANA zone name; instants are UTC. Two kinds of wall time are odd,
around clock changes. One that does not exist is shifted by the length of the gap (02:30 → 03:30). One that
exists twice means its first occurrence. Both are marked.
"""

import re
from datetime import UTC, date, datetime, time
from functools import cache, lru_cache
from importlib.metadata import version
from typing import Annotated, Literal, NamedTuple
from zoneinfo import TZPATH, ZoneInfo, available_timezones

from pydantic import AfterValidator

AREAS = frozenset(
    (
        "Africa",
        "America",
        "Antarctica",
        "Arctic",
        "Asia",
        "Atlantic",
        "Australia",
        "Europe",
        "Indian",
        "Pacific",
    )
)
"""The areas of the IANA database in use; everything outside (EST5EDT, US/Eastern, localtime) is legacy."""

LOCAL = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:00)?", re.ASCII)


MIDNIGHT = time(0)
YEARS = range(1900, 2200)


class NoZonesError(RuntimeError):
    """The machine has no time zone database."""


@cache
def zones() -> frozenset[str]:
    """The accepted zone names. Raises `NoZonesError` without a time zone database."""
    names = available_timezones()
    if not names:
        raise NoZonesError("no time zone database: install tzdata")
    return frozenset(name for name in names if name.split("/")[0] in AREAS and "/" in name) | {"UTC"}


def known_zone(name: str) -> str:
    if name not in zones():
        raise ValueError("not an IANA zone name in use")
    return name


Zone = Annotated[str, AfterValidator(known_zone)]


@cache
def zones_version() -> str:
    """The release of the time zone database in use, such as `2026b`."""
    for folder in TZPATH:
        try:
            with open(f"{folder}/tzdata.zi", encoding="ascii") as source:
                return source.readline().removeprefix("# version").strip()
        except OSError:
            continue
    return version("tzdata")


Oddity = Literal["gap", "first_of_two"]


class Moment(NamedTuple):
    """A resolved wall time. `local` is what clocks there will show, naive. `starts_at` is UTC."""

    starts_at: datetime
    local: datetime
    oddity: Oddity | None


@lru_cache(maxsize=65_536)
def resolve(local: datetime, zone: str) -> Moment:
    """The instant at which clocks in `zone` show `local` (naive)."""
    here = ZoneInfo(known_zone(zone))
    first = local.replace(tzinfo=here, fold=0).astimezone(UTC)
    second = local.replace(tzinfo=here, fold=1).astimezone(UTC)
    if first == second:
        return Moment(first, local, None)
    if first < second:
        return Moment(first, local, "first_of_two")
    return Moment(first, first.astimezone(here).replace(tzinfo=None), "gap")


def local_of(instant: datetime, zone: str) -> datetime:
    """What clocks in `zone` show at `instant`, naive."""
    return instant.astimezone(ZoneInfo(zone)).replace(tzinfo=None, fold=0)


def at(day: date, clock: time, zone: str) -> datetime:
    """The instant of a wall time on a day."""
    return resolve(datetime.combine(day, clock), zone).starts_at


@lru_cache(maxsize=65_536)
def parse(text: str) -> datetime:
    """`2026-03-09T10:00`, naive and to the minute. Raises `ValueError` for anything else."""
    if not LOCAL.fullmatch(text):
        raise ValueError("a local time is written YYYY-MM-DDTHH:MM")
    local = datetime.fromisoformat(text)
    if local.year not in YEARS:
        raise ValueError("a local time lies between 1900 and 2199")
    return local


def written(local: datetime) -> str:
    return local.isoformat(timespec="minutes")
