"""Signs that someone may be in danger, and the crisis region that runs beside the phases."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Literal, TypeVar

from pydantic import model_validator

from services.care_plan.domain.frozen import Frozen
from services.care_plan.domain.measures import Phq9
from services.care_plan.domain.plan import InDanger, Plan, derived_id
from services.care_plan.events import CrisisFlagRaised

Flaggable = TypeVar("Flaggable", Plan, InDanger)

Severity = Literal["high", "moderate", "low"]
Evidence = Literal["phq9_item9", "cssrs_high", "cssrs_moderate", "cssrs_low", "explicit", "unassessable"]
RegionState = Literal["none", "open", "acknowledged", "assessed", "resolved"]
AlertState = Literal["open", "acknowledged", "assessed", "resolved"]

SEVERITIES: tuple[Severity, ...] = ("low", "moderate", "high")
SEVERITY: Mapping[Evidence, Severity] = {
    "cssrs_high": "high",
    "cssrs_moderate": "moderate",
    "cssrs_low": "low",
    "unassessable": "moderate",
}
"""Severity of each C-SSRS finding (clinical.md, crisis table)."""

PROGRESS: tuple[AlertState, ...] = ("open", "acknowledged", "assessed", "resolved")

ANSWERED_WITHIN = timedelta(days=1)
"""After this, `forget_flags` stops waiting for an answer. The alerts service answers within seconds, but
never answers a flag that it set aside and somebody discarded."""


class Cssrs(Frozen):
    """The C-SSRS screener; `q6_recent`: behaviour within the last three months.

    `None`: not asked or not answered. `unreadable`: an answer was neither yes nor no.
    """

    q1: bool | None = None
    q2: bool | None = None
    q3: bool | None = None
    q4: bool | None = None
    q5: bool | None = None
    q6: bool | None = None
    q6_recent: bool | None = None
    unreadable: bool = False

    @property
    def is_complete(self) -> bool:
        """Every question of the flow has a readable answer, and none contradicts another."""
        return not (self.unreadable or self._is_contradictory or None in self._asked)

    @property
    def is_empty(self) -> bool:
        return self == Cssrs()

    @property
    def _asked(self) -> list[bool | None]:
        """Answers to questions 1 and 2, then only 6 if 2 is no, else 3, 4, 5 and 6 (Columbia)."""
        asked = [self.q1, self.q2, self.q6]
        if self.q2 is not False:
            asked += [self.q3, self.q4, self.q5]
        if self.q6 is not False:
            asked.append(self.q6_recent)
        return asked

    @property
    def _is_contradictory(self) -> bool:
        no_thoughts_and_more = self.q2 is False and (self.q3 or self.q4 or self.q5)
        never_and_recently = self.q6 is False and self.q6_recent
        return bool(no_thoughts_and_more or never_and_recently)


def triage(cssrs: Cssrs) -> tuple[Evidence, ...]:
    """Columbia triage, never summed; adds `unassessable` if the screener cannot be fully assessed.

    Low: only 1 and/or 2. Moderate: 3, or 6 longer than three months ago. High: 4 or 5, or 6 within
    three months.
    """
    found: list[Evidence] = []
    if cssrs.q4 or cssrs.q5 or cssrs.q6_recent:
        found.append("cssrs_high")
    elif cssrs.q3 or cssrs.q6:
        found.append("cssrs_moderate")
    elif cssrs.q1 or cssrs.q2:
        found.append("cssrs_low")
    if not cssrs.is_complete:
        found.append("unassessable")
    return tuple(found)


class Signs(Frozen):
    """Evidence of danger, and the severity of its gravest sign."""

    severity: Severity
    evidence: tuple[Evidence, ...]


EXPLICIT = Signs(severity="high", evidence=("explicit",))
"""A carer reports danger explicitly."""

UNASSESSABLE = Signs(severity="moderate", evidence=("unassessable",))


def signs_in(phq9: Phq9 | None, cssrs: Cssrs | None) -> Signs | None:
    """Find signs of danger. PHQ-9 item 9 ≥ 1 is positive whatever the total; a 0 clears nothing.

    VA Risk ID: item 9 → C-SSRS → full evaluation. Item 9 alone is moderate; a complete C-SSRS decides the
    severity instead.
    """
    screened = None if cssrs is None or cssrs.is_empty else cssrs
    evidence: list[Evidence] = []
    severities: list[Severity] = []
    if phq9 is not None and phq9.item9_unreadable:
        evidence.append("unassessable")
        severities.append("moderate")
    elif phq9 is not None and phq9.items[8]:
        evidence.append("phq9_item9")
        severities.append("low" if screened is not None and screened.is_complete else "moderate")
    if screened is not None:
        evidence += triage(screened)
        severities += [SEVERITY[sign] for sign in triage(screened)]
    return signs_of(tuple(evidence), tuple(severities))


def signs_of(evidence: tuple[Evidence, ...], severities: tuple[Severity, ...]) -> Signs | None:
    if not evidence:
        return None
    return Signs(severity=max(severities, key=SEVERITIES.index), evidence=tuple(dict.fromkeys(evidence)))


class CrisisAlert(Frozen):
    alert_id: str
    state: AlertState


class RaisedFlag(Frozen):
    """`flag_id` is `None` for a flag stored by a release that kept no ids."""

    flag_id: str | None
    raised_at: datetime


def with_unanswered_flags(fields: dict[str, Any]) -> dict[str, Any]:
    """Upgrade a region stored when only the times of the last flag and the last resolution were kept."""
    if "unanswered" in fields:
        return fields
    fields = dict(fields)
    flagged_at, resolved_at = fields.pop("flagged_at", None), fields.pop("resolved_at", None)
    is_answered = flagged_at is None or (resolved_at is not None and resolved_at >= flagged_at)
    waiting = [] if is_answered else [{"flag_id": None, "raised_at": flagged_at}]
    return {**fields, "unanswered": waiting}


class CrisisRegion(Frozen):
    """One patient's crisis: none → open → acknowledged → assessed → resolved.

    Kept apart from plans because an alert may be announced before there is a plan.
    """

    _lift = model_validator(mode="before")(with_unanswered_flags)

    id: str
    """The patient id."""
    patient_id: str
    clinic_id: str
    alerts: tuple[CrisisAlert, ...] = ()
    unanswered: tuple[RaisedFlag, ...] = ()
    """Flags raised here that no alert includes yet. They open the crisis at once."""

    @property
    def state(self) -> RegionState:
        """State of the least advanced unresolved alert; `open` while a flag is unanswered."""
        going_on = [PROGRESS.index(a.state) for a in self.alerts if a.state != "resolved"]
        if self.unanswered:
            return "open"
        if going_on:
            return PROGRESS[min(going_on)]
        return "resolved" if self.alerts else "none"

    @property
    def unresolved(self) -> bool:
        return self.state not in ("none", "resolved")


def no_crisis(patient_id: str, clinic_id: str) -> CrisisRegion:
    return CrisisRegion(id=patient_id, patient_id=patient_id, clinic_id=clinic_id)


def note_alert(
    region: CrisisRegion, alert_id: str, state: AlertState, *, reopened: bool = False
) -> CrisisRegion:
    """Record the state of an alert; late or repeated events change nothing.

    An alert goes back only if new evidence has `reopened` it. A resolved alert stays resolved.
    """
    others = tuple(a for a in region.alerts if a.alert_id != alert_id)
    known = next((a for a in region.alerts if a.alert_id == alert_id), None)
    if known is not None and not _changes(known.state, state, reopened=reopened):
        return region
    alerts = sorted((*others, CrisisAlert(alert_id=alert_id, state=state)), key=lambda a: a.alert_id)
    return region.model_copy(update={"alerts": tuple(alerts)})


def _changes(known: AlertState, told: AlertState, *, reopened: bool) -> bool:
    if reopened and known != "resolved":
        return known != told
    return PROGRESS.index(told) > PROGRESS.index(known)


def answer_flag(region: CrisisRegion, evidence_id: str) -> CrisisRegion:
    """Remove the flag that an alert took as evidence, and any stored without an id, which may be the same.

    An unreadable message answers no flag. A flag that has not reached alerts stays unanswered. One that
    alerts could not read is replayed, or forgotten by `forget_flags`.
    """
    return _waiting_for(region, (f for f in region.unanswered if f.flag_id not in (None, evidence_id)))


def answer_every_flag(region: CrisisRegion) -> CrisisRegion:
    """Remove all flags: an alert from a release that names no evidence may include any of them."""
    return _waiting_for(region, ())


def forget_flags(region: CrisisRegion, resolved_at: datetime) -> CrisisRegion:
    """Remove flags that had been unanswered for a day when the crisis was resolved."""
    return _waiting_for(region, (f for f in region.unanswered if resolved_at - f.raised_at < ANSWERED_WITHIN))


def _waiting_for(region: CrisisRegion, flags: Iterable[RaisedFlag]) -> CrisisRegion:
    """Return the same region object if the flags are unchanged."""
    left = tuple(flags)
    return region if left == region.unanswered else region.model_copy(update={"unanswered": left})


def raise_flag(
    plan: Flaggable, region: CrisisRegion, signs: Signs, now: datetime
) -> tuple[Flaggable, CrisisRegion, CrisisFlagRaised]:
    """Raise a flag in any phase of the plan, even on hold or closed."""
    number = plan.crisis_flags + 1
    flag = CrisisFlagRaised(
        patient_id=plan.patient_id,
        clinic_id=plan.clinic_id,
        flag_id=derived_id("flg", plan.id, number),
        plan_id=plan.id,
        severity=signs.severity,
        evidence=signs.evidence,
        clinician_id=plan.clinician_id,
        raised_at=now,
    )
    unanswered = (*region.unanswered, RaisedFlag(flag_id=flag.flag_id, raised_at=now))
    return plan.changed(crisis_flags=number), region.model_copy(update={"unanswered": unanswered}), flag
