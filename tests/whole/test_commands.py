"""The installed command on a running fleet: promote, follow, look back, go back; the contract of design §6."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prepared import prepared_python

from sgm_tui.config.file import load
from sgm_tui.fleet.model import CellKey, ClusterName, ServiceName, StageName, Version
from sgm_tui.fleet.plans.plan import Change
from sgm_tui.operations.actor import actor
from sgm_tui.operations.audit import Audit
from sgm_tui.operations.plan_file import PlanFile
from sgm_tui.wiring import fleet_directory

SGM = str(Path(sys.executable).with_name("sgm"))
DEADLINE = 120

pytestmark = pytest.mark.xdist_group("commands")


class Fleet:
    """A sandbox process, and `sgm` on it."""

    def __init__(self, directory: Path, speed: int = 40, scenario: str = "calm") -> None:
        where = str(directory / "fleet")
        options = ("--scenario", scenario, "--speed", str(speed), "--directory", where)
        self.process = prepared_python().start("sandbox", *options)
        assert self.process.stdout is not None
        self.ready = json.loads(self.process.stdout.readline())
        self.directory = directory

    def end(self) -> None:
        """Let it go, and wait until it has."""
        self.process.terminate()
        assert "Traceback" not in self.process.communicate(60)[1]

    def sgm(self, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        """Run a command, as a pipeline would; it has to end with this code."""
        command = ("--config", self.ready["config"], *arguments)
        ran = prepared_python().run(*command, cwd=self.directory, seconds=DEADLINE)
        assert ran.returncode == code, (ran.returncode, ran.stdout[-2000:], ran.stderr[-2000:])
        assert "Traceback" not in ran.stderr
        return ran

    def json(self, *arguments: str, code: int = 0) -> dict[str, Any]:
        """What a command says to machines."""
        document: dict[str, Any] = json.loads(self.sgm(*arguments, "-o", "json", code=code).stdout)
        assert document["schema"] == 1
        return document

    def heads(self) -> str:
        """Every branch of the repository."""
        listed = subprocess.run(
            ["git", "ls-remote", "--heads", self.ready["git"]], capture_output=True, text=True, check=True
        )
        return listed.stdout

    def cell(self, service: str, cluster: str) -> dict[str, Any]:
        """One cell as `sgm status` sees it."""
        found = self.json("status", "--service", service, "--cluster", cluster)["cells"]
        assert len(found) == 1
        cell: dict[str, Any] = found[0]
        return cell


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    running = Fleet(tmp_path_factory.mktemp("commands"))
    yield running
    running.end()


@pytest.fixture
def slow_fleet(tmp_path: Path) -> Iterator[Fleet]:
    """One in which a pull request stays open for as long as a few commands take."""
    running = Fleet(tmp_path, speed=1)
    yield running
    running.end()


def test_a_dry_run_shows_the_diff_and_the_gates_and_changes_nothing(fleet: Fleet) -> None:
    before = fleet.heads()
    document = fleet.json("promote", "catalog", "--to", "staging", "--dry-run")
    assert document["result"] == "planned"
    (change,) = document["changes"]
    assert (change["service"], change["stage"], change["cluster"]) == ("catalog", "staging", None)
    assert change["path"] == "staging/app-service/catalog/values.yaml"
    assert f'+  tag: "{change["to"]}"' in change["diff"]
    assert {gate["gate"] for gate in document["gates"]} >= {"image", "soak", "window", "owners"}
    assert document["pull_requests"] == []
    assert fleet.heads() == before


def test_a_write_without_a_terminal_needs_a_yes(fleet: Fleet) -> None:
    ran = fleet.sgm("promote", "catalog", "--to", "staging", code=2)
    assert "--yes" in ran.stderr


def test_read_only_refuses_to_write(fleet: Fleet) -> None:
    before = fleet.heads()
    assert "read-only" in fleet.sgm("--read-only", "promote", "catalog", "--to", "staging", "--yes", code=4).stderr
    assert fleet.heads() == before


@pytest.mark.parametrize(
    ("arguments", "nearest"),
    [
        (("promote", "catalogue", "--to", "staging", "--dry-run"), "catalog"),
        (("promote", "catalog", "--to", "stagin", "--dry-run"), "staging"),
        (("revert", "catalog", "--stage", "prod", "--cluster", "prod-eu2", "--dry-run"), "prod-eu1"),
        (("history", "catalg"), "catalog"),
        (("promote", "catalog", "--to", "prod", "--location", "eu", "--dry-run"), "eu1"),
        (("promote", "catalog", "--to", "prod", "--cluster", "dev-eu1", "--dry-run"), "Did you mean prod-eu1?"),
        (("history", "cart", "--stage", "dev", "--cluster", "prod-eu1"), "Did you mean dev-eu1?"),
        (("status", "--stage", "dev", "--cluster", "prod-eu1"), "Did you mean dev-eu1?"),
        (("promote", "cart", "--to", "staging", "--strategy", "carefull", "--dry-run"), "did you mean careful?"),
    ],
)
def test_a_name_that_does_not_exist_is_wrong_usage_and_names_the_nearest(
    fleet: Fleet, arguments: tuple[str, ...], nearest: str
) -> None:
    assert nearest in fleet.sgm(*arguments, code=2).stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("promote", "cart", "--to", "prod", "--location", "", "--dry-run"),
        ("promote", "", "--to", "prod", "--dry-run"),
        ("revert", "cart", "--stage", "prod", "--to-version", "", "--dry-run"),
        ("revert", "cart", "--stage", "prod", "--cluster", " ", "--dry-run"),
        ("history", "cart", "--stage", ""),
        ("status", "--cluster", ""),
        ("prs", "--service", ""),
        ("audit", "--stage", ""),
    ],
)
def test_an_empty_name_is_refused_and_does_not_mean_everything(fleet: Fleet, arguments: tuple[str, ...]) -> None:
    assert "it is empty" in fleet.sgm(*arguments, code=2).stderr


def test_a_runner_without_a_kubeconfig_follows_the_merge_and_says_what_it_lacks(
    slow_fleet: Fleet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    text = Path(slow_fleet.ready["config"]).read_text(encoding="utf-8")
    config = tmp_path / "runner.yaml"
    config.write_text(text.replace("kubeconfig: ", "# "), encoding="utf-8")
    where = ("--config", str(config), "promote", "--yes", "--wait", "--timeout", "60")
    version = slow_fleet.cell("cart", "staging-eu1")["desired"]
    ran = slow_fleet.sgm(*where, "cart", "--to", "staging", "--version", version, code=3)
    assert "there is no kubeconfig: KUBECONFIG is not set" in ran.stderr
    assert "cannot observe from here whether staging-eu1 has settled" in ran.stderr
    ran = slow_fleet.sgm(*where, "cart", "--to", "prod", code=1)
    # Later waves are judged when they open: only the first one is in question now.
    assert "cart@prod-eu1: healthy-before: staging-eu1 is unknown" in ran.stderr
    assert "unknown never counts as pass" in ran.stderr


def test_a_version_the_registry_does_not_have_is_blocked_and_nothing_is_written(fleet: Fleet) -> None:
    before = fleet.heads()
    document = fleet.json("promote", "search", "--to", "staging", "--version", "v99.0.0", "--yes", code=1)
    assert document["result"] == "refused"
    image = next(gate for gate in document["gates"] if gate["gate"] == "image")
    assert image["result"] == "block"
    assert fleet.heads() == before


def test_a_check_is_a_dry_run_whose_exit_code_is_the_answer(fleet: Fleet) -> None:
    before = fleet.heads()
    where = ("promote", "cart", "--to", "staging", "--version", "v99.0.0")
    assert fleet.json(*where, "--dry-run")["blocked"] is True
    ran = fleet.sgm(*where, "--check", "-o", "json", code=1)
    document = json.loads(ran.stdout)
    assert (document["result"], document["blocked"]) == ("planned", True)
    assert "staging-eu1: image: " in ran.stderr
    assert fleet.json("promote", "payments", "--to", "staging", "--check")["blocked"] is False
    assert fleet.heads() == before


def test_a_promotion_is_followed_to_its_end_and_reverted_and_then_held(fleet: Fleet) -> None:
    old = fleet.cell("catalog", "staging-eu1")["live"]
    opened = fleet.json("promote", "catalog", "--to", "staging", "--yes", "--reason", "release 42", "--wait")
    assert opened["result"] == "opened"
    (pull,) = opened["pull_requests"]
    new = opened["changes"][0]["to"]
    cell = fleet.cell("catalog", "staging-eu1")
    assert (cell["desired"], cell["live"], cell["journey"]) == (new, new, "soaking")  # prod requires a minute of it
    fleet.sgm("status", "--service", "catalog", "--stage", "staging", "--assert", "journey==settled")

    listed = fleet.json("prs")["pull_requests"]
    assert next(one for one in listed if one["number"] == pull["number"])["state"] == "merged"
    newest, before = fleet.json("history", "catalog", "--stage", "staging")["history"][:2]
    assert (newest["version"], newest["kind"]) == (new, "promotion")
    # It has come just now, and for how long is known from the cluster; the one before was measured.
    assert newest["healthy_seconds"] is not None
    assert 0 < before["healthy_seconds"] <= before["seconds"]
    assert fleet.json("history", "catalog", "--no-health")["history"][0]["healthy_seconds"] is None

    dry = fleet.json("revert", "catalog", "--stage", "staging", "--dry-run")
    assert [(one["kind"], one["from"], one["to"]) for one in dry["changes"]] == [("revert", new, old)]
    assert "steps again" in dry["changes"][0]["way_back"]["reason"]
    fleet.json("revert", "catalog", "--stage", "staging", "--yes", "--reason", "incident 4711", "--wait")
    assert fleet.cell("catalog", "staging-eu1")["live"] == old
    for where in (("--stage", "staging"), ("--stage", "staging", "--cluster", "staging-eu1")):
        again = fleet.json("revert", "catalog", *where, "--yes", "--reason", "given twice")
        assert (again["result"], again["changes"], again["pull_requests"]) == ("nothing", [], [])
        assert again["refusals"][0]["reason"].startswith("nothing to revert: ")

    held = fleet.json("promote", "catalog", "--to", "staging", "--version", new, "--yes", code=1)
    (gate,) = [gate for gate in held["gates"] if gate["result"] == "block"]
    assert (gate["gate"], f"is quarantined: reverted by {actor()} (" in gate["reason"]) == ("held", True)
    over = ("--override", "--reason", "the cause is fixed in config")
    again = fleet.json("promote", "catalog", "--to", "staging", "--version", new, "--yes", *over)
    assert again["result"] == "opened"
    bare = fleet.ready["git"].removeprefix("file://")
    log = ["git", "--git-dir", bare, "log", "-1", "--format=%B", again["pull_requests"][0]["commit"]]
    message = subprocess.run(log, capture_output=True, text=True, check=True).stdout
    assert "Sgm-Gates-Overridden: " in message
    assert "Sgm-Reason: the cause is fixed in config" in message


def test_a_bad_version_is_left_and_held_everywhere_and_by_everybody(fleet: Fleet, tmp_path: Path) -> None:
    bad = fleet.cell("reviews", "staging-eu1")["desired"]
    where = ("revert", "reviews", "--stage", "staging", "--reason", "incident 4711")
    typo = fleet.json(*where, "--bad-version", f"{bad}0", "--yes", code=1)
    assert typo["refusals"][0]["reason"].startswith(f"no cell of reviews has {bad}0; the nearest: {bad}")
    (change,) = fleet.json(*where, "--bad-version", bad, "--dry-run")["changes"]
    assert (change["from"], change["known_bad"]) == (bad, "incident 4711")
    assert fleet.json("audit", "--service", "reviews")["records"] == []

    fleet.json(*where, "--bad-version", bad, "--yes", "--wait")
    assert "mark-bad" in {one["action"] for one in fleet.json("audit", "--service", "reviews")["records"]}
    # Somebody else, who has never marked anything.
    own = Path(fleet.ready["config"])  # beside it: a configuration may only name token files of its own folder
    config, text = own.with_name("somebody-else.yaml"), own.read_text(encoding="utf-8")
    config.write_text(text.replace("state_directory: ", f"state_directory: {tmp_path}/state #"), encoding="utf-8")
    again = ("--config", str(config), "promote", "reviews", "--version", bad, "--dry-run")
    for stage in ("staging", "prod"):
        gates = [one for one in fleet.json(*again, "--to", stage)["gates"] if one["gate"] == "held"]
        assert all("known bad: incident 4711" in one["reason"] for one in gates), gates


def test_the_fast_way_back_leaves_the_steps_out_and_the_next_promotion_puts_them_back(fleet: Fleet) -> None:
    bad = fleet.cell("search", "staging-eu1")["desired"]
    where = ("revert", "search", "--stage", "staging", "--strategy")
    assert "is not a step" in fleet.sgm(*where, '[{"sleep": 5}]', "--dry-run", code=2).stderr
    (dry,) = fleet.json(*where, "[]", "--dry-run")["changes"]
    assert dry["way_back"]["fast"] is True
    assert "+  steps: []" in dry["diff"]
    assert "which puts the steps back" in fleet.sgm(*where, "[]", "--dry-run").stdout
    fleet.json(*where, "[]", "--yes", "--wait", "--reason", "incident 4711")
    promote = ("promote", "search", "--to", "staging", "--version", bad)
    (again,) = fleet.json(*promote, "--dry-run")["changes"]
    assert "-  steps: []" in again["diff"]
    assert "+    - setWeight: 10" in again["diff"]
    over = ("--override", "--reason", "the cause is fixed in config")
    fleet.json(*promote, "--yes", "--wait", *over)
    assert fleet.cell("search", "staging-eu1")["rollout"]["steps"] == 7


def test_another_version_supersedes_the_open_pull_request_when_it_is_asked_to(slow_fleet: Fleet) -> None:
    where = ("promote", "search", "--to", "prod", "--cluster", "prod-eu1", "--yes")
    now = slow_fleet.cell("search", "prod-eu1")["desired"]
    known = [one["version"] for one in slow_fleet.json("history", "search", "--stage", "prod")["history"]]
    first, second = [one for one in dict.fromkeys(known) if one != now][:2]
    over = ("--override", "--reason", "a test of superseding")
    (old,) = slow_fleet.json(*where, "--version", first, *over)["pull_requests"]
    refused = slow_fleet.sgm(*where, "--version", second, code=1)
    assert f"#{old['number']} by operator proposes {first} here and was opened by sgm: supersede it" in refused.stderr
    superseding = slow_fleet.json(*where, "--version", second, *over, "--supersede")
    (new,) = superseding["pull_requests"]
    assert (superseding["result"], new["supersedes"]) == ("opened", [old["number"]])
    gate = next(one for one in superseding["gates"] if one["gate"] == "pull-request")
    assert (gate["result"], gate["reason"]) == (
        "warn",
        f"superseded: #{old['number']} will be closed in favour of {second}",
    )
    states = {one["number"]: one["state"] for one in slow_fleet.json("prs")["pull_requests"]}
    assert (states[old["number"]], states[new["number"]]) == ("closed", "open")
    assert old["branch"] not in slow_fleet.heads()
    assert slow_fleet.json("plan", "--unfinished")["unfinished"] == []


def test_waves_stop_when_somebody_closes_what_they_wait_for_and_are_dropped_by_hand(slow_fleet: Fleet) -> None:
    over = ("--override", "--reason", "a test of waves")
    opened = slow_fleet.json("promote", "checkout", "--to", "prod", "--yes", *over)
    (first,) = opened["pull_requests"]
    (waves,) = slow_fleet.json("plan", "waves")["waves"]
    assert (waves["opened"], waves["next"], waves["stopped"]) == (1, "wait", None)
    assert [[one["cluster"] for one in wave] for wave in waves["waves"]] == [["prod-eu1"], ["prod-us1"], ["prod-ap1"]]
    slow_fleet.sgm("prs", "close", str(first["number"]), "--yes")
    slow_fleet.sgm("plan", "next", "--yes")
    (stopped,) = slow_fleet.json("plan", "waves")["waves"]
    assert stopped["stopped"] == f"#{first['number']} was closed without being merged"
    assert [one for one in slow_fleet.json("prs")["pull_requests"] if one["state"] == "open"] == []
    slow_fleet.sgm("plan", "drop", waves["id"], "--yes")
    assert slow_fleet.json("plan", "waves")["waves"] == []


def test_a_later_wave_is_not_opened_while_the_one_before_rolls_whoever_asks(slow_fleet: Fleet, tmp_path: Path) -> None:
    where = ("promote", "cart", "--to", "prod", "--yes", "--direct")
    text = Path(slow_fleet.ready["config"]).read_text(encoding="utf-8")
    direct = text.replace("group_by: stage", "group_by: stage\n  direct: [prod]")
    mine, another = tmp_path / "mine.yaml", tmp_path / "another.yaml"
    mine.write_text(direct, encoding="utf-8")
    # A colleague, or the next runner of a workflow: nothing of the first one's waves is known there.
    another.write_text(direct.replace("state_directory: ", f"state_directory: {tmp_path}/state #"), encoding="utf-8")
    assert slow_fleet.json(*where, "--config", str(mine))["result"] == "pushed"
    heads = slow_fleet.heads()
    for config in (mine, another):
        refused = slow_fleet.json(*where, "--config", str(config), code=1)
        assert {one["cluster"] for one in refused["changes"]} == {"prod-us1", "prod-ap1"}
        assert {one["gate"] for one in refused["gates"] if one["result"] in {"block", "unknown"}} == {"wave"}
    ran = slow_fleet.sgm(*where, "--config", str(another), "--wait", "--timeout", "1", code=1)
    assert "waiting    cart@prod-us1: an earlier wave: prod-eu1 is " in ran.stderr
    only = ("promote", "cart", "--to", "prod", "--cluster", "prod-eu1", "--yes")
    assert slow_fleet.json(*only)["result"] == "nothing"
    ran = slow_fleet.sgm(*only, "--wait", "--timeout", "1", code=1)
    assert "not settled within" in ran.stderr
    assert slow_fleet.heads() == heads


def test_every_answer_can_be_had_for_a_program(fleet: Fleet) -> None:
    assert fleet.json("audit", "verify")["whole"] is True
    assert fleet.json("plan", "clear", "--yes")["result"] == "cleared"
    number = fleet.json("prs")["pull_requests"][0]["number"]
    refused = fleet.json("prs", "stop-auto-merge", str(number), "--yes", code=1)
    assert (refused["number"], refused["action"], refused["result"]) == (number, "stop-auto-merge", "refused")


def test_what_is_done_to_a_pull_request_is_found_by_its_service_and_stage(slow_fleet: Fleet) -> None:
    (made,) = slow_fleet.json("promote", "catalog", "--to", "staging", "--yes")["pull_requests"]
    closed = slow_fleet.json("prs", "close", str(made["number"]), "--yes")
    assert (closed["result"], closed["action"]) == ("done", "close")
    records = slow_fleet.json("audit", "--service", "catalog", "--stage", "staging")["records"]
    assert records[-1]["action"] == "close"


def test_a_configuration_that_is_read_only_refuses_before_anything_is_asked(fleet: Fleet, tmp_path: Path) -> None:
    config = tmp_path / "sgm.yaml"
    text = Path(fleet.ready["config"]).read_text(encoding="utf-8")
    config.write_text(f"{text}read_only: true\n", encoding="utf-8")
    ran = fleet.sgm("promote", "catalog", "--to", "staging", "--yes", "--config", str(config), code=4)
    assert ran.stdout == ""
    fleet.sgm("promote", "catalog", "--to", "staging", "--dry-run", "--config", str(config))


@pytest.mark.parametrize(
    ("closed", "code", "stdout", "stderr"),
    [
        (">&-", 3, "", "the output cannot be written: Bad file descriptor"),
        ("2>&-", 0, '"changes": []', ""),
        ("<&- >&- 2>&-", 3, "", ""),
    ],
)
def test_a_closed_descriptor_is_no_defect_and_nothing_lands_in_the_wrong_place(
    fleet: Fleet, closed: str, code: int, stdout: str, stderr: str
) -> None:
    script = f'exec "$@" {closed}'
    command = ["bash", "-c", script, "bash", SGM, "--config", fleet.ready["config"], "plan", "-o", "json"]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE, check=False)
    assert (ran.returncode, stdout in ran.stdout, stderr in ran.stderr) == (code, True, True), ran
    assert "crashed (bug)" not in ran.stderr
    if stdout:
        assert json.loads(ran.stdout)["schema"] == 1


def test_what_git_wants_already_is_nothing_to_do(fleet: Fleet) -> None:
    version = fleet.cell("cart", "staging-eu1")["desired"]
    document = fleet.json("promote", "cart", "--to", "staging", "--version", version, "--yes")
    assert document["result"] == "nothing"
    assert document["pull_requests"] == []


def test_a_strategy_is_written_with_the_version(fleet: Fleet) -> None:
    document = fleet.json(
        "promote", "catalog", "--to", "prod", "--version", "v5.0.2", "--strategy", "bluegreen", "--dry-run"
    )
    assert len(document["changes"]) == 3
    for change in document["changes"]:
        assert change["strategy"] == "bluegreen"
        assert "+  strategy: blueGreen" in change["diff"]


def test_a_push_without_a_pull_request_is_refused_where_the_policy_does_not_allow_it(fleet: Fleet) -> None:
    before = fleet.heads()
    ran = fleet.sgm("promote", "notifications", "--to", "staging", "--direct", "--yes", code=4)
    assert "policy.direct does not list staging" in ran.stderr
    assert fleet.heads() == before


def test_what_was_planned_on_the_dashboard_is_opened_from_the_command_line_and_leaves_the_plan(fleet: Fleet) -> None:
    (made,) = fleet.json("promote", "notifications", "--to", "staging", "--dry-run")["changes"]
    where = CellKey(ServiceName("notifications"), StageName("staging"), ClusterName("staging-eu1"))
    old, new = Version(made["from"]), Version(made["to"])
    change = Change("promotion", where.service, where.stage, None, made["path"], made["key"], old, new, (where,))
    config = load(Path(fleet.ready["config"]), flags={}, environ={})
    PlanFile(fleet_directory(config) / "plan.json").update(lambda plan: plan.with_change(change))
    assert fleet.json("plan")["changes"][0]["to"] == new
    assert fleet.json("plan", "open", "--yes")["result"] == "opened"
    assert fleet.json("plan")["changes"] == []


def test_the_audit_is_whole_and_says_what_was_done_and_why(fleet: Fleet) -> None:
    records = fleet.json("audit", "--service", "catalog", "--stage", "staging")["records"]
    assert {"release 42", "incident 4711"} <= {record["reason"] for record in records}
    assert {"push", "open", "auto-merge"} <= {record["action"] for record in records}
    assert fleet.sgm("audit", "verify").stdout.strip().startswith("OK, chain intact (")
    assert fleet.json("plan", "--unfinished")["unfinished"] == []


def test_an_empty_plan_says_so(fleet: Fleet) -> None:
    ran = fleet.sgm("plan")
    assert ran.stdout == "the plan is empty\n"
    assert "p on a cell" in ran.stderr


def test_an_audit_without_an_answer_says_whether_the_name_was_right(fleet: Fleet, tmp_path: Path) -> None:
    assert "Did you mean prod?" in fleet.sgm("audit", "--stage", "prd", code=2).stderr
    text = Path(fleet.ready["config"]).read_text(encoding="utf-8")
    config = tmp_path / "sgm.yaml"
    config.write_text(text.replace("state_directory: ", f"state_directory: {tmp_path}/state #"), encoding="utf-8")
    where = ("--config", str(config), "audit")
    assert "the audit log is empty" in fleet.sgm(*where).stderr
    loaded = load(config, flags={}, environ={})
    state = fleet_directory(loaded)
    state.mkdir(parents=True, exist_ok=True)
    for name in ("audit.jsonl", "journal.jsonl"):
        (state / name).write_bytes(b"\0" * 64 + b"\n")
    damaged = fleet.sgm(*where).stderr
    assert "1 line of the audit log cannot be read" in damaged
    assert "empty" not in damaged
    unfinished = fleet.sgm("--config", str(config), "plan", "--unfinished", code=1)
    assert "no unfinished writes" not in unfinished.stdout
    assert "1 line of the journal cannot be read" in unfinished.stderr
    for name in ("audit.jsonl", "journal.jsonl"):
        (state / name).unlink()
    Audit(fleet_directory(loaded) / "audit.jsonl").record("push", services=["checkout"], stage="prod")
    assert "Did you mean checkout?" in fleet.sgm(*where, "--service", "chekout").stderr
    assert "checkout" in fleet.sgm(*where, "--service", "checkout", "-o", "json").stdout


def test_a_fleet_that_is_not_there_is_unreachable_not_a_defect(tmp_path: Path, fleet: Fleet) -> None:
    text = Path(fleet.ready["config"]).read_text(encoding="utf-8")
    gone = text.replace(fleet.ready["git"], (tmp_path / "gone.git").as_uri())
    config = tmp_path / "sgm.yaml"
    config.write_text(gone.replace("state_directory: ", f"state_directory: {tmp_path}/state #"), encoding="utf-8")
    ran = subprocess.run(
        [SGM, "--config", str(config), "promote", "cart", "--to", "staging", "--dry-run"],
        capture_output=True, text=True, timeout=DEADLINE, check=False,
    )  # fmt: skip
    assert ran.returncode == 3, ran.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "tcsh"])
def test_a_shell_completes_every_command(shell: str) -> None:
    ran = subprocess.run([SGM, "completion", shell], capture_output=True, text=True, timeout=DEADLINE, check=True)
    assert "promote" in ran.stdout
    assert "revert" in ran.stdout


_PRESS_TAB = """
eval "$("$1" completion bash)"
shift
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMP_LINE="$*" COMP_POINT=${#COMP_LINE}
$(complete -p sgm | sed 's/.*-F \\([^ ]*\\).*/\\1/')
printf '%s\\n' "${COMPREPLY[@]}"
"""


def completed(fleet: Fleet, line: str) -> list[str]:
    """What bash offers for the last word of a line."""
    command = ["bash", "-c", _PRESS_TAB, "bash", SGM, *line.split(" ")]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE, check=True, cwd=fleet.directory)
    assert ran.stderr == ""
    return ran.stdout.split()


def test_bash_completes_services_stages_and_clusters_without_asking_anybody(fleet: Fleet) -> None:
    fleet.sgm("status")  # the clone is there
    sgm = f"{SGM} --config {fleet.ready['config']}"
    assert completed(fleet, f"{sgm} promote che") == ["checkout"]
    assert completed(fleet, f"{sgm} history ca") == ["cart", "catalog"]
    assert completed(fleet, f"{sgm} promote cart --to st") == ["staging"]
    assert completed(fleet, f"{sgm} revert cart --stage prod --cluster prod-a") == ["prod-ap1"]
    assert completed(fleet, f"{sgm} status --service recom") == ["recommendations"]


def test_completion_never_prints_what_goes_wrong(fleet: Fleet, tmp_path: Path) -> None:
    missing = tmp_path / "gone.yaml"
    for kind in ("services", "stages", "clusters"):
        ran = subprocess.run(
            [SGM, "--config", str(missing), "completion", "--names", kind], capture_output=True, check=False
        )
        assert (ran.stdout, ran.stderr) == (b"", b"")
    assert completed(fleet, f"{SGM} --config {missing} promote che") == []
