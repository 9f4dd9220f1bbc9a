"""Fields of the forms about a person, and reading their input."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from services.dashboard.pages.forms import Unfit

Entered = Mapping[str, str]
"""A posted form: field names and values."""

Options = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Field:
    """A field as rendered by `field` in parts/forms.html."""

    name: str
    label: str
    type: str = "text"
    options: Options = ()
    required: bool = False
    hint: str | None = None
    min: str | None = None
    max: str | None = None
    maxlength: int | None = None
    rows: int = 4
    asks: str = ""
    """Text above the field; it applies to the following fields as well."""
    lost: str | None = None
    """Message shown if an earlier choice is no longer offered, so that it is not replaced silently."""


@dataclass(frozen=True)
class Group:
    """Fields under one heading. `folded`: collapsed at first. `beside`: laid out in a row."""

    legend: str
    fields: tuple[Field, ...]
    hint: str = ""
    folded: bool = False
    beside: bool = False


@dataclass(frozen=True)
class Form:
    """One form of an action. If the action has several, `name` is sent with the entry as `form`."""

    groups: tuple[Group, ...]
    submit: str
    name: str = ""
    title: str = ""
    kind: str = "primary"

    @property
    def fields(self) -> dict[str, Field]:
        return {field.name: field for group in self.groups for field in group.fields}


def plain(*fields: Field, submit: str, kind: str = "primary", beside: bool = False) -> tuple[Form, ...]:
    """The only form of a simple action."""
    return (Form((Group("", fields, beside=beside),), submit, kind=kind),)


def text(entered: Entered, name: str, label: str) -> str:
    """The stripped text of a required field. Raises `Unfit` if it is empty."""
    value = entered.get(name, "").strip()
    if not value:
        raise Unfit((name, f"{label}: this is needed."))
    return value


def optional(entered: Entered, name: str) -> str | None:
    return entered.get(name, "").strip() or None


def number(entered: Entered, name: str, label: str) -> int:
    """A required whole number. Raises `Unfit` if it is not one."""
    value = text(entered, name, label)
    if not (value.isascii() and value.removeprefix("-").isdecimal() and len(value) <= 9):
        raise Unfit((name, f"{label}: a whole number is needed."))
    return int(value)


def local_time(entered: Entered, name: str, label: str) -> str:
    """A wall-clock time in the format of browsers. Raises `Unfit`."""
    value = text(entered, name, label)
    try:
        return datetime.fromisoformat(value).replace(tzinfo=None).isoformat(timespec="minutes")
    except ValueError:
        raise Unfit((name, f"{label}: a day and a time are needed, like 2026-03-09T10:00.")) from None


def instant(entered: Entered, name: str, label: str, zone: str) -> str | None:
    """A wall-clock time in the clinic's zone as an instant; `None` if left empty. Raises `Unfit`."""
    if optional(entered, name) is None:
        return None
    naive = datetime.fromisoformat(local_time(entered, name, label))
    return naive.replace(tzinfo=ZoneInfo(zone)).isoformat()


def without_nothing(**body: Any) -> dict[str, Any]:
    """The body without `None` values."""
    return {name: value for name, value in body.items() if value is not None}
