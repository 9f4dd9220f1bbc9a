"""The demo's results: the closing tables, the books, and a digest of the final state."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

import orjson
from rich.console import Console
from rich.table import Table

from deploy import books
from deploy.demo.clinic import Clinic
from deploy.demo.desks import Desks

PHASES = ("initial", "middle", "termination", "ended", "maintenance", "closed")
SERVICES = ("intake", "care_plan", "scheduler", "alerts")


@dataclass(frozen=True)
class Outcome:
    """Everything the closing tables show, read through the services' public APIs."""

    plans: list[dict[str, Any]]
    referrals: list[dict[str, Any]]
    crises: list[dict[str, Any]]
    announced: dict[str, int]
    deliveries: dict[str, int]
    """Channel and outcome → count."""
    lines: list[books.BookLine]
    dead_letters: int

    @property
    def balanced(self) -> bool:
        return all(line.balanced for line in self.lines)


async def gather(clinic: Clinic) -> Outcome:
    desks = clinic.desks
    announced: Counter[str] = Counter()
    stated = []
    for service in SERVICES:
        answer = await desks.get(service, "/announced", role="engineer")
        announced.update({f"{service}.{kind}": count for kind, count in answer["counts"].items()})
        stated.append(await desks.get(service, "/books", role="engineer"))
    lines = books.join(books.entries(stated))
    letters = sum(line.expected or 0 for line in lines if line.kind == "dead_letter")
    return Outcome(
        plans=await desks.all_pages("care_plan", "/plans"),
        referrals=await desks.all_pages("intake", "/referrals"),
        crises=await desks.all_pages("alerts", "/alerts", kind="crisis"),
        announced=dict(announced),
        deliveries=await _told(desks),
        lines=lines,
        dead_letters=letters,
    )


async def _told(desks: Desks) -> dict[str, int]:
    fields = ["channel", "outcome"]
    answer = await desks.get("alerts", "/announced", role="engineer", type="AlertNotified", by=fields)
    counts: dict[str, int] = answer["counts"]
    return counts


def digest(outcome: Outcome, clinic: Clinic) -> str:
    """A digest that is equal for equal final states: each course's state, and how often each event occurred.

    Ids differ from run to run, so people are identified by number. Whether a notification was delivered or
    had just become moot depends on the order of simultaneous events within one instant of stepped time. The
    two outcomes are therefore counted as one.
    """
    number = {life.patient_id: life.person.number for life in clinic.lives.values()}
    plans = sorted(
        (
            number[p["patient_id"]],
            p["episode"],
            p["phase"],
            p["attended"],
            p["sessions"],
            p["phase_entered_at"],
        )
        for p in outcome.plans
    )
    referrals = sorted((number[r["patient_id"]], r["state"]) for r in outcome.referrals)
    crises = sorted((number[c["patient_id"]], c["state"], c["severity"]) for c in outcome.crises)
    lines = [_ended(line) for line in outcome.lines]
    state = [plans, referrals, crises, sorted(outcome.announced.items()), lines]
    return sha256(orjson.dumps(state)).hexdigest()[:16]


def _ended(line: books.BookLine) -> dict[str, Any]:
    stated = line.as_json()
    if line.kind == "notification":
        stated["done"] = (line.done or 0) + (line.cancelled or 0)
        stated["cancelled"] = 0
    return stated


def show(outcome: Outcome, clinic: Clinic, console: Console, started: datetime) -> None:
    console.print(_people(outcome))
    console.print(_events(outcome))
    console.print(_telling(outcome))
    console.print(_books(outcome))
    weeks = (clinic.time.now - started).days / 7
    console.print(
        f"{weeks:.0f} weeks in {clinic.time.steps} steps of the clock, {clinic.desks.requests} HTTP "
        f"requests; refused, with reason: {dict(clinic.refused) or 'nothing'}"
    )
    if outcome.balanced:
        console.print("[bold green]The books balance: expected = done + cancelled + breached + open.[/]")
    else:
        wrong = ", ".join(line.kind for line in outcome.lines if not line.balanced)
        console.print(f"[bold red]The books do not balance: {wrong}[/]")


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold")
    table.add_column(columns[0])
    for column in columns[1:]:
        table.add_column(column, justify="right")
    return table


def _people(outcome: Outcome) -> Table:
    table = _table("People", "where they stand", "episodes")
    for state, count in sorted(Counter(r["state"] for r in outcome.referrals).items()):
        if state != "completed":
            table.add_row(f"intake: {state.replace('_', ' ')}", str(count))
    phases = Counter(plan["phase"] for plan in outcome.plans)
    for phase in PHASES:
        table.add_row(phase, str(phases[phase]))
    return table


def _events(outcome: Outcome) -> Table:
    table = _table("The course of care", "what happened", "times")
    said = Counter(outcome.announced)
    rows = {
        "sessions announced": said["scheduler.WeeklySessionDue"],
        "sessions attended": said["care_plan.SessionAttended"],
        "sessions missed": said["care_plan.SessionMissed"],
        "sessions cancelled": said["care_plan.SessionCancelled"],
        "sessions nobody recorded in time": said["scheduler.SessionOverdue"],
        "reminders": said["scheduler.SessionReminderDue"],
        "appointments moved": said["scheduler.SessionMoved"],
        "termination phases announced": said["scheduler.TerminationPhaseDue"],
        "holds": said["care_plan.CarePlanHeld"],
        "maintenance contracted": said["care_plan.MaintenanceContracted"],
        "maintenance sessions announced": said["scheduler.MaintenanceSessionDue"],
        "responses reached": said["care_plan.ResponseReached"],
        "remissions reached": said["care_plan.RemissionReached"],
        "relapses signalled": said["care_plan.RelapseSignalled"],
    }
    for what, count in rows.items():
        table.add_row(what, str(count))
    return table


def _telling(outcome: Outcome) -> Table:
    table = _table("Crises and notifications", "what happened", "times")
    taken = [c["acknowledgement"] for c in outcome.crises if c["acknowledgement"] is not None]
    in_time = sum(acknowledgement["in_time"] for acknowledgement in taken)
    table.add_row("crises opened", str(len(outcome.crises)))
    table.add_row("last acknowledged in time", str(in_time))
    table.add_row("last acknowledged late", str(len(taken) - in_time))
    table.add_row("escalations", str(outcome.announced.get("alerts.AlertEscalated", 0)))
    table.add_row("resolved", str(sum(c["state"] == "resolved" for c in outcome.crises)))
    for what, count in sorted(outcome.deliveries.items()):
        table.add_row(f"notifications: {what}", str(count))
    table.add_row("dead letters", str(outcome.dead_letters))
    return table


def _books(outcome: Outcome) -> Table:
    table = _table("The books", "kind", "expected", "done", "cancelled", "breached", "open", "difference")
    for line in outcome.lines:
        cells = [line.expected, line.done, line.cancelled, line.breached, line.open, line.difference]
        style = "" if line.balanced else "red"
        table.add_row(
            line.kind.replace("_", " "), *("–" if c is None else str(c) for c in cells), style=style
        )
    return table
