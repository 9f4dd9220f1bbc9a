"""PHQ-9 and GAD-7: totals from items, and what a PHQ-9 total means for the course."""

from datetime import datetime
from typing import Literal, assert_never

from services.care_plan.domain.frozen import Frozen
from services.care_plan.domain.phases import Closed, Ended, Initial, Maintenance, Middle, Termination
from services.care_plan.domain.plan import Decision, Measure, Moment, Plan, Standing
from services.care_plan.domain.protocol import Instrument, Thresholds
from services.care_plan.domain.transitions import advance
from services.care_plan.events import (
    DeteriorationDetected,
    MeasureRecorded,
    NotImproving,
    RelapseSignalled,
    RemissionReached,
    ResponseReached,
)
from shared.messaging.event import Event

Items = tuple[int | None, ...]
Band = Literal["minimal", "mild", "moderate", "moderately_severe", "severe"]
Change = Literal["adequate", "probably_inadequate", "inadequate"]

BANDS: dict[Instrument, tuple[tuple[int, Band], ...]] = {
    "phq9": ((20, "severe"), (15, "moderately_severe"), (10, "moderate"), (5, "mild"), (0, "minimal")),
    "gad7": ((15, "severe"), (10, "moderate"), (5, "mild"), (0, "minimal")),
}
"""Lowest total of each band (PHQ-9: Kroenke 2001; GAD-7: cuts 5 / 10 / 15)."""


class Phq9(Frozen):
    """Nine items 0–3; `None` is missing or refused. The tenth, difficulty, is recorded and never summed."""

    items: Items
    difficulty: int | None = None
    item9_unreadable: bool = False
    """Item 9 has an answer that is not a valid one."""


class Gad7(Frozen):
    """Seven items 0–3; `None` is missing or refused."""

    items: Items


def total_of(items: Items) -> int | None:
    """The sum, only when all items are present: a missing one is missing, never 0 (Kroenke 2001)."""
    answered = [item for item in items if item is not None]
    return sum(answered) if len(answered) == len(items) else None


def missing_items(items: Items) -> tuple[int, ...]:
    """Numbers, counted from 1, of the items without an answer."""
    return tuple(number for number, item in enumerate(items, 1) if item is None)


def band(instrument: Instrument, total: int) -> Band:
    return next(name for lowest, name in BANDS[instrument] if total >= lowest)


def adequacy(baseline: int, total: int, thresholds: Thresholds) -> Change:
    """Change of PHQ-9 against baseline: ≥ 5 adequate, 2–4 probably inadequate, ≤ 1 inadequate."""
    drop = baseline - total
    if drop >= thresholds.adequate_drop.value:
        return "adequate"
    if drop >= thresholds.probably_inadequate_drop.value:
        return "probably_inadequate"
    return "inadequate"


def reliably_changed(instrument: Instrument, baseline: int, total: int, thresholds: Thresholds) -> bool:
    """Reliable change: PHQ-9 ≥ 6 points, GAD-7 ≥ 4 (NHS Talking Therapies)."""
    least = thresholds.reliable_change_phq9 if instrument == "phq9" else thresholds.reliable_change_gad7
    return abs(baseline - total) >= least.value


def responds(baseline: int | None, total: int, thresholds: Thresholds) -> bool:
    """Response: a drop of at least half the baseline, judged only if the baseline is at least 10."""
    if baseline is None or baseline < thresholds.response_baseline.value:
        return False
    return (baseline - total) * 100 >= baseline * thresholds.response_percent.value


def remits(total: int, thresholds: Thresholds) -> bool:
    """Remission: PHQ-9 below 5."""
    return total < thresholds.remission_below.value


def deteriorates(baseline: int | None, total: int, thresholds: Thresholds) -> bool:
    """Deterioration: 5 or more over baseline [proposed]."""
    return baseline is not None and total - baseline >= thresholds.deterioration_rise.value


def signals_relapse(end_of_acute: int | None, total: int, thresholds: Thresholds) -> bool:
    """In maintenance: PHQ-9 ≥ 10, or 5 or more over the end-of-acute score [proposed]."""
    if total >= thresholds.relapse_total.value:
        return True
    return end_of_acute is not None and total - end_of_acute >= thresholds.relapse_rise.value


def has_answered(plan: Plan, thresholds: Thresholds) -> bool:
    """Whether the last complete PHQ-9 shows that treatment works; false without one.

    If the baseline is below 10, response cannot be judged and a reliable drop counts instead [proposed].
    """
    total, baseline = plan.last_total(), plan.baseline_phq9
    if total is None:
        return False
    if remits(total, thresholds) or responds(baseline, total, thresholds):
        return True
    if baseline is None or baseline >= thresholds.response_baseline.value:
        return False
    return total < baseline and reliably_changed("phq9", baseline, total, thresholds)


def take_measures(plan: Plan, phq9: Phq9 | None, gad7: Gad7 | None, moment: Moment) -> Decision:
    """Record answers given outside a session, in any phase, even on hold or after closure."""
    plan, events = record_measures(plan, phq9, gad7, moment.now, moment)
    plan, entered = advance(plan, moment)
    return plan, events + entered


def record_measures(
    plan: Plan, phq9: Phq9 | None, gad7: Gad7 | None, taken_at: datetime, moment: Moment
) -> Decision:
    """Record answers that were given at `taken_at`."""
    events: list[Event] = []
    if gad7 is not None:
        plan, recorded = _record(plan, gad7, taken_at, moment)
        events += recorded
    if phq9 is not None:
        plan, recorded = _record(plan, phq9, taken_at, moment)
        events += recorded
        plan, reached = _judge(plan, plan.measures[-1], moment)
        events += reached
    return plan, events


def _record(plan: Plan, answers: Phq9 | Gad7, taken_at: datetime, moment: Moment) -> Decision:
    instrument: Instrument = "phq9" if isinstance(answers, Phq9) else "gad7"
    measure = Measure(
        instrument=instrument,
        items=answers.items,
        difficulty=answers.difficulty if isinstance(answers, Phq9) else None,
        total=total_of(answers.items),
        phase=plan.phase.name,
        attended=plan.attended_here,
        recorded_at=moment.now,
        taken_at=taken_at,
    )
    plan = _with_baseline(plan.changed(measures=(*plan.measures, measure)), measure)
    baseline = plan.baseline_phq9 if instrument == "phq9" else plan.baseline_gad7
    change = None if baseline is None or measure.total is None else measure.total - baseline
    return plan, [
        MeasureRecorded(
            **plan.identity,
            instrument=instrument,
            total=measure.total,
            missing_items=missing_items(measure.items),
            baseline=baseline,
            change=change,
            attended=measure.attended,
            recorded_at=moment.now,
            taken_at=taken_at,
        )
    ]


def _with_baseline(plan: Plan, measure: Measure) -> Plan:
    """If the plan has no baseline yet, use this total."""
    if measure.total is None:
        return plan
    if measure.instrument == "phq9":
        return plan if plan.baseline_phq9 is not None else plan.changed(baseline_phq9=measure.total)
    return plan if plan.baseline_gad7 is not None else plan.changed(baseline_gad7=measure.total)


def _judge(plan: Plan, measure: Measure, moment: Moment) -> Decision:
    """Announce each standing newly entered; one that was left is announced again if it is re-entered.

    Only the PHQ-9 taken last is judged: an older one that is recorded late is history [proposed].
    """
    if measure.total is None or measure is not plan.last_measure():
        return plan, []
    total, now_in = measure.total, _standing(plan, measure.total, measure.taken_at, moment)
    entered = [standing for standing in now_in if standing not in plan.standing]
    return plan.changed(standing=now_in), [_announcement(plan, standing, total) for standing in entered]


def _standing(plan: Plan, total: int, taken_at: datetime, moment: Moment) -> tuple[Standing, ...]:
    thresholds = moment.protocol.thresholds
    match plan.phase:
        case Initial() | Middle() | Termination() | Ended():
            judged: dict[Standing, bool] = {
                "response": responds(plan.baseline_phq9, total, thresholds),
                "remission": remits(total, thresholds),
                "deterioration": deteriorates(plan.baseline_phq9, total, thresholds),
            }
            return tuple(standing for standing, holds in judged.items() if holds)
        case Maintenance(entered_at=since, end_of_acute=end_of_acute):
            signals = taken_at >= since and signals_relapse(end_of_acute, total, thresholds)
            return ("relapse_signal",) if signals else ()
        case Closed():
            return plan.standing
        case _:
            assert_never(plan.phase)


def _announcement(plan: Plan, standing: Standing, total: int) -> Event:
    baseline = total if plan.baseline_phq9 is None else plan.baseline_phq9
    match standing:
        case "response":
            return ResponseReached(**plan.identity, baseline=baseline, total=total)
        case "remission":
            return RemissionReached(**plan.identity, baseline=baseline, total=total)
        case "deterioration":
            return DeteriorationDetected(
                **plan.identity, baseline=baseline, total=total, rise=total - baseline
            )
        case "relapse_signal":
            end = plan.phase.end_of_acute if isinstance(plan.phase, Maintenance) else None
            return RelapseSignalled(**plan.identity, end_of_acute=end, total=total)
        case _:
            assert_never(standing)


def review_case(plan: Plan, week: int, moment: Moment) -> Decision:
    """Ask for a case review in week 8 if there is no response to treatment (Bao et al., ps.201400577)."""
    if plan.not_improving_since is not None or has_answered(plan, moment.protocol.thresholds):
        return plan, []
    not_improving = NotImproving(
        **plan.identity, week=week, baseline=plan.baseline_phq9, total=plan.last_total()
    )
    return plan.changed(not_improving_since=moment.now), [not_improving]
