"""Actions for the ending and after it: relapse prevention, an alternative, maintenance, relapse, closing."""

from services.dashboard.pages.forms import Unfit
from services.dashboard.pages.person.acts import Act, Ask, Scene, codes, in_phases, one_of
from services.dashboard.pages.person.fields import (
    Entered,
    Field,
    Form,
    optional,
    plain,
    text,
    without_nothing,
)

FREQUENCIES = ("weekly", "twice_monthly", "monthly")
VARIANTS = ("ipt-16", "ipt-15", "ipt-14", "ipt-13", "ipt-12", "ipt-a", "ipt-b", "group-ipt")
OUTCOMES = ("completed", "withdrawn", "transferred", "not_started")
CLOSE_REASONS = (
    "treatment_finished", "maintenance_finished", "alternative_begun", "patient_request", "moved_away",
    "lost_contact", "other_provider", "never_attended", "deceased", "other",
)  # fmt: skip
HANDOVERS = ("emergency_services", "inpatient_care", "another_provider")


def _prevention_form(_: Scene) -> tuple[Form, ...]:
    return plain(
        Field("plan", "Plan for afterwards", "textarea", required=True, maxlength=4000, rows=6),
        Field("signs", "Contingency signs", "textarea", required=True, hint="One a line, 30 at most."),
        submit="Save relapse prevention",
    )


def _prevention(scene: Scene, entered: Entered) -> Ask:
    written = text(entered, "plan", "Plan for afterwards").replace("\r\n", "\n")
    signs = [line.strip() for line in entered.get("signs", "").splitlines() if line.strip()]
    if not signs:
        raise Unfit(("signs", "Contingency signs: at least one is needed."))
    body = {"plan": written, "contingency_signs": signs}
    return Ask("care_plan", "PUT", scene.plan_path("/relapse-prevention"), body)


def _prevention_so_far(scene: Scene) -> dict[str, str]:
    written = scene.plan["relapse_prevention"] if scene.plan else None
    if not written:
        return {}
    return {"plan": written["plan"] or "", "signs": "\n".join(written["contingency_signs"] or ())}


def _maintenance_form(scene: Scene) -> tuple[Form, ...]:
    return plain(
        _frequency("As the protocol has it"),
        Field("first_on_or_after", "First session on or after", "date", min=_today(scene)),
        _review_on(scene, "Review on"),
        submit="Contract maintenance",
        beside=True,
    )


def _review_form(scene: Scene) -> tuple[Form, ...]:
    review = _review_on(scene, "Next review on")
    return plain(_frequency("As it is"), review, submit="Maintenance goes on", beside=True)


def _review_on(scene: Scene, label: str) -> Field:
    return Field("review_on", label, "date", min=_today(scene), max=scene.within(years=2))


def _frequency(otherwise: str) -> Field:
    return Field("frequency", "How often", "select", (("", otherwise), *codes(*FREQUENCIES)))


def _today(scene: Scene) -> str:
    return scene.today.isoformat()


def _maintenance(scene: Scene, entered: Entered) -> Ask:
    body = {name: optional(entered, name) for name in ("frequency", "first_on_or_after", "review_on")}
    return Ask("care_plan", "POST", scene.plan_path("/maintenance"), without_nothing(**body))


def _review(scene: Scene, entered: Entered) -> Ask:
    body = {name: optional(entered, name) for name in ("frequency", "review_on")}
    return Ask("care_plan", "POST", scene.plan_path("/maintenance/review"), without_nothing(**body))


def _relapse_form(scene: Scene) -> tuple[Form, ...]:
    same = scene.course.variant if scene.course else ""
    variants = (("", f"As before ({same})"), *((name, name) for name in VARIANTS))
    return plain(
        Field("variant", "Variant of the next episode", "select", variants), submit="Confirm relapse"
    )


def _relapse(scene: Scene, entered: Entered) -> Ask:
    body = without_nothing(variant=optional(entered, "variant"))
    return Ask("care_plan", "POST", scene.plan_path("/relapse"), body)


def _close_form(_: Scene) -> tuple[Form, ...]:
    return plain(
        Field("outcome", "Outcome", "select", one_of(*OUTCOMES), required=True),
        Field("reason", "Reason", "select", one_of(*CLOSE_REASONS), required=True),
        Field(
            "crisis_handed_over_to",
            "An open crisis is handed over to",
            "select",
            (("", "No open crisis"), *codes(*HANDOVERS)),
            hint="Only for somebody who withdraws or is transferred.",
        ),
        submit="Close the plan",
        kind="danger",
    )


def _close(scene: Scene, entered: Entered) -> Ask:
    body = {
        "outcome": text(entered, "outcome", "Outcome"),
        "reason": text(entered, "reason", "Reason"),
        **without_nothing(crisis_handed_over_to=optional(entered, "crisis_handed_over_to")),
    }
    return Ask("care_plan", "POST", scene.plan_path("/close"), body)


ENDING = (
    Act(
        name="relapse-prevention",
        title="Note relapse prevention",
        hint="The plan for afterwards and the signs to act on. Treatment ends with it.",
        done="Relapse prevention is saved.",
        section="Ending and after",
        offered=in_phases("initial", "middle", "termination", "ended", "maintenance"),
        forms=_prevention_form,
        ask=_prevention,
        clinicians_only=True,
        changes="plan",
        initial=_prevention_so_far,
    ),
    Act(
        name="offer-alternative",
        title="Offer an alternative",
        hint="Somebody who did not respond is offered something else before the plan is closed.",
        done="The offer of an alternative is recorded.",
        section="Ending and after",
        offered=in_phases("termination", "ended", "maintenance"),
        forms=lambda _: plain(submit="An alternative was offered"),
        ask=lambda scene, _: Ask("care_plan", "POST", scene.plan_path("/alternative-offered")),
        clinicians_only=True,
        changes="plan",
    ),
    Act(
        name="maintenance",
        title="Contract maintenance",
        hint=(
            "Less frequent sessions after the end, under a contract of their own. What is left empty is as "
            "the protocol has it."
        ),
        done="Maintenance is contracted.",
        section="Ending and after",
        offered=in_phases("ended"),
        forms=_maintenance_form,
        ask=_maintenance,
        clinicians_only=True,
        changes="plan",
    ),
    Act(
        name="review-maintenance",
        title="Review maintenance",
        hint="A review took place and maintenance goes on, perhaps at another pace.",
        done="The review is recorded and maintenance goes on.",
        section="Ending and after",
        offered=in_phases("maintenance"),
        forms=_review_form,
        ask=_review,
        clinicians_only=True,
        changes="plan",
    ),
    Act(
        name="confirm-relapse",
        title="Confirm a relapse",
        hint="This plan closes and a new episode begins. A clinician confirms, never a rule alone.",
        done="The relapse is confirmed: a new episode has begun.",
        section="Ending and after",
        offered=in_phases("maintenance"),
        forms=_relapse_form,
        ask=_relapse,
        clinicians_only=True,
        changes="plan",
    ),
    Act(
        name="close",
        title="Close the plan",
        hint="With an outcome and a reason. An open crisis is resolved or handed over first.",
        done="The plan is closed.",
        section="Ending and after",
        offered=lambda scene: scene.course is not None and scene.phase != "closed",
        forms=_close_form,
        ask=_close,
        clinicians_only=True,
        changes="plan",
    ),
)
