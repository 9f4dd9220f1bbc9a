"""What a person's page makes of what it knows: forms, refusals, pictures, flags, the story."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from services.care_plan.requests import MeasuresForm
from services.dashboard.calendar.hours import Clinics, read_clinics
from services.dashboard.domain.alert import Alert, OpenAlert
from services.dashboard.domain.person import (
    Appointment,
    Course,
    Entered,
    Hold,
    Mark,
    Measure,
    Person,
    Referral,
)
from services.dashboard.pages.forms import Unfit
from services.dashboard.pages.instruments import CSSRS_QUESTIONS
from services.dashboard.pages.person import pictures
from services.dashboard.pages.person.acting import Drawn, speaks_of_danger
from services.dashboard.pages.person.acts import Act, Scene, zone_of
from services.dashboard.pages.person.answers import SUPPORT, Reply, reply
from services.dashboard.pages.person.catalogue import CATALOGUE, next_action, offered
from services.dashboard.pages.person.flags import explained
from services.dashboard.pages.person.measures import QUESTIONNAIRES, measures_in, shows_danger
from services.dashboard.pages.person.story import Entry, gathered, latest_first
from services.dashboard.pages.person.tales import TALES, details, tale
from services.dashboard.pages.person.view import head_context
from services.dashboard.store import Row
from services.dashboard.subscribers import PEOPLE
from services.dashboard.web.drawing import Drawing
from services.dashboard.web.services import Answer
from services.dashboard.web.viewer import Viewer
from services.dashboard.web.words import moment
from shared.clock import SystemClock

NOW = datetime(2026, 3, 2, 15, tzinfo=UTC)
HOUR, WEEK = timedelta(hours=1), timedelta(weeks=1)


def appointment(number: int, at: datetime, **more: Any) -> Appointment:
    known = {"local_time": at.strftime("%Y-%m-%dT%H:%M"), "zone": "America/New_York", "starts_at": at}
    return Appointment(id=f"pln_1.a{number}", number=number, **known | more)


def course(**more: Any) -> Course:
    known = {
        "clinician_id": "cln_r01",
        "episode": 1,
        "protocol_version": "2026.1",
        "variant": "ipt-12",
        "sessions": 12,
        "termination_sessions": 3,
        "started_at": NOW - 2 * WEEK,
        "appointments": (
            appointment(1, NOW - WEEK, outcome="attended", ended_at=NOW - WEEK),
            appointment(2, NOW - timedelta(hours=2)),
            appointment(3, NOW + WEEK),
        ),
    }
    return Course(id="pln_1", **known | more)


def scene(course: Course | None = None, role: Any = "clinician", plan: Any = None, **more: Any) -> Scene:
    person = Person(id="pat_1", clinic_id="riverside", courses=(course,) if course else (), **more)
    viewer = Viewer("somebody", frozenset({role}), "riverside", NOW, "token")
    return Scene(Row.of(person), viewer, NOW, "America/New_York", plan)


def names(scene: Scene) -> set[str]:
    return {act.name for acts in offered(scene).values() for act in acts}


@pytest.mark.parametrize("name", ["hold", "cancel-appointment", "close", "contract", "record-session"])
def test_no_reason_is_chosen_for_anybody(name: str) -> None:
    act, there = CATALOGUE[name], scene(course())
    asked = [field for form in act.forms(there) for field in form.fields.values() if field.name == "reason"]
    assert len(asked) == 1
    assert "reason" not in act.initial(there)
    assert asked[0].type == "radio" or asked[0].options[0] == ("", "Choose…")


# Measures


def test_an_unanswered_or_refused_item_is_missing_and_never_zero() -> None:
    entered = {f"phq9_{n}": "1" for n in range(1, 10)} | {"phq9_3": "", "phq9_4": "refused"}
    body = measures_in(entered)
    assert body["phq9"]["items"] == [1, 1, None, "refused", 1, 1, 1, 1, 1]
    assert "gad7" not in body
    assert "cssrs" not in body


def test_a_questionnaire_without_any_answer_is_not_sent() -> None:
    assert measures_in({"phq9_1": "", "q1": ""}) == {}
    with pytest.raises(Unfit):
        CATALOGUE["take-measures"].ask(scene(course()), {"phq9_1": ""})


def test_what_is_no_answer_goes_on_as_it_is_so_that_a_human_looks_at_it() -> None:
    assert measures_in({"phq9_9": "often"})["phq9"]["items"][8] == "often"
    assert measures_in({"q2": "maybe"})["cssrs"]["q2"] == "maybe"


@pytest.mark.parametrize(
    ("entered", "danger"),
    [
        ({"phq9_9": "1"}, True),
        ({"phq9_9": "0", "q1": "no", "q2": "no", "q6": "no"}, False),
        ({"phq9_9": "refused"}, False),
        ({"q4": "yes"}, True),
        ({"phq9_1": "3"}, False),
        ({"phq9_9": "often"}, True),
    ],
)
def test_danger_is_seen_in_item_nine_and_in_the_c_ssrs(entered: dict[str, str], danger: bool) -> None:
    assert shows_danger(entered) is danger


def test_danger_is_seen_wherever_care_plan_would_raise_a_flag_in_an_unfinished_c_ssrs_too() -> None:
    for answers in product(("", "no", "yes"), repeat=len(CSSRS_QUESTIONS)):
        entered = dict(zip(CSSRS_QUESTIONS, answers, strict=True)) | {"phq9_1": "1"}
        flagged = MeasuresForm.model_validate(measures_in(entered)).signs() is not None
        assert shows_danger(entered) is flagged, answers
    assert shows_danger({"q1": "no"}), "begun and not finished"


def test_a_person_is_asked_what_intake_asks_with_the_stems_of_the_instruments() -> None:
    asked = {field.name: field for group in QUESTIONNAIRES for field in group.fields}
    assert asked["phq9_9"].label.endswith("or of hurting yourself in some way")
    assert asked["phq9_1"].asks.startswith("Over the last 2 weeks, how often have you been bothered")
    assert asked["q5"].label == f"5. {CSSRS_QUESTIONS['q5']}"
    assert [asked[name].asks for name in ("q1", "q2", "q6")] == [
        "In the past month …",
        "",
        "Ever in your life …",
    ]


# What is sent


def test_a_session_took_place_when_it_was_planned_unless_said_otherwise() -> None:
    act, here = CATALOGUE["record-session"], scene(course())
    entered = {"form": "missed", "appointment": "pln_1.a2"}
    body = act.ask(here, entered).body
    assert body == {
        "outcome": "missed",
        "appointment_id": "pln_1.a2",
        "at": (NOW - timedelta(hours=2)).isoformat(),
    }
    said = act.ask(here, entered | {"at": "2026-03-02T09:30"}).body
    assert datetime.fromisoformat(said["at"]) == datetime(2026, 3, 2, 14, 30, tzinfo=UTC)
    assert "at" not in act.ask(here, entered | {"appointment": "pln_1.a3"}).body, "it is still to come: now"


def test_a_session_of_a_closed_course_is_recorded_in_that_course() -> None:
    over = course(closed="relapsed", closed_at=NOW - timedelta(hours=1))
    new = Course(id="pln_2", episode=2, started_at=NOW, appointments=(appointment(4, NOW + WEEK),))
    both = Person(id="pat_1", clinic_id="riverside", courses=(over, new))
    here = replace(scene(course()), row=Row.of(both))
    assert [a.id for a in here.recordable] == ["pln_1.a2", "pln_1.a4"]
    act = CATALOGUE["record-session"]
    assert act.is_open_to(replace(here, row=Row.of(both.but(courses=(over,)))))
    assert act.ask(here, {"form": "missed", "appointment": "pln_1.a2"}).path == "/plans/pln_1/sessions"
    assert act.ask(here, {"form": "missed", "appointment": "pln_1.a4"}).path == "/plans/pln_2/sessions"


def test_a_time_that_cannot_be_read_goes_on_so_that_signs_of_danger_are_heeded() -> None:
    entered = {"form": "attended", "appointment": "pln_1.a2", "at": "yesterday", "phq9_9": "2"}
    body = CATALOGUE["record-session"].ask(scene(course()), entered).body
    assert body["at"] == "yesterday"
    assert body["phq9"]["items"][8] == 2


def test_only_the_persons_own_appointments_are_moved() -> None:
    with pytest.raises(Unfit):
        CATALOGUE["move-appointment"].ask(
            scene(course()), {"appointment": "../x", "local_time": "2026-03-09T10:00"}
        )


def test_rows_of_the_inventory_that_were_left_empty_are_no_entries() -> None:
    entered = {
        "entry_1_text": "Quarrels\r\nwith a sister", "entry_1_area": "role_disputes", "entry_1_rank": "1",
        "entry_2_text": " ", "entry_2_area": "", "entry_2_rank": "", "entry_3_text": "Loss",
    }  # fmt: skip
    assert CATALOGUE["inventory"].ask(scene(course()), entered).body["entries"] == [
        {"text": "Quarrels\nwith a sister", "problem_area": "role_disputes", "rank": 1},
        {"text": "Loss", "problem_area": None, "rank": None},
    ]
    with pytest.raises(Unfit) as unfit:
        CATALOGUE["inventory"].ask(scene(course()), {"entry_2_rank": "2"})
    assert unfit.value.errors[0][0] == "entry_2_text"


def test_a_flag_before_there_is_a_plan_goes_to_intake() -> None:
    ask = CATALOGUE["crisis-flag"].ask(scene(referrals=(Referral(id="ref_1", received_at=NOW),)), {})
    assert (ask.service, ask.path) == ("intake", "/referrals/ref_1/crisis-flag")
    assert CATALOGUE["crisis-flag"].ask(scene(course()), {}).service == "care_plan"


def test_the_inventory_has_a_row_for_every_entry_that_was_sent() -> None:
    sent = {"entry_9_text": "The ninth", "entry_30_rank": "3"}
    again = replace(scene(course(), plan={"inventory": []}), entered=sent)
    (form,) = CATALOGUE["inventory"].forms(again)
    assert len(form.groups) == 30
    assert len(CATALOGUE["inventory"].forms(scene(course()))[0].groups) == 4


@pytest.mark.parametrize("name", ["move-appointment", "cancel-appointment", "record-session"])
def test_an_appointment_that_is_offered_no_more_is_named_and_no_other_takes_its_place(name: str) -> None:
    act, gone = CATALOGUE[name], "Appointment 1, Mon 23 Feb 15:00 is not open to this any more: choose one"
    refused = Reply("refused", "Not done")
    sent = page(act, replace(scene(course()), entered={"appointment": "pln_1.a1"}), refused)
    assert f'<option value="" selected>{gone}</option>' in sent
    assert 'value="pln_1.a3" selected' not in sent
    nothing = page(act, replace(scene(course()), entered={"reason": "illness"}), refused)
    assert '<option value="" selected>Choose one</option>' in nothing
    linked = replace(scene(course()), appointment_id="pln_1.a1")
    assert gone in page(act, replace(linked, entered=act.initial(linked)))
    kept = page(act, replace(scene(course()), entered={"appointment": "pln_1.a3"}), refused)
    assert 'value="pln_1.a3" selected' in kept
    assert "Choose one" not in kept


def page(act: Act, here: Scene, said: Reply | None = None) -> str:
    """The action as it is drawn, with what was entered."""
    known = head_context(here) | {"act": act, "answer": None, "away": False, "open_here": True}
    drawn = Drawn(here.entered, None, "k", said)
    danger = said is not None and speaks_of_danger(act, here.entered)
    known |= {"forms": act.forms(here), "drawn": drawn, "danger": danger, "support": SUPPORT}
    return Drawing(SystemClock(), idle_minutes=15).text("person-action.html", path="/", viewer=None, **known)


# What is offered


def test_coordinators_keep_attendance_and_clinicians_decide() -> None:
    theirs, clinicians = names(scene(course(), role="coordinator")), names(scene(course()))
    assert {"record-session", "take-measures", "crisis-flag", "hold", "move-appointment"} <= theirs
    assert clinicians - theirs == {"inventory", "focus", "contract", "relapse-prevention", "close"}


def test_a_crisis_flag_and_measures_are_offered_whatever_the_phase() -> None:
    assert names(scene(course(closed="completed", closed_at=NOW))) == {
        "record-session", "take-measures", "crisis-flag", "move-appointment", "cancel-appointment",
    }  # fmt: skip
    assert names(scene(referrals=(Referral(id="ref_1"),))) == {"crisis-flag"}


def test_each_phase_offers_its_own_steps() -> None:
    def at(phase: str, **more: Any) -> set[str]:
        return names(scene(course(phases=(Entered(phase=phase, at=NOW),), **more)))

    assert "maintenance" in at("ended")
    assert "focus" not in at("termination")
    assert {"review-maintenance", "confirm-relapse"} <= at("maintenance")
    held = at("middle", hold=Hold(reason="illness", review_on=NOW.date(), since=NOW))
    assert "resume" in held
    assert "hold" not in held


def test_completing_the_inventory_is_offered_until_it_is_complete() -> None:
    assert "complete-inventory" in names(scene(course(), plan={"inventory_completed_at": None}))
    assert "complete-inventory" not in names(scene(course(), plan={"inventory_completed_at": "2026-03-01"}))
    assert "complete-inventory" not in names(scene(course())), "nobody knows: care_plan is away"


def test_the_next_action_leads_to_where_it_is_done() -> None:
    overdue = course(appointments=(appointment(2, NOW - WEEK, overdue=True),))
    assert next_action(scene(overdue)) == (
        "Record what happened in the last session",
        "/people/pat_1/actions/record-session",
    )
    crisis = OpenAlert(
        id="alr_1", kind="crisis", severity="high", state="open", reason="crisis_flag", raised_at=NOW,
        acknowledge_by=None, lease_until=None,
    )  # fmt: skip
    assert next_action(scene(course(), alerts=(crisis,))) == ("Take the crisis now", "/alerts/alr_1")
    assert next_action(scene(course(closed="completed"))) is None


@pytest.mark.parametrize(
    ("act", "latest"),
    [("hold", "2027-03-02"), ("maintenance", "2028-03-01"), ("review-maintenance", "2028-03-01")],
)
def test_a_review_is_asked_for_within_a_year_of_a_hold_and_within_two_of_maintenance(
    act: str, latest: str
) -> None:
    (form,) = CATALOGUE[act].forms(scene(course()))
    review = form.fields["review_on"]
    assert (review.min, review.max) == ("2026-03-02", latest)


# What services answer


def test_a_refusal_is_told_with_the_guards_reason_and_its_numbers() -> None:
    problem = {"reason": "sessions_out_of_bounds", "facts": {"minimum": 12, "maximum": 20}}
    said = reply(Answer(409, problem), {})
    assert (said.state, said.status) == ("refused", 409)
    assert "does not allow" in said.detail
    assert said.facts == [("Minimum", "12"), ("Maximum", "20")]


def test_a_reason_that_nobody_put_into_words_is_told_as_it_came() -> None:
    said = reply(Answer(409, {"reason": "brand_new", "detail": "A rule refuses this: brand new."}), {})
    assert said.title == "Not done: Brand new"
    assert said.detail == "A rule refuses this: brand new."


@pytest.mark.parametrize(
    ("status", "reason", "state"),
    [
        (412, "version_changed", "conflict"),
        (409, "changed_meanwhile", "conflict"),
        (403, "role_required", "forbidden"),
        (404, "not_found", "refused"),
        (503, "storage_unavailable", "unavailable"),
        (0, "service_unreachable", "unavailable"),
    ],
)
def test_every_answer_has_a_state(status: int, reason: str, state: str) -> None:
    assert reply(Answer(status, {"reason": reason, "detail": "…"}), {}).state == state


@pytest.mark.parametrize(
    ("status", "problem", "heeded", "known"),
    [
        (409, {"reason": "wrong_phase"}, True, "yes"),
        (412, {"reason": "version_changed"}, True, "yes"),
        (422, {"reason": "invalid"}, True, "yes"),
        (409, {"reason": "wrong_phase"}, False, "no"),
        (409, {"reason": "changed_meanwhile"}, True, "unknown"),
        (404, {"reason": "not_found"}, True, "no"),
        (404, {"reason": "not_found", "crisis_support": "Call"}, False, "yes"),
        (409, {"reason": "x", "crisis_notice": {"severity": "high"}}, False, "yes"),
        (403, {"reason": "role_required"}, True, "no"),
        (503, {"reason": "storage_unavailable"}, True, "unknown"),
        (0, None, True, "unknown"),
    ],
)
def test_that_people_were_alerted_is_claimed_only_where_the_answer_proves_it(
    status: int, problem: Any, heeded: bool, known: str
) -> None:
    assert reply(Answer(status, problem), {}, heeded=heeded).alerted == known


@pytest.mark.parametrize(
    ("alerted", "told"),
    [
        ("unknown", "Act now: it is not certain that anybody was alerted"),
        ("no", "Nobody was alerted yet"),
        ("yes", "A crisis flag was raised all the same"),
    ],
)
def test_a_flag_that_did_not_get_through_is_never_told_calmly(alerted: Any, told: str) -> None:
    said = Reply("unavailable", "There is no answer right now", alerted=alerted)
    drawn = page(CATALOGUE["crisis-flag"], scene(course()), said)
    assert told in drawn
    assert "call or text 988" in drawn
    assert ("whoever is on call" in drawn) is (alerted != "yes")


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("body.review_on", "review_on"),
        ("body.attended.phq9.items.8", "phq9_9"),
        ("body.entries.0.text", "entry_1_text"),
        ("body.contingency_signs.2", "signs"),
        ("body.missed.appointment_id", "appointment"),
        ("body.*", ""),
    ],
)
def test_what_a_service_objects_to_is_shown_at_its_field(path: str, field: str) -> None:
    known = {
        name: field_
        for act in CATALOGUE.values()
        for form in act.forms(scene(course()))
        for name, field_ in form.fields.items()
    }
    problem = {"reason": "invalid", "errors": [{"field": path, "problem": "missing"}]}
    assert [name for name, _ in reply(Answer(422, problem), known).errors] == [field]


@pytest.mark.parametrize("reason", ["review_date_too_far", "review_before_first_session"])
def test_a_review_that_cannot_be_on_that_day_is_refused_in_words(reason: str) -> None:
    said = reply(Answer(409, {"reason": reason, "detail": "In the words of nobody here."}), {})
    assert said.state == "refused"
    assert said.detail.startswith("The review ")


# Pictures


def test_the_initial_phase_begins_with_the_plan_and_the_last_one_goes_on() -> None:
    spans = pictures.phases(course(phases=(Entered(phase="middle", at=NOW - WEEK),)))
    assert [(s.name, s.start, s.end) for s in spans] == [
        ("initial", NOW - 2 * WEEK, NOW - WEEK),
        ("middle", NOW - WEEK, None),
    ]


def test_a_closed_plan_ends_its_last_phase_and_has_no_other() -> None:
    known = course(phases=(Entered(phase="closed", at=NOW),), closed="withdrawn", closed_at=NOW)
    assert [(s.name, s.end) for s in pictures.phases(known)] == [("initial", NOW)]


def test_a_crisis_stands_in_the_episode_in_which_it_was() -> None:
    first, second = course(closed_at=NOW), course(episode=2, started_at=NOW)
    alerts = [
        Alert(
            id=id,
            patient_id="pat_1",
            clinic_id="r",
            kind="crisis",
            severity="high",
            raised_at=at,
            resolved_at=end,
        )
        for id, at, end in (
            ("a", NOW - WEEK, NOW - WEEK),
            ("b", NOW - HOUR, None),
            ("c", NOW + WEEK, None),
        )
    ]
    assert [s.start for s in pictures.crises(alerts, first, second)] == [NOW - WEEK, NOW - HOUR]
    assert [s.start for s in pictures.crises(alerts, second, None)] == [NOW - HOUR, NOW + WEEK]


def test_appointments_that_the_course_itself_took_off_are_no_cancelled_sessions() -> None:
    known = course(
        appointments=(
            appointment(1, NOW, withdrawn="no_longer_needed"),
            appointment(2, NOW, withdrawn="asked"),
        )
    )
    assert [a.number for a in pictures.sessions(known)] == [2]


def test_a_measure_without_a_total_has_no_band() -> None:
    measures = (
        Measure(at=NOW, instrument="phq9", total=None, attended=1),
        Measure(at=NOW + WEEK, instrument="phq9", total=17, attended=2),
        Measure(at=NOW + 2 * WEEK, instrument="gad7", total=10, attended=3),
    )
    rows = pictures.measure_rows(course(measures=measures))
    assert [band for _, band in rows] == ["moderate", "mod. severe", None]


# Flags and story


def test_a_flag_names_its_rule_its_protocol_and_its_numbers() -> None:
    mark = Mark(kind="deterioration", at=NOW, inputs={"baseline": 12, "total": 18, "rise": 6})
    (flag,) = explained(Person(id="pat_1", courses=(course(marks=(mark,)),)), "America/New_York")
    assert flag.version == "protocol 2026.1"
    assert "risen over its baseline" in flag.rule
    assert flag.inputs[:3] == [("Baseline", "12"), ("Total", "18"), ("Rise", "6")]
    assert flag.inputs[3] == ("Found", "Mon 02 Mar 2026 10:00")


def entry(id: str, at: datetime = NOW, cause: str | None = None, type: str = "SessionScheduled") -> Entry:
    return Entry(id, at, type, "scheduler", {}, cause_id=cause)


def test_an_effect_of_the_same_moment_stands_above_its_cause() -> None:
    told = [entry("a", cause="b"), entry("b", cause="c"), entry("c"), entry("d", NOW + WEEK)]
    assert [e.id for e in latest_first(told)] == ["d", "a", "b", "c"]


def test_what_one_service_said_at_one_moment_stands_in_its_order() -> None:
    first, second = (
        Entry(id, NOW, id, "intake", {}, ("intake.referrals", n)) for n, id in ((1, "z"), (2, "a"))
    )
    assert [e.id for e in latest_first([first, second])] == ["a", "z"]


def test_a_circle_of_causes_ends() -> None:
    assert len(latest_first([entry("a", cause="b"), entry("b", cause="a")])) == 2


def test_what_one_cause_announced_many_times_is_one_line() -> None:
    told = [entry("a", cause="p"), entry("b", cause="p"), entry("c", cause="q"), entry("d"), entry("e")]
    assert [[e.id for e in line] for line in gathered(told)] == [["a", "b"], ["c"], ["d"], ["e"]]


def test_everything_that_is_announced_has_a_sentence() -> None:
    assert {fact.__name__ for fact, _ in PEOPLE} <= set(TALES)


def test_an_announcement_that_is_not_understood_is_told_by_its_name() -> None:
    assert tale("SomethingNewHappened", {}) == "Something new happened"
    assert tale("SessionAttended", {}) == "Session attended"


def test_the_story_says_of_a_score_recorded_late_when_it_was_given() -> None:
    score = {"instrument": "phq9", "total": 9, "change": -5, "recorded_at": "2026-03-16T15:00:00Z"}
    told = "PHQ-9 9, -5 since baseline"
    assert tale("MeasureRecorded", score) == told
    assert tale("MeasureRecorded", {**score, "taken_at": "2026-03-16T14:00:00Z"}) == told
    late = tale("MeasureRecorded", {**score, "taken_at": "2026-03-02T14:00:00Z"})
    assert late == f"{told}, of 02 Mar 2026"
    assert tale("MeasureRecorded", {**score, "taken_at": None}) == told


def test_details_leave_out_ids_of_the_person_and_keep_a_zero() -> None:
    assert details({"patient_id": "pat_1", "total": 0, "baseline": None, "indicated": False}, "UTC") == [
        ("Total", "0"),
        ("Indicated", "no"),
    ]


def test_details_give_instants_by_the_clinics_clock_and_days_as_they_are() -> None:
    facts = {"raised_at": "2026-03-02T15:00:00Z", "review_on": "2026-03-09", "local_time": "2026-03-02T10:00"}
    assert details(facts, "America/New_York") == [
        ("Raised at", "Mon 02 Mar 2026 10:00"),
        ("Review on", "2026-03-09"),
        ("Local time", "2026-03-02T10:00"),
    ]


@pytest.mark.parametrize(
    ("outcome", "reason", "told"),
    [
        ("delivered", "delivered", "In the inbox: cln_r01, inbox here"),
        ("failed", "timed_out", "Not reached: cln_r01, inbox here (no answer in time)"),
        ("skipped", "acknowledged", "Not sent: cln_r01, inbox here (somebody had taken it by then)"),
    ],
)
def test_whoever_was_not_reached_is_not_said_to_be_told(outcome: str, reason: str, told: str) -> None:
    facts = {"contact_id": "cln_r01", "channel": "inbox", "outcome": outcome, "reason": reason}
    assert tale("AlertNotified", facts) == told


# The clinic's clock


def test_deadlines_of_a_crisis_are_by_the_clinics_clock_before_there_is_an_appointment() -> None:
    referred = Row.of(Person(id="pat_1", clinic_id="riverside", referrals=(Referral(id="ref_1"),)))
    clinics = read_clinics(Path("deploy/config/clinics.json"))
    assert zone_of(clinics, referred) == "America/New_York"
    crisis = OpenAlert(
        id="alr_1", kind="crisis", severity="high", state="open", reason="crisis_flag", raised_at=NOW,
        acknowledge_by=NOW + timedelta(minutes=5), lease_until=None,
    )  # fmt: skip
    (flag,) = explained(Person(id="pat_1", alerts=(crisis,)), zone_of(clinics, referred))
    assert ("To be taken by", "Mon 02 Mar 2026 10:05") in flag.inputs


def test_a_time_of_a_clinic_that_nobody_knows_says_that_it_is_utc() -> None:
    somewhere = Row.of(Person(id="pat_1", clinic_id="elsewhere"))
    assert zone_of(Clinics(clinics=()), somewhere) == "UTC"
    assert moment(NOW, "UTC") == "Mon 02 Mar 2026 15:00 UTC"
    assert moment(NOW, "America/New_York") == "Mon 02 Mar 2026 10:00"
    known = Row.of(Person(id="pat_1", clinic_id="elsewhere", courses=(course(),)))
    assert zone_of(Clinics(clinics=()), known) == "America/New_York", "as the appointments have it"
