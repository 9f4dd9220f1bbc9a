"""What every page does: who is let in, what comes with it, what a refusal looks like."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from services.dashboard import caseload
from services.dashboard.domain.alert import Alert
from services.dashboard.domain.person import Course, Flag, Measure, Person
from services.dashboard.pages.calendar.view import MOST_MOVED
from services.dashboard.store import ALERTS, PEOPLE, Row
from shared.auth import mint
from tests.integration.dashboard.conftest import KEY, Dashboard
from tests.support.courses import history

NOW = datetime.now(UTC)
MEASURE = Measure(at=NOW, instrument="phq9", total=23, attended=3, baseline=19)

HTML = {"Accept": "text/html"}


async def test_whoever_is_not_signed_in_lands_at_sign_in_and_comes_back(dashboard: Dashboard) -> None:
    async with dashboard.nobody() as nobody:
        answer = await nobody.get("/?flag=crisis", headers=HTML)
        assert answer.status_code == 303
        assert answer.headers["location"] == "/sign-in?next=%2F%3Fflag%3Dcrisis", "nothing has ended yet"
        token = mint(KEY, subject="cln_r01", roles=["clinician"], clinic="riverside")
        answer = await nobody.post("/sign-in", data={"token": token, "next": "/?flag=crisis"})
        assert (answer.status_code, answer.headers["location"]) == (303, "/?flag=crisis")
        cookie = answer.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert re.search("samesite=lax", cookie, re.IGNORECASE)
        page = await nobody.get("/", headers=HTML)
        assert page.status_code == 200
        assert "cln_r01" in page.text


async def test_whoever_was_signed_in_is_told_that_it_has_ended(dashboard: Dashboard) -> None:
    ended = "/sign-in?reason=ended&next=%2Fintake"
    async with dashboard.nobody() as nobody:
        followed = await nobody.get("/intake", headers={**HTML, "Referer": "http://dashboard/"})
        assert followed.headers["location"] == ended
        nobody.cookies.set("kith_token", "ended")
        assert (await nobody.get("/intake", headers=HTML)).headers["location"] == ended


async def test_a_form_sent_too_late_leads_back_to_the_page_it_stood_on(dashboard: Dashboard) -> None:
    async with dashboard.nobody() as nobody:
        nobody.cookies.set("kith_token", "ended")
        sent = {**HTML, "Referer": "http://dashboard/people/pat_1?tab=story"}
        answer = await nobody.post("/intake/new", headers=sent)
    assert answer.headers["location"] == "/sign-in?reason=unsent&next=%2Fpeople%2Fpat_1%3Ftab%3Dstory"


async def test_signing_out_too_late_is_signing_out(dashboard: Dashboard) -> None:
    async with dashboard.nobody() as nobody:
        nobody.cookies.set("kith_token", "ended")
        answer = await nobody.post("/sign-out", headers=HTML)
    assert answer.headers["location"] == "/sign-in?reason=out"


async def test_another_site_cannot_sign_its_own_user_in_here(dashboard: Dashboard) -> None:
    form = {"token": mint(KEY, subject="somebody", roles=["clinician"]), "next": "/"}
    async with dashboard.nobody() as nobody:
        answer = await nobody.post("/sign-in", data=form, headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    "next", ["https://elsewhere.example/", "//elsewhere.example", "/\\elsewhere.example", "//["]
)
async def test_sign_in_never_leads_to_another_site(dashboard: Dashboard, next: str) -> None:
    token = mint(KEY, subject="cln_r01", roles=["clinician"])
    async with dashboard.nobody() as nobody:
        answer = await nobody.post("/sign-in", data={"token": token, "next": next})
    assert answer.headers["location"] == "/"


async def test_the_longest_address_a_page_of_ours_has_is_come_back_to(dashboard: Dashboard) -> None:
    moved = "%2C".join("apt_" + "a" * 32 for _ in range(MOST_MOVED))
    longest = f"/calendar?clinic=riverside&clinician=cln_r01&said=leave-given&count=40&moved={moved}"
    async with dashboard.nobody() as nobody:
        ended = await nobody.get(longest, headers=HTML)
        page = await nobody.get(ended.headers["location"], headers=HTML)
    assert page.status_code == 200
    assert longest.replace("&", "&amp;") in page.text


async def test_an_address_longer_than_any_of_ours_leads_to_sign_in_without_it(dashboard: Dashboard) -> None:
    async with dashboard.nobody() as nobody:
        page = await nobody.get("/sign-in", params={"next": "/" + "a" * 5_000}, headers=HTML)
    assert page.status_code == 200
    assert "a" * 100 not in page.text


async def test_a_bad_token_is_refused_and_not_repeated(dashboard: Dashboard) -> None:
    async with dashboard.nobody() as nobody:
        answer = await nobody.post("/sign-in", data={"token": "not-a-token", "next": "/"})
    assert answer.status_code == 401
    assert "not-a-token" not in answer.text
    assert "set-cookie" not in answer.headers


async def test_a_form_from_another_site_is_refused(dashboard: Dashboard) -> None:
    token = mint(KEY, subject="cln_r01", roles=["clinician"])
    async with dashboard.nobody() as nobody:
        nobody.cookies.set("kith_token", token)
        answer = await nobody.post("/sign-out", headers={"Sec-Fetch-Site": "cross-site"})
        assert answer.status_code == 403
        assert (await nobody.post("/sign-out", headers={"Sec-Fetch-Site": "same-origin"})).status_code == 303


async def test_a_form_from_what_is_no_address_is_refused_as_another_sites(dashboard: Dashboard) -> None:
    async with dashboard.nobody() as nobody:
        answer = await nobody.post("/sign-in", data={"token": "t"}, headers={"Origin": "http://["})
    assert (answer.status_code, answer.json()["reason"]) == (403, "foreign_form")


async def test_a_form_sent_too_late_from_what_is_no_address_leads_back_to_the_beginning(
    dashboard: Dashboard,
) -> None:
    async with dashboard.nobody() as nobody:
        answer = await nobody.post("/intake/new", headers={**HTML, "Referer": "http://["})
    assert answer.headers["location"] == "/sign-in?reason=unsent&next=%2F"


async def test_nothing_from_outside_may_be_loaded(dashboard: Dashboard) -> None:
    async with dashboard.as_("coordinator") as coordinator:
        page = await coordinator.get("/", headers=HTML)
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert re.search(r"<script(?![^>]*src=)", page.text) is None
    assert re.search(r'\sstyle="|\son[a-z]+="', page.text) is None
    assert re.findall(r'(?:src|href)="(?:https?:)?//', page.text) == []


async def test_an_engineer_sees_no_people(dashboard: Dashboard) -> None:
    async with dashboard.as_("engineer") as engineer:
        page = await engineer.get("/", headers=HTML)
    assert page.status_code == 403
    assert page.headers["content-type"].startswith("text/html")


async def test_the_caseload_of_a_clinic_is_its_own_as_page_and_as_csv(dashboard: Dashboard) -> None:
    for stream in history("pat_1"):
        await dashboard.take(stream)
    for path in ("/", "/parts/caseload", "/caseload.csv"):
        async with (
            dashboard.as_("coordinator", "riverside") as own,
            dashboard.as_("coordinator", "lakeside") as other,
        ):
            assert "pat_1" in (await own.get(path)).text, path
            assert "pat_1" not in (await other.get(path)).text, path


@pytest.mark.parametrize("address", ["/?flag=nonsense", "/?sort=nonsense", "/?after=AAAA", "/?after=bnVsbA"])
async def test_an_address_that_no_link_made_is_refused_in_words(dashboard: Dashboard, address: str) -> None:
    async with dashboard.as_("coordinator") as coordinator:
        assert (await coordinator.get(address)).status_code == 422


async def test_the_pages_of_a_long_caseload_hold_everybody_once(dashboard: Dashboard) -> None:
    ids = [f"pat_{number:03}" for number in range(120)]
    for start in range(0, 120, 40):
        streams = [history(id)[0] for id in ids[start : start + 40]]
        await dashboard.take([message for stream in streams for message in stream])
    for sort in caseload.ORDERS:
        seen: list[str] = []
        address = f"/parts/caseload?sort={sort}"
        async with dashboard.as_("coordinator") as coordinator:
            while address:
                text = (await coordinator.get(address)).text
                seen += re.findall(r'data-patient="(pat_\d+)"', text)
                found = re.search(r'rel="next" href="/\?([^"]+)"', text)
                address = f"/parts/caseload?{found[1].replace('&amp;', '&')}" if found else ""
        assert sorted(seen) == ids, sort


async def test_of_somebody_of_a_clinic_nobody_configured_carers_see_the_crisis_alone_while_it_is_theirs(
    dashboard: Dashboard,
) -> None:
    course = Course(id="plan_x", sessions=16, attended=3, started_at=NOW, measures=(MEASURE,))
    crisis = Alert(
        id="alr_x", patient_id="pat_x", clinic_id="northside", kind="crisis", severity="high", raised_at=NOW
    )
    taken = {"state": "acknowledged", "acknowledged_by": "cln_r01"}

    async def shown(alert: Alert, who: str) -> str | None:
        person = Person(id="pat_x", clinic_id="northside", courses=(course,), alerts=(alert.in_short(),))
        await keep(dashboard, PEOPLE, Row.of(person))
        await keep(dashboard, ALERTS, alert)
        async with dashboard.as_("clinician", "riverside", subject=who) as client:
            page = await client.get("/people/pat_x")
            part = await client.get("/parts/people/pat_x")
            assert (await client.get("/people/pat_x/actions/take-measures")).status_code == 404
        assert page.status_code == part.status_code
        return page.text if page.status_code == 200 else None

    theirs = [await shown(crisis, "cln_r01"), await shown(crisis.model_copy(update=taken), "cln_r01")]
    for text in theirs:
        assert text is not None
        assert "Only the crisis is shown" in text
        assert "/alerts/alr_x" in text
        assert not [word for word in ("PHQ-9", "Session 3", "The course", "actions/") if word in text]
    assert await shown(crisis.model_copy(update=taken), "cln_r02") is None


async def test_more_crises_than_are_told_are_counted_with_the_flags_no_alert_is_known_of(
    dashboard: Dashboard,
) -> None:
    long_ago = NOW - timedelta(minutes=5)
    for number in range(101):
        crisis = Alert(
            id=f"alr_{number}", patient_id="pat_y", clinic_id="riverside", kind="crisis", severity="high",
            raised_at=long_ago,
        )  # fmt: skip
        await keep(dashboard, ALERTS, crisis)
    for number in range(2):
        flag = Flag(id=f"f{number}", severity="low", evidence=("explicit",), at=long_ago, message_id="m")
        await keep(
            dashboard, PEOPLE, Row.of(Person(id=f"pat_{number}", clinic_id="riverside", flags=(flag,)))
        )
    async with dashboard.as_("coordinator", "riverside") as client:
        page = (await client.get("/intake/new")).text
    assert "103 open crises" in page
    assert (page.count("data-alarm="), page.count("data-severity")) == (100, 100)
    assert len(re.findall(r'<li data-alarm="[^"]+" data-severity="[^"]+">', page)) == 3


async def keep(dashboard: Dashboard, collection: str, state: Row | Alert) -> None:
    row = state.model_dump()
    await dashboard.database[collection].replace_one({"_id": row.pop("id")}, row, upsert=True)
