"""HTTP routes to read plans, record what happened and decide. Coordinators only record, hold and resume."""

from collections.abc import Callable
from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Response

from services.care_plan import handlers
from services.care_plan.crisis_route import crisis_aware
from services.care_plan.domain import inventory, maintenance, measures, revision
from services.care_plan.domain.crisis import EXPLICIT
from services.care_plan.domain.plan import Decision, Moment, Plan
from services.care_plan.events import PhaseName
from services.care_plan.requests import (
    CloseForm,
    ContractForm,
    FocusForm,
    HoldForm,
    InventoryForm,
    MaintenanceForm,
    MaintenanceReviewForm,
    MeasuresForm,
    RelapseForm,
    RelapsePreventionForm,
    SessionForm,
)
from services.care_plan.store import CarePlanWork, page_query
from services.care_plan.views import FlagView, PatientPlans, PlanPage, PlanView, summary
from shared.http.caller import ALL_CLINICS, Call
from shared.http.commands import Commands, Reply
from shared.http.guard import call_for
from shared.http.models import OpaqueId
from shared.http.paging import Cursor, PageLimit, decode_cursor, encode_cursor
from shared.http.routes import CRISIS

Reader = Annotated[Call, Depends(call_for("clinician", "coordinator", "service"))]
Clinician = Annotated[Call, Depends(call_for("clinician"))]
Carer = Annotated[Call, Depends(call_for("clinician", "coordinator"))]
PlanId = Annotated[OpaqueId, Path()]
PatientId = Annotated[OpaqueId, Path()]
Code = Annotated[OpaqueId | None, Query()]

PlanCommands = Commands[CarePlanWork]


def routers(commands: PlanCommands) -> list[APIRouter]:
    return [reading(commands), deciding(commands), recording(commands)]


def reading(commands: PlanCommands) -> APIRouter:
    api = APIRouter(tags=["plans"])

    @api.get("/plans", response_model=PlanPage)
    async def list_plans(
        *,
        call: Reader,
        phase: Annotated[PhaseName | None, Query()] = None,
        clinician: Code = None,
        patient_id: Code = None,
        cursor: Cursor = None,
        limit: PageLimit = 50,
    ) -> Response:
        """Plans of the caller's clinic in order of id."""
        clinic = None if call.caller.clinic == ALL_CLINICS else call.caller.clinic
        query = page_query(clinic, decode_cursor(cursor), phase, clinician, patient_id)

        async def load(work: CarePlanWork) -> None:
            await work.plans.find(query, limit=limit + 1, sort=[("_id", 1)])

        def page(work: CarePlanWork) -> Reply:
            found = list(work.plans)
            items = [summary(plan, work.plans.version(plan.id)) for plan in found[:limit]]
            more = encode_cursor(items[-1].id) if len(found) > limit else None
            return Reply(PlanPage(items=items, next=more))

        return await commands.read(call, load, page)

    @api.get("/plans/{plan_id}", response_model=PlanView)
    async def read_plan(plan_id: PlanId, call: Reader) -> Response:
        """One plan with its ETag; the clinician's texts are shown to clinicians only."""
        return await commands.read(
            call,
            lambda work: work.load_plan(plan_id),
            lambda work: handlers.answer(work, call, handlers.own_plan(work, call, plan_id)),
        )

    @api.get("/patients/{patient_id}/plans", response_model=PatientPlans)
    async def list_patient_plans(patient_id: PatientId, call: Reader) -> Response:
        """A person's episodes in order."""

        def listed(work: CarePlanWork) -> Reply:
            own = [plan for plan in work.plans_of(patient_id) if call.caller.sees(plan.clinic_id)]
            plans = [summary(plan, work.plans.version(plan.id)) for plan in own]
            state = work.region(patient_id, "").state if own else "none"
            return Reply(PatientPlans(patient_id=patient_id, crisis=state, plans=plans))

        return await commands.read(call, lambda work: work.load_patient(patient_id), listed)

    return api


def deciding(commands: PlanCommands) -> APIRouter:
    api = APIRouter(tags=["plans"])

    async def change(call: Call, plan_id: str, command: Callable[[Plan, Moment], Decision]) -> Response:
        return await commands.run(
            call,
            lambda work: work.load_plan(plan_id),
            lambda work: handlers.change_plan(work, call, plan_id, command),
        )

    @api.put("/plans/{plan_id}/inventory", response_model=PlanView)
    async def record_inventory(plan_id: PlanId, form: InventoryForm, call: Clinician) -> Response:
        """Replace the entries of the interpersonal inventory."""
        entries = form.inventory()
        return await change(call, plan_id, lambda p, m: inventory.record_inventory(p, entries, m))

    @api.post("/plans/{plan_id}/inventory/complete", response_model=PlanView)
    async def complete_inventory(plan_id: PlanId, call: Clinician) -> Response:
        """Mark the inventory as complete: all issues are recorded and ranked."""
        return await change(call, plan_id, inventory.complete_inventory)

    @api.put("/plans/{plan_id}/focus", response_model=PlanView)
    async def select_focus(plan_id: PlanId, form: FocusForm, call: Clinician) -> Response:
        """Choose one or two problem areas to work on."""
        return await change(call, plan_id, lambda p, m: inventory.select_focus(p, form.problem_areas, m))

    @api.post("/plans/{plan_id}/contract", response_model=PlanView)
    async def revise_contract(plan_id: PlanId, form: ContractForm, call: Clinician) -> Response:
        """Agree on another number of sessions."""
        return await change(
            call, plan_id, lambda p, m: revision.revise_contract(p, form.sessions, form.reason, m)
        )

    @api.post("/plans/{plan_id}/hold", response_model=PlanView)
    async def hold_plan(plan_id: PlanId, form: HoldForm, call: Carer) -> Response:
        """Pause the course until further notice, with a review date."""
        return await change(call, plan_id, lambda p, m: revision.hold(p, form.reason, form.review_on, m))

    @api.post("/plans/{plan_id}/resume", response_model=PlanView)
    async def resume_plan(plan_id: PlanId, call: Carer) -> Response:
        """Lift the hold; the course continues where it stopped."""
        return await change(call, plan_id, revision.resume)

    @api.put("/plans/{plan_id}/relapse-prevention", response_model=PlanView)
    async def record_relapse_prevention(
        plan_id: PlanId, form: RelapsePreventionForm, call: Clinician
    ) -> Response:
        """Record the plan for afterwards and its contingency signs."""
        written = form.prevention()
        return await change(call, plan_id, lambda p, m: maintenance.record_relapse_prevention(p, written, m))

    @api.post("/plans/{plan_id}/alternative-offered", response_model=PlanView)
    async def offer_alternative(plan_id: PlanId, call: Clinician) -> Response:
        """Record that somebody who did not respond was offered another treatment."""
        return await change(call, plan_id, maintenance.offer_alternative)

    @api.post("/plans/{plan_id}/maintenance", response_model=PlanView)
    async def contract_maintenance(plan_id: PlanId, form: MaintenanceForm, call: Clinician) -> Response:
        """Agree on maintenance after the end of treatment."""
        return await change(
            call,
            plan_id,
            lambda p, m: maintenance.contract_maintenance(
                p, form.frequency, form.first_on_or_after, form.review_on, m
            ),
        )

    @api.post("/plans/{plan_id}/maintenance/review", response_model=PlanView)
    async def review_maintenance(plan_id: PlanId, form: MaintenanceReviewForm, call: Clinician) -> Response:
        """Record that maintenance was reviewed and continues."""
        return await change(
            call, plan_id, lambda p, m: maintenance.review_maintenance(p, form.frequency, form.review_on, m)
        )

    @api.post("/plans/{plan_id}/relapse", response_model=PlanView, status_code=201)
    async def confirm_relapse(plan_id: PlanId, form: RelapseForm, call: Clinician) -> Response:
        """Confirm a relapse: this plan closes, and the next episode's plan begins."""

        async def load(work: CarePlanWork) -> None:
            await work.load_plan(plan_id)
            if (plan := work.plans.get(plan_id)) is not None:
                await work.count_episodes([plan.patient_id])

        return await commands.run(
            call, load, lambda work: handlers.confirm_relapse(work, call, plan_id, form.variant)
        )

    @api.post("/plans/{plan_id}/close", response_model=PlanView)
    async def close_plan(plan_id: PlanId, form: CloseForm, call: Clinician) -> Response:
        """Close the plan, with an outcome and a reason."""
        return await commands.run(
            call,
            lambda work: work.load_plan(plan_id),
            lambda work: handlers.close_plan(
                work,
                call,
                plan_id,
                outcome=form.outcome,
                reason=form.reason,
                handover=form.crisis_handed_over_to,
            ),
        )

    return api


def recording(commands: PlanCommands) -> APIRouter:
    """Routes whose input may show danger; signs raise a flag even if the request itself is refused."""
    api = APIRouter(route_class=crisis_aware(commands))

    @api.post("/plans/{plan_id}/sessions", response_model=PlanView, tags=["plans"])
    async def record_session(plan_id: PlanId, form: SessionForm, call: Carer) -> Response:
        """Record what became of an appointment; an identical repeat changes nothing."""
        return await commands.run(
            call,
            lambda work: work.load_plan(plan_id),
            lambda work: handlers.record_session(work, call, plan_id, form.happening(), form.signs()),
        )

    @api.post("/plans/{plan_id}/measures", response_model=PlanView, tags=["plans"])
    async def take_measures(plan_id: PlanId, form: MeasuresForm, call: Carer) -> Response:
        """Record questionnaires filled in outside a session, in any phase."""
        phq9, gad7 = form.phq9_answers(), form.gad7_answers()
        return await commands.run(
            call,
            lambda work: work.load_plan(plan_id),
            lambda work: handlers.change_plan(
                work, call, plan_id, lambda p, m: measures.take_measures(p, phq9, gad7, m), form.signs()
            ),
        )

    @api.post("/plans/{plan_id}/crisis-flag", response_model=PlanView | FlagView, tags=[CRISIS])
    async def raise_crisis_flag(plan_id: PlanId, call: Carer) -> Response:
        """Report that someone is in danger. Needs no body; an invalid request raises the flag too."""
        key = call.idempotency_key and f"{call.idempotency_key} {call.digest.hex()}"
        return await commands.run(
            replace(call, idempotency_key=key),  # a key that was used elsewhere must not silence a flag
            lambda work: work.load_for_flag(plan_id),
            lambda work: handlers.raise_crisis_flag(work, call, plan_id, EXPLICIT),
        )

    return api
