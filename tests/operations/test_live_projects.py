"""AppProjects as the hub has them, through a real client of a real API server, against what git says of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import builders
import pytest
from kube_server import Served, new_store, served
from origin import PROD, STARTED, cell, config_of, origin_in
from ruamel.yaml import YAML

from sgm_tui.config.schema import ArgoConfig, Config, HubConfig
from sgm_tui.fleet.gate import Gate
from sgm_tui.fleet.gates.evaluation import evaluate_gates
from sgm_tui.fleet.gates.evidence import Evidence
from sgm_tui.fleet.model import Version
from sgm_tui.fleet.plans.plan import Change, Plan
from sgm_tui.fleet.policy import Policy
from sgm_tui.gitops.repository import Repository
from sgm_tui.live.connection import ClusterConnection, Pace
from sgm_tui.live.projects import ProjectReader
from sgm_tui.operations.evidence import Investigator
from sgm_tui.sandbox.git.repository import Repository as Origin
from sgm_tui.sandbox.kubernetes.objects import ObjectStore

PROJECT = "argocd/projects/default-project.yaml"
WHERE = cell("cart", "prod", "eu1")
NOW = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
FREEZE = {"kind": "deny", "schedule": "0 12 23 11 *", "duration": "24h", "clusters": ["prod-*"], "description": "audit"}
CHANGE = Change(
    "promotion", WHERE.service, WHERE.stage, WHERE.cluster, PROD, "image.tag", Version("v1"), Version("v2"), (WHERE,)
)


@dataclass
class Lab:
    """A repository and a hub, which has the project of git until a test says otherwise."""

    origin: Origin
    clone: Repository
    config: Config
    store: ObjectStore
    server: Served
    connection: ClusterConnection

    def of_git(self) -> dict[str, Any]:
        data = self.origin.read(self.origin.head(), PROJECT)
        found: dict[str, Any] = next(iter(YAML(typ="safe").load_all(data)))
        return found

    def has(self, **spec: Any) -> None:
        """The hub has git's project with these parts of it changed."""
        project = self.of_git()
        live = self.store.get("AppProject", "argocd", "acme")
        wanted = {**project, "spec": {**project["spec"], **spec}}
        if live is None:
            self.store.create("AppProject", wanted)
        else:
            self.store.write("AppProject", {**live, "spec": wanted["spec"]})

    async def evidence(self) -> Evidence:
        hubs = ProjectReader([(self.connection, "argocd")])
        investigator = Investigator(self.config, self.clone, None, hubs)
        return await investigator.gather(Plan((CHANGE,)), shown())

    async def gates(self) -> dict[str, Gate]:
        found = evaluate_gates(CHANGE, shown(), Policy(), await self.evidence(), NOW)
        return {one.gate: one for one in found if one.gate in {"project", "window"}}


def shown() -> Any:
    return builders.snapshot([builders.cell("cart", "prod-eu1", "v1")])


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[Lab]:
    origin = origin_in(folder)
    config = replace(config_of(origin, folder), argocd=ArgoConfig((HubConfig("hub"),)))
    clone = Repository(config.repository.url, config.repository.branch, folder / "state")
    store = new_store("argocd")
    async with served(hub=store) as server:
        pace = Pace(connect=0.5, unary=0.5)
        connection = ClusterConnection("hub", server.write_kubeconfig(folder, "hub"), pace)
        try:
            yield Lab(origin, clone, config, store, server, connection)
        finally:
            await connection.close()
    origin.close()


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Lab]:
    async with opened(tmp_path) as made:
        yield made


async def test_the_hub_is_read_and_says_so_where_it_agrees_with_git(lab: Lab) -> None:
    lab.has()
    gates = await lab.gates()
    assert (gates["project"].result, gates["project"].reason) == ("pass", "project acme allows it (per hub)")
    assert gates["window"].result == "pass"
    assert gates["window"].reason.endswith("(per hub)")


async def test_a_window_that_only_the_hub_has_blocks_and_git_is_said_to_differ(lab: Lab) -> None:
    lab.has(syncWindows=[FREEZE])
    gate = (await lab.gates())["window"]
    assert gate.result == "block"
    assert gate.eta == datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
    assert "a sync window denies it (audit)" in gate.reason
    assert gate.reason.endswith("(per hub; git differs)")


async def test_a_window_that_only_git_has_does_not_block_yet_and_is_a_warning(lab: Lab) -> None:
    old = "    - kind: deny                     # nobody"
    data = (lab.origin.read(lab.origin.head(), PROJECT) or b"").decode()
    assert old in data
    added = "    - {kind: deny, schedule: 0 12 23 11 *, duration: 24h, clusters: [prod-*]}\n"
    lab.has()
    changed = data.replace(old, added + old).encode()
    lab.origin.commit("main", {PROJECT: changed}, "change", at=STARTED)
    gate = (await lab.gates())["window"]
    assert (gate.result, gate.stops) == ("warn", False)
    assert "git differs" in gate.reason


async def test_a_destination_the_hub_does_not_allow_yet_blocks_whatever_git_allows(lab: Lab) -> None:
    lab.has(destinations=[{"name": "dev-*", "namespace": "app-*"}])
    gate = (await lab.gates())["project"]
    assert gate.result == "block"
    assert gate.reason.startswith("project acme does not allow the cluster prod-eu1 (per hub; git")


async def test_a_project_the_hub_does_not_have_blocks_and_says_that_git_has_it(lab: Lab) -> None:
    gates = await lab.gates()
    assert gates["project"].result == "block"
    assert gates["project"].reason == "there is no AppProject acme on hub (git has one)"
    assert gates["window"].result == "unknown"


async def test_without_the_permission_git_is_read_and_the_missing_permission_is_named(lab: Lab) -> None:
    lab.server.faults["hub"].status = 403
    gates = await lab.gates()
    why = "(per git: hub does not let you `get appprojects` in argocd)"
    assert gates["project"].reason == f"project acme allows it {why}"
    assert gates["window"].reason.endswith(why)
    assert gates["window"].result == "pass"


async def test_a_hub_that_does_not_answer_is_not_waited_for_long_and_git_is_read(lab: Lab) -> None:
    lab.has(syncWindows=[FREEZE])
    lab.server.faults["hub"].hang = True
    gates = await lab.gates()
    lab.server.faults["hub"].hang = False
    assert gates["window"].result == "pass"
    assert "per git: hub did not answer within" in gates["window"].reason


async def test_a_project_of_the_hub_that_makes_no_sense_is_not_taken_for_one_that_allows_everything(lab: Lab) -> None:
    lab.has(sourceRepos="*")
    gates = await lab.gates()
    assert "per git: hub sent an invalid answer" in gates["project"].reason
    lab.has(syncWindows=[{**FREEZE, "applications": "no list"}])
    assert "per git: the hub's AppProject cannot be read" in (await lab.gates())["window"].reason


async def test_the_hub_alone_tells_the_windows_where_git_has_no_projects(lab: Lab) -> None:
    lab.has(syncWindows=[FREEZE])
    lab.origin.commit("main", {PROJECT: b"nothing: here\n"}, "change", at=STARTED)
    gates = await lab.gates()
    assert (gates["window"].result, gates["project"].result) == ("block", "pass")
    lab.server.faults["hub"].status = 403
    assert "no AppProject is in git, and hub does not let you" in (await lab.gates())["window"].reason


async def test_a_name_that_is_no_name_is_never_sent(lab: Lab) -> None:
    reader = ProjectReader([(lab.connection, "argocd")])
    assert await reader.read("hub", "../secrets/x") == "../secrets/x is no name an AppProject can have"
    assert await reader.read("elsewhere", "acme") == "elsewhere is not one of argocd.hubs"


async def test_with_several_hubs_the_one_that_has_the_application_is_asked(lab: Lab) -> None:
    lab.has(syncWindows=[FREEZE])
    hubs = (HubConfig("other"), HubConfig("hub"))
    lab.config = replace(lab.config, argocd=ArgoConfig(hubs))
    assert "the hub of its Application is unknown" in (await lab.gates())["window"].reason
    placed = builders.cell("cart", "prod-eu1", "v1", application=builders.application(WHERE, hub="hub"))
    investigator = Investigator(lab.config, lab.clone, None, ProjectReader([(lab.connection, "argocd")]))
    found = await investigator.gather(Plan((CHANGE,)), builders.snapshot([placed]))
    assert found.read[WHERE].where == "hub"
    assert found.read[WHERE].windows_differ


@pytest.mark.parametrize(
    ("written", "duration", "says"),
    [("0 22 * * 7", "1h", "Sunday is 0"), ("@daily", "1h", "write '0 0 * * *'"), ("0 22 * * *", "1d", '"1d"')],
)
@pytest.mark.parametrize("kind", ["allow", "deny"])
async def test_a_window_argo_cd_cannot_read_blocks_with_that_reason(
    lab: Lab, kind: str, written: str, duration: str, says: str
) -> None:
    lab.has(syncWindows=[{"kind": kind, "schedule": written, "duration": duration, "clusters": ["prod-*"]}])
    gate = (await lab.gates())["window"]
    assert (gate.result, gate.eta) == ("block", None)
    assert "Argo CD cannot read a sync window and blocks every sync" in gate.reason
    assert says in gate.reason


async def test_a_window_argo_cd_cannot_read_blocks_only_what_it_applies_to(lab: Lab) -> None:
    lab.has(syncWindows=[{"kind": "deny", "schedule": "@daily", "duration": "1h", "clusters": ["dev-*"]}])
    assert (await lab.gates())["window"].stops is False
