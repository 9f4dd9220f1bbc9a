"""Plans by id, one crisis region per patient; their indexes and queries."""

from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from services.care_plan.domain.crisis import CrisisRegion, no_crisis, with_unanswered_flags
from services.care_plan.domain.plan import InDanger, Moment, Plan, plan_id_of
from services.care_plan.inbound import AlertFact, AlertResolved, IntakeCompleted, PlanDue
from services.care_plan.protocols import protocols
from shared.messaging.work import Excerpt, Work
from shared.migrations import Migration
from shared.mongo import Document, Index, MongoDatabase

PLANS = "plans"
CRISES = "crises"
COLLECTIONS = [PLANS, CRISES]
INDEXES = [
    Index(PLANS, "patient_id", "episode", unique=True),  # two plans never share an episode
    Index(PLANS, "clinic_id", "_id"),
]

ADVANCING = ["initial", "middle", "termination"]
"""Phases that may advance once a crisis is resolved."""


FLAGGED = Excerpt[InDanger](
    projection=dict.fromkeys([*InDanger.model_fields, "version", "announced", "trail"], 1) | {"_id": 1},
    changes=lambda plan: ({"crisis_flags": plan.crisis_flags}, []),
)


MIGRATION = Migration(
    "regions-know-their-unanswered-flags", CRISES, {"unanswered": {"$exists": False}}, with_unanswered_flags
)


class CarePlanWork(Work):
    def __init__(self, database: MongoDatabase, *, now: datetime) -> None:
        super().__init__(database, service="care_plan", now=now)
        self.plans = self.documents(PLANS, Plan)
        self.in_danger = self.documents(PLANS, InDanger, excerpt=FLAGGED)
        self.crises = self.documents(CRISES, CrisisRegion)
        self.is_region_readable = True
        self._episodes: dict[str, int] = {}

    async def prefetch(self, facts: list[Any]) -> None:
        """Load a batch's documents in at most five queries, or two if it holds only completed intakes."""
        intakes = [fact for fact in facts if isinstance(fact, IntakeCompleted)]
        plan_ids = {plan_id_of(fact.referral_id) for fact in intakes}
        plan_ids |= {fact.plan_id for fact in facts if isinstance(fact, PlanDue)}
        crises = [fact for fact in facts if isinstance(fact, AlertFact) and fact.is_crisis]
        decided_upon = [*crises, *(fact for fact in facts if isinstance(fact, PlanDue))]
        await self.plans.load(plan_ids)
        if intakes:
            await self.count_episodes({fact.patient_id for fact in intakes})
        if decided_upon:
            await self.crises.load({fact.patient_id for fact in decided_upon})
        resolved = {fact.patient_id for fact in crises if isinstance(fact, AlertResolved)}
        if resolved:
            await self.plans.find(_advancing(resolved))
        if others := {fact.patient_id for fact in crises} - resolved:
            await self.plans.find_readable(_advancing(others))  # a crisis opens even if a plan is unreadable

    async def count_episodes(self, patient_ids: Iterable[str]) -> None:
        """Read the patients' last episode numbers from the index alone."""
        asked = {"patient_id": {"$in": sorted(patient_ids)}}
        fields = {"_id": 0, "patient_id": 1, "episode": 1}
        async for row in self.database[PLANS].find(asked, fields):
            self.count_episode(row["patient_id"], row["episode"])

    def count_episode(self, patient_id: str, episode: int) -> None:
        self._episodes[patient_id] = max(episode, self._episodes.get(patient_id, 0))

    def next_episode(self, patient_id: str) -> int:
        """Next episode number, 1 for a patient without a plan; requires `count_episodes` first."""
        return self._episodes.get(patient_id, 0) + 1

    async def load_plan(self, plan_id: str) -> None:
        """Load a plan and its patient's crisis region."""
        await self.plans.load([plan_id])
        if (plan := self.plans.get(plan_id)) is not None:
            await self.crises.load([plan.patient_id])

    async def load_for_flag(self, plan_id: str) -> None:
        """Load what a flag needs; a plan or region of a newer release may be unreadable beyond `InDanger`."""
        await self.in_danger.load([plan_id])
        if (plan := self.in_danger.get(plan_id)) is None:
            return
        with suppress(ValidationError):
            await self.plans.load([plan_id])
        try:
            await self.crises.load([plan.patient_id])
        except ValidationError:
            self.is_region_readable = False

    async def load_patient(self, patient_id: str) -> None:
        await self.plans.find({"patient_id": patient_id})
        await self.crises.load([patient_id])

    def region(self, patient_id: str, clinic_id: str) -> CrisisRegion:
        """The patient's region. Raises `NotLoaded` if it was never loaded: that does not mean no crisis."""
        return self.crises.get_loaded(patient_id) or no_crisis(patient_id, clinic_id)

    def moment(self, plan: Plan) -> Moment:
        """Context of a decision now, under the plan's pinned protocol."""
        return Moment(
            now=self.now,
            protocol=protocols().version(plan.contract.protocol_version),
            in_crisis=self.region(plan.patient_id, plan.clinic_id).unresolved,
        )

    def plans_of(self, patient_id: str) -> list[Plan]:
        """The patient's loaded plans, in order of episode."""
        own = [plan for plan in self.plans if plan.patient_id == patient_id]
        return sorted(own, key=lambda plan: plan.episode)


def _advancing(patient_ids: Iterable[str]) -> Document:
    """Query for plans that may advance once their patient's crisis is over."""
    return {"patient_id": {"$in": sorted(patient_ids)}, "phase.name": {"$in": ADVANCING}}


def page_query(
    clinic: str | None, after: str | None, phase: str | None, clinician: str | None, patient: str | None
) -> Document:
    """Query for plans of a clinic (`None`: of all) with ids after `after`."""
    asked = {
        "clinic_id": clinic,
        "_id": None if after is None else {"$gt": after},
        "phase.name": phase,
        "clinician_id": clinician,
        "patient_id": patient,
    }
    return {name: value for name, value in asked.items() if value is not None}
