"""`kith up`, whole: every process real, on ports and in a folder of its own."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from deploy.embedded.health import stack_health
from deploy.embedded.mongod import Mongod
from deploy.embedded.plan import PAGE, ROOT, SERVICES
from deploy.embedded.processes import Process, is_running, spawn
from deploy.embedded.state import StackState, running_state
from tests.support.eventually import eventually
from tests.support.ports import ports

EVERY = (*SERVICES, PAGE)
START_WITHIN, STOP_WITHIN = 120.0, 10.0

Up = Process


def _command(data: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "deploy.cli", *arguments, "--data", str(data)]


def kith(data: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"COLUMNS": "160"}
    return subprocess.run(  # noqa: S603
        _command(data, *arguments), cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )


@contextmanager
def up(data: Path, *arguments: str) -> Iterator[Up]:
    """`kith up` on free ports; whatever happens, it is gone afterwards."""
    output = data.parent / "up.out"
    output.unlink(missing_ok=True)
    process = spawn(  # tied to the tests, so that it ends with them even when they are killed
        _command(data, "up", *ports(), *arguments),
        folder=ROOT,
        log=output,
        environment=os.environ | {"COLUMNS": "160"},
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


async def until_ready(process: Up, data: Path) -> StackState:
    def ready() -> StackState | None:
        if process.poll() is not None:
            pytest.fail(f"kith up ended ({process.returncode}):\n{(data.parent / 'up.out').read_text()}")
        state = running_state(data)
        return state if state is not None and state.ready is not None else None

    state = await eventually(ready, within=START_WITHIN, that="kith up is ready")
    assert state is not None
    await eventually(lambda: "Ctrl-C stops everything" in printed(data), that="the table is shown")
    return state


def printed(data: Path) -> str:
    return (data.parent / "up.out").read_text()


def everything(state: StackState) -> list[int]:
    return [member.pid for member in (state.services | state.servers).values()]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("stack") / "data"


@pytest.fixture(scope="module")
async def stack(data: Path) -> AsyncIterator[tuple[Up, StackState]]:
    with up(data) as process:
        yield process, await until_ready(process, data)


async def test_up_shows_where_everything_is_and_that_it_is_ready(
    stack: tuple[Up, StackState], data: Path
) -> None:
    _, state = stack
    shown = printed(data)
    for name in EVERY:
        row = next(line for line in shown.splitlines() if line.startswith(name))
        assert state.url(name) in row
        assert "ready" in row
    assert state.mongodb in shown
    assert state.kafka in shown
    assert "Ready in" in shown
    assert shown.count("eyJ") >= 4, "a development token for every role"


async def test_status_tells_people_and_programs_the_same(stack: tuple[Up, StackState], data: Path) -> None:
    shown = kith(data, "status")
    assert shown.returncode == 0, shown.stdout + shown.stderr
    told = json.loads(kith(data, "status", "--json").stdout)
    assert told["ready"] is True
    assert {service["name"] for service in told["services"]} == set(EVERY)
    for service in told["services"]:
        assert service["ready"] is True
        assert service["dead_letters"] == 0
        assert service["outbox_pending"] == 0
        assert service["lag"] == 0
        assert service["name"] in shown.stdout


async def test_a_second_up_says_that_one_is_running_and_where(
    stack: tuple[Up, StackState], data: Path
) -> None:
    second = kith(data, "up")
    assert second.returncode == 1
    assert str(data) in second.stderr
    assert "already running" in second.stderr
    assert stack[0].poll() is None


async def test_reset_is_refused_while_it_runs(stack: tuple[Up, StackState], data: Path) -> None:
    refused = kith(data, "reset", "--yes")
    assert refused.returncode == 1
    assert (data / "mongod").is_dir()


async def test_doctor_knows_the_running_stack_as_ours(stack: tuple[Up, StackState], data: Path) -> None:
    assert kith(data, "doctor").returncode == 0


@pytest.mark.parametrize("name", [*EVERY, "kafka", "mongod"])
async def test_a_process_that_is_killed_is_back_and_that_is_said(
    name: str, stack: tuple[Up, StackState], data: Path
) -> None:
    before = running_state(data)
    assert before is not None
    victim = (before.services | before.servers)[name].pid
    os.kill(victim, signal.SIGKILL)

    def replaced() -> bool:
        state = running_state(data)
        return state is not None and (state.services | state.servers)[name].pid not in (0, victim)

    async def all_ready() -> bool:
        state = running_state(data)
        return state is not None and (await stack_health(state)).ready

    await eventually(replaced, within=20, that=f"{name} is started again")
    await eventually(all_ready, within=40, pause=0.2, that="everything is ready again")
    said = [line.split(maxsplit=2)[1:] for line in printed(data).splitlines() if f" {name} " in line]
    assert any("SIGKILL" in line[1] for line in said), said
    await eventually(lambda: f"{name:<10} is back" in printed(data), that=f"it is said that {name} is back")


async def test_sigterm_stops_everything_in_time(stack: tuple[Up, StackState], data: Path) -> None:
    process, _ = stack
    state = running_state(data)
    assert state is not None
    process.send_signal(signal.SIGTERM)
    await eventually(lambda: process.poll() is not None, within=STOP_WITHIN, that="kith up has ended")
    assert process.returncode == 0, printed(data)
    assert not any(is_running(pid) for pid in everything(state))
    assert "was killed" not in printed(data)
    assert running_state(data) is None
    assert kith(data, "status").returncode == 1


async def test_detached_it_goes_on_by_itself_and_killed_it_leaves_nothing_behind(data: Path) -> None:
    started = kith(data, "up", "--detach", *ports())
    assert started.returncode == 0, started.stderr
    state = running_state(data)
    assert state is not None
    assert all(is_running(pid) for pid in everything(state))
    os.kill(state.pid, signal.SIGKILL)
    await eventually(lambda: not any(is_running(pid) for pid in everything(state)), within=30)
    await eventually(lambda: running_state(data) is None, that="its lock is free")  # threads die one by one


async def test_after_that_it_starts_again_in_stepped_time_and_down_stops_it(data: Path) -> None:
    with up(data, "--clock", "stepped", "--start", "2040-01-02T09:00:00-05:00") as process:
        state = await until_ready(process, data)
        assert "2040-01-02" in printed(data)
        assert kith(data, "down").returncode == 0
        await eventually(lambda: process.poll() is not None, within=STOP_WITHIN)
    assert not any(is_running(pid) for pid in everything(state))
    assert kith(data, "reset", "--yes").returncode == 0
    assert kith(data, "reset").stdout.startswith("Nothing to delete")


async def test_a_taken_port_is_named_before_anything_starts(tmp_path: Path, mongod: Mongod) -> None:
    taken = str(mongod.port)
    refused = kith(tmp_path / "data", "up", "--mongod-port", taken)
    assert refused.returncode == 1
    assert f"port {taken} (mongod) is taken" in refused.stderr
    assert "--mongod-port" in refused.stderr


async def test_a_setting_that_services_refuse_ends_up_with_the_reason(tmp_path: Path) -> None:
    with up(tmp_path / "data", "--set", "alerts.session_timeout_ms=1") as process:
        await eventually(lambda: process.poll() is not None, within=START_WITHIN)
        assert process.returncode == 1
        assert "KITH_SESSION_TIMEOUT_MS" in printed(tmp_path / "data")
