"""When it takes place: moving and cancelling appointments, putting a course on hold and going on."""

from services.dashboard.pages.person.acts import Act, Ask, Scene, codes
from services.dashboard.pages.person.fields import Entered, Field, Form, local_time, plain, text

HOLD_REASONS = ("illness", "travel", "inpatient_care", "clinician_absence", "patient_request", "other")
ASKED = ("patient_asked", "clinician_asked", "clinic_asked")


def _chosen(scene: Scene) -> dict[str, str]:
    """The appointment that the link came from, moved from where it stands; without a link, the next one."""
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


def _hold_form(scene: Scene) -> tuple[Form, ...]:
    return plain(
        Field("reason", "Reason", "select", codes(*HOLD_REASONS), required=True),
        Field(
            "review_on",
            "Look at it again on",
            "date",
            required=True,
            min=scene.today.isoformat(),
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
        "move-appointment",
        "Move an appointment",
        "To another time at the clinic. Its hours, holidays, leave and other bookings are respected.",
        "The appointment is moved.",
        "Calendar",
        lambda scene: bool(scene.to_come),
        _move_form,
        _move,
        changes="schedule",
        initial=_chosen,
        icon="calendar",
    ),
    Act(
        "cancel-appointment",
        "Cancel an appointment",
        "A session of the treatment is made up for at the end of the course.",
        "The appointment is cancelled.",
        "Calendar",
        lambda scene: bool(scene.to_come),
        _cancel_form,
        _cancel,
        changes="schedule",
        initial=lambda scene: _chosen(scene) | {"reason": "patient_asked"},
        icon="close",
    ),
    Act(
        "hold",
        "Put on hold",
        "The calendar shifts until the course goes on. A hold never mutes a crisis.",
        "The course is on hold.",
        "Calendar",
        lambda scene: scene.course is not None and scene.phase != "closed" and scene.course.hold is None,
        _hold_form,
        _hold,
        changes="plan",
        icon="hold",
    ),
    Act(
        "resume",
        "Go on after the hold",
        "The course goes on where it stood, and its sessions are booked again.",
        "The course goes on.",
        "Calendar",
        lambda scene: scene.course is not None and scene.course.hold is not None,
        lambda _: plain(submit="Go on with the course"),
        lambda scene, _: Ask("care_plan", "POST", scene.plan_path("/resume")),
        changes="plan",
        icon="on-course",
    ),
)
