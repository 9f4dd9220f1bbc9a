"""The end of treatment, maintenance and its reviews."""

from datetime import date, timedelta

from services.care_plan.domain.phases import Ended, Maintenance
from services.care_plan.domain.plan import (
    Decision,
    EndingRaised,
    Moment,
    Plan,
    RelapsePrevention,
    require,
    require_phase,
)
from services.care_plan.domain.refusals import refuse
from services.care_plan.domain.transitions import advance, enter
from services.care_plan.events import Frequency, MaintenanceContracted

LONGEST_CONTRACT = timedelta(days=2 * 366)
"""[proposed] Longest time until a review: a later date is a typing error, and would fill decades of diary."""


def note_ending_raised(plan: Plan, ending: EndingRaised) -> Plan:
    """Keep the latest announcement, made one session ahead, of the termination phase, with its N."""
    known = plan.ending_raised
    if known is not None and known.due_at >= ending.due_at:
        return plan
    return plan.changed(ending_raised=ending)


def record_relapse_prevention(plan: Plan, prevention: RelapsePrevention, moment: Moment) -> Decision:
    """Record the plan for afterwards and its contingency signs. Treatment ends if nothing else is missing."""
    require_phase(plan, "initial", "middle", "termination", "ended", "maintenance")
    return advance(plan.changed(relapse_prevention=prevention), moment)


def offer_alternative(plan: Plan, moment: Moment) -> Decision:
    """Record that a non-responder was offered another treatment before closing (clinical.md, phase table)."""
    require_phase(plan, "termination", "ended", "maintenance")
    if plan.alternative_offered_at is not None:
        return plan, []
    return plan.changed(alternative_offered_at=moment.now), []


def contract_maintenance(
    plan: Plan,
    frequency: Frequency | None,
    first_on_or_after: date | None,
    review_on: date | None,
    moment: Moment,
) -> Decision:
    """Ended → maintenance, under a contract of its own; monthly by default (Frank 2007).

    Refuses `wrong_phase`, `on_hold`, `first_session_past`, `review_date_past`, `review_date_too_far` and
    `review_before_first_session`: otherwise nothing would be booked, without notice.
    """
    ended = require(plan, Ended)
    if plan.hold is not None:
        refuse("on_hold")
    frequency = frequency or moment.protocol.maintenance.default_frequency.code
    first = first_on_or_after or _after(moment, moment.protocol.maintenance.interval_days.of(frequency))
    if first < moment.earliest_today:
        refuse("first_session_past")
    agreed = Maintenance(
        entered_at=moment.now,
        end_of_acute=ended.end_of_acute,
        frequency=frequency,
        first_on_or_after=first,
        review_on=_review_on(review_on, moment, first=first),
    )
    plan, entered = enter(plan.changed(standing=()), agreed, moment)
    return plan, [*entered, _contracted(plan, agreed)]


def review_maintenance(
    plan: Plan, frequency: Frequency | None, review_on: date | None, moment: Moment
) -> Decision:
    """Continue maintenance after a review, perhaps at another frequency, with a new review date.

    Refuses as `contract_maintenance` does.
    """
    current = require(plan, Maintenance)
    pace = frequency or current.frequency
    first = current.first_on_or_after
    if pace != current.frequency:
        first = _after(moment, moment.protocol.maintenance.interval_days.of(pace))
    agreed = current.model_copy(
        update={
            "frequency": pace,
            "first_on_or_after": first,
            "review_on": _review_on(review_on, moment, first=first),
            "reviewed_at": moment.now,
        }
    )
    plan = plan.changed(phase=agreed)
    return plan, [_contracted(plan, agreed)]


def _contracted(plan: Plan, agreed: Maintenance) -> MaintenanceContracted:
    return MaintenanceContracted(
        **plan.identity,
        frequency=agreed.frequency,
        first_on_or_after=agreed.first_on_or_after,
        review_on=agreed.review_on,
    )


def _review_on(asked: date | None, moment: Moment, *, first: date) -> date:
    review_on = asked or _after(moment, moment.protocol.maintenance.review_after_days.value)
    if review_on <= moment.earliest_today:
        refuse("review_date_past")
    if review_on > moment.now.date() + LONGEST_CONTRACT:
        refuse("review_date_too_far")
    if review_on < first:
        refuse("review_before_first_session", first_on_or_after=first.isoformat())
    return review_on


def _after(moment: Moment, days: int) -> date:
    return moment.now.date() + timedelta(days=days)
