"""Who may see and do what, pages, versions, repeated requests."""

from tests.integration.care_plan.conftest import CLINIC, CarePlan
from tests.support.http_sample import bearer


async def test_plans_come_in_pages_and_by_filter(care_plan: CarePlan) -> None:
    await care_plan.take(
        *(care_plan.intake(f"ref_{n}", f"pat_{n}", clinician_id=f"cln_{n % 2}") for n in range(5))
    )
    found, cursor = [], ""
    while True:
        page = await care_plan.done("GET", f"/plans?limit=2{cursor}")
        found += [plan["id"] for plan in page["items"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert len(found) == 5
    assert found == sorted(found)
    assert len((await care_plan.done("GET", "/plans?clinician=cln_0"))["items"]) == 3
    assert len((await care_plan.done("GET", "/plans?patient_id=pat_3"))["items"]) == 1
    assert (await care_plan.done("GET", "/plans?phase=middle"))["items"] == []


async def test_another_clinics_plan_is_as_if_absent(care_plan: CarePlan) -> None:
    plan = await care_plan.start()
    elsewhere = bearer("clinician", clinic="lakeside")
    assert (await care_plan.ask("GET", f"/plans/{plan}", **elsewhere)).status_code == 404
    assert (await care_plan.ask("GET", "/plans", **elsewhere)).json()["items"] == []
    assert (await care_plan.ask("GET", "/patients/pat_1/plans", **elsewhere)).json()["plans"] == []
    hold = {"reason": "travel", "review_on": "2026-02-01"}
    assert (await care_plan.ask("POST", f"/plans/{plan}/hold", hold, **elsewhere)).status_code == 404


async def test_clinicians_decide_and_coordinators_keep_attendance(care_plan: CarePlan) -> None:
    plan = await care_plan.start()
    coordinator = bearer("coordinator", clinic=CLINIC)
    focus = {"problem_areas": ["grief"]}
    assert (await care_plan.ask("PUT", f"/plans/{plan}/focus", focus, **coordinator)).status_code == 403
    close = {"outcome": "withdrawn", "reason": "moved_away"}
    assert (await care_plan.ask("POST", f"/plans/{plan}/close", close, **coordinator)).status_code == 403
    attended = {"outcome": "attended", "appointment_id": "a"}
    assert (await care_plan.ask("POST", f"/plans/{plan}/sessions", attended, **coordinator)).is_success
    hold = {"reason": "travel", "review_on": "2026-02-01"}
    assert (await care_plan.ask("POST", f"/plans/{plan}/hold", hold, **coordinator)).is_success


async def test_a_clinicians_words_are_for_clinicians(care_plan: CarePlan) -> None:
    plan = await care_plan.start()
    await care_plan.prepare(plan)
    await care_plan.prevent(plan)
    own = await care_plan.done("GET", f"/plans/{plan}")
    assert own["inventory"][0]["text"] == "mother"
    seen = await care_plan.ask("GET", f"/plans/{plan}", **bearer("coordinator", clinic=CLINIC))
    assert "mother" not in seen.text
    assert "sleepless" not in seen.text
    assert seen.json()["inventory"][0]["rank"] == 1


async def test_a_clinicians_words_never_travel(care_plan: CarePlan) -> None:
    plan = await care_plan.start()
    await care_plan.prepare(plan)
    await care_plan.prevent(plan)
    rows = [str(row) async for row in care_plan.database["outbox"].find()]
    assert not any(word in row for row in rows for word in ("mother", "sleepless"))


async def test_a_write_on_a_changed_plan_is_refused_when_the_version_is_stated(care_plan: CarePlan) -> None:
    plan = await care_plan.start()
    tag = (await care_plan.ask("GET", f"/plans/{plan}")).headers["etag"]
    focus = {"problem_areas": ["grief"]}
    first = await care_plan.ask("PUT", f"/plans/{plan}/focus", focus, **{"If-Match": tag})
    assert first.is_success
    assert first.headers["etag"] != tag
    again = await care_plan.ask("PUT", f"/plans/{plan}/focus", focus, **{"If-Match": tag})
    assert again.status_code == 412


async def test_a_repeated_request_has_one_effect(care_plan: CarePlan) -> None:
    plan = await care_plan.start()
    body = {"phq9": {"items": [1] * 8 + [0]}}
    for _ in range(3):
        await care_plan.ask("POST", f"/plans/{plan}/measures", body, **{"Idempotency-Key": "k1"})
    assert len((await care_plan.done("GET", f"/plans/{plan}"))["measures"]) == 1


async def test_the_same_appointment_twice_is_one_and_otherwise_a_named_contradiction(
    care_plan: CarePlan,
) -> None:
    plan = await care_plan.start()
    path, session = f"/plans/{plan}/sessions", {"outcome": "missed", "appointment_id": "a"}
    first = await care_plan.ask("POST", path, session)
    again = await care_plan.ask("POST", path, session)
    assert (first.status_code, again.status_code) == (200, 200)
    assert first.headers["etag"] == again.headers["etag"]
    other = await care_plan.ask("POST", path, {"outcome": "attended", "appointment_id": "a"})
    assert (other.status_code, other.json()["reason"]) == (409, "appointment_recorded_otherwise")


async def test_what_does_not_fit_is_named_and_never_repeated(care_plan: CarePlan) -> None:
    plan = await care_plan.start()
    for method, path, body in [
        ("POST", "sessions", {"outcome": "attended", "appointment_id": "a", "techniques": ["Jane Roe"]}),
        ("POST", "sessions", {"outcome": "attended", "appointment_id": {"$ne": "Jane Roe"}}),
        ("PUT", "focus", {"problem_areas": ["grief", "grief"]}),
        ("PUT", "focus", {"problem_areas": []}),
        ("PUT", "inventory", {"entries": [{"text": ""}]}),
        ("POST", "contract", {"sessions": "14", "reason": "other"}),
        ("POST", "hold", {"reason": "Jane Roe", "review_on": "2026-02-01"}),
        ("POST", "close", {"outcome": "relapsed", "reason": "other"}),
        ("POST", "measures", {"gad7": {"items": [0, 0, 0, 0, 0, 0, 4]}}),
    ]:
        response = await care_plan.ask(method, f"/plans/{plan}/{path}", body)
        assert response.status_code == 422, path
        assert "Jane Roe" not in response.text


async def test_refused_answers_are_missing(care_plan: CarePlan) -> None:
    plan = await care_plan.start()
    body = {"phq9": {"items": [1, "refused", None, 0, 0, 0, 0, 0, "dont_know"], "difficulty": 2}}
    recorded = await care_plan.done("POST", f"/plans/{plan}/measures", body)
    assert recorded["measures"][0]["total"] is None
    assert recorded["crisis"] == "none"
