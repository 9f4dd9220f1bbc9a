"""Actions that record what happened: sessions with their measures, questionnaires, a person in danger."""

from typing import Any

from services.dashboard.pages.forms import Unfit
from services.dashboard.pages.person.acts import Act, Ask, Scene, codes, one_of
from services.dashboard.pages.person.fields import (
    Entered,
    Field,
    Form,
    Group,
    instant,
    optional,
    without_nothing,
)
from services.dashboard.pages.person.measures import QUESTIONNAIRES, measures_in
from shared.http.problems import Problem

TECHNIQUES = (
    "emotional_identification", "healthy_expression", "dealing_with_the_past", "supportive_listening",
    "communication_analysis", "encouragement_of_affect", "role_playing",
)  # fmt: skip
CANCEL_REASONS = ("illness", "travel", "scheduling", "clinician_leave", "holiday", "weather", "other")


def _session_forms(scene: Scene) -> tuple[Form, ...]:
    which = Group("", (*_when(scene),), beside=True)
    used = Group(
        "Techniques used",
        tuple(Field(f"technique_{code}", words, "checkbox") for code, words in codes(*TECHNIQUES)),
        folded=True,
    )
    called_off = (
        Field("by", "Called off by", "select", one_of("patient", "clinician", "clinic"), required=True),
        Field("reason", "Reason", "select", one_of(*CANCEL_REASONS), required=True),
    )
    return (
        Form((which, *QUESTIONNAIRES, used), "Record the session", "attended", "The person came"),
        Form((which,), "Record the absence", "missed", "The person did not come"),
        Form((which, Group("", called_off, beside=True)), "Record it", "cancelled", "It was called off"),
    )


def _when(scene: Scene) -> tuple[Field, ...]:
    return (
        scene.choice(scene.recordable),
        Field(
            "at", "When", "datetime-local", hint=f"Empty: at the appointment's time. Time in {scene.zone}."
        ),
    )


def _session(scene: Scene, entered: Entered) -> Ask:
    """Pass on whatever was entered: care_plan acts on signs of danger even in an entry it refuses."""
    body: dict[str, Any] = {
        "outcome": entered.get("form", ""),
        "appointment_id": entered.get("appointment", ""),
        **without_nothing(at=_at(scene, entered)),
    }
    if body["outcome"] == "attended":
        body["techniques"] = [code for code in TECHNIQUES if entered.get(f"technique_{code}")]
        body |= measures_in(entered)
    elif body["outcome"] == "cancelled":
        body |= {"by": entered.get("by", ""), "reason": entered.get("reason", "")}
    path = scene.plan_path("/sessions", appointment=entered.get("appointment"))
    return Ask("care_plan", "POST", path, body)


def _at(scene: Scene, entered: Entered) -> str | None:
    """The time as entered, else the planned start; `None` (now) for an appointment still to come.

    Empty while the read model cannot be read: care_plan refuses that, but still acts on signs of danger.
    """
    if scene.is_unread:
        return ""
    if given := optional(entered, "at"):
        try:
            return instant(entered, "at", "When", scene.zone)
        except Unfit:
            return given
    known = scene.known(entered.get("appointment"))
    planned = known.starts_at if known else None
    return None if planned is None or planned > scene.now else planned.isoformat()


def _measures(scene: Scene, entered: Entered) -> Ask:
    body = measures_in(entered)
    if not body:
        raise Unfit(("phq9_1", "Nothing was answered: enter at least one answer."))
    return Ask("care_plan", "POST", scene.plan_path("/measures"), body)


def _flag(scene: Scene, entered: Entered) -> Ask:
    """Flag the plan, or the referral before there is a plan."""
    if scene.course is not None:
        return Ask("care_plan", "POST", scene.plan_path("/crisis-flag"))
    if scene.row.referral is None:
        raise Problem(404, "not_found", "There is neither a plan nor a referral.")
    return Ask("intake", "POST", f"/referrals/{scene.row.referral.id}/crisis-flag")


def _first_appointment(scene: Scene) -> dict[str, str]:
    """Preselect the appointment of the followed link, else the first recordable one."""
    chosen = scene.appointment_id or next((a.id for a in scene.recordable), "")
    return {"appointment": chosen}


RECORDING = (
    Act(
        name="record-session",
        title="Record a session",
        hint="What became of an appointment, with the measures of a session that took place.",
        done="The session is recorded.",
        section="Now",
        offered=lambda scene: bool(scene.recordable),
        forms=_session_forms,
        ask=_session,
        initial=_first_appointment,
        icon="done",
        heeded=True,
    ),
    Act(
        name="take-measures",
        title="Take measures",
        hint="Questionnaires filled in outside a session. They are kept whatever the phase.",
        done="The measures are recorded.",
        section="Now",
        offered=lambda scene: scene.course is not None,
        forms=lambda _: (Form(QUESTIONNAIRES, "Record the measures"),),
        ask=_measures,
        icon="not-improving",
        heeded=True,
    ),
    Act(
        name="crisis-flag",
        title="Raise a crisis flag",
        hint=(
            "Someone is in danger: people are alerted at once. Nothing needs to be said with it, and it is "
            "never refused."
        ),
        done="The crisis flag is raised and people are being alerted.",
        section="Now",
        offered=lambda scene: scene.course is not None or scene.row.referral is not None,
        forms=lambda _: (Form((), "Raise the crisis flag now", kind="danger"),),
        ask=_flag,
        icon="crisis-high",
    ),
)
