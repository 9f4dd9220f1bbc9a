"""The daily work of coordinators and clinicians: refer, decide, record, handle alerts. Public HTTP only."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from deploy.demo.agenda import Agenda
from deploy.demo.desks import Answered, Desks
from deploy.demo.life import Life
from deploy.demo.settling import Time

ROUND_HOURS = (23, 30)
"""When the day's sessions are recorded, UTC: after hours in every clinic of the demo."""

HANDLED = {"intake_review", "crisis"}
"""Kinds of alerts that the play handles elsewhere."""

DISPOSITIONS = {"missed_session": "contacted", "session_unrecorded": "recorded"}
"""Kind of alert → disposition; all others are resolved as `reviewed`."""


@dataclass
class Clinic:
    """The people of the demo's clinics and their caseload."""

    desks: Desks
    time: Time
    agenda: Agenda
    lives: dict[str, Life] = field(default_factory=dict)
    """By patient id."""
    refused: Counter[str] = field(default_factory=Counter)
    """Number of refused requests, by reason."""
    crises_under_way: int = 0
    views: dict[str, dict[str, Any]] = field(default_factory=dict)
    """A plan's path → its last seen state."""

    async def _try(self, asking: Awaitable[Any]) -> Any:
        """Await a request; count a refusal and carry on, as people would."""
        try:
            return await asking
        except Answered as answered:
            self.refused[answered.reason or str(answered.status)] += 1
            return None

    # Intake

    async def refer(self, life: Life) -> None:
        view = await self.desks.send(
            "intake", "POST", "/referrals", life.referral(), key=str(life.person.number)
        )
        life.referral_id, life.patient_id = view["id"], view["patient_id"]
        self.lives[life.patient_id] = life
        await self._look_after_intake(life, view)

    async def _look_after_intake(self, life: Life, view: dict[str, Any]) -> None:
        tomorrow = next_working_day(self.time.now)
        if view["crisis"]["flags"]:
            self.agenda.put(self.time.now, lambda: self.take_crisis(life))
        if view["state"] == "incomplete":
            self.agenda.put(tomorrow.replace(hour=14, minute=40), lambda: self.complete(life))
        elif view["state"] == "in_review":
            self.agenda.put(tomorrow.replace(hour=15, minute=30), lambda: self.decide(life))

    async def complete(self, life: Life) -> None:
        path = f"/referrals/{life.referral_id}/screening"
        view = await self.desks.send("intake", "PUT", path, life.completed_screening(), role="coordinator")
        await self._look_after_intake(life, view)

    async def decide(self, life: Life) -> None:
        """Enrol most people, and decline with a reason those for whom IPT is not indicated."""
        total = sum(item or 0 for item in life.person.items)
        if total < 5 or (total >= 20 and life.random.random() < 0.5):
            reason = "not_indicated" if total < 5 else "other_treatment"
            body = {"decision": "decline", "reason": reason, "alternative_offered": total >= 20}
        else:
            body = {"decision": "enrol", "variant": "ipt-16", "sessions": 16}
        body["crisis_assessed"] = True
        await self._try(self.desks.send("intake", "POST", f"/referrals/{life.referral_id}/decision", body))

    # The daily round

    async def round(self) -> None:
        """Record the outcome of every past appointment, then handle the open alerts."""
        since = self.time.now - timedelta(days=4)
        over = await self.desks.all_pages(
            "scheduler", "/appointments", **{"from": since.isoformat(), "to": self.time.now.isoformat()}
        )
        unrecorded = [a for a in over if a["status"] == "booked" and a["patient_id"] in self.lives]
        await together(self.record(appointment) for appointment in unrecorded)
        await self.time.settle_writes()
        await self.read_alerts()

    async def record(self, appointment: dict[str, Any]) -> None:
        life, id = self.lives[appointment["patient_id"]], appointment["appointment_id"]
        late = f"forgot {id}" in life.done
        visit = "attended" if late else life.visit()
        if visit == "forgotten":
            life.done.add(f"forgot {id}")
            return
        plan_path = f"/plans/{appointment['plan_id']}"
        if visit == "missed":
            body: dict[str, Any] = {"outcome": "missed", "appointment_id": id}
        elif visit == "cancelled":
            body = {"outcome": "cancelled", "appointment_id": id, "by": "patient", "reason": "illness"}
        else:
            plan = self.views.get(plan_path) or await self.desks.get("care_plan", plan_path)
            body = (
                life.maintenance_session(id, (plan["maintenance"] or {}).get("attended", 0))
                if plan["phase"] == "maintenance"
                else life.session(id, plan["attended"], plan["sessions"])
            )
        view = await self._try(self.desks.send("care_plan", "POST", f"{plan_path}/sessions", body, key=id))
        if view is not None:
            self.views[plan_path] = view
            await self._after_session(life, plan_path, view)

    async def _after_session(self, life: Life, path: str, view: dict[str, Any]) -> None:
        if view["crisis_notice"] is not None:
            self.agenda.put(self.time.now, lambda: self.take_crisis(life))
        match view["phase"]:
            case "initial":
                await self._initial_work(life, path, view["attended"])
            case "middle" | "termination":
                await self._course(life, path, view)
            case "maintenance":
                if "relapse" in " ".join(view["progress"]["standing"]) and life.relapse_is_confirmed:
                    await self._confirm_relapse(life, path)
            case _:
                pass
        if view["phase"] == "ended" and life.once(f"ended {path}"):
            tomorrow = next_working_day(self.time.now).replace(hour=16, minute=10)
            self.agenda.put(tomorrow, lambda: self.after_the_end(life, path))

    async def _initial_work(self, life: Life, path: str, attended: int) -> None:
        """Take the inventory in the first session; complete it and choose a focus in the second."""
        slow = 4 if life.slow_inventory else 0
        if attended >= 1 + slow and life.once(f"inventory {path}"):
            await self._try(self.desks.send("care_plan", "PUT", f"{path}/inventory", life.inventory()))
        if attended >= 2 + slow and life.once(f"focus {path}"):
            await self._try(self.desks.send("care_plan", "POST", f"{path}/inventory/complete"))
            await self._try(self.desks.send("care_plan", "PUT", f"{path}/focus", life.focus()))

    async def _course(self, life: Life, path: str, view: dict[str, Any]) -> None:
        attended, sessions = view["attended"], view["sessions"]
        if attended == life.holds_at and life.once("hold"):
            back = self.time.now + timedelta(days=21)
            hold = {"reason": "illness", "review_on": back.date().isoformat()}
            await self._try(self.desks.send("care_plan", "POST", f"{path}/hold", hold, role="coordinator"))
            self.agenda.put(back.replace(hour=15, minute=0), lambda: self.resume(path))
        if attended == life.extends_at and sessions <= 14 and life.once("extend"):
            more = {"sessions": sessions + 2, "reason": "extra_sessions_needed"}
            await self._try(self.desks.send("care_plan", "POST", f"{path}/contract", more))
            self.views.pop(path, None)
        if attended == life.withdraws_at and life.once("withdraw"):
            leave = {"outcome": "withdrawn", "reason": "moved_away"}
            await self._try(self.desks.send("care_plan", "POST", f"{path}/close", leave))
        if attended >= sessions - 2 and life.once(f"prevention {path}"):
            plan = {"plan": "Synthetic plan for afterwards", "contingency_signs": ["Synthetic sign"]}
            await self._try(self.desks.send("care_plan", "PUT", f"{path}/relapse-prevention", plan))

    async def resume(self, path: str) -> None:
        await self._try(self.desks.send("care_plan", "POST", f"{path}/resume", role="coordinator"))

    async def after_the_end(self, life: Life, path: str) -> None:
        """Contract maintenance for those who want it; others leave, non-responders with an alternative."""
        self.views.pop(path, None)
        if life.wants_maintenance:
            await self._try(
                self.desks.send("care_plan", "POST", f"{path}/maintenance", {"frequency": "monthly"})
            )
            return
        plan = await self.desks.get("care_plan", path)
        if not plan["progress"]["responding"]:
            await self._try(self.desks.send("care_plan", "POST", f"{path}/alternative-offered"))
        close = {"outcome": "completed", "reason": "treatment_finished"}
        await self._try(self.desks.send("care_plan", "POST", f"{path}/close", close))

    async def _confirm_relapse(self, life: Life, path: str) -> None:
        if life.once("relapse"):
            life.relapses_at = None
            await self._try(self.desks.send("care_plan", "POST", f"{path}/relapse", {}))

    # Alerts

    async def read_alerts(self) -> None:
        """Acknowledge and resolve every open alert that needs a human, except crises and intake reviews."""
        waiting = await self.desks.all_pages("alerts", "/alerts", state="open")
        waiting = [alert for alert in waiting if alert["kind"] not in HANDLED and not alert["informational"]]
        await together(self.handle(alert) for alert in waiting)

    async def handle(self, alert: dict[str, Any]) -> None:
        path, disposition = f"/alerts/{alert['id']}", DISPOSITIONS.get(alert["kind"], "reviewed")
        for action, body in (("acknowledge", None), ("resolve", {"disposition": disposition})):
            asked = self.desks.send("alerts", "POST", f"{path}/{action}", body, role="coordinator")
            await self._try(asked)

    async def take_crisis(self, life: Life) -> None:
        """Schedule responses to open crises, in the person's manner: in time, late, after all are paged, …"""
        found = await self.desks.all_pages("alerts", "/alerts", patient_id=life.patient_id, kind="crisis")
        for alert in found:
            if alert["state"] == "open" and life.once(f"crisis {alert['id']} {alert['severity']}"):
                self._plan_crisis(life, alert)

    def _plan_crisis(self, life: Life, alert: dict[str, Any]) -> None:
        path, now = f"/alerts/{alert['id']}", self.time.now
        if alert["severity"] == "low":
            now = next_working_day(now).replace(hour=15, minute=5)
        manner = life.crisis_manner
        taken = now + timedelta(minutes={"late": 12, "until_everyone": 17}.get(manner, 3))
        self.crises_under_way += 1
        self.agenda.put(taken, lambda: self._acknowledge(path))
        if manner == "lease_expires":
            taken += timedelta(minutes=33)
            self.agenda.put(taken, lambda: self._acknowledge(path, key="again"))
        self.agenda.put(taken + timedelta(minutes=15), lambda: self._assess(path))
        self.agenda.put(taken + timedelta(minutes=25), lambda: self._resolve(path))

    async def _acknowledge(self, path: str, *, key: str = "") -> None:
        await self._try(self.desks.send("alerts", "POST", f"{path}/acknowledge", key=key))

    async def _assess(self, path: str) -> None:
        assessment = {"result": "managed_with_safety_plan", "contact_made": True}
        await self._try(self.desks.send("alerts", "POST", f"{path}/assess", assessment))

    async def _resolve(self, path: str) -> None:
        disposition = {
            "disposition": "managed_with_safety_plan",
            "safety_plan": True,
            "next_contact": (self.time.now + timedelta(days=1)).isoformat(),
        }
        await self._try(self.desks.send("alerts", "POST", f"{path}/resolve", disposition))
        self.crises_under_way -= 1


async def together(actions: Iterable[Awaitable[None]]) -> None:
    async with asyncio.TaskGroup() as group:
        for action in actions:
            group.create_task(_run(action))


async def _run(action: Awaitable[None]) -> None:
    await action


def next_working_day(now: datetime) -> datetime:
    day = now + timedelta(days=1)
    while day.weekday() >= 5:
        day += timedelta(days=1)
    return day


def working_days(first: date, count: int) -> list[date]:
    """The first `count` weekdays from `first` on."""
    days: list[date] = []
    day = first
    while len(days) < count:
        if day.weekday() < 5:
            days.append(day)
        day += timedelta(days=1)
    return days
