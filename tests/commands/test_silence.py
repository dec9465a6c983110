"""What has not answered is never told as absent: every command ends with 3 and says who is silent."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import builders
import pytest

from sgm_tui.cli import main
from sgm_tui.fleet.completeness import Selection, find_gaps
from sgm_tui.fleet.desired import Desired, DesiredState
from sgm_tui.fleet.model import CellKey, Version
from sgm_tui.fleet.source import SourceId
from sgm_tui.fleet.updates import (
    AlertsListed,
    AnswerArriving,
    ApplicationsListed,
    DesiredStateRead,
    MetricsListed,
    PullRequestsListed,
    RolloutsListed,
    ScalingListed,
    SourceUnreachable,
)
from sgm_tui.session import LiveSession

PATIENCE = 60.0
"""Seconds after which a test that would hang for ever fails."""
REVISION = "a" * 40
TEAM_FILE = """\
repository: {{url: "http://127.0.0.1:{port}/acme/gitops.git"}}
stages:
  - {{name: dev, clusters: [{{name: dev-eu1, location: eu1, context: dev-eu1}}]}}
  - {{name: prod, protected: true, clusters: [{{name: prod-eu1, location: eu1, context: prod-eu1}}]}}
argocd: {{hubs: [{{context: hub}}]}}
github: {{repository: acme/gitops, api_url: "http://127.0.0.1:{port}"}}
kubeconfig: kubeconfig
state_directory: state
"""
KUBECONFIG = """\
apiVersion: v1
kind: Config
clusters: [{{name: c, cluster: {{server: "http://127.0.0.1:{port}"}}}}]
users: [{{name: u, user: {{token: t}}}}]
contexts:
  - {{name: hub, context: {{cluster: c, user: u}}}}
  - {{name: dev-eu1, context: {{cluster: c, user: u}}}}
  - {{name: prod-eu1, context: {{cluster: c, user: u}}}}
"""


@pytest.fixture
def silent_fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A configuration of which every server takes connections and never answers."""
    monkeypatch.setattr("sgm_tui.waiting.CLONE_SECONDS", 0.5)
    monkeypatch.setattr("sgm_tui.waiting.SILENCE_SECONDS", 0.5)
    for name in ("GH_TOKEN", "GITHUB_TOKEN", "SGM_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        port = server.getsockname()[1]
        (tmp_path / "sgm.yaml").write_text(TEAM_FILE.format(port=port), encoding="utf-8")
        (tmp_path / "kubeconfig").write_text(KUBECONFIG.format(port=port), encoding="utf-8")
        yield tmp_path / "sgm.yaml"


@pytest.mark.parametrize(
    "command",
    [
        ("status", "--timeout", "0.5"),
        ("status",),
        ("status", "-o", "wide"),
        ("status", "-o", "markdown"),
        ("status", "--service", "checkout"),
        ("status", "--service", "checkout", "--stage", "dev", "--cluster", "dev-eu1"),
        ("status", "--assert", "journey==settled"),
        ("promote", "checkout", "--to", "prod", "--dry-run"),
        ("promote", "--all", "--to", "prod", "--dry-run"),
        ("revert", "checkout", "--stage", "prod", "--dry-run"),
        ("revert", "checkout", "--bad-version", "v1.0.0", "--dry-run"),
        ("history",),
        ("history", "checkout", "--stage", "prod"),
        ("prs",),
        ("prs", "--service", "checkout"),
        ("prs", "merge", "7", "--yes"),
        ("plan",),
        ("plan", "--unfinished"),
        ("rollout", "abort", "checkout", "--cluster", "prod-eu1", "--yes"),
    ],
    ids=" ".join,
)
def test_nothing_is_absent_before_its_source_has_answered(
    silent_fleet: Path, command: Sequence[str], capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["--config", str(silent_fleet), *command])
    told = capsys.readouterr()
    assert code == 3, told
    assert "there is no" not in told.err
    assert "not deployed" not in told.err
    assert "SERVICE" not in told.out
    assert any(word in told.err for word in ("git", "GitOps repository", "GitHub", "configuration")), told.err


def test_a_program_is_told_what_is_missing(silent_fleet: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--config", str(silent_fleet), "status", "--timeout", "0.5", "-o", "json"]) == 3
    document = json.loads(capsys.readouterr().out)
    assert (document["schema"], document["cells"], document["complete"]) == (1, [], False)
    assert document["missing"]


def keys() -> list[CellKey]:
    return [builders.key("checkout", cluster.name) for cluster in builders.fleet().clusters]


class Answers:
    """A session whose sources answer when the test says so."""

    def __init__(self) -> None:
        self.session = LiveSession(read_only=True)
        clusters = [one.name for one in builders.fleet().clusters]
        kinds = ("rollouts", "scaling", "metrics", "alerts")
        own = [SourceId(kind, name) for name in clusters for kind in kinds]
        self.session.store.configure(
            builders.fleet(), sources=[SourceId("git"), SourceId("argocd", "hub"), SourceId("forge"), *own]
        )
        self.apply = self.session.store.apply

    def git(self) -> None:
        cells = {key: Desired("p", "image.tag", Version("v1"), revision=REVISION) for key in keys()}
        self.apply(DesiredStateRead(SourceId("git"), DesiredState(REVISION, "main", cells, {REVISION: 0})))

    def forge(self) -> None:
        self.apply(PullRequestsListed(SourceId("forge"), ()))

    def hub(self, *, detailed: bool = True) -> None:
        found = {key: replace(builders.application(key), detailed=detailed, hub="hub") for key in keys()}
        self.apply(ApplicationsListed(SourceId("argocd", "hub"), found))

    def cluster(self, name: str) -> None:
        key = builders.key("checkout", name)
        self.apply(RolloutsListed(SourceId("rollouts", name), {key: builders.rollout(key, "v1")}))
        self.apply(ScalingListed(SourceId("scaling", name), {}))
        self.apply(MetricsListed(SourceId("metrics", name), {}))
        self.apply(AlertsListed(SourceId("alerts", name), ()))

    def clusters(self, *silent: str) -> None:
        for one in builders.fleet().clusters:
            if one.name not in silent:
                self.cluster(one.name)

    def all(self) -> None:
        self.git()
        self.forge()
        self.hub()
        self.clusters()


@pytest.fixture
async def answers() -> AsyncIterator[Answers]:
    made = Answers()
    publisher = asyncio.create_task(made.session.store.run())
    yield made
    publisher.cancel()
    await asyncio.gather(publisher, return_exceptions=True)


SELECTIONS = [
    (Selection(stages=("dev",)), ("prod-ap1", "staging-eu1")),
    (Selection(clusters=("prod-eu1",)), ("prod-ap1", "dev-eu1")),
    (Selection(services=("checkout",), stages=("staging",)), ("dev-eu1", "prod-us1")),
]


@pytest.mark.parametrize(("selection", "dead"), SELECTIONS)
async def test_only_the_sources_of_what_is_selected_are_waited_for(
    answers: Answers, selection: Selection, dead: tuple[str, ...]
) -> None:
    answers.git()
    answers.forge()
    answers.hub()
    answers.clusters(*dead)
    async with asyncio.timeout(PATIENCE):
        snapshot = await answers.session.settled(None, selection)
    assert find_gaps(snapshot, selection) == ()
    assert {one.split()[1] for one in find_gaps(snapshot)} == set(dead)


async def test_a_hub_nobody_selected_needs_no_answer_and_one_that_may_hold_a_cell_does(answers: Answers) -> None:
    store = answers.session.store
    store.configure(
        builders.fleet(), sources=[*(one.source for one in store.snapshot.sources), SourceId("argocd", "b")]
    )
    answers.all()
    snapshot = store.publish()
    assert find_gaps(snapshot) == ()
    missing = {key: replace(builders.application(key), hub="hub") for key in keys() if key.stage != "prod"}
    answers.apply(ApplicationsListed(SourceId("argocd", "hub"), missing))
    assert find_gaps(store.publish()) == ("argocd b has not answered",)
    assert find_gaps(store.publish(), Selection(stages=("dev",))) == ()


async def test_answers_that_are_coming_are_waited_for_however_long(
    answers: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sgm_tui.waiting.SILENCE_SECONDS", 0.0)
    monkeypatch.setattr("sgm_tui.store.fleet_store.IDLE_SECONDS", 0.01)
    answers.git()
    answers.forge()
    answers.clusters()
    waiting = asyncio.create_task(answers.session.settled())
    pages = 0
    async for _ in answers.session.snapshots():
        # A page comes before the next look: the hub is listing thirty thousand Applications.
        answers.apply(AnswerArriving(SourceId("argocd", "hub")))
        answers.apply(SourceUnreachable(SourceId("metrics", "dev-eu1"), "down"))
        pages += 1
        if pages == 8:
            break
    answers.hub()
    async with asyncio.timeout(PATIENCE):
        assert find_gaps(await waiting) == ()


async def test_a_page_of_an_answer_concludes_nothing(answers: Answers) -> None:
    answers.apply(AnswerArriving(SourceId("argocd", "hub")))
    assert "argocd hub has not answered" in find_gaps(answers.session.store.publish())


def shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], answers: Answers, *command: str
) -> tuple[int, str, str]:
    @contextlib.asynccontextmanager
    async def opened(*_: object, **__: object) -> AsyncIterator[LiveSession]:
        yield answers.session

    monkeypatch.setattr("sgm_tui.wiring.open_session", opened)
    answers.session.store.publish()
    code = main(["status", "--timeout", "0.01", *command])
    told = capsys.readouterr()
    return code, told.out, told.err


def half_listed() -> Answers:
    """The hub has sent its Table, and no details yet."""
    answers = Answers()
    answers.git()
    answers.forge()
    answers.clusters()
    answers.hub(detailed=False)
    return answers


def test_a_complete_answer_says_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    answers = Answers()
    answers.all()
    code, out, err = shown(monkeypatch, capsys, answers, "-o", "json")
    assert (code, err) == (0, "")
    assert (json.loads(out)["complete"], json.loads(out)["missing"]) == (True, [])


def test_details_that_are_on_their_way_are_incomplete(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told = "argocd: the details of 5 Applications have not arrived"
    for form in ("table", "wide", "markdown"):
        code, out, err = shown(monkeypatch, capsys, half_listed(), "-o", form)
        plain = out.replace("\\", "") if form == "markdown" else out  # where a colon is escaped
        assert (code, told in plain, told in err, "checkout" in out) == (3, True, True, True), form
    for form in ("json", "yaml"):
        code, out, err = shown(monkeypatch, capsys, half_listed(), "-o", form)
        assert (code, told in out, "complete" in out) == (3, True, True), form


def test_a_service_is_unknown_where_git_is_lost_and_absent_where_git_has_answered(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = Answers()
    answers.all()
    code, _, err = shown(monkeypatch, capsys, answers, "--service", "chekout")
    assert (code, "Did you mean checkout?" in err) == (2, True)
    answers.apply(SourceUnreachable(SourceId("git"), "connection refused"))
    code, _, err = shown(monkeypatch, capsys, answers, "--service", "chekout")
    assert code == 3
    assert "whether there is a service chekout is not known: git has not answered: connection refused" in err
