"""The GitHub workflows: valid, safe by zizmor, pinned, least permissions, and every `sgm` in them is one sgm knows."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sysconfig
from importlib.metadata import requires
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement

from sgm_tui import __version__, cli
from sgm_tui.config.file import load
from sgm_tui.errors import UsageError
from sgm_tui.resources import gitops_repository

OURS = Path(__file__).parents[2] / ".github/workflows"
PLATFORM = gitops_repository() / ".github/workflows"
FILES = sorted([*OURS.glob("*.y*ml"), *PLATFORM.glob("*.y*ml")])
NAMES = [file.name for file in FILES]
SAMPLES = {
    "SERVICE": "checkout",
    "VERSION": "v1.4.2",
    "DIGEST": f"sha256:{'a' * 64}",
    "STAGE": "prod",
    "LOCATION": "eu1",
    "STRATEGY": "canary10-30-60",
    "WAIT": "yes",
    "CLUSTER": "prod-eu1",
    "REVISION": "0123abc",
    "REASON": "-5 % orders since 14:00; $(id)",
    "BUILD": "https://github.example/run/1",
    "ACTOR": "ada",
    "RUN": "https://github.example/run/1",
}
OPTIONAL = ("DIGEST", "LOCATION", "STRATEGY", "WAIT", "CLUSTER", "REVISION")


def loaded(file: Path) -> dict[str, Any]:
    workflow: dict[str, Any] = yaml.load(file.read_text(), Loader=yaml.BaseLoader)
    return workflow


def steps(file: Path) -> list[dict[str, Any]]:
    return [step for job in loaded(file)["jobs"].values() for step in job["steps"]]


def tool(name: str) -> str:
    found = shutil.which(name, path=os.pathsep.join([sysconfig.get_path("scripts"), os.environ["PATH"]]))
    if found is None:
        pytest.skip(f"{name} is not installed: pip install -e .[dev] brings it")
    return found


def complaints(*command: str) -> str:
    """What a checker says; nothing where it is content."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    return f"exit code {done.returncode}: {done.stdout}{done.stderr}" if done.returncode else ""


def test_the_workflows_are_what_githubs_schema_allows() -> None:
    command = (tool("check-jsonschema"), "--builtin-schema", "vendor.github-workflows")
    assert complaints(*command, *map(str, FILES)) == ""


def test_the_services_workflow_in_the_documentation_is_one_too(tmp_path: Path) -> None:
    page = Path(__file__).parents[2] / "docs/workflows.md"
    example = tmp_path / "release.yaml"
    example.write_text(page.read_text().split("```yaml\n")[1].split("```")[0])
    command = (tool("check-jsonschema"), "--builtin-schema", "vendor.github-workflows")
    assert complaints(*command, str(example)) == ""
    handed = loaded(example)["jobs"]["dev"]
    called = loaded(PLATFORM / "ci-promote-to-dev.yaml")["on"]["workflow_call"]
    assert set(handed["with"]) == set(called["inputs"])
    assert set(handed["secrets"]) == set(called["secrets"])


def test_zizmor_finds_nothing_in_the_workflows() -> None:
    command = (tool("zizmor"), "--offline", "--no-config", "--min-severity", "low")
    assert complaints(*command, *map(str, FILES)) == ""


def test_the_platform_has_the_workflows_its_design_names() -> None:
    wanted = {"ci-promote-to-dev.yaml", "promote.yaml", "rollback.yaml", "lint.yaml"}
    assert {file.name for file in PLATFORM.iterdir()} == wanted


@pytest.mark.parametrize("file", FILES, ids=NAMES)
def test_every_action_is_pinned_by_commit_with_its_version_beside_it(file: Path) -> None:
    for line in re.findall(r"\buses: .*", file.read_text()):
        assert re.fullmatch(r"uses: [\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line), line


@pytest.mark.parametrize("file", FILES, ids=NAMES)
def test_a_checkout_leaves_no_token_behind(file: Path) -> None:
    for step in steps(file):
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] == "false"


@pytest.mark.parametrize("file", FILES, ids=NAMES)
def test_what_people_type_reaches_a_script_only_as_an_environment_variable(file: Path) -> None:
    assert not [step["run"] for step in steps(file) if "${{" in step.get("run", "")]


@pytest.mark.parametrize("file", sorted(PLATFORM.iterdir()), ids=lambda file: file.name)
def test_a_platform_workflow_starts_without_rights_and_ends_in_time(file: Path) -> None:
    workflow = loaded(file)
    assert workflow["permissions"] == {}
    assert workflow["concurrency"]["group"]
    assert workflow["env"]["SGM_VERSION"] == __version__, "it installs the sgm it came with"
    for name, job in workflow["jobs"].items():
        assert int(job["timeout-minutes"]) <= 75
        writes = {scope for scope, level in job["permissions"].items() if level == "write"}
        assert writes == ({"security-events"} if name == "sarif" else set())


def test_everything_that_is_installed_is_pinned_by_version_and_hash() -> None:
    text = (PLATFORM.parent / "sgm-requirements.txt").read_text()
    found = re.findall(r"^([\w.-]+)==(\S+)(?: \\\n    --hash=sha256:[0-9a-f]{64})+$", text, re.MULTILINE)
    pinned = {name.lower(): version for name, version in found}
    assert len(pinned) == text.count("=="), "each with a hash"
    for needed in map(Requirement, requires("sgm-tui") or ()):
        if needed.marker is None or needed.marker.evaluate({"extra": ""}):
            assert needed.specifier.contains(pinned[needed.name.lower()]), needed
    for file in PLATFORM.iterdir():
        for line in re.findall(r"pip install .*", file.read_text()) if file.is_file() else ():
            assert "--only-binary :all:" in line
            assert "--require-hashes" in line or ("--no-deps" in line and "==$SGM_VERSION" in line)


def test_a_runner_that_sees_no_cluster_waits_for_none() -> None:
    (job,) = loaded(PLATFORM / "promote.yaml")["jobs"].values()
    assert job["env"]["WAIT"] == "${{ inputs.wait && vars.SGM_RUNNER && 'yes' || '' }}"


@pytest.mark.parametrize("name", ["ci-promote-to-dev", "promote", "rollback"])
def test_sgm_finds_its_configuration_in_the_checkout(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(gitops_repository())
    config = load(None, flags={}, environ=loaded(PLATFORM / f"{name}.yaml")["env"])
    assert config.github.repository == "acme/gitops"


@pytest.fixture
def sgm_calls(tmp_path: Path) -> Any:
    """Runs a step's script as the runner would, with a program in sgm's place that writes down its arguments."""
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("bash is not installed")
    programs = tmp_path / "bin"
    programs.mkdir()
    program = programs / "sgm"
    program.write_text('#!/bin/sh\nprintf "%s\\0" "$@" >> "$CALLS"; printf "\\n\\0" >> "$CALLS"\nexit "${CODE:-0}"\n')
    program.chmod(0o755)

    def run(script: str, **environ: str) -> tuple[int, list[list[str]], str]:
        calls, summary = tmp_path / "calls", tmp_path / "summary"
        for file in (calls, summary):
            file.write_bytes(b"")
        path = f"{programs}{os.pathsep}{os.environ['PATH']}"
        runner = {"PATH": path, "CALLS": str(calls), "RUNNER_TEMP": str(tmp_path), "GITHUB_STEP_SUMMARY": str(summary)}
        command = [bash, "--noprofile", "--norc", "-eo", "pipefail", "-c", script]
        done = subprocess.run(command, env=runner | environ, cwd=tmp_path, check=False, timeout=60, capture_output=True)
        words = [call.split("\0")[:-1] for call in calls.read_text().split("\n\0") if call]
        return done.returncode, words, done.stdout.decode()

    return run


SCRIPTS = [
    pytest.param(step["run"], id=f"{file.name}-{number}")
    for file in sorted(PLATFORM.glob("*.yaml"))
    for number, step in enumerate(steps(file))
    if re.search(r"^\s*sgm ", step.get("run", ""), re.MULTILINE)
]


def parsed(words: list[str]) -> Any:
    if f"{words[0]} " not in cli._parser().format_help():
        pytest.skip(f"sgm does not know `{words[0]}` yet")
    try:
        return cli._parser().parse_args(words)
    except UsageError as error:
        pytest.fail(f"sgm {' '.join(words)}: {error.message}")


@pytest.mark.parametrize("left_out", [(), OPTIONAL], ids=["everything filled in", "only what is required"])
@pytest.mark.parametrize("script", SCRIPTS)
def test_sgm_understands_what_the_workflows_ask_of_it(script: str, left_out: tuple[str, ...], sgm_calls: Any) -> None:
    environ = SAMPLES | dict.fromkeys(left_out, "")
    code, calls, _ = sgm_calls(script, **environ)
    assert code == 0
    assert len(calls) == 1
    arguments = parsed(calls[0])
    if calls[0][0] == "promote":
        assert arguments.services == ["checkout"]
        assert arguments.yes != arguments.dry_run
    if calls[0][0] == "revert":
        assert arguments.reason.startswith(SAMPLES["REASON"]), "the words as they were typed, run by no shell"


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_no_of_sgm_fails_the_step_unless_it_only_collects_findings(script: str, sgm_calls: Any) -> None:
    code, _, _ = sgm_calls(script, **SAMPLES, CODE="1")
    assert code == (0 if "sarif" in script else 1)
    code, _, _ = sgm_calls(script, **SAMPLES, CODE="3")
    assert code != 0


CHECKS = [
    pytest.param(step["run"], id=file.name)
    for file in sorted(PLATFORM.glob("*.yaml"))
    for step in steps(file)
    if step.get("name") == "Check the inputs"
]


@pytest.mark.parametrize("script", CHECKS)
def test_an_input_that_would_be_read_as_an_option_is_refused(script: str, sgm_calls: Any) -> None:
    assert sgm_calls(script, **SAMPLES)[0] == 0
    for name in ("SERVICE", "VERSION", "LOCATION", "CLUSTER", "REVISION", "DIGEST"):
        if f'"${name}"' in script:
            code, _, said = sgm_calls(script, **SAMPLES | {name: "--override"})
            assert (code, "::error::" in said) == (2, True), name
