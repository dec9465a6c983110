"""What the files of a commit say of every cell of the bundled platform."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import builders
import pytest
from origin import DEV, FILES, PROD, STAGING, STARTED, cell, config_of, origin_in, with_version

from sgm_tui.config.schema import Config, LayoutConfig
from sgm_tui.fleet.model import Version
from sgm_tui.fleet.plans.plan import Refusal
from sgm_tui.fleet.plans.staging import plan_promotion
from sgm_tui.gitops.repository import Repository
from sgm_tui.gitops.tree import Tree
from sgm_tui.sandbox.git.repository import Repository as Origin

PLACES = (("dev", "eu1"), ("staging", "eu1"), ("prod", "eu1"), ("prod", "us1"), ("prod", "ap1"))
CELLS = {cell(service, stage, location) for service in ("cart", "catalog") for stage, location in PLACES}


class Counting(Repository):
    """The real clone; it remembers which blobs were asked for."""

    asked: list[str]

    def read_blobs(self, blobs: Sequence[str]) -> dict[str, bytes]:
        """Reads them, and notes it."""
        self.asked += blobs
        return super().read_blobs(blobs)


@dataclass
class Lab:
    """An origin, a clone of it, and what reads the clone."""

    origin: Origin
    clone: Counting
    config: Config
    tree: Tree


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    origin = origin_in(tmp_path)
    config = config_of(origin, tmp_path)
    clone = Counting(config.repository.url, config.repository.branch, tmp_path / "state")
    clone.asked = []
    yield Lab(origin, clone, config, Tree(config))
    origin.close()


async def test_every_cell_has_its_file_its_version_and_whether_it_is_shared(lab: Lab) -> None:
    state = lab.tree.read_desired_state(lab.clone, await lab.clone.fetch())
    assert set(state.cells) == CELLS
    for key, desired in state.cells.items():
        shared = key.stage != "prod"
        folder = key.stage if shared else f"{key.stage}/{key.cluster}"
        assert desired.path == f"{folder}/app-service/{key.service}/values.yaml"
        assert (desired.whole_stage, desired.key, desired.error) == (shared, "image.tag", "")
        assert re.search(rf'tag: "?{desired.version}\b', FILES[desired.path].decode())


async def test_every_cell_knows_the_newest_first_parent_commit_that_touched_it(lab: Lab) -> None:
    data = with_version(FILES[DEV], "v9.0.0")
    topic = lab.origin.commit("topic", {DEV: data}, "wip", at=STARTED)
    merged = lab.origin.merge("main", topic, "Merge pull request #7 from x\n\nfeat(cart): dev -> v9", at=STARTED)
    newest = lab.origin.commit("main", {"README.md": b"x"}, "docs: more", at=STARTED, author="Ana Lee")
    state = lab.tree.read_desired_state(lab.clone, await lab.clone.fetch())
    assert (state.revision, state.branch, state.subject, state.author, state.committed_at) == (
        newest, "main", "docs: more", "Ana Lee", STARTED,
    )  # fmt: skip
    cell_state = state.cells[cell("cart", "dev", "eu1")]
    assert (cell_state.version, cell_state.revision, cell_state.subject, cell_state.committed_at) == (
        "v9.0.0", merged, "feat(cart): dev -> v9", STARTED,
    )  # fmt: skip
    assert topic not in state.positions
    assert sorted(state.positions.values()) == list(range(len(state.positions)))
    assert state.positions[newest] == state.positions[merged] + 1 == len(state.positions) - 1
    for desired in state.cells.values():
        last_change = lab.origin.ask(
            "log", "-1", "--first-parent", "-m", "--format=%H", "main", "--", desired.path
        ).strip()
        assert desired.revision == last_change
        assert desired.position == state.positions[last_change]
    assert state.contains(newest, cell_state) is True
    assert state.contains(lab.origin.ask("rev-parse", f"{merged}^1").strip(), cell_state) is False
    assert state.contains(topic, cell_state) is None


MERGE_BOMB = b"image: {tag: v1}\nb0: &b0 {x: 1}\n" + b"".join(
    b"b%d: &b%d {<<: [%s]}\n" % (n, n, b", ".join([b"*b%d" % (n - 1)] * 10)) for n in range(1, 10)
)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"image:\n  tag: 1.10\n", "image.tag is a number (1.1): quote it"),
        (b"image:\n  tag: true\n", "image.tag is a boolean (True): quote it"),
        (b"image:\n  repository: x\n", "there is no image.tag"),
        (b"image: [\n", "line 2: "),
        (b"image:\n  tag: ''\n", "image.tag is empty"),
        (b"\xff\xfe", "the file is not UTF-8"),
        (b"", "there is no image.tag"),
        (b"image: {tag: v1}\n---\nimage: {tag: v2}\n", "image.tag is in several documents"),
        (b"a: 1\n---\nimage: {tag: v2}\n", "there is no image.tag in the first document, and Helm reads no other"),
        (b"image:\n  tag: yes\n", "image.tag is a boolean (True): quote it"),
        (b"image:\n  tag: 1e3\n", "image.tag is a number (1000): quote it"),
        (b"image:\n  tag: v1\xc2\xa0\n", "image.tag holds characters no version has (U+00A0)"),
        (MERGE_BOMB, "the file unfolds to more than"),
    ],
)
async def test_a_file_that_cannot_be_read_costs_its_own_cell_only(lab: Lab, data: bytes, reason: str) -> None:
    lab.origin.commit("main", {PROD: data}, "oops", at=STARTED)
    state = lab.tree.read_desired_state(lab.clone, await lab.clone.fetch())
    broken = state.cells[cell("cart", "prod", "eu1")]
    assert broken.version is None
    assert broken.error.startswith(f"{PROD}: ")
    assert reason in broken.error
    assert broken.revision == state.revision
    assert [desired.path for desired in state.cells.values() if desired.error] == [PROD]
    assert all(desired.version for desired in state.cells.values() if desired is not broken)


async def test_a_folder_of_a_name_kubernetes_takes_for_no_service_has_no_cell_and_is_named(lab: Lab) -> None:
    folders = [DEV.replace("cart", name) for name in ("UPPER", "a b", "under_score", "-dash", "z" * 50 + "_")]
    lab.origin.commit(
        "main", dict.fromkeys([*folders, "docs/app-service/OTHER/values.yaml"], FILES[DEV]), "x", at=STARTED
    )
    state = lab.tree.read_desired_state(lab.clone, await lab.clone.fetch())
    assert set(state.cells) == CELLS
    assert state.invalid_services == ("-dash", "UPPER", "a b", "under_score", "z" * 39 + "…")
    assert state.note == "not shown: -dash, UPPER, a b, …: not a valid Kubernetes service name (sgm lint)"


async def test_two_cells_broken_alike_each_name_their_own_file(lab: Lab) -> None:
    lab.origin.commit("main", {PROD: b"x: 1\n", STAGING: b"x: 1\n"}, "oops", at=STARTED)
    state = lab.tree.read_desired_state(lab.clone, await lab.clone.fetch())
    errors = {desired.error for desired in state.cells.values() if desired.error}
    assert errors == {f"{path}: there is no image.tag" for path in (PROD, STAGING)}


async def test_a_file_of_the_cluster_beats_the_file_of_the_stage(lab: Lab) -> None:
    shared, single = "prod/app-service/extra/values.yaml", "prod/prod-eu1/app-service/extra/values.yaml"
    writes = {shared: with_version(FILES[PROD], "v7.0.0"), single: FILES[PROD]}
    lab.origin.commit("main", writes, "feat(extra): begin", at=STARTED)
    state = lab.tree.read_desired_state(lab.clone, await lab.clone.fetch())
    own, fallen = state.cells[cell("extra", "prod", "eu1")], state.cells[cell("extra", "prod", "us1")]
    assert (own.path, own.whole_stage) == (single, False)
    assert own.version != "v7.0.0"
    assert (fallen.path, fallen.whole_stage, fallen.version) == (shared, True, "v7.0.0")


async def test_files_of_clusters_and_stages_nobody_configured_are_no_cells(lab: Lab) -> None:
    strangers = (
        "prod/prod-mars/app-service/cart/values.yaml",
        "dev/prod-eu1/app-service/cart/values.yaml",
        "qa/app-service/cart/values.yaml",
        "old/dev/app-service/cart/values.yaml",
    )
    lab.origin.commit("main", dict.fromkeys(strangers, FILES[DEV]), "chore", at=STARTED)
    state = lab.tree.read_desired_state(lab.clone, await lab.clone.fetch())
    assert set(state.cells) == CELLS


async def test_another_layout_is_read_as_it_is_written(lab: Lab) -> None:
    lab.origin.commit("main", {"apps/cart/prod-us1.yaml": b"images:\n- {name: web, newTag: v4}\n"}, "x", at=STARTED)
    layout = LayoutConfig(("apps/{service}/{cluster}.yaml",), "images[name=web].newTag")
    state = Tree(replace(lab.config, layout=layout)).read_desired_state(lab.clone, await lab.clone.fetch())
    assert {key: desired.version for key, desired in state.cells.items()} == {cell("cart", "prod", "us1"): "v4"}


async def test_a_branch_proposes_what_it_changed_since_it_left(lab: Lab) -> None:
    words = lab.origin.commit("words", {DEV: FILES[DEV] + b"# more\n"}, "words", at=STARTED)
    topic = lab.origin.commit("topic", {STAGING: with_version(FILES[STAGING], "v9.0.0")}, "one", at=STARTED)
    lab.origin.commit("main", {DEV: with_version(FILES[DEV], "v8.0.0")}, "elsewhere", at=STARTED)
    await lab.clone.fetch()
    assert lab.tree.proposals(lab.clone, topic) == ((cell("cart", "staging", "eu1"), "v9.0.0"),)
    assert lab.tree.proposals(lab.clone, words) == ()
    assert lab.tree.proposals(lab.clone, "0" * 40) == ()
    assert lab.tree.proposals(lab.clone, lab.clone.head()) == ()


async def test_a_second_look_reads_only_what_changed(lab: Lab) -> None:
    lab.tree.read_desired_state(lab.clone, await lab.clone.fetch())
    assert len(lab.clone.asked) == len(set(lab.clone.asked)) > 1
    lab.clone.asked.clear()
    lab.tree.read_desired_state(lab.clone, lab.clone.head())
    assert lab.clone.asked == []
    lab.origin.commit("main", {DEV: with_version(FILES[DEV], "v9.9.9"), "x.md": b"x"}, "one", at=STARTED)
    state = lab.tree.read_desired_state(lab.clone, await lab.clone.fetch())
    assert lab.clone.asked == [lab.clone.tree(state.revision)[DEV]]
    assert state.cells[cell("cart", "dev", "eu1")].version == "v9.9.9"


def link_in(origin: Origin, work: Path) -> None:
    """A person makes one cluster's file a link to that of the stage before."""
    git = ("git", "-c", "user.name=mia", "-c", "user.email=mia@example.com", "-C", str(work))
    subprocess.run(["git", "clone", "-q", str(origin.path), str(work)], check=True)
    (work / PROD).unlink()
    (work / PROD).symlink_to("../../../../staging/app-service/cart/values.yaml")
    subprocess.run([*git, "commit", "-qam", "chore: share it"], check=True)
    subprocess.run([*git, "push", "-q", "origin", "HEAD:main"], check=True)


async def test_a_values_file_that_is_a_link_is_named_as_such_and_not_called_absent(lab: Lab, tmp_path: Path) -> None:
    link_in(lab.origin, tmp_path / "w")
    desired = lab.tree.read_desired_state(lab.clone, await lab.clone.fetch()).cells[cell("cart", "prod", "eu1")]
    assert (desired.version, desired.author) == (None, "mia")
    assert desired.error == f"{PROD}: it is a symbolic link, which sgm neither follows nor writes"
    key = builders.key("cart", "prod-eu1")
    shown = builders.snapshot([builders.cell("cart", "prod-eu1", "v1", desired=desired)])
    refused = plan_promotion(shown, key, Version("v9.9.9"))
    assert isinstance(refused, Refusal)
    assert "symbolic link" in refused.reason
