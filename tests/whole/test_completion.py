"""The completion scripts in the shells they are for: a line is typed, Tab is pressed, and the name is there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from terminal import Terminal
from test_commands import Fleet

SGM = Path(sys.executable).with_name("sgm")
PATIENT = 90.0
START = {
    "zsh": (["zsh", "-f", "-i"], "autoload -Uz compinit; compinit -u -D; "),
    "fish": (["fish", "--no-config", "-i"], ""),
}
LOAD = {"zsh": 'eval "$(sgm completion zsh)"', "fish": "sgm completion fish | source"}
LINES = [
    ("sgm pro", "sgm promote"),
    ("sgm --config {config} promote che", "promote checkout"),
    ("sgm --config={config} history recom", "history recommendations"),
    ("sgm --config {config} promote cart pay", "promote cart payments"),
    ("sgm --config {config} promote cart --to st", "--to staging"),
    ("sgm --config {config} revert cart --stage prod --cluster prod-a", "--cluster prod-ap1"),
    ("sgm --config {config} status --cluster prod-a", "--cluster prod-ap1"),
]


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    running = Fleet(tmp_path_factory.mktemp("completion"))
    running.sgm("status")  # the clone is there
    yield running
    running.end()


@pytest.fixture(params=sorted(START))
def shell(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Terminal]:
    """One shell that has loaded the script."""
    name: str = request.param
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not installed")
    command, before = START[name]
    environ = {"PATH": f"{SGM.parent}{os.pathsep}{os.environ['PATH']}", "HOME": str(tmp_path), "TERM": "vt100"}
    with Terminal(command, 200, 40, environ) as terminal:
        terminal.type(f"{before}{LOAD[name]}; echo rea''dy\n")
        terminal.wait_for(lambda text: "ready" in text.replace("rea''dy", ""), PATIENT)
        yield terminal
        terminal.type("exit\n")
        terminal.wait(PATIENT)


def test_tab_completes_commands_and_names_of_the_configuration_that_is_named(shell: Terminal, fleet: Fleet) -> None:
    for typed, wanted in LINES:
        shell.type(typed.format(config=fleet.ready["config"]) + "\t")
        shell.wait_for(lambda text, wanted=wanted: wanted in text, PATIENT)
        shell.type("\x15")  # the line is gone, and nothing was run
        shell.wait_for(lambda text, wanted=wanted: wanted not in text, PATIENT)


@pytest.mark.parametrize("name", ["bash", "zsh", "fish"])
def test_a_shell_can_read_its_script(name: str, tmp_path: Path) -> None:
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not installed")
    script = tmp_path / "script"
    script.write_bytes(subprocess.run([SGM, "completion", name], capture_output=True, check=True).stdout)
    ran = subprocess.run([name, "-n", str(script)], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
