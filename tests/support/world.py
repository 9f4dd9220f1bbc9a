"""A whole running stack in stepped time, for journey tests in given/when/then form."""

import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from deploy.demo.desks import Desks
from deploy.demo.settling import Time
from deploy.embedded.clock import stepped_clock
from deploy.embedded.plan import PAGE, SERVICES, Plan, Ports
from deploy.embedded.servers import free_ports
from deploy.embedded.stack import Stack, running
from tests.support.servers import service_settings

MONDAY = datetime(2026, 1, 5, 14, 0, tzinfo=UTC)
"""09:00 in New York."""

HIGH = {"q1": True, "q2": True, "q3": True, "q4": True, "q5": False, "q6": False}
"""C-SSRS screener answers of somebody at high risk."""

LOW_MOOD = [2, 2, 1, 1, 1, 1, 1, 0, 0]
"""PHQ-9 of 9: mild, nothing in item 9."""

CALM = {"q1": False, "q2": False, "q6": False}


@dataclass
class World:
    stack: Stack
    desks: Desks
    time: Time

    @property
    def now(self) -> datetime:
        return self.time.now

    async def advance(self, **delta: float) -> None:
        """Advance time, stopping at every moment at which something is due."""
        await self.until(self.now + timedelta(**delta))

    async def until(self, moment: datetime) -> None:
        while self.now < moment:
            due = [due for due in self.time.due if self.now < due < moment]
            await self.time.advance(min(due, default=moment))

    async def refer(self, **changes: Any) -> dict[str, Any]:
        """A referral that is complete and indicated, unless `changes` say otherwise."""
        form = {
            "clinic_id": "riverside",
            "clinician_id": "cln_r01",
            "person": {"given_name": "Zuzanna", "family_name": "Brzęczyszczykiewicz"},
            "age": 41,
            "consent": True,
            "screening": {"phq9": {"items": LOW_MOOD}, "cssrs": CALM},
        }
        view: dict[str, Any] = await self.desks.send(
            "intake", "POST", "/referrals", form | changes, key=self.now.isoformat() + repr(changes)
        )
        await self.time.settle()
        return view

    async def plan_of(self, patient_id: str) -> dict[str, Any]:
        """The person's latest plan, in full."""
        plans = (await self.desks.get("care_plan", f"/patients/{patient_id}/plans"))["plans"]
        plan: dict[str, Any] = await self.desks.get("care_plan", f"/plans/{plans[-1]['id']}")
        return plan

    async def appointments(self, plan_id: str, status: str = "booked") -> list[dict[str, Any]]:
        """The plan's appointments with this status, ordered by time."""
        schedule = await self.desks.get("scheduler", f"/schedules/{plan_id}")
        return [a for a in schedule["appointments"] if a["status"] == status]

    async def attend(self, plan_id: str, items: list[int] | None = None) -> dict[str, Any]:
        """Wait for the next appointment, hold it and record it."""
        (next_one, *_) = await self.appointments(plan_id)
        await self.until(datetime.fromisoformat(next_one["starts_at"]) + timedelta(hours=1))
        return await self.record(
            plan_id, next_one, {"outcome": "attended", "phq9": {"items": items or LOW_MOOD}}
        )

    async def record(self, plan_id: str, appointment: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
        id = appointment["appointment_id"]
        view: dict[str, Any] = await self.desks.send(
            "care_plan", "POST", f"/plans/{plan_id}/sessions", {"appointment_id": id, **body}, key=id
        )
        await self.time.settle()
        return view

    async def change(self, method: str, path: str, body: Any = None) -> Any:
        """Send a clinician's command to care_plan and wait until all its effects have settled."""
        view = await self.desks.send("care_plan", method, path, body, key=self.now.isoformat())
        await self.time.settle()
        return view

    async def alerts(self, **query: Any) -> list[dict[str, Any]]:
        return await self.desks.all_pages("alerts", "/alerts", **query)

    async def story(self, patient_id: str) -> list[dict[str, Any]]:
        """All announcements about a person, by time."""
        entries: list[dict[str, Any]] = []
        for service in self.stack.services:
            answer = await self.desks.get(service, f"/story/{patient_id}")
            entries += answer["entries"]
        return sorted(entries, key=lambda entry: entry["at"])

    async def crisis(self, name: str = "Berta", clinician: str = "cln_r04") -> str:
        """Refer somebody in danger; return the id of the alert about them."""
        view = await self.refer(
            clinician_id=clinician,
            person={"given_name": name, "family_name": "Danger"},
            screening={"phq9": {"items": [*LOW_MOOD[:8], 2]}, "cssrs": HIGH},
        )
        (alert,) = await self.alerts(patient_id=view["patient_id"], kind="crisis")
        return str(alert["id"])

    @asynccontextmanager
    async def silent(self, service: str) -> AsyncIterator[None]:
        """Freeze a service inside the block: it accepts connections but does not answer."""
        pid = self.stack.state.services[service].pid
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    async def announced(self, patient_id: str, *types: str) -> list[dict[str, Any]]:
        return [entry for entry in await self.story(patient_id) if entry["type"] in types]


@asynccontextmanager
async def world(
    folder: Path, *, start: datetime = MONDAY, page: bool = False, **settings: dict[str, str]
) -> AsyncIterator[World]:
    """Start a stack, with the dashboard if `page`; `settings` by service name, or `everywhere`."""
    names = (*SERVICES, PAGE)
    first = free_ports(2 + len(names))
    ports = Ports({name: first + 2 + place for place, name in enumerate(names)}, first, first + 1)
    chosen = {("*" if name == "everywhere" else name): values for name, values in settings.items()}
    clock = stepped_clock(folder, start)
    async with service_settings() as reached:
        chosen["*"] = reached | chosen.get("*", {})
        async with _playing(Plan(folder, ports, clock, chosen, page=page), clock, start) as kith:
            yield kith


@asynccontextmanager
async def _playing(plan: Plan, clock: Path, start: datetime) -> AsyncIterator[World]:
    said: list[str] = []
    listen: Callable[[Any], None] = lambda line: said.append(str(line))  # noqa: E731 (a listener, nothing more)
    async with running(plan, listen, within=120) as stack, Desks.of(stack.state) as desks:
        time = Time(clock, desks, start, patience=120)
        await time.settle()
        yield World(stack, desks, time)
