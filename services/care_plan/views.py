"""HTTP responses. The texts of inventory and relapse prevention are shown to clinicians only."""

from datetime import date, datetime
from typing import Any, Literal, Self

from pydantic import BaseModel

from services.care_plan.domain.crisis import CrisisRegion, RegionState, Signs
from services.care_plan.domain.indications import indications
from services.care_plan.domain.measures import Band, Change, adequacy, band, has_answered
from services.care_plan.domain.phases import Closed, Handover, Hold, Maintenance, Outcome
from services.care_plan.domain.plan import EndingRaised, Measure, Moment, Plan, Standing
from services.care_plan.domain.protocol import Contract, Goal, Technique
from services.care_plan.domain.transitions import missing, missing_for_end, missing_for_middle
from services.care_plan.events import Frequency, PhaseName, ProblemArea
from shared.http.paging import Page

CRISIS_TEXT = (
    "If you or someone else may be in danger, call or text 988 (Suicide & Crisis Lifeline) or text HOME to "
    "741741 (Crisis Text Line), or call 911. Kith is not an emergency service: it is not watched around the "
    "clock."
)
"""Goes with every text shown around a crisis (clinical.md, crisis)."""


class CrisisNotice(BaseModel):
    """This request raised a crisis flag."""

    severity: Literal["high", "moderate", "low"]
    evidence: tuple[str, ...]
    support: str = CRISIS_TEXT

    @classmethod
    def of(cls, signs: Signs) -> Self:
        return cls(severity=signs.severity, evidence=signs.evidence)


class FlagView(BaseModel):
    """A crisis flag was raised for a plan that cannot be shown here."""

    id: str
    crisis: Literal["open"] = "open"
    crisis_notice: CrisisNotice


class EntryView(BaseModel):
    problem_area: ProblemArea | None
    rank: int | None
    text: str | None


class SessionView(BaseModel):
    appointment_id: str
    outcome: Literal["attended", "missed", "cancelled"]
    at: datetime
    phase: PhaseName
    number: int | None
    techniques: tuple[Technique, ...]
    cancelled_by: str | None
    reason: str | None


class MeasureView(BaseModel):
    instrument: Literal["phq9", "gad7"]
    total: int | None
    band: Band | None
    attended: int
    phase: PhaseName
    recorded_at: datetime
    taken_at: datetime


class ProgressView(BaseModel):
    """PHQ-9 against its baseline."""

    baseline: int | None
    last: int | None
    measured_at: datetime | None
    change: Change | None
    standing: tuple[Standing, ...]
    responding: bool
    not_improving_since: datetime | None


class PreventionView(BaseModel):
    plan: str | None
    contingency_signs: tuple[str, ...] | None


class MaintenanceView(BaseModel):
    frequency: Frequency
    first_on_or_after: date
    review_on: date
    attended: int
    end_of_acute: int | None


class ClosedView(BaseModel):
    outcome: Outcome
    reason: str
    previous: PhaseName
    crisis_handed_over_to: Handover | None


class PlanSummary(BaseModel):
    """`version` is the value to send in If-Match."""

    id: str
    version: int
    patient_id: str
    clinic_id: str
    clinician_id: str
    referral_id: str
    episode: int
    phase: PhaseName
    phase_entered_at: datetime
    on_hold: bool
    attended: int
    sessions: int
    variant: str
    started_at: datetime


class PlanView(PlanSummary):
    contract: Contract
    goals: tuple[Goal, ...]
    techniques: tuple[Technique, ...]
    hold: Hold | None
    crisis: RegionState
    crisis_notice: CrisisNotice | None = None
    missing: tuple[str, ...]
    """What the next phase still requires, besides sessions."""
    phases_overdue: tuple[PhaseName, ...]
    inventory: list[EntryView]
    inventory_completed_at: datetime | None
    focus: tuple[ProblemArea, ...]
    recorded_sessions: list[SessionView]
    missed_in_a_row: int
    measures: list[MeasureView]
    progress: ProgressView
    maintenance_indications: tuple[str, ...]
    ending_raised: EndingRaised | None
    relapse_prevention: PreventionView | None
    alternative_offered_at: datetime | None
    maintenance: MaintenanceView | None
    closed: ClosedView | None


class PlanPage(Page[PlanSummary]):
    pass


class PatientPlans(BaseModel):
    """One person's episodes in order."""

    patient_id: str
    crisis: RegionState
    plans: list[PlanSummary]


def summary(plan: Plan, version: int) -> PlanSummary:
    return PlanSummary(**_summary(plan, version))


def _summary(plan: Plan, version: int) -> dict[str, Any]:
    return {
        "id": plan.id,
        "version": version,
        "patient_id": plan.patient_id,
        "clinic_id": plan.clinic_id,
        "clinician_id": plan.clinician_id,
        "referral_id": plan.referral_id,
        "episode": plan.episode,
        "phase": plan.phase.name,
        "phase_entered_at": plan.phase.entered_at,
        "on_hold": plan.hold is not None,
        "attended": plan.attended,
        "sessions": plan.contract.sessions,
        "variant": plan.contract.variant,
        "started_at": plan.started_at,
    }


def view(
    plan: Plan, version: int, moment: Moment, region: CrisisRegion, *, in_words: bool, signs: Signs | None
) -> PlanView:
    """A plan as the caller may see it; `in_words` includes the clinician's texts."""
    return PlanView(
        **_summary(plan, version),
        contract=plan.contract,
        goals=moment.protocol.goals.codes,
        techniques=moment.protocol.techniques.codes,
        hold=plan.hold,
        crisis=region.state,
        crisis_notice=notice(signs),
        missing=_awaited(plan, moment),
        phases_overdue=plan.overdue,
        inventory=[
            EntryView(problem_area=e.problem_area, rank=e.rank, text=e.text if in_words else None)
            for e in plan.inventory
        ],
        inventory_completed_at=plan.inventory_completed_at,
        focus=plan.focus,
        recorded_sessions=[
            SessionView.model_validate(session.model_dump(exclude={"content"})) for session in plan.sessions
        ],
        missed_in_a_row=plan.missed_in_a_row,
        measures=[_measure(measure) for measure in plan.measures],
        progress=_progress(plan, moment),
        maintenance_indications=indications(plan, moment.protocol),
        ending_raised=plan.ending_raised,
        relapse_prevention=_prevention(plan, in_words),
        alternative_offered_at=plan.alternative_offered_at,
        maintenance=_maintenance(plan),
        closed=_closed(plan),
    )


def notice(signs: Signs | None) -> CrisisNotice | None:
    return None if signs is None else CrisisNotice.of(signs)


def _awaited(plan: Plan, moment: Moment) -> tuple[str, ...]:
    match plan.phase.name:
        case "initial":
            return missing_for_middle(plan)
        case "termination":
            return missing_for_end(plan, moment)
        case _:
            return missing(plan, moment)


def _measure(measure: Measure) -> MeasureView:
    return MeasureView(
        instrument=measure.instrument,
        total=measure.total,
        band=None if measure.total is None else band(measure.instrument, measure.total),
        attended=measure.attended,
        phase=measure.phase,
        recorded_at=measure.recorded_at,
        taken_at=measure.taken_at,
    )


def _progress(plan: Plan, moment: Moment) -> ProgressView:
    thresholds, baseline, measure = moment.protocol.thresholds, plan.baseline_phq9, plan.last_measure()
    last = plan.last_total()
    return ProgressView(
        baseline=baseline,
        last=last,
        measured_at=None if measure is None else measure.taken_at,
        change=None if baseline is None or last is None else adequacy(baseline, last, thresholds),
        standing=plan.standing,
        responding=has_answered(plan, thresholds),
        not_improving_since=plan.not_improving_since,
    )


def _prevention(plan: Plan, in_words: bool) -> PreventionView | None:
    written = plan.relapse_prevention
    if written is None:
        return None
    if not in_words:
        return PreventionView(plan=None, contingency_signs=None)
    return PreventionView(plan=written.text, contingency_signs=written.contingency_signs)


def _maintenance(plan: Plan) -> MaintenanceView | None:
    if not isinstance(plan.phase, Maintenance):
        return None
    return MaintenanceView.model_validate(plan.phase.model_dump(include=set(MaintenanceView.model_fields)))


def _closed(plan: Plan) -> ClosedView | None:
    if not isinstance(plan.phase, Closed):
        return None
    return ClosedView.model_validate(plan.phase.model_dump(include=set(ClosedView.model_fields)))
