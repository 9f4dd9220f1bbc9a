"""A side is fast only when all its effects are there: what is counted, and what others are given to do."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from bson import decode, encode

from benchmarks.consume.intakes import completed, envelopes, write_template
from benchmarks.consume.verifying import same
from benchmarks.contenders.filling import Filling, plan_id
from benchmarks.page.open_pages import pace
from benchmarks.page.viewing import Seen, regions
from benchmarks.timers.schedules import document, first_day
from benchmarks.topics import Shortfall
from benchmarks.watching import Look, Progress, steady
from benchmarks.whole.course import acted_on
from services.care_plan.domain.plan import Plan, plan_id_of
from services.care_plan.inbound import IntakeCompleted
from services.scheduler.domain import timers
from services.scheduler.domain.schedule import Schedule
from shared.mongo import CODEC


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (["a", "b"], "1 missing, 0 foreign, 0 doubled"),
        (["a", "b", "c", "c"], "0 missing, 0 foreign, 1 doubled"),
        (["a", "b", "x"], "1 missing, 1 foreign, 0 doubled"),
    ],
)
def test_missing_foreign_and_doubled_effects_are_named(found: list[str], told: str) -> None:
    with pytest.raises(Shortfall, match=told):
        same("plans", found, {"a", "b", "c"})


def test_every_effect_exactly_once_is_no_shortfall() -> None:
    same("plans", ["c", "a", "b"], {"a", "b", "c"})


def test_every_referral_of_the_backlog_is_another_person_s() -> None:
    backlog = envelopes(50)
    assert len({message.key for message in backlog}) == 50
    assert len({message.id for message in backlog}) == 50
    for message in backlog:
        assert IntakeCompleted.model_validate_json(message.body).patient_id == message.key


def test_hand_written_sides_store_the_plan_that_kith_stores(tmp_path: Path) -> None:
    filling = Filling.read(str(write_template(tmp_path / "template.bson")))
    intake = completed(7, datetime(2026, 11, 23, 9, 0, tzinfo=UTC))
    row = filling.plan_for(intake.model_dump(mode="json"))

    stored = decode(encode(row, codec_options=CODEC), CODEC)
    fields = {
        name: value for name, value in stored.items() if name not in ("_id", "version", "announced", "trail")
    }
    plan = Plan.model_validate({"id": stored["_id"], **fields})

    assert plan.id == plan_id_of(intake.referral_id) == plan_id(intake.referral_id)
    assert (plan.patient_id, plan.started_at, plan.baseline_phq9) == (
        intake.patient_id,
        intake.completed_at,
        intake.phq9_total,
    )


def test_of_a_course_only_messages_that_somebody_reacts_to_count_as_acted_on() -> None:
    announced = {
        "ReferralReceived": 10,
        "IntakeCompleted": 10,
        "CarePlanStarted": 10,
        "SessionScheduled": 160,
    }
    by_care_plan_and_alerts, by_scheduler = 2 * 10, 10
    assert acted_on(announced) == by_care_plan_and_alerts + by_scheduler


def test_a_page_follows_the_regions_it_has_and_none_of_single_people() -> None:
    markup = """
        <div id="groups" data-live-src="/parts/groups?sort=next&amp;clinic=a"></div>
        <div data-live-src="/parts/people/pat_1" data-live-for="pat_1"></div>
        <div data-live-src="/parts/crises" data-live-on="alerts"></div>
        <section id="caseload" data-live-src="/parts/caseload">"""
    assert regions(markup) == ["/parts/groups?sort=next&clinic=a", "/parts/caseload"]


def test_pages_that_fetch_all_their_regions_once_a_second_are_told_at_their_pace() -> None:
    already = Seen(pages=200, regions=600, events=200, fetches=600)
    during = Seen(pages=200, regions=600, events=200 + 200 * 50, fetches=600 + 600 * 9)
    assert pace(already, during, 10.0) == {"changes/page/s": 5.0, "fetches/page/s": 2.7}


@pytest.mark.parametrize(
    ("during", "told"),
    [
        (Seen(pages=200, regions=600, events=0, fetches=0), "0.00 changes a second"),
        (Seen(pages=200, regions=600, events=10_000, fetches=4_700), "2.35 fetches of 3 regions"),
        (Seen(pages=200, regions=0, events=10_000, fetches=0), "0 regions"),
    ],
)
def test_pages_that_did_too_little_are_a_shortfall(during: Seen, told: str) -> None:
    with pytest.raises(Shortfall, match=told):
        pace(Seen(), during, 10.0)


def test_the_clock_starts_when_a_tenth_is_done() -> None:
    cpu = [{"client": second} for second in (0.0, 1.0, 2.0, 3.0)]
    looks = [
        Look(at, done, used)
        for at, done, used in zip((0.0, 1.0, 2.0, 3.0), (0, 100, 600, 1000), cpu, strict=True)
    ]
    progress = Progress(1000, looks)

    span = progress.span()
    measured = progress.measures(span)

    assert (span.start, span.end, span.effects) == (1.0, 3.0, 900)
    assert measured["events/s"] == 450
    assert measured["client µs"] == pytest.approx(2 / 900 * 1e6)


def test_a_side_that_announces_ends_with_its_last_announcement() -> None:
    progress = Progress(10, [Look(0.0, 1, {}), Look(1.0, 10, {})])
    assert progress.span(last_effect=3.0).end == 3.0


def test_announcements_in_batches_are_counted_from_the_end_of_one() -> None:
    times = [float(batch) for batch in range(10) for _ in range(500)]
    span = steady(times)
    assert span.effects / (span.end - span.start) == 500


def test_announcements_one_by_one_are_counted_from_the_warm_up_on() -> None:
    span = steady([number / 100 for number in range(1000)])
    assert span.effects / (span.end - span.start) == pytest.approx(100)


def test_a_schedule_of_the_benchmark_is_one_the_scheduler_reads_and_announces_of() -> None:
    row = document(42)
    id = row.pop("_id")
    fields = {name: value for name, value in row.items() if name not in ("version", "announced", "trail")}
    schedule = Schedule.model_validate({"id": id, **fields})

    after, events = timers.due(schedule, first_day().due)

    assert [event.plan_id for event in events] == [id]
    assert after.next_due is not None
    assert after.next_due > first_day().due
    assert (schedule.shard, schedule.next_due) == (row["shard"], row["next_due"])
