"""What a person reads when a service says no, or nothing."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest
from typer.testing import CliRunner, Result

from deploy.cli import outbox
from deploy.cli.client import Client, Deployment, NoAnswer, Refusal, addresses, segment
from deploy.cli.main import application
from deploy.embedded.plan import SERVICES
from deploy.embedded.ports import free_ports


def client(answer: httpx2.Response | Exception) -> Client:
    def respond(request: httpx2.Request) -> httpx2.Response:
        assert request.headers["Authorization"] == "Bearer t"
        if isinstance(answer, Exception):
            raise answer
        return answer

    urls = addresses("http://{service}.test")
    return Client(Deployment(urls, lambda: "t"), transport=httpx2.MockTransport(respond))


async def failure(answer: httpx2.Response | Exception) -> Refusal | NoAnswer:
    async with client(answer) as asking:
        with pytest.raises((Refusal, NoAnswer)) as raised:
            await asking.get("care_plan", "/books")
    return raised.value


def kith(*arguments: str) -> Result:
    """In a thread: the command brings an event loop of its own."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(CliRunner().invoke, application(), list(arguments)).result()


async def test_a_problem_is_one_line_with_title_reason_and_detail() -> None:
    problem = {"title": "Conflict", "reason": "already_completed", "detail": "A rule refuses this."}
    failed = await failure(httpx2.Response(409, json=problem))
    assert str(failed) == "care_plan: Conflict (already_completed): A rule refuses this."
    assert not failed.transient


@pytest.mark.parametrize(
    ("status", "reason"),
    [(503, "storage_unavailable"), (500, "unexpected"), (429, "x"), (409, "changed_meanwhile")],
)
async def test_what_passes_by_itself_is_known_as_transient(status: int, reason: str) -> None:
    assert (await failure(httpx2.Response(status, json={"reason": reason}))).transient


@pytest.mark.parametrize("error", [httpx2.ConnectError("refused"), httpx2.ReadTimeout("slow")])
async def test_no_answer_names_the_service_and_the_address(
    error: Exception,
) -> None:
    failed = await failure(error)
    assert str(failed) == "care_plan does not answer at http://care-plan.test"
    assert failed.transient


def test_kith_status_is_named_where_it_knows_something() -> None:
    assert str(NoAnswer("intake", "http://here")).endswith(": kith status")
    assert "kith status" not in str(NoAnswer("intake", "http://there", embedded=False))


@pytest.mark.parametrize(
    "answer",
    [
        httpx2.Response(200, text="<html>Welcome</html>"),
        httpx2.Response(200, json=[1]),
        httpx2.Response(302, headers={"Location": "http://elsewhere.test"}),
    ],
)
async def test_an_address_where_something_else_lives_is_said_and_never_followed(
    answer: httpx2.Response,
) -> None:
    assert "is no care_plan" in str(await failure(answer))


async def test_a_failure_without_a_problem_document_still_says_its_status() -> None:
    assert str(await failure(httpx2.Response(500, text="oops"))).startswith("care_plan: HTTP 500")


async def test_each_service_answers_or_fails_in_its_own_place() -> None:
    async with client(httpx2.Response(404, json={"reason": "not_found"})) as asking:
        answers = await asking.get_each("/story/p")
    assert list(answers) == list(SERVICES)
    assert all(isinstance(answer, Refusal) for answer in answers.values())


def test_a_place_in_the_address_takes_the_service_s_name() -> None:
    assert addresses("https://kith.test/{service}/")["care_plan"] == "https://kith.test/care-plan"


def test_an_id_is_one_part_of_a_path_whatever_it_holds() -> None:
    assert segment("../a b?c") == "..%2Fa%20b%3Fc"


def test_another_deployment_needs_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KITH_TOKEN", raising=False)
    refused = kith("books", "--url", "https://{service}.test")
    assert refused.exit_code == 2
    assert "KITH_TOKEN" in refused.stderr


@pytest.mark.parametrize(
    "command",
    [
        ["books"],
        ["dead-letters", "list"],
        ["dead-letters", "show", "care_plan.work:x"],
        ["outbox", "replay", "--service", "intake", "--since", "2026-03-02T15:00:00Z"],
        ["trace", "pat_1"],
    ],
)
def test_every_command_says_in_a_line_who_does_not_answer(
    command: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KITH_TOKEN", "t")
    nowhere = f"http://127.0.0.1:{free_ports(1)}"
    refused = kith(*command, "--url", nowhere)
    assert refused.exit_code == 1
    assert f"does not answer at {nowhere}" in refused.stderr
    assert "kith status" not in refused.stderr, "it knows only this machine's stack"
    assert "Traceback" not in refused.output


@pytest.mark.parametrize("command", [["books"], ["trace", "pat_1"], ["dead-letters", "list"]])
def test_without_a_stack_that_is_said(command: list[str], tmp_path: Path) -> None:
    refused = kith(*command, "--data", str(tmp_path))
    assert refused.exit_code == 1
    assert "no stack is running" in refused.stderr


@pytest.mark.parametrize("chosen", [[], ["care_plan.work:x", "--all"]])
def test_replay_wants_either_names_or_all(chosen: list[str]) -> None:
    assert kith("dead-letters", "replay", *chosen).exit_code == 2


@pytest.mark.parametrize("since", ["yesterday", "2026-03-02", "2026-03-02T15:00:00"])
def test_a_span_begins_at_an_instant_with_its_offset(since: str) -> None:
    refused = kith("outbox", "replay", "--service", "intake", "--since", since)
    assert refused.exit_code == 2
    assert "with its offset" in refused.stderr


def replaying(monkeypatch: pytest.MonkeyPatch, failures: int) -> list[dict[str, str]]:
    """A service with three parts of an outbox, whose last answer fails so often first; what it is asked."""
    asked, parts = list[dict[str, str]](), {"": "a" * 24, "a" * 24: "b" * 24, "b" * 24: None}
    left = iter(range(failures))

    def respond(request: httpx2.Request) -> httpx2.Response:
        asked.append(dict(request.url.params))
        after = parts[request.url.params.get("after", "")]
        if after is None and next(left, None) is not None:
            return httpx2.Response(
                503, json={"title": "Unavailable", "reason": "storage", "detail": "Later."}
            )
        return httpx2.Response(200, json={"documents": 1000, "dry_run": False, "after": after})

    transport = httpx2.MockTransport(respond)
    monkeypatch.setattr(outbox, "Client", lambda target: Client(target, transport=transport))
    monkeypatch.setattr(outbox, "SAY_SECONDS", 0.0)
    monkeypatch.setenv("KITH_TOKEN", "t")
    return asked


REPLAY = ["outbox", "replay", "--service", "intake", "--since", "2026-03-02T15:00:00Z", "--yes"]


def test_an_outbox_is_replayed_part_by_part_and_says_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = replaying(monkeypatch, failures=0)
    done = kith(*REPLAY, "--url", "http://{service}.test")
    assert [question.get("after") for question in asked] == [None, "a" * 24, "b" * 24]
    assert {question["since"] for question in asked} == {"2026-03-02T15:00:00+00:00"}
    assert f"2,000 outbox rows so far, up to {'b' * 24}" in done.stderr
    assert done.stdout.startswith("3,000 outbox rows of intake are published again")


def test_a_replay_that_was_broken_off_goes_on_where_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = replaying(monkeypatch, failures=1)
    failed = kith(*REPLAY, "--url", "http://{service}.test")
    assert failed.exit_code == 1
    assert f"Go on with --after {'b' * 24}" in failed.stderr
    asked.clear()
    assert kith(*REPLAY, "--after", "b" * 24, "--url", "http://{service}.test").exit_code == 0
    assert [question["after"] for question in asked] == ["b" * 24]
