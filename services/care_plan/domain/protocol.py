"""The treatment protocol: every clinical number, with its source, from a versioned file."""

from typing import Literal

from services.care_plan.domain.frozen import Frozen
from services.care_plan.domain.refusals import refuse
from services.care_plan.events import Frequency

Technique = Literal[
    "emotional_identification",
    "healthy_expression",
    "dealing_with_the_past",
    "supportive_listening",
    "communication_analysis",
    "encouragement_of_affect",
    "role_playing",
]
Goal = Literal["better_relationships", "coping_skills", "problem_solving", "handling_depression"]
Instrument = Literal["phq9", "gad7"]


class Sourced(Frozen):
    """Source of a number. `sign_off` marks a proposal that awaits a clinician's sign-off."""

    source: str
    sign_off: Literal["required"] | None = None


class Figure(Sourced):
    value: int


class Bounds(Sourced):
    """Limits within which a clinician may revise N."""

    minimum: int
    maximum: int


class Variant(Sourced):
    """A form of IPT. Lengths of the initial and termination phases in sessions."""

    sessions: int
    initial_minimum: int
    initial: int
    termination: int
    when_revised: Literal["quarters", "unchanged"]
    bounds: Bounds


class Quarters(Sourced):
    """Initial and termination phase are each ⌈N / divisor⌉ sessions long."""

    first: int
    last: int
    divisor: int
    bounds: Bounds

    def of(self, sessions: int) -> int:
        return -(-sessions // self.divisor)


class Techniques(Sourced):
    codes: tuple[Technique, ...]


class Goals(Sourced):
    codes: tuple[Goal, ...]


class FinalMeasures(Sourced):
    codes: tuple[Instrument, ...]


class DefaultFrequency(Sourced):
    code: Frequency


class IntervalDays(Sourced):
    weekly: int
    twice_monthly: int
    monthly: int

    def of(self, frequency: Frequency) -> int:
        days: int = getattr(self, frequency)
        return days


class MaintenanceDefaults(Frozen):
    default_frequency: DefaultFrequency
    interval_days: IntervalDays
    review_after_days: Figure
    episodes_that_indicate: Figure
    residual_symptoms_from: Figure


class Thresholds(Frozen):
    """PHQ-9 points unless the name says otherwise."""

    response_percent: Figure
    response_baseline: Figure
    remission_below: Figure
    adequate_drop: Figure
    probably_inadequate_drop: Figure
    reliable_change_phq9: Figure
    reliable_change_gad7: Figure
    deterioration_rise: Figure
    relapse_total: Figure
    relapse_rise: Figure


class Protocol(Frozen):
    """One version of the protocol. A plan keeps the version it was started with."""

    version: str
    variants: dict[str, Variant]
    quarters: Quarters
    techniques: Techniques
    goals: Goals
    final_measures: FinalMeasures
    maintenance: MaintenanceDefaults
    thresholds: Thresholds

    def variant(self, name: str) -> Variant:
        """A named variant, or `ipt-13` … `ipt-15` derived by rule. Refuses `unknown_variant`."""
        if (named := self.variants.get(name)) is not None:
            return named
        rule = self.quarters
        for sessions in range(rule.first, rule.last + 1):
            if name == f"ipt-{sessions}":
                return Variant(
                    source=rule.source,
                    sign_off=rule.sign_off,
                    sessions=sessions,
                    initial_minimum=rule.of(sessions),
                    initial=rule.of(sessions),
                    termination=rule.of(sessions),
                    when_revised="quarters",
                    bounds=rule.bounds,
                )
        return refuse("unknown_variant")


class ProtocolFile(Frozen):
    """All versions that plans may be pinned to, and the current one for new plans."""

    current: str
    protocols: tuple[Protocol, ...]

    def version(self, version: str) -> Protocol:
        for protocol in self.protocols:
            if protocol.version == version:
                return protocol
        return refuse("unknown_protocol", version=version)


class Contract(Frozen):
    """The agreed N and the phases' lengths in sessions, pinned on the plan."""

    protocol_version: str
    variant: str
    sessions: int
    initial_minimum: int
    initial_sessions: int
    """The most sessions the initial phase may take."""
    termination_sessions: int


def contract(protocol: Protocol, name: str, sessions: int) -> Contract:
    """Resolve a variant and N into a contract (clinical.md, the course of care).

    An N other than the variant's own must lie within its bounds. Phase lengths are then re-derived if the
    variant says so, and otherwise unchanged.
    Refuses `unknown_variant`, `sessions_out_of_bounds`.
    """
    variant = protocol.variant(name)
    lengths = (variant.initial_minimum, variant.initial, variant.termination)
    if sessions != variant.sessions:
        bounds = variant.bounds
        if not bounds.minimum <= sessions <= bounds.maximum:
            refuse("sessions_out_of_bounds", minimum=bounds.minimum, maximum=bounds.maximum)
        if variant.when_revised == "quarters":
            lengths = (protocol.quarters.of(sessions),) * 3
    return Contract(
        protocol_version=protocol.version,
        variant=name,
        sessions=sessions,
        initial_minimum=lengths[0],
        initial_sessions=lengths[1],
        termination_sessions=lengths[2],
    )
