"""Intake over HTTP."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response

from services.intake import handlers
from services.intake.bulk import MAX_BYTES, BulkForm, entries, import_rows, load_entries
from services.intake.crisis_route import MAY_REFER, crisis_aware
from services.intake.domain.names import Question
from services.intake.domain.referral import Referral, StageName, Submission
from services.intake.finding import find_people
from services.intake.forms import (
    AgeForm,
    ConsentForm,
    CrisisFlagForm,
    Decision,
    LookupForm,
    ReferralForm,
    ScreeningForm,
    SearchForm,
)
from services.intake.handlers import Desk
from services.intake.naming import filing, load_filings
from services.intake.store import IntakeWork
from services.intake.views import (
    BulkResult,
    FoundPeople,
    Names,
    PersonView,
    ReferralSummary,
    ReferralView,
    SetAsideForms,
)
from shared.http.caller import ALL_CLINICS, Call
from shared.http.commands import Commands, Reply
from shared.http.guard import call_for
from shared.http.models import OpaqueId
from shared.http.paging import Cursor, Page, PageLimit, decode_cursor, encode_cursor
from shared.http.routes import CRISIS
from shared.mongo import Document

MOST_SET_ASIDE = 100

Referrer = Annotated[Call, Depends(call_for(*MAY_REFER))]
Clinician = Annotated[Call, Depends(call_for("clinician"))]
Carer = Annotated[Call, Depends(call_for("coordinator", "clinician"))]


def router(commands: Commands[IntakeWork], desk: Desk) -> APIRouter:
    """Every route of intake. Refused submissions are still read for crisis evidence."""
    api = APIRouter(tags=["intake"])
    _add_submissions(api, commands, desk)
    _add_decisions(api, commands, desk)
    _add_readings(api, commands, desk)
    _add_people(api, commands)
    return api


def _add_submissions(api: APIRouter, commands: Commands[IntakeWork], desk: Desk) -> None:
    heard = APIRouter(route_class=crisis_aware(commands, desk))
    referred: dict[int | str, dict[str, Any]] = {201: {"model": ReferralView}}

    @heard.post("/referrals", response_model=ReferralView, responses=referred)
    async def refer(call: Referrer, form: ReferralForm) -> Response:
        """Refer a person, with whatever is known already; a repeated external id adds to that referral."""
        filed = filing(call.caller, form)
        return await commands.run(
            call,
            lambda work: load_filings(work, [filed]),
            lambda work: handlers.refer(work, desk, call, filed),
        )

    @heard.post("/referrals/bulk", response_model=BulkResult, openapi_extra={"x-max-body-bytes": MAX_BYTES})
    async def import_referrals(call: Referrer, form: BulkForm) -> Response:
        """Import up to 500 rows in one transaction; idempotent by the rows' external ids."""
        rows = await entries(form, call, desk.clinics)
        return await commands.run_in_turns(
            call,
            lambda work: load_entries(work, rows),
            lambda work: import_rows(work, desk, call.caller, rows),
        )

    @heard.put("/referrals/{referral_id}/screening", response_model=ReferralView)
    async def record_screening(call: Referrer, referral_id: OpaqueId, form: ScreeningForm) -> Response:
        """Submit answers, all or some; they are merged with earlier ones and scored here."""
        submission = form.submission()
        return await commands.run(
            call,
            lambda work: work.load_with_others(referral_id),
            lambda work: handlers.record(work, desk, call, referral_id, submission),
        )

    @heard.post(
        "/referrals/{referral_id}/crisis-flag", response_model=ReferralView, status_code=201, tags=[CRISIS]
    )
    async def flag_crisis(
        call: Referrer, referral_id: OpaqueId, form: CrisisFlagForm | None = None
    ) -> Response:
        """Raise a crisis explicitly: people are alerted at once."""
        return await commands.run(
            call,
            lambda work: work.load_with_others(referral_id),
            lambda work: handlers.flag_crisis(work, desk, call, referral_id),
        )

    api.include_router(heard)


def _add_decisions(api: APIRouter, commands: Commands[IntakeWork], desk: Desk) -> None:
    @api.put("/referrals/{referral_id}/consent", response_model=ReferralView)
    async def record_consent(call: Referrer, referral_id: OpaqueId, form: ConsentForm) -> Response:
        """Record whether the person consents."""
        submission = Submission(consent=form.given)
        return await commands.run(
            call,
            lambda work: work.load_with_others(referral_id),
            lambda work: handlers.record(work, desk, call, referral_id, submission),
        )

    @api.put("/referrals/{referral_id}/age", response_model=ReferralView)
    async def record_age(call: Referrer, referral_id: OpaqueId, form: AgeForm) -> Response:
        """Record the age of a person whose birth date is unknown."""
        submission = Submission(age=form.age)
        return await commands.run(
            call,
            lambda work: work.load_with_others(referral_id),
            lambda work: handlers.record(work, desk, call, referral_id, submission),
        )

    @api.post("/referrals/{referral_id}/decision", response_model=ReferralView)
    async def decide(call: Clinician, referral_id: OpaqueId, form: Decision) -> Response:
        """Enrol with a variant and its N, or decline with a reason; a refusal names its own reason."""
        return await commands.run(
            call,
            lambda work: work.load_with_others(referral_id),
            lambda work: handlers.decide(work, desk, call, referral_id, form),
        )


def _add_readings(api: APIRouter, commands: Commands[IntakeWork], desk: Desk) -> None:
    @api.get("/referrals", response_model=Page[ReferralSummary])
    async def list_referrals(
        call: Referrer,
        state: StageName | None = None,
        patient_id: OpaqueId | None = None,
        cursor: Cursor = None,
        limit: PageLimit = 50,
    ) -> Response:
        """The clinic's referrals by id, a page at a time."""
        query = _query(call, state, patient_id, decode_cursor(cursor))

        async def load(work: IntakeWork) -> None:
            await work.referrals.find(query, limit=limit + 1, sort=[("_id", 1)])

        return await commands.read(call, load, lambda work: Reply(_page(list(work.referrals), limit)))

    @api.get("/referrals/{referral_id}", response_model=ReferralView)
    async def show_referral(call: Referrer, referral_id: OpaqueId) -> Response:
        """One referral in full, without the person's identity."""
        return await commands.read(
            call,
            lambda work: work.referrals.load([referral_id]),
            lambda work: handlers.show(work, desk, call, referral_id),
        )


def _query(call: Call, state: StageName | None, patient_id: str | None, after: str | None) -> Document:
    query: Document = {}
    if call.caller.clinic != ALL_CLINICS:
        query["clinic_id"] = call.caller.clinic
    if state is not None:
        query["stage.status"] = state
    if patient_id is not None:
        query["patient_id"] = patient_id
    if after is not None:
        query["_id"] = {"$gt": after}
    return query


def _page(found: list[Referral], limit: int) -> Page[ReferralSummary]:
    shown = found[:limit]
    more = len(found) > limit
    return Page[ReferralSummary](
        items=[ReferralSummary.of(referral) for referral in shown],
        next=encode_cursor(shown[-1].id) if more else None,
    )


def _add_people(api: APIRouter, commands: Commands[IntakeWork]) -> None:
    @api.get("/people/{patient_id}", response_model=PersonView)
    async def show_person(call: Carer, patient_id: OpaqueId) -> Response:
        """Who a patient is, with names and contacts."""
        return await commands.read(
            call,
            lambda work: work.people.load([patient_id]),
            lambda work: handlers.show_person(work, call, patient_id),
        )

    @api.get("/people/{patient_id}/set-aside", response_model=SetAsideForms)
    async def show_set_aside(call: Carer, patient_id: OpaqueId) -> Response:
        """Refused forms with crisis evidence about a person, identified or not, and who sent them."""

        async def load(work: IntakeWork) -> None:
            await work.set_aside_forms.find({"patient_id": patient_id}, limit=MOST_SET_ASIDE)

        return await commands.read(call, load, lambda work: handlers.show_set_aside(work, call))

    @api.post("/people/lookup", response_model=Names)
    async def look_up_names(call: Carer, form: LookupForm) -> Response:
        """Names for a page of patient ids."""
        return await commands.read(
            call,
            lambda work: work.people.load(form.ids),
            lambda work: handlers.look_up_names(work, call, form.ids),
        )

    @api.post("/people/search", response_model=FoundPeople)
    async def search_people(call: Carer, form: SearchForm) -> Response:
        """Find the clinic's people whose names begin with these words, or who have this external id."""
        clinic = None if call.caller.clinic == ALL_CLINICS else call.caller.clinic
        question = Question.of(form.text)
        return await commands.read(
            call,
            lambda work: find_people(work, question, clinic),
            lambda work: handlers.found_people(work, call),
        )
