"""What the command that rebuilds the read model makes of the answers."""

import httpx2
import pytest
from rich.progress import Progress

from deploy.cli.client import Client, Deployment, Failed, addresses
from deploy.cli.dashboard import followed


def answering(*answers: dict[str, object]) -> Client:
    left = iter(answers)

    def respond(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, json={"read": 1, "total": 2, **next(left)})

    deployment = Deployment(addresses("http://{service}.test"), lambda: "t")
    return Client(deployment, transport=httpx2.MockTransport(respond))


async def test_a_run_is_followed_to_its_end() -> None:
    reading, done = {"run": "r1", "stage": "reading"}, {"run": "r1", "stage": "done"}
    async with answering(reading, done) as client:
        assert (await followed(client, Progress(disable=True), "r1"))["stage"] == "done"


@pytest.mark.parametrize("answer", [{"run": "", "stage": "idle"}, {"run": "r2", "stage": "reading"}])
async def test_a_run_that_nobody_knows_any_more_is_a_failure_and_not_waited_for(
    answer: dict[str, object],
) -> None:
    async with answering(answer) as client:
        with pytest.raises(Failed, match="rebuild"):
            await followed(client, Progress(disable=True), "r1")
