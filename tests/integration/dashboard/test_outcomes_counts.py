"""Figures as MongoDB counts them, against people whose course is known."""

from datetime import UTC, datetime, timedelta
from typing import Any

from services.dashboard import outcomes
from services.dashboard.domain.alert import Alert, Climbed, Told
from services.dashboard.domain.person import Appointment, Course, Entered, Measure, Person, Referral
from services.dashboard.outcomes import Outcomes, Window
from services.dashboard.outcomes.figures import Rate
from services.dashboard.store import ALERTS, PEOPLE, Row
from tests.integration.dashboard.conftest import Dashboard

BEGIN = datetime(2026, 1, 5, 14, tzinfo=UTC)
NOW = BEGIN + timedelta(weeks=20)
WINDOW = Window("riverside", BEGIN, NOW + timedelta(days=1))


def week(number: float) -> datetime:
    return BEGIN + timedelta(weeks=number)


def measures(*totals: int | None, since: float = 0) -> tuple[Measure, ...]:
    return tuple(
        Measure(at=week(since + place), instrument="phq9", total=total, attended=place + 1)
        for place, total in enumerate(totals)
    )


def appointment(number: int, at: datetime, outcome: str | None = None, **more: Any) -> Appointment:
    known = {"id": f"a{number}", "number": number, "starts_at": at, "minutes": 60, "outcome": outcome}
    return Appointment.model_validate(known | more)


def course(**changes: Any) -> Course:
    """A course of care that ended after eight weeks, unless `changes` say otherwise."""
    known: dict[str, Any] = {
        "id": "pln",
        "referral_id": "ref",
        "clinician_id": "cln_r01",
        "sessions": 16,
        "started_at": BEGIN,
        "phases": (Entered(phase="middle", at=week(3)), Entered(phase="ended", at=week(8))),
        "appointments": (appointment(1, week(0) + timedelta(hours=20), "attended"),),
        "measures": measures(12, 9, 6),
    }
    return Course(**(known | changes))


async def keep(dashboard: Dashboard, *courses: Course, clinic: str = "riverside", **referral: Any) -> None:
    """A person of their own for each course; also one who was referred and nothing else, without any."""
    have = await dashboard.database[PEOPLE].count_documents({})
    for number, one in enumerate(courses or (None,), start=have):
        known = {"id": "ref", "state": "completed", "received_at": BEGIN} | referral
        person = Person(
            id=f"pat_{number}",
            clinic_id=clinic,
            referrals=(Referral(**known),),
            courses=(one,) if one else (),
        )
        row = Row.of(person).model_dump()
        await dashboard.database[PEOPLE].insert_one({"_id": row.pop("id"), **row})


async def counted(dashboard: Dashboard, window: Window = WINDOW) -> Outcomes:
    return await outcomes.count(dashboard.database, window, NOW)


async def test_response_remission_and_deterioration_each_have_their_own_denominator(
    dashboard: Dashboard,
) -> None:
    await keep(
        dashboard,
        course(measures=measures(12, 9, 6)),  # half: response
        course(measures=measures(12, 9, 7)),  # not quite
        course(measures=measures(9, None, 4)),  # remission, too mild at first for a response
        course(measures=measures(20, 4)),  # both
        course(measures=measures(8, 13)),  # five more
        course(measures=measures(None)),  # never complete: no score
    )
    found = (await counted(dashboard)).answered
    assert (found.courses, found.measured, found.running) == (6, 5, 0)
    assert found.response == Rate(2, 3)
    assert found.remission == Rate(2, 5)
    assert found.deterioration == Rate(1, 5)


async def test_the_baseline_is_the_one_of_the_screening_that_care_plan_compares_with(
    dashboard: Dashboard,
) -> None:
    taken = tuple(measure.but(baseline=10) for measure in measures(8, 5))
    await keep(dashboard, course(measures=taken))
    assert (await counted(dashboard)).answered.response == Rate(1, 1)


async def test_what_was_measured_in_maintenance_says_nothing_about_the_acute_treatment(
    dashboard: Dashboard,
) -> None:
    acute, later = measures(14, 6), measures(18, since=12)
    await keep(dashboard, course(measures=acute + later))
    assert (await counted(dashboard)).answered.response == Rate(1, 1)


async def test_a_course_counts_where_it_ended_or_once_it_reaches_week_12(dashboard: Dashboard) -> None:
    entered = (Entered(phase="middle", at=week(3)),)
    await keep(
        dashboard,
        course(phases=entered),  # runs on past week 12
        course(phases=entered, started_at=week(10), appointments=(appointment(1, week(10)),)),  # week 10 now
        course(phases=entered, closed="withdrawn", closed_at=week(5)),
    )
    found = (await counted(dashboard)).answered
    assert (found.courses, found.running) == (2, 1)
    late = Window("riverside", week(9), week(21))
    assert (await counted(dashboard, late)).answered.courses == 1, "the other one ended before"


async def test_waiting_ends_with_the_first_appointment_that_was_kept_in_the_calendar(
    dashboard: Dashboard,
) -> None:
    withdrawn = appointment(1, week(0) + timedelta(hours=3), withdrawn="asked", status="cancelled")
    missed = appointment(2, week(0) + timedelta(hours=48), "missed")
    held = appointment(3, week(1), "attended")
    await keep(dashboard, course(appointments=(withdrawn, missed, held)))
    await keep(dashboard, course(appointments=(appointment(1, week(0) + timedelta(hours=48, minutes=1)),)))
    await keep(dashboard, course(appointments=(withdrawn,)))
    await keep(dashboard, state="declined")
    await keep(dashboard, state="review")
    await keep(dashboard, received_at=week(-1))
    found = (await counted(dashboard)).waited
    assert found.hours.times == {48: 1, 49: 1}
    assert found.in_time == Rate(1, 2)
    assert (found.unbooked, found.declined, found.undecided) == (1, 1, 1)


async def test_only_sessions_whose_time_has_come_and_that_stood_are_counted(dashboard: Dashboard) -> None:
    ahead, before = appointment(7, NOW + timedelta(hours=1)), appointment(0, week(-1), "attended")
    await keep(
        dashboard,
        course(
            appointments=(
                before,
                appointment(1, week(1), "attended"),
                appointment(2, week(2), "missed"),
                appointment(3, week(3), "cancelled", withdrawn="session_cancelled"),
                appointment(4, week(4), withdrawn="held"),
                appointment(5, week(5)),
                appointment(6, week(6), "attended", kind="maintenance"),
                ahead,
            )
        ),
    )
    found = (await counted(dashboard)).attendance
    assert (found.attended, found.missed, found.cancelled, found.unrecorded) == (2, 1, 1, 1)
    assert found.no_show == Rate(1, 3)


async def test_a_phase_takes_as_long_as_until_the_next_one(dashboard: Dashboard) -> None:
    other = (Entered(phase="initial", at=BEGIN), Entered(phase="middle", at=week(4)))
    await keep(dashboard, course(), course(phases=other))
    found = (await counted(dashboard)).phases
    assert found["initial"].times == {21: 1, 28: 1}
    assert found["middle"].times == {35: 1}
    assert set(found) == {"initial", "middle"}, "nobody has left the others"


def crisis(id: str, severity: str, **changes: Any) -> Alert:
    known: dict[str, Any] = {
        "id": id,
        "patient_id": f"pat_{id}",
        "clinic_id": "riverside",
        "kind": "crisis",
        "severity": severity,
        "raised_at": BEGIN,
        "acknowledge_by": BEGIN + timedelta(minutes=5),
    }
    return Alert(**(known | changes))


def told(channel: str, minutes: int, outcome: str = "delivered") -> Told:
    return Told(
        delivery_id=f"d{channel}{minutes}", contact_id="con", channel=channel, outcome=outcome,
        reason="", attempts=1, step=0, at=BEGIN + timedelta(minutes=minutes),
    )  # fmt: skip


async def keep_alerts(dashboard: Dashboard, *alerts: Alert) -> None:
    for alert in alerts:
        row = alert.model_dump()
        await dashboard.database[ALERTS].insert_one({"_id": row.pop("id"), **row})


async def test_a_crisis_is_late_when_taken_too_late_and_when_not_taken_at_all(dashboard: Dashboard) -> None:
    paged, unpaged = (told("inbox", 0), told("email", 1)), (told("email", 1, "failed"),)
    await keep_alerts(
        dashboard,
        crisis("a", "high", first_acknowledged_at=BEGIN + timedelta(minutes=5), told=paged),
        crisis("b", "high", first_acknowledged_at=BEGIN + timedelta(minutes=6), told=unpaged),
        crisis("c", "high"),
        crisis("d", "high", acknowledge_by=NOW + timedelta(minutes=1)),
        crisis("e", "low", acknowledge_by=None),
    )
    high, low = (await counted(dashboard)).crises
    assert (high.severity, high.raised, high.kept, high.late) == ("high", 4, Rate(1, 3), 2)
    assert (high.paged.times, high.unpaged) == ({1: 1}, 3)
    assert high.acknowledged.median == 5.5
    assert low.kept.percent is None


async def test_escalations_and_what_people_found_are_counted_and_rules_apart(dashboard: Dashboard) -> None:
    climbed = Climbed(step=1, role="backup", reason="not_acknowledged", at=BEGIN)
    by_rule = {"state": "resolved", "resolved_by": "rule", "disposition": "informed"}
    by_human = {"state": "resolved", "resolved_by": "cln_r01", "disposition": "false_alarm"}
    await keep_alerts(
        dashboard,
        crisis("a", "high", climbed=(climbed, climbed), **by_human),
        crisis("b", "low", **by_human),
        crisis("c", "routine", kind="maintenance", **by_rule),
        crisis("d", "routine", kind="case_review"),
    )
    found = await counted(dashboard)
    assert found.escalated == {"not_acknowledged": 2}
    assert found.resolved == [("crisis", "false_alarm", 2)]
    assert (found.by_rule, found.alerts) == (1, 4)


async def test_another_clinic_and_other_days_are_not_counted(dashboard: Dashboard) -> None:
    await keep(dashboard, course(), clinic="lakeside")
    await keep_alerts(dashboard, crisis("a", "high", raised_at=BEGIN - timedelta(seconds=1)))
    assert (await counted(dashboard)).is_empty


async def test_the_page_shows_the_figures_with_what_they_are_of(dashboard: Dashboard) -> None:
    await keep(dashboard, course(), course(measures=measures(12, 11)))
    async with dashboard.as_("coordinator", clinic="riverside") as coordinator:
        page = await coordinator.get("/outcomes?since=2026-01-01&until=2026-05-31")
        empty = await coordinator.get("/outcomes?since=2020-01-01&until=2020-02-01")
        elsewhere = await coordinator.get("/outcomes?clinic=lakeside")
        backwards = await coordinator.get("/outcomes?since=2026-02-01&until=2026-01-01")
    assert "PHQ-9 at least halved · 1 of 2 · few" in page.text
    assert "Response: 50 %" in page.text
    assert "Nothing to count in these weeks" in empty.text
    assert (elsewhere.status_code, backwards.status_code) == (404, 422)
    async with dashboard.as_("engineer") as engineer:
        assert (await engineer.get("/outcomes")).status_code == 403


async def test_waiting_ended_with_the_first_plan_although_a_relapse_made_another_from_the_same_referral(
    dashboard: Dashboard,
) -> None:
    first = course(id="pln_9", episode=1, appointments=(appointment(1, BEGIN + timedelta(hours=20)),))
    relapse = course(id="pln_1", episode=2, started_at=week(12), appointments=(appointment(2, week(12)),))
    await keep(dashboard, first)
    wanted = {"_id": "pat_0"}
    both = [one.model_dump() for one in (relapse, first)]
    await dashboard.database[PEOPLE].update_one(wanted, {"$set": {"courses": both}})
    assert (await counted(dashboard)).waited.hours.times == {20: 1}


async def test_a_crisis_counts_by_the_severity_and_limit_it_had_when_it_was_first_taken(
    dashboard: Dashboard,
) -> None:
    taken = BEGIN + timedelta(hours=1)
    await keep_alerts(
        dashboard,
        crisis(
            "a", "high", first_acknowledged_at=taken, first_severity="low",
            first_limit=BEGIN + timedelta(hours=8),
        ),
        crisis("b", "high"),
    )  # fmt: skip
    high, low = (await counted(dashboard)).crises
    assert (low.severity, low.kept) == ("low", Rate(1, 1))
    assert (high.severity, high.kept) == ("high", Rate(0, 1))


async def test_alerts_stored_before_the_first_taking_was_kept_count_by_the_one_they_know(
    dashboard: Dashboard,
) -> None:
    old = crisis("a", "high", acknowledged_at=BEGIN + timedelta(minutes=4)).model_dump()
    for name in ("first_acknowledged_at", "first_severity", "first_limit"):
        del old[name]
    await dashboard.database[ALERTS].insert_one({"_id": old.pop("id"), **old})
    (high,) = (await counted(dashboard)).crises
    assert high.kept == Rate(1, 1)
    assert high.acknowledged.times == {4: 1}
