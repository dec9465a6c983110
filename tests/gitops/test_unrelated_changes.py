"""What a branch changes besides versions: nobody merges what they have not been told of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from origin import FILES, PROD, STAGING, STARTED, config_of, origin_in, with_version

from sgm_tui.fleet.facts import UnrelatedChange
from sgm_tui.gitops.repository import Repository
from sgm_tui.gitops.tree import Tree
from sgm_tui.gitops.unrelated_changes import UnrelatedChangeReader
from sgm_tui.sandbox.git.repository import Repository as Origin

OWN = {
    "dev/app-service/cart/values.yaml": "dev",
    "dev/platform/values.yaml": "dev",
    "staging/README.md": "staging",
    "prod/prod-eu1/platform/values.yaml": "prod",
    "prod/README.md": "prod",
}
SHARED = [
    "charts/microservice/templates/rollout.yaml", "charts/microservice/ci/dev/values.yaml", "charts/dev/Chart.yaml",
    "argocd/applicationsets/app-service.yaml", "argocd/projects/dev/project.yaml", "argocd/clusters/dev-eu1.yaml",
    "CODEOWNERS", "sgm.yaml", ".github/workflows/rollback.yaml", "common/staging/values.yaml", "development/x.yaml",
]  # fmt: skip


@dataclass
class Lab:
    origin: Origin
    clone: Repository
    reader: UnrelatedChangeReader


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    origin = origin_in(tmp_path)
    config = config_of(origin, tmp_path)
    clone = Repository(config.repository.url, config.repository.branch, tmp_path / "state")
    yield Lab(origin, clone, UnrelatedChangeReader(config, Tree(config), clone))
    origin.close()


async def unrelated_changes(lab: Lab, writes: dict[str, bytes]) -> tuple[UnrelatedChange, ...] | None:
    head = lab.origin.commit("topic", writes, "topic", at=STARTED)
    lab.origin.commit("main", {"README.md": b"meanwhile"}, "elsewhere", at=STARTED)
    await lab.clone.fetch()
    return lab.reader.of(head)


async def test_a_version_alone_is_nothing_besides(lab: Lab) -> None:
    assert await unrelated_changes(lab, {STAGING: with_version(FILES[STAGING], "v9.0.0")}) == ()


async def test_other_keys_and_other_files_are_told(lab: Lab) -> None:
    sneaky = with_version(FILES[PROD], "v9.0.0") + b"\nextra: {replicas: 99}\n"
    changes = await unrelated_changes(
        lab, {PROD: sneaky, "charts/microservice/values.yaml": b"{}", "prod/notes.txt": b"x"}
    )
    assert changes == (
        UnrelatedChange("charts/microservice/values.yaml"),
        UnrelatedChange("prod/notes.txt", how="new", stage="prod"),
        UnrelatedChange(PROD, ("extra.replicas",), stage="prod"),
    )


async def test_a_file_nobody_can_read_is_told_as_a_whole(lab: Lab) -> None:
    assert await unrelated_changes(lab, {PROD: b"{{ broken"}) == (UnrelatedChange(PROD, stage="prod"),)


async def test_of_very_many_files_the_rest_is_counted(lab: Lab) -> None:
    changes = await unrelated_changes(lab, {f"docs/{number:03}.md": b"x" for number in range(100)})
    assert changes is not None
    assert (len(changes), changes[-1].path) == (41, "60 more files")


async def test_what_is_not_in_the_clone_is_unknown(lab: Lab) -> None:
    await lab.clone.fetch()
    assert lab.reader.of("0" * 40) is None


@pytest.mark.parametrize(("path", "stage"), [*OWN.items(), *((path, None) for path in SHARED)])
async def test_only_what_the_layout_keeps_in_a_stages_folder_is_that_stages_own(
    lab: Lab, path: str, stage: str | None
) -> None:
    changes = await unrelated_changes(lab, {path: b"changed: here\n"})
    assert changes is not None
    assert [(one.path, one.stage) for one in changes] == [(path, stage)]


@pytest.mark.parametrize(
    ("template", "own", "shared"),
    [
        ("apps/{service}/on/{stage}/kustomization.yaml", "apps/cart/on/dev/patch.yaml", "apps/cart/base/x.yaml"),
        ("clusters/{cluster}/{service}.yaml", "clusters/dev-eu1/flux.yaml", "clusters/base/flux.yaml"),
        ("apps/{service}/values-{stage}.yaml", "apps/cart/values-dev.yaml", "apps/cart/values-dev.yaml.tpl"),
        ("apps/{service}.yaml", "", "apps/cart.yaml"),
    ],
)  # fmt: skip
async def test_a_stages_own_folder_is_where_its_layout_has_it(
    lab: Lab, tmp_path: Path, template: str, own: str, shared: str
) -> None:
    config = config_of(lab.origin, tmp_path)
    config = replace(config, layout=replace(config.layout, values=(template,)))
    lab.reader = UnrelatedChangeReader(config, Tree(config), lab.clone)
    changes = await unrelated_changes(lab, {path: b"changed: here\n" for path in (own, shared) if path})
    assert changes is not None
    assert {one.path: one.stage for one in changes} == ({own: "dev"} if own else {}) | {shared: None}
