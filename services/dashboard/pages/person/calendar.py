"""Actions on the schedule: moving and cancelling appointments, putting a course on hold and resuming it."""

from services.dashboard.pages.person.acts import Act, Ask, Scene, codes, one_of
from services.dashboard.pages.person.fields import Entered, Field, Form, local_time, plain, text

HOLD_REASONS = ("illness", "travel", "inpatient_care", "clinician_absence", "patient_request", "other")
ASKED = ("patient_asked", "clinician_asked", "clinic_asked")


def _chosen(scene: Scene) -> dict[str, str]:
    """Preselect the appointment of the followed link, else the next one, with its current time."""
    wanted = scene.appointment_id or next((a.id for a in scene.to_come), "")
    times = [a.local_time for a in scene.to_come if a.id == wanted]
    return {"appointment": wanted, "local_time": "".join(times)}


def _move_form(scene: Scene) -> tuple[Form, ...]:
    to = Field("local_time", "To", "datetime-local", required=True, hint=f"Time in {scene.zone}.")
    return plain(scene.choice(scene.to_come), to, submit="Move it", beside=True)


def _move(scene: Scene, entered: Entered) -> Ask:
    appointment = scene.appointment(entered)
    body = {"local_time": local_time(entered, "local_time", "To")}
    return Ask("scheduler", "POST", f"/appointments/{appointment.id}/move", body)


def _cancel_form(scene: Scene) -> tuple[Form, ...]:
    who = Field("reason", "Who asks for it", "radio", codes(*ASKED), required=True)
    return plain(scene.choice(scene.to_come), who, submit="Cancel the appointment", kind="danger")


def _cancel(scene: Scene, entered: Entered) -> Ask:
    appointment = scene.appointment(entered)
    body = {"reason": text(entered, "reason", "Who asks for it")}
    return Ask("scheduler", "POST", f"/appointments/{appointment.id}/cancel", body)


def _may_hold(scene: Scene) -> bool:
    return scene.course is not None and scene.phase != "closed" and scene.course.hold is None


def _hold_form(scene: Scene) -> tuple[Form, ...]:
    return plain(
        Field("reason", "Reason", "select", one_of(*HOLD_REASONS), required=True),
        Field(
            "review_on",
            "Look at it again on",
            "date",
            required=True,
            min=scene.today.isoformat(),
            max=scene.within(years=1),
            hint="Whoever treats is reminded on that day.",
        ),
        submit="Put on hold",
        beside=True,
    )


def _hold(scene: Scene, entered: Entered) -> Ask:
    body = {
        "reason": text(entered, "reason", "Reason"),
        "review_on": text(entered, "review_on", "Look at it again on"),
    }
    return Ask("care_plan", "POST", scene.plan_path("/hold"), body)


CALENDAR = (
    Act(
        name="move-appointment",
        title="Move an appointment",
        hint="To another time at the clinic. Its hours, holidays, leave and other bookings are respected.",
        done="The appointment is moved.",
        section="Calendar",
        offered=lambda scene: bool(scene.to_come),
        forms=_move_form,
        ask=_move,
        changes="schedule",
        initial=_chosen,
        icon="calendar",
    ),
    Act(
        name="cancel-appointment",
        title="Cancel an appointment",
        hint="A session of the treatment is made up for at the end of the course.",
        done="The appointment is cancelled.",
        section="Calendar",
        offered=lambda scene: bool(scene.to_come),
        forms=_cancel_form,
        ask=_cancel,
        changes="schedule",
        initial=lambda scene: {"appointment": _chosen(scene)["appointment"]},
        icon="close",
    ),
    Act(
        name="hold",
        title="Put on hold",
        hint="The calendar shifts until the course goes on. A hold never mutes a crisis.",
        done="The course is on hold.",
        section="Calendar",
        offered=_may_hold,
        forms=_hold_form,
        ask=_hold,
        changes="plan",
        icon="hold",
    ),
    Act(
        name="resume",
        title="Go on after the hold",
        hint="The course goes on where it stood, and its sessions are booked again.",
        done="The course goes on.",
        section="Calendar",
        offered=lambda scene: scene.course is not None and scene.course.hold is not None,
        forms=lambda _: plain(submit="Go on with the course"),
        ask=lambda scene, _: Ask("care_plan", "POST", scene.plan_path("/resume")),
        changes="plan",
        icon="on-course",
    ),
)
