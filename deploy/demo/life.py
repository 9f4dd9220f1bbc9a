"""One simulated person's course, decided by their own random numbers.

Each person draws from their own generator, in the order of their own sessions. The same seed therefore gives
the same course whatever else happens meanwhile, even if a service is killed.
"""

from dataclasses import dataclass, field
from random import Random
from typing import Any, Literal

from deploy.demo.population import ITEM_9, Person, later_answers

Visit = Literal["attended", "missed", "cancelled", "forgotten"]
CrisisManner = Literal["in_time", "late", "until_everyone", "lease_expires"]

AREAS = ("role_disputes", "role_transitions", "grief", "interpersonal_deficits")
TECHNIQUES = (
    "emotional_identification",
    "healthy_expression",
    "dealing_with_the_past",
    "supportive_listening",
    "communication_analysis",
    "encouragement_of_affect",
    "role_playing",
)


@dataclass
class Life:
    """A person, the decisions about them, and their random generator."""

    person: Person
    seed: int
    clinician: str
    referral_id: str = ""
    patient_id: str = ""
    done: set[str] = field(default_factory=set)
    """Actions that happen only once in a course and have happened."""

    def __post_init__(self) -> None:
        self.random = Random(f"{self.seed}-{self.person.number}")  # noqa: S311 (a simulation, no secret)
        chance = self.random.random
        self.slow_inventory = chance() < 0.08
        self.holds_at = 5 if chance() < 0.05 else None
        self.extends_at = 9 if chance() < 0.05 else None
        self.withdraws_at = self.random.choice((3, 6, 8)) if chance() < 0.05 else None
        self.crisis_at = self.random.choice((3, 6, 9)) if chance() < 0.06 else None
        self.wants_maintenance = chance() < 0.6
        self.relapses_at = 2 if chance() < 0.08 else None
        self.relapse_is_confirmed = chance() < 0.6
        self.crisis_manner: CrisisManner = self.random.choices(
            ("in_time", "late", "until_everyone", "lease_expires"), (60, 20, 10, 10)
        )[0]

    def once(self, what: str) -> bool:
        """True the first time it is called with `what`."""
        if what in self.done:
            return False
        self.done.add(what)
        return True

    def visit(self) -> Visit:
        """Draw the outcome of an appointment."""
        kinds: tuple[Visit, ...] = ("attended", "missed", "cancelled", "forgotten")
        return self.random.choices(kinds, (87, 7, 3, 3))[0]

    def referral(self) -> dict[str, Any]:
        """The referral form with C-SSRS answers: a positive item 9 mostly means thoughts without intent."""
        answered = {"phq9": {"items": list(self.person.items)}, "gad7": {"items": list(self.person.gad7)}}
        return {
            "clinic_id": self.person.clinic,
            "source_system": "demo",
            "external_id": f"referral-{self.seed}-{self.person.number}",
            "clinician_id": self.clinician,
            "person": {
                "external_id": f"person-{self.seed}-{self.person.number}",
                "given_name": "Synthetic",
                "family_name": f"Person {self.person.number}",
            },
            "age": self.person.age,
            "consent": True,
            "history": {"episodes": self.random.choice((1, 1, 1, 2, 3)), "onset_age": self.person.age - 1},
            "screening": {**answered, "cssrs": self._cssrs()},
        }

    def _cssrs(self) -> dict[str, bool]:
        if not self.person.items[ITEM_9]:
            return {"q1": False, "q2": False, "q6": False}
        risk = self.random.choices(("low", "moderate", "high"), (70, 20, 10))[0]
        if risk == "low":
            return {"q1": True, "q2": False, "q6": False}
        return {"q1": True, "q2": True, "q3": True, "q4": risk == "high", "q5": False, "q6": False}

    def completed_screening(self) -> dict[str, Any]:
        """The answers, with unanswered items filled in."""
        return {"phq9": {"items": [1 if item is None else item for item in self.person.items]}}

    def session(self, appointment: str, attended: int, sessions: int) -> dict[str, Any]:
        """An attended session with its measure: treatment helps or not, or a crisis occurs."""
        items = later_answers(self.person, attended + 1, max(sessions, 1), self.random)
        body: dict[str, Any] = {
            "outcome": "attended",
            "appointment_id": appointment,
            "techniques": self.random.sample(TECHNIQUES, 2),
        }
        if self.crisis_at == attended + 1:
            items[ITEM_9] = 2
            body["cssrs"] = {"q1": True, "q2": True, "q3": True, "q4": True, "q5": False, "q6": False}
        body["phq9"] = {"items": items}
        return body

    def maintenance_session(self, appointment: str, attended: int) -> dict[str, Any]:
        """A maintenance session; some people relapse."""
        relapsing = self.relapses_at is not None and attended + 1 >= self.relapses_at
        items = [2, 2, 2, 1, 2, 1, 1, 1, 0] if relapsing else [0, 1, 0, 1, 0, 0, 0, 0, 0]
        return {"outcome": "attended", "appointment_id": appointment, "phq9": {"items": items}}

    def inventory(self) -> dict[str, Any]:
        areas = self.random.sample(AREAS, 3)
        return {
            "entries": [
                {"text": f"Synthetic issue {rank}", "problem_area": area, "rank": rank}
                for rank, area in enumerate(areas, start=1)
            ]
        }

    def focus(self) -> dict[str, Any]:
        return {"problem_areas": self.random.sample(AREAS, self.random.choice((1, 1, 2)))}
