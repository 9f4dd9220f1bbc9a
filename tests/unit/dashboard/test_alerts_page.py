"""What the alerts pages make of an alert: its place in the list, its words, its forms."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import product
from types import SimpleNamespace
from typing import Any, cast, get_args
from urllib.parse import parse_qs, urlsplit

import pytest

from services.alerts import events
from services.alerts.domain import acknowledgement, policy, reasons
from services.dashboard.attention import open_at, sees, taken_at, visible
from services.dashboard.domain.alert import Alert, Climbed, Told
from services.dashboard.listing import BadQuery
from services.dashboard.pages.alerts import acting, words
from services.dashboard.pages.alerts.course import course, remembered
from services.dashboard.pages.alerts.detail import Detail
from services.dashboard.pages.alerts.facts import Contact, Facts, contacts_of
from services.dashboard.pages.alerts.query import Query, bands
from services.dashboard.pages.alerts.telling import missed, reached, told_by_detail, told_by_row
from services.dashboard.pages.alerts.times import Times, span
from services.dashboard.pages.alerts.view import notice, of_detail, of_row
from services.dashboard.pages.desk import Desk
from services.dashboard.pages.forms import Unfit
from services.dashboard.web.services import Answer
from services.dashboard.web.viewer import Viewer
from shared.http.caller import Role

NOW = datetime(2026, 5, 25, 16, 0, tzinfo=UTC)
KNOWN = frozenset({"riverside", "lakeside"})
FACTS = Facts(
    contacts={
        "con_r01": Contact("con_r01", "cln_r01", ("on_call",), ("inbox", "webhook"), "riverside"),
        "con_r02": Contact("con_r02", "cln_r02", ("backup",), ("inbox",), "riverside"),
        "con_l01": Contact("con_l01", "cln_l01", ("on_call",), ("inbox",), "lakeside"),
        "con_e01": Contact("con_e01", "eng_01", ("engineer",), ("inbox",)),
    },
    zones={"riverside": "America/New_York"},
)


def viewer(role: Role, clinic: str = "riverside", subject: str = "cln_r01") -> Viewer:
    return Viewer(subject, frozenset({role}), clinic, NOW + timedelta(hours=1), "token")


def alert(**changes: Any) -> Alert:
    known: dict[str, Any] = {
        "id": "alr_1", "patient_id": "pat_1", "clinic_id": "riverside", "kind": "crisis",
        "severity": "high", "reason": "crisis_flag", "raised_at": NOW - timedelta(minutes=7),
        "acknowledge_by": NOW - timedelta(minutes=2),
    }  # fmt: skip
    return Alert(**(known | changes))


def answered(**changes: Any) -> dict[str, Any]:
    """An alert as the alerts service answers it."""
    at = (NOW - timedelta(minutes=7)).isoformat()
    return {
        "id": "alr_1", "patient_id": "pat_1", "clinic_id": "riverside", "kind": "crisis", "severity": "high",
        "state": "open", "reason": "crisis_flag", "about": "patient:pat_1", "informational": False,
        "plan_id": None, "clinician_id": "cln_r04", "raised_at": at, "step": 0, "next_due": None,
        "evidence_count": 1, "acknowledgement": None, "handed_to": None, "ending": None, "version": 3,
        "evidence": [{"id": "f", "source": "flag", "severity": "high", "reason": "crisis_flag",
                      "codes": ["cssrs_high"], "at": at}],
        "obligations": [{"kind": "acknowledge", "due_at": NOW.isoformat(), "state": "open", "reason": None,
                         "ended_at": None}],
        "decisions": [], "assessment": None, "deliveries": [],
    } | changes  # fmt: skip


def detail(**changes: Any) -> Detail:
    return Detail.model_validate(answered(**changes))


TAKEN = {"by": "cln_r01", "at": NOW.isoformat(), "in_time": True,
         "lease_until": (NOW + timedelta(minutes=30)).isoformat()}  # fmt: skip


def delivery(state: str, reason: str | None, contact: str = "con_r01") -> dict[str, Any]:
    return {
        "id": "d", "alert_ids": ["alr_1"], "step": 0, "round": 1, "contact_id": contact, "channel": "webhook",
        "state": state, "reason": reason, "attempts": 4, "next_attempt": None, "created_at": NOW.isoformat(),
        "ended_at": None,
    }  # fmt: skip


def fits(row: dict[str, Any], wanted: dict[str, Any]) -> bool:
    """What MongoDB makes of the few conditions the list asks with."""
    return all(_fits(row, field, value) for field, value in wanted.items())


def _fits(row: dict[str, Any], field: str, value: Any) -> bool:
    if field == "$or":
        return any(fits(row, choice) for choice in value)
    if field == "$and":
        return all(fits(row, part) for part in value)
    here = row.get(field)
    if not isinstance(value, dict):
        return bool(here == value)
    checks = {
        "$in": lambda v: here in v,
        "$nin": lambda v: here not in v,
        "$ne": lambda v: here != v,
        "$lte": lambda v: here is not None and here <= v,
        "$gt": lambda v: here is not None and here > v,
    }
    return all(checks[operator](operand) for operator, operand in value.items())


ROWS = [
    {"kind": kind, "severity": severity, "state": state, "lease_until": lease}
    for kind, severity, state, lease in product(
        (*get_args(events.AlertKind), "new_kind"),
        (*get_args(events.Severity), "new_severity"),
        ("open", "acknowledged", "assessed"),
        (None, NOW, NOW + timedelta(minutes=1)),
    )
]


def places(row: dict[str, Any], query: Query) -> list[int]:
    return [place for place, band in enumerate(bands(query, NOW)) if fits(row, band)]


def test_every_alert_that_is_not_resolved_stands_in_exactly_one_place_of_the_list() -> None:
    assert {len(places(row, Query())) for row in ROWS} == {1}


def test_every_alert_is_either_in_somebodys_hands_or_in_nobodys() -> None:
    for row in ROWS:
        held, free = places(row, Query(state="taken")), places(row, Query(state="open"))
        assert len(held) + len(free) == 1, row
        assert fits(row, open_at(NOW)) is not fits(row, taken_at(NOW))


def test_a_lease_that_ran_out_holds_nothing() -> None:
    lapsed = {"kind": "crisis", "severity": "high", "state": "acknowledged", "lease_until": NOW}
    assert places(lapsed, Query(state="open")) == [0]
    row = alert(state="acknowledged", acknowledged_by="cln_r02", lease_until=NOW)
    assert of_row(row, FACTS).is_nobodys(NOW)


def test_crises_nobody_has_come_first_then_those_in_hand_then_the_rest_by_severity() -> None:
    rows = [
        ("crisis", "high", "open"), ("crisis", "moderate", "open"), ("crisis", "low", "open"),
        ("crisis", "high", "assessed"), ("missed_session", "moderate", "open"),
        ("missed_session", "low", "assessed"), ("maintenance", "routine", "open"),
    ]  # fmt: skip
    found = [
        places(dict(zip(("kind", "severity", "state"), row, strict=True)) | {"lease_until": None}, Query())
        for row in rows
    ]
    assert found == sorted(found)
    assert len({tuple(place) for place in found}) == len(rows)


@pytest.mark.parametrize(
    "query", [Query(state="gone"), Query(kind="none"), Query(severity="x"), Query(mine="no")]
)
def test_an_address_nobody_made_is_refused(query: Query) -> None:
    with pytest.raises(BadQuery):
        query.check()


def test_filters_stand_in_the_address_and_only_those_that_were_chosen() -> None:
    address = Query(state="open", kind="crisis").address(after="abc")
    assert parse_qs(urlsplit(address).query) == {"state": ["open"], "kind": ["crisis"], "after": ["abc"]}
    assert Query().address() == "/alerts"


@pytest.mark.parametrize("role", ["coordinator", "clinician", "engineer"])
@pytest.mark.parametrize("clinic", ["riverside", "closed", "*"])
def test_one_alert_is_seen_exactly_when_the_list_shows_it(role: Role, clinic: str) -> None:
    who = viewer(role, clinic)
    places = ("riverside", "lakeside", "unknown", "closed", "closed_too")
    for kind, at in product(("crisis", "dead_letter", "maintenance"), places):
        row = alert(kind=kind, clinic_id=at)
        assert sees(who, row, KNOWN) is fits({"kind": kind, "clinic_id": at}, visible(who, KNOWN))


def test_engineers_see_dead_letters_alone() -> None:
    assert sees(viewer("engineer", "*"), alert(kind="dead_letter", clinic_id="unknown"), KNOWN)
    assert not sees(viewer("engineer", "*"), alert(), KNOWN)
    assert not sees(viewer("clinician"), alert(kind="dead_letter", clinic_id="unknown"), KNOWN)


@pytest.mark.parametrize("nowhere", ["unknown", "closed"])
def test_a_crisis_from_a_clinic_nobody_knows_is_seen_by_every_clinic(nowhere: str) -> None:
    assert sees(viewer("clinician", "lakeside"), alert(clinic_id=nowhere), KNOWN)
    assert not sees(viewer("engineer", "lakeside"), alert(clinic_id=nowhere), KNOWN)
    assert not sees(viewer("clinician", "lakeside"), alert(), KNOWN)


def test_times_are_the_clinics_and_say_so_where_they_are_not() -> None:
    assert Times(NOW, "America/New_York").at(NOW) == "Mon 25 May 12:00"
    assert Times(NOW).at(NOW) == "Mon 25 May 16:00 UTC"
    assert Times(NOW).at(NOW.replace(year=2025)) == "Sun 25 May 2025 16:00 UTC"
    assert Times(NOW, "America/New_York").hour(NOW) == "12:00"


@pytest.mark.parametrize(
    ("delta", "said"),
    [
        (timedelta(seconds=59), "under a minute"),
        (timedelta(minutes=59), "59 min"),
        (timedelta(hours=2, minutes=5), "2 h 5 min"),
        (timedelta(hours=47), "47 h"),
        (timedelta(days=3), "3 days"),
    ],
)
def test_spans_are_said_as_people_say_them(delta: timedelta, said: str) -> None:
    assert span(delta) == said


def test_the_read_model_and_the_service_say_the_same_of_one_alert() -> None:
    row = alert(state="acknowledged", acknowledged_by="cln_r01", acknowledged_at=NOW, in_time=True,
                acknowledge_by=NOW, lease_until=NOW + timedelta(minutes=30))  # fmt: skip
    assert of_row(row, FACTS) == of_detail(detail(state="acknowledged", acknowledgement=TAKEN))


def test_handed_over_it_waits_for_somebody_named_until_the_answer_is_due() -> None:
    by_row = of_row(alert(state="acknowledged", handed_to="con_r02", answer_by=NOW), FACTS)
    assert (by_row.handed_to, by_row.answer_by) == ("cln_r02", NOW)
    by_service = of_detail(detail(state="acknowledged", handed_to="cln_r02", acknowledgement=TAKEN))
    assert by_service.answer_by == NOW + timedelta(minutes=30)
    assert by_service.is_offered_to("cln_r02")
    assert not by_service.is_offered_to("cln_r01")


def test_a_delivery_that_ended_is_no_news_to_somebody_who_assesses_and_an_acknowledgement_is() -> None:
    first = detail()
    assert first.seen == detail(version=4, deliveries=[delivery("delivered", "delivered")]).seen
    assert first.seen != detail(state="acknowledged", acknowledgement=TAKEN).seen
    assert first.seen != detail(evidence_count=2).seen


def test_whoever_no_channel_reached_is_named() -> None:
    told = told_by_detail(
        detail(
            deliveries=[
                delivery("failed", "timed_out"),
                delivery("delivered", "delivered", "con_r02"),
                delivery("failed", "gone", "con_r02"),
                delivery("pending", "connection_failed", "con_l01"),
            ]
        ),
        FACTS,
    )
    assert reached(told) == ["cln_r02"]
    assert missed(told) == ["cln_r01"]
    assert told[0].why == "no answer in time"
    assert told[3].why == "to be tried again: no connection"
    assert told[0].roles == ("on call",)


def test_what_lies_in_an_inbox_is_not_said_to_have_reached_anybody() -> None:
    assert (words.came_of("delivered", "inbox"), words.mark_of("delivered", "inbox")) == (
        "In the inbox",
        "information",
    )
    assert (words.came_of("delivered", "webhook"), words.mark_of("delivered", "webhook")) == (
        "Reached",
        "done",
    )
    assert words.came_of("failed", "inbox") == "Not reached"


def test_a_contact_who_left_the_roster_is_shown_by_id() -> None:
    left = Told(delivery_id="d", contact_id="con_x", channel="inbox", outcome="skipped",
                reason="contact_unknown", attempts=0, step=0, at=NOW)  # fmt: skip
    (telling,) = told_by_row(alert(told=(left,)), FACTS)
    assert (telling.contact, telling.came_of_it) == ("con_x", "Not sent")


def test_the_course_names_every_step_with_its_reason() -> None:
    row = alert(
        climbed=(Climbed(step=1, role="backup", reason="not_acknowledged", at=NOW),),
        acknowledged_by="cln_r02", acknowledged_at=NOW, in_time=False,
        lease_until=NOW + timedelta(minutes=30),
        resolved_by="rule", resolved_at=NOW, disposition="session_attended",
    )  # fmt: skip
    told = course(remembered(row), FACTS, Times(NOW, "America/New_York"))
    assert [(entry.what, entry.why) for entry in told] == [
        ("Raised, high", "Somebody may be in danger"),
        ("Step 2: backup", "because nobody had acknowledged it"),
        ("cln_r02 took it", "after the time allowed, to be assessed by Mon 25 May 12:30"),
        ("Ended by rule", "The person came to a session"),
    ]


def test_more_severe_evidence_says_what_it_rose_to() -> None:
    joined = {"severity": "high", "previous_severity": "moderate", "reason": "crisis_flag", "joined_at": NOW}
    (entry,) = course([("AlertJoined", joined)], FACTS, Times(NOW))
    assert entry.what == "New evidence joined it, now high"


def test_what_came_too_late_is_said_where_the_assessment_or_the_end_tells_of_it() -> None:
    assessed = {"by": "cln_r01", "assessed_at": NOW, "overdue": ["contact", "assess"]}
    resolved = {"by": "cln_r01", "disposition": "false_alarm", "resolved_at": NOW, "overdue": ["contact"]}
    told = course([("AlertAssessed", assessed), ("AlertResolved", resolved)], FACTS, Times(NOW))
    contact = "nobody spoke with the person within the time allowed"
    assert [entry.why for entry in told] == [
        f"{contact}; nobody assessed it within the time allowed",
        f"False alarm; {contact}",
    ]


def test_a_roster_is_the_clinics_and_everybodys_where_the_clinic_is_not_known() -> None:
    assert [c.id for c in FACTS.roster("riverside", "crisis")] == ["con_r01", "con_r02"]
    assert len(FACTS.roster("unknown", "crisis")) == 3
    assert [c.id for c in FACTS.roster("unknown", "dead_letter")] == ["con_e01"]


def test_contacts_are_read_from_the_policy_with_their_clinic() -> None:
    person = {"id": "con_1", "subject": "cln_1", "roles": ["backup"], "channels": ["inbox"]}
    found = contacts_of({"clinics": {"north": [person]}, "engineers": [{**person, "id": "con_2"}]})
    assert {id: contact.clinic for id, contact in found.items()} == {"con_1": "north", "con_2": ""}


def test_a_next_contact_is_meant_in_the_zone_the_form_named() -> None:
    form = {"disposition": "false_alarm", "safety_plan": "no", "next_contact": "2026-07-01T09:30",
            "zone": "America/New_York"}  # fmt: skip
    assert acting.body_of("resolve", form) == {
        "disposition": "false_alarm",
        "safety_plan": False,
        "next_contact": "2026-07-01T09:30:00-04:00",
    }
    unnamed = acting.body_of("resolve", form | {"zone": "../etc"})
    assert unnamed is not None
    assert unnamed["next_contact"] == "2026-07-01T09:30:00+00:00"


@pytest.mark.parametrize(
    ("action", "form", "field"),
    [
        ("assess", {}, "result"),
        ("assess", {"result": "false_alarm"}, "contact_made"),
        ("hand-over", {"contact_id": " "}, "contact_id"),
        ("resolve", {"safety_plan": "yes"}, "disposition"),
        ("resolve", {"disposition": "false_alarm", "next_contact": "soon"}, "next_contact"),
    ],
)
def test_a_form_that_says_too_little_names_the_field(
    action: acting.Action, form: dict[str, str], field: str
) -> None:
    with pytest.raises(Unfit) as unfit:
        acting.body_of(action, form)
    assert [name for name, _ in unfit.value.errors] == [field]


@dataclass
class AlertsService:
    """Holds one alert in this version, and keeps what it was asked to do."""

    version: int
    about: dict[str, Any] = field(default_factory=answered)
    asked: list[tuple[str, int | None]] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)

    async def send(
        self, _: Viewer, service: str, method: str, path: str, body: Any, *, key: str, version: int | None
    ) -> Answer:
        self.asked.append((path, version))
        self.keys.add(key)
        if version in (None, self.version):
            return Answer(200, self.about, self.version)
        return Answer(412, {"reason": "version_changed"})

    async def get(self, _: Viewer, service: str, path: str) -> Answer:
        return Answer(200, self.about, self.version)


async def sent(service: AlertsService, action: acting.Action, **form: str) -> Answer:
    me, desk = viewer("clinician"), SimpleNamespace(services=service)
    return await acting.send(cast(Desk, desk), me, "alr_1", action, {"csrf": me.csrf, **form})


async def test_a_crisis_is_taken_whatever_version_the_form_names_or_none() -> None:
    service = AlertsService(version=7)
    for form in ({}, {"if_match": "2"}, {"if_match": "not a version"}):
        assert (await sent(service, "acknowledge", **form)).ok
    assert service.asked == [("/alerts/alr_1/acknowledge", None)] * 3


async def test_an_assessment_by_whoever_has_seen_no_version_of_the_alert_is_a_conflict() -> None:
    service, entered = AlertsService(version=7), {"result": "false_alarm", "contact_made": "yes"}
    assert acting.reason_of(await sent(service, "assess", **entered)) == "version_changed"
    assert service.asked == [("/alerts/alr_1/assess", 0)]
    assert (await sent(service, "assess", **entered, if_match="7")).ok


async def test_a_version_that_changed_beside_what_its_reader_saw_is_no_conflict() -> None:
    service, entered = AlertsService(version=7), {"result": "false_alarm", "contact_made": "yes"}
    assert (await sent(service, "assess", **entered, if_match="6", seen=detail().seen)).ok
    assert [version for _, version in service.asked] == [6, 7]
    assert len(service.keys) == 1, "once, however often it is sent"


def test_after_a_crisis_was_taken_its_assessment_comes_next_and_never_another_site() -> None:
    me = viewer("clinician")
    taken = detail(state="acknowledged", acknowledgement=TAKEN)
    assert acting.following(taken, "acknowledge", me, {"back": "/alerts"}) == "/alerts/alr_1?done=taken"
    other = detail(kind="missed_session", state="acknowledged", acknowledgement=TAKEN)
    back = acting.following(other, "acknowledge", me, {"back": "/alerts?mine=yes"})
    assert back == "/alerts?mine=yes&done=taken&alert=alr_1"
    for elsewhere in ("https://example.org/alerts", "//example.org", "/alerts/../sign-out", "/"):
        assert acting.following(other, "acknowledge", me, {"back": elsewhere}).startswith("/alerts/alr_1?")


def test_who_was_second_hears_that_somebody_was_first() -> None:
    taken = detail(state="acknowledged", acknowledgement=TAKEN)
    assert acting.taking(taken, "cln_r01") == "taken"
    assert acting.taking(taken, "cln_r02") == "taken_before"
    said = notice("taken_before", of_detail(taken), "cln_r02")
    assert said is not None
    assert said[:2] == ("conflict", "cln_r01 was first")
    assert notice("anything", of_detail(taken), "cln_r02") is None


def test_nobody_is_told_that_they_have_what_they_have_no_more() -> None:
    held = of_row(alert(state="acknowledged", acknowledged_by="cln_r01", lease_until=NOW), FACTS)
    before, after = held.seen(NOW - timedelta(seconds=1)), held.seen(NOW)
    assert notice("taken", before, "cln_r01") is not None
    assert notice("taken", before, "cln_r02") is None
    assert notice("taken", after, "cln_r01") is None
    assert (before.badge, before.in_words) == ("acknowledged", "in hand")
    assert (after.badge, after.in_words) == ("crisis-high", "in nobody’s hands")


def test_every_code_of_the_alerts_service_has_a_word() -> None:
    assert set(get_args(events.AlertKind)) == set(words.KINDS)
    assert set(get_args(events.Severity)) == set(words.SEVERITIES)
    assert set(get_args(events.DispositionResult)) == set(words.DISPOSITIONS)
    assert set(get_args(reasons.RaiseReason)) == set(words.RAISED)
    assert {*get_args(reasons.NotifyReason), *get_args(reasons.SilenceReason)} == set(words.TOLD)
    assert set(get_args(reasons.EndReason)) == set(words.ENDED)
    assert set(get_args(events.ObligeReason)) == set(words.OWED) == set(words.OVERDUE)
    assert set(get_args(reasons.DeliveryReason)) == set(words.WHY)
    assert set(get_args(policy.ContactRole)) == set(words.ROLES)
    assert set(get_args(policy.ChannelKind)) == set(words.CHANNELS)


def test_a_crisis_offers_the_six_results_of_its_assessment() -> None:
    assert {code for code, _ in words.results_for("crisis")} == acknowledgement.CRISIS_RESULTS
    assert "replayed" in dict(words.results_for("dead_letter"))


def test_a_refusal_is_said_in_words_and_an_unknown_one_as_the_service_says_it() -> None:
    known = words.refusal({"reason": "not_assessed", "detail": "A rule refuses this."})
    assert known["reason"] == "no assessment was recorded"
    assert words.refusal({"reason": "new_rule", "detail": "Because."})["detail"] == "Because."
