"""`sgm sandbox` and `sgm status` as processes: the ready line, the formats, the exit codes, and going down."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prepared import prepared_python

SGM = str(Path(sys.executable).with_name("sgm"))
READY_SECONDS = 60


class RunningSandbox:
    """One `sgm sandbox` process and what its ready line said."""

    def __init__(self, process: subprocess.Popen[bytes], ready: dict[str, Any]) -> None:
        self.process = process
        self.ready = ready


def start(*options: str, directory: Path) -> RunningSandbox:
    environment = {**os.environ, "SGM_STATE_DIRECTORY": str(directory / "state")}
    process = subprocess.Popen(
        [SGM, "sandbox", "--directory", str(directory / "fleet"), "--ready-file", str(directory / "ready"), *options],
        stdout=subprocess.PIPE,
        env=environment,
    )
    assert process.stdout is not None
    return RunningSandbox(process, json.loads(process.stdout.readline()))


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSandbox]:
    running = start("--scenario", "calm", "--speed", "60", directory=tmp_path_factory.mktemp("sandbox"))
    yield running
    running.process.terminate()
    running.process.wait(READY_SECONDS)
    assert running.process.stdout is not None
    running.process.stdout.close()


def sgm(*arguments: str, config: str | None = None, directory: Path) -> subprocess.CompletedProcess[str]:
    before = ["--config", config] if config else []
    state = str(directory / "state")
    return prepared_python().run(*before, *arguments, cwd=directory, SGM_STATE_DIRECTORY=state)


def installed_sgm(*arguments: str, config: str, directory: Path) -> subprocess.CompletedProcess[str]:
    """The installed script, as a person starts it."""
    return subprocess.run(
        [SGM, "--config", config, *arguments],
        capture_output=True,
        text=True,
        cwd=directory,
        env={**os.environ, "SGM_STATE_DIRECTORY": str(directory / "state")},
        timeout=120,
        check=False,
    )


def test_the_ready_line_names_everything_a_client_needs(sandbox: RunningSandbox) -> None:
    keys = {"config", "kubeconfig", "hub", "prometheus", "github", "repository", "git", "registry", "token_file", "pid"}
    assert keys <= sandbox.ready.keys()
    assert sandbox.ready["repository"] == "acme/gitops"
    assert sandbox.ready["pid"] == sandbox.process.pid
    assert Path(sandbox.ready["token_file"]).stat().st_mode & 0o077 == 0


def test_git_clones_what_the_ready_line_names(sandbox: RunningSandbox, tmp_path: Path) -> None:
    token = Path(sandbox.ready["token_file"]).read_text().strip()
    header = (
        ["-c", f"http.extraHeader=Authorization: Bearer {token}"] if sandbox.ready["git"].startswith("http") else []
    )
    subprocess.run(
        ["git", *header, "clone", "-q", sandbox.ready["git"], str(tmp_path / "clone")], check=True, timeout=60
    )
    history = subprocess.run(
        ["git", "-C", str(tmp_path / "clone"), "log", "--oneline"], capture_output=True, text=True, check=True
    )
    assert len(history.stdout.splitlines()) > 100
    assert (tmp_path / "clone" / "charts" / "microservice" / "Chart.yaml").is_file()


def test_status_as_json_has_every_cell_live(sandbox: RunningSandbox, tmp_path: Path) -> None:
    shown = installed_sgm("status", "-o", "json", config=sandbox.ready["config"], directory=tmp_path)
    assert shown.returncode == 0, shown.stderr
    document = json.loads(shown.stdout)
    assert document["schema"] == 1
    assert all(source["fresh"] for source in document["sources"]), document["sources"]
    assert len({cell["service"] for cell in document["cells"]}) >= 10
    assert {cell["cluster"] for cell in document["cells"]} == {
        "dev-eu1",
        "staging-eu1",
        "prod-eu1",
        "prod-us1",
        "prod-ap1",
    }
    assert {cell["journey"] for cell in document["cells"]} == {"settled"}
    assert all(cell["live"] == cell["desired"] for cell in document["cells"])
    assert all(cell["metrics"]["requests_per_second"] is not None for cell in document["cells"])


def test_a_token_file_that_is_not_there_is_told_of_github_and_blinds_nothing(
    sandbox: RunningSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SGM_GITHUB_TOKEN_FILE", str(tmp_path / "nobody-wrote-it"))
    found = sgm("status", "-o", "json", config=sandbox.ready["config"], directory=tmp_path)
    assert found.returncode == 0, found.stderr
    answer = json.loads(found.stdout)
    assert len(answer["cells"]) == 60
    (github,) = [one for one in answer["sources"] if one["kind"] == "forge"]
    assert "nobody-wrote-it: No such file" in github["error"]


@pytest.mark.parametrize("output", ["table", "wide", "yaml", "markdown", "svg"])
def test_status_in_every_other_format_names_a_service(sandbox: RunningSandbox, tmp_path: Path, output: str) -> None:
    shown = sgm("status", "-o", output, config=sandbox.ready["config"], directory=tmp_path)
    assert shown.returncode == 0, shown.stderr
    assert "checkout" in shown.stdout


def test_an_assertion_decides_the_exit_code(sandbox: RunningSandbox, tmp_path: Path) -> None:
    config = sandbox.ready["config"]
    assert (
        sgm("status", "--stage", "dev", "--assert", "journey==settled", config=config, directory=tmp_path).returncode
        == 0
    )
    failed = sgm("status", "--assert", "journey==failed", config=config, directory=tmp_path)
    assert failed.returncode == 1
    assert "not true of" in failed.stderr


def test_without_a_terminal_plain_sgm_prints_the_status_once(sandbox: RunningSandbox, tmp_path: Path) -> None:
    shown = sgm(config=sandbox.ready["config"], directory=tmp_path)
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.startswith("SERVICE")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["status", "--service", "chekout"], "Did you mean checkout?"),
        (["status", "-o", "xml"], "invalid choice"),
        (["frobnicate"], "sgm: argument COMMAND: invalid choice"),
        (["status", "--assert", "nonsense"], "not understood"),
    ],
)
def test_wrong_usage_is_said_in_a_line_and_exits_2(
    sandbox: RunningSandbox, tmp_path: Path, arguments: list[str], says: str
) -> None:
    shown = sgm(*arguments, config=sandbox.ready["config"], directory=tmp_path)
    assert shown.returncode == 2
    assert says in shown.stderr
    assert "Traceback" not in shown.stderr


def test_no_configuration_says_how_to_give_one(tmp_path: Path) -> None:
    shown = sgm("status", directory=tmp_path)
    assert shown.returncode == 2
    assert "--config" in shown.stderr


def test_a_fleet_that_is_not_there_exits_3(tmp_path: Path) -> None:
    running = start("--services", "2", directory=tmp_path)
    running.process.kill()
    running.process.wait(READY_SECONDS)
    assert running.process.stdout is not None
    running.process.stdout.close()
    shown = sgm("status", "--timeout", "15", config=running.ready["config"], directory=tmp_path)
    assert shown.returncode == 3
    assert "Traceback" not in shown.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_sandbox_goes_down_when_told(tmp_path: Path, number: signal.Signals) -> None:
    running = start("--services", "2", directory=tmp_path)
    assert json.loads((tmp_path / "ready").read_text()) == running.ready
    running.process.send_signal(number)
    assert running.process.wait(READY_SECONDS) in {0, 130, 143}
    assert running.process.stdout is not None
    running.process.stdout.close()
