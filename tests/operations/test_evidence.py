"""What is looked up for a plan: through a real clone of a real origin, and over HTTP from the sandbox's registry."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import builders
import pytest
from origin import FILES, PROD, STAGING, STARTED, cell, config_of, origin_in
from plain_server import mounted

from sgm_tui.config.schema import Config, RegistryConfig
from sgm_tui.fleet.gates.evaluation import evaluate_gates
from sgm_tui.fleet.gates.evidence import Evidence, image_of
from sgm_tui.fleet.model import CellKey, Version
from sgm_tui.fleet.plans.plan import Change, Plan
from sgm_tui.fleet.policy import Policy
from sgm_tui.forge.registry import Registry
from sgm_tui.gitops.repository import Repository
from sgm_tui.operations.evidence import Investigator
from sgm_tui.sandbox.git.repository import Repository as Origin
from sgm_tui.sandbox.registry import api as registry_api

DIGEST = "sha256:" + "a" * 64
PROJECT = "argocd/projects/default-project.yaml"
PROD_CELL, STAGING_CELL = cell("cart", "prod", "eu1"), cell("cart", "staging", "eu1")
NEW_YEAR = datetime(2026, 12, 31, 13, 0, tzinfo=UTC)


@dataclass
class Lab:
    """A repository, a clone of it, and the sandbox's registry."""

    origin: Origin
    clone: Repository
    config: Config
    registry: Registry

    def change(self, path: str = PROD, key: CellKey = PROD_CELL, new: str = "v2.8.1") -> Change:
        cluster = key.cluster if key.stage == "prod" else None
        return Change(
            "promotion", key.service, key.stage, cluster, path, "image.tag", Version("v2.8.0"), Version(new), (key,)
        )

    async def gathered(self, *changes: Change, **others: Any) -> Evidence:
        investigator = Investigator(
            others.get("config", self.config), self.clone, others.get("registry", self.registry)
        )
        return await investigator.gather(Plan(changes or (self.change(),)), shown())

    async def rewritten(self, old: str, new: str, path: str = PROJECT) -> None:
        """Somebody changes a file of the repository."""
        data = self.origin.read(self.origin.head(), path) or b""
        assert old.encode() in data
        self.origin.commit("main", {path: data.replace(old.encode(), new.encode())}, "change", at=STARTED)
        await self.clone.fetch()


def shown() -> Any:
    cells = [builders.cell("cart", name, "v2.8.0") for name in ("staging-eu1", "prod-eu1")]
    return builders.snapshot(cells)


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Lab]:
    origin = origin_in(tmp_path)
    config = config_of(origin, tmp_path)
    clone = Repository(config.repository.url, config.repository.branch, tmp_path / "state")
    async with mounted("/v2", registry_api.routes(registry_api.Registry(origin))) as url:
        yield Lab(origin, clone, config, Registry(RegistryConfig(url, ("ghcr.io",))))
    origin.close()


async def test_everything_of_a_promotion_of_the_bundled_platform_is_known(lab: Lab) -> None:
    found = await lab.gathered(lab.change(), lab.change(new="v99.0.0"))
    assert found.images == {image_of(lab.change()): True, image_of(lab.change(new="v99.0.0")): False}
    assert found.projects[PROD_CELL].allowed is True
    assert found.projects[PROD_CELL].reason == "project acme allows it"
    (window,) = found.windows[PROD_CELL]
    assert not isinstance(window, str)
    assert (window.allows, window.manual_sync, window.schedule.time_zone) == (False, True, "Europe/Berlin")
    assert found.owners == {PROD: ("@acme/sre", "@acme/platform")}
    assert found.off == {}


async def test_a_sync_window_speaks_only_of_what_it_selects(lab: Lab) -> None:
    await lab.rewritten('      applications: ["*"]\n', "")
    found = await lab.gathered(lab.change(), lab.change(STAGING, STAGING_CELL))
    assert len(found.windows[PROD_CELL]) == 1
    assert found.windows[STAGING_CELL] == ()


async def test_a_deny_window_of_the_project_blocks_the_promotion_until_it_ends(lab: Lab) -> None:
    evidence = await lab.gathered()
    gate = next(
        one for one in evaluate_gates(lab.change(), shown(), Policy(), evidence, NEW_YEAR) if one.gate == "window"
    )
    assert gate.result == "block"
    assert gate.eta == datetime(2027, 1, 1, 23, 0, tzinfo=UTC)
    assert gate.reason.endswith("a manual sync is allowed")


async def test_a_window_that_selects_all_of_its_lists_at_once_needs_them_all(lab: Lab) -> None:
    await lab.rewritten('      applications: ["*"]', '      andOperator: true\n      applications: ["*-checkout"]')
    assert (await lab.gathered()).windows[PROD_CELL] == ()
    await lab.rewritten("andOperator: true", "andOperator: false")
    assert len((await lab.gathered()).windows[PROD_CELL]) == 1


async def test_a_project_that_does_not_allow_the_destination_is_told_with_what_it_refuses(lab: Lab) -> None:
    await lab.rewritten("{name: prod-*, namespace: app-*}", "{name: prod-*, namespace: web-*}")
    found = (await lab.gathered()).projects[PROD_CELL]
    assert (found.allowed, found.reason) == (False, "project acme does not allow the namespace app-cart on prod-eu1")
    await lab.rewritten("{name: prod-*, namespace: web-*}", "{name: test-*, namespace: app-*}")
    assert (await lab.gathered()).projects[PROD_CELL].reason == "project acme does not allow the cluster prod-eu1"


async def test_a_project_that_does_not_allow_the_repository_is_told(lab: Lab) -> None:
    await lab.rewritten(
        "    - https://github.com/acme/gitops.git\n  destinations:                      #",
        "    - https://github.com/acme/other.git\n  destinations:                      #",
    )
    found = (await lab.gathered()).projects[PROD_CELL]
    assert (found.allowed, "does not allow the repository" in found.reason) == (False, True)


async def test_a_window_that_cannot_be_read_blocks_with_its_reason(lab: Lab) -> None:
    await lab.rewritten("schedule: 0 12 31 12 *", "schedule: 0 12 32 12 *")
    gates = {one.gate: one for one in evaluate_gates(lab.change(), shown(), Policy(), await lab.gathered(), STARTED)}
    assert gates["window"].result == "block"
    assert "'32' is not between 1 and 31" in gates["window"].reason


async def test_a_repository_without_projects_says_that_nobody_looks(lab: Lab) -> None:
    lab.origin.commit("main", {PROJECT: b"nothing: here\n"}, "change", at=STARTED)
    found = await lab.gathered()
    assert set(found.off) == {"project", "window"}
    gates = {one.gate: one for one in evaluate_gates(lab.change(), shown(), Policy(), found, STARTED)}
    assert (gates["window"].result, gates["project"].result) == ("warn", "warn")


async def test_objects_that_make_no_sense_do_not_hide_the_rest(lab: Lab) -> None:
    broken = b"apiVersion: argoproj.io/v1alpha1\nkind: AppProject\nmetadata: 3\n---\n: [\n"
    lab.origin.commit("main", {"argocd/broken.yaml": broken, "argocd/link.yaml": b"\xff\xfe"}, "change", at=STARTED)
    found = await lab.gathered()
    assert found.projects[PROD_CELL].allowed is True
    assert found.owners[PROD] == ("@acme/sre", "@acme/platform")


async def test_a_repository_that_cannot_be_reached_is_a_reason_and_no_error(lab: Lab) -> None:
    lab.origin.path.rename(lab.origin.path.with_name("away"))
    found = await lab.gathered()
    assert "git cannot be read" in str(found.images[image_of(lab.change())])
    assert found.windows == {}
    lab.origin.path.with_name("away").rename(lab.origin.path)


async def test_without_a_registry_nobody_looks_and_says_so(lab: Lab) -> None:
    found = await lab.gathered(registry=None)
    assert (found.images, set(found.off)) == ({}, {"image"})
    gate = next(one for one in evaluate_gates(lab.change(), shown(), Policy(), found, STARTED) if one.gate == "image")
    assert (gate.result, gate.stops) == ("warn", False)


async def test_a_registry_that_is_down_makes_the_image_unknown(lab: Lab) -> None:
    down = Registry(RegistryConfig("http://127.0.0.1:9", ("ghcr.io",)))
    found = await lab.gathered(registry=down)
    assert "request failed" in str(found.images[image_of(lab.change())])


async def test_the_image_is_told_from_what_runs_where_the_file_does_not_name_it(lab: Lab) -> None:
    await lab.rewritten("  repository: ghcr.io/acme/cart\n", "", PROD)
    assert (await lab.gathered()).images == {image_of(lab.change()): True}
    nowhere = replace(lab.change(), from_version=Version("v0.0.1"))
    assert "cannot be derived from" in str((await lab.gathered(nowhere)).images[image_of(nowhere)])


@pytest.mark.parametrize(
    ("key", "text", "image"),
    [
        ("image.tag", "image: {registry: ghcr.io, repository: acme/cart, tag: v2.8.0}\n", True),
        ("images[name=cart].newTag", "images: [{name: cart, newName: ghcr.io/acme/cart, newTag: v2.8.0}]\n", True),
        ("images[name=ghcr.io/acme/cart].newTag", "images: [{name: ghcr.io/acme/cart, newTag: v2.8.0}]\n", True),
    ],
)
async def test_helms_and_kustomizes_ways_of_naming_an_image_are_known(
    lab: Lab, key: str, text: str, image: bool
) -> None:
    lab.origin.commit("main", {PROD: text.encode()}, "change", at=STARTED)
    config = replace(lab.config, layout=replace(lab.config.layout, image_key=key))
    nowhere = replace(lab.change(), cells=(cell("cart", "prod", "ap1"),))
    assert (await lab.gathered(nowhere, config=config)).images == {image_of(nowhere): image}


@pytest.mark.parametrize(
    ("image", "version", "name"),
    [
        ("localhost:5000/acme/cart:v2.8.0", "v2.8.0", "localhost:5000/acme/cart"),
        (f"localhost:5000/acme/cart:v2.8.0@{DIGEST}", "v2.8.0", "localhost:5000/acme/cart"),
        (f"localhost:5000/acme/cart@{DIGEST}", f"v2.8.0@{DIGEST}", "localhost:5000/acme/cart"),
        ("localhost:5000/acme/cart:v12.8.0", "2.8.0", None),
    ],
)
async def test_the_image_that_runs_is_named_without_its_version_however_it_is_pinned(
    lab: Lab, image: str, version: str, name: str | None
) -> None:
    class Asked:
        def __init__(self) -> None:
            self.names: list[str] = []

        async def has(self, image: str, version: str) -> bool:
            assert version == "v2.8.1"
            self.names.append(image)
            return True

    await lab.rewritten("  repository: ghcr.io/acme/cart\n", "", PROD)
    where = builders.key("cart", "prod-eu1")
    running = builders.rollout(
        where, "v2.8.0", replica_sets=(builders.replica_set(where, "v2.8.0", 41, images=(image,)),)
    )
    snapshot = builders.snapshot([builders.cell("cart", "prod-eu1", "v2.8.0", rollout=running)])
    change, registry = replace(lab.change(), from_version=Version(version)), Asked()
    found = await Investigator(lab.config, lab.clone, registry).gather(Plan((change,)), snapshot)
    assert registry.names == ([] if name is None else [name])
    assert (found.images[image_of(change)] is True) is (name is not None)


async def test_the_whole_fleet_can_be_asked_about_at_once(lab: Lab) -> None:
    paths = [path for path in FILES if "/app-service/" in path]
    changes = [lab.change(path) for path in paths]
    found = await lab.gathered(*changes)
    assert set(found.images) == {image_of(one) for one in changes}
    assert set(found.owners) == set(paths)
