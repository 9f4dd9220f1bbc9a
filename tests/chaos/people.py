"""The suite's simulated people: the demo's, with somebody in danger in every window."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random

from deploy.demo.casting import synthetic
from deploy.demo.clinic import Clinic
from deploy.demo.life import Life
from deploy.embedded.plan import ROOT

CLINICS = ROOT / "deploy" / "config" / "clinics.json"


@dataclass
class Caseload(Clinic):
    """People's actions depend on their own progress and random numbers, never on durations."""

    seed: int = 0
    waiting: list[Life] = field(default_factory=list)
    """People not referred yet."""

    def next_referrals(self, count: int) -> list[Life]:
        """The next people, no two with the same clinician, so that slots are assigned in a fixed order."""
        chosen: dict[str, Life] = {}
        for life in self.waiting:
            if len(chosen) < count:
                chosen.setdefault(life.clinician, life)
        for life in chosen.values():
            self.waiting.remove(life)
        return list(chosen.values())

    async def raise_flag(self, window: int) -> None:
        """Have a clinician raise a flag about somebody whose course has no other crisis."""
        life = self._calm(window)
        if life is None:
            return
        random = Random(f"{self.seed}-flag-{window}")  # noqa: S311 (a simulation, no secret)
        plans = (await self.desks.get("care_plan", f"/patients/{life.patient_id}/plans"))["plans"]
        if plans and random.random() < 0.6:
            sent = self.desks.send(
                "care_plan", "POST", f"/plans/{plans[-1]['id']}/crisis-flag", key=str(window)
            )
        else:
            path = f"/referrals/{life.referral_id}/crisis-flag"
            sent = self.desks.send("intake", "POST", path, {"by": "clinician"}, key=str(window))
        if await self._try(sent) is not None:
            self.agenda.put(self.time.now, lambda: self.take_crisis(life))

    def _calm(self, window: int) -> Life | None:
        calm = [life for life in self.lives.values() if life.crisis_at is None and not life.person.items[8]]
        calm.sort(key=lambda life: life.person.number)
        return calm[(window * 7 + self.seed) % len(calm)] if calm else None


def clinics_elsewhere(folder: Path, zones: dict[str, str]) -> Path:
    """Write the clinics' configuration with some of them in another time zone; return its path."""
    stated = json.loads(CLINICS.read_text())
    for clinic in stated["clinics"]:
        clinic["zone"] = zones.get(clinic["id"], clinic["zone"])
    chosen = folder / "clinics.json"
    chosen.write_text(json.dumps(stated))
    return chosen


def cast(count: int, seed: int) -> Sequence[Life]:
    """Synthetic people, one in six of them in danger when referred."""
    lives = synthetic(count, seed, CLINICS)
    for life in lives[3::6]:
        _in_danger(life)
    return lives


def _in_danger(life: Life) -> None:
    items = tuple(1 if item is None else item for item in life.person.items)
    life.person = replace(life.person, items=(*items[:8], 2))
