"""The files the embedded repository starts from, at every size, and the history behind them."""

from __future__ import annotations

import re

import pytest

from sgm_tui.sandbox.history import history, version_in
from sgm_tui.sandbox.render import render
from sgm_tui.sandbox.seed import bundled, seed, service_names


def test_the_default_size_is_the_bundled_repository_as_it_is() -> None:
    assert seed() == bundled()
    assert len(service_names(seed())) >= 10


@pytest.mark.parametrize(("services", "clusters"), [(2, 5), (40, 5), (3, 1), (3, 3), (100, 20)])
def test_a_fleet_of_any_size_is_complete(services: int, clusters: int) -> None:
    files = seed(services, clusters)
    names = service_names(files)
    assert len(names) == services
    declared = [path for path in files if path.startswith("argocd/clusters/")]
    assert len(declared) == clusters
    assert len(re.findall(rb"- name: [\w-]+\n\s+location", files["sgm.yaml"])) == clusters
    prod = {path.split("/")[1] for path in files if path.startswith("prod/")}
    assert all(f"prod/{cluster}/app-service/{name}/values.yaml" in files for cluster in prod for name in names)
    last = names[-1]
    assert render(files.get, "charts/microservice", last, f"app-{last}", [f"/dev/app-service/{last}/values.yaml"])


def test_the_same_seed_gives_the_same_fleet_and_another_another() -> None:
    assert seed(30, 6, "a") == seed(30, 6, "a")
    assert seed(30, 6, "a") != seed(30, 6, "b")


def test_history_ends_in_exactly_the_files() -> None:
    files = seed()
    state: dict[str, bytes] = {}
    commits = history(files)
    for commit in commits:
        assert all(state.get(path) != data for path, data in commit.writes.items()), commit.subject
        state.update(commit.writes)
    assert state == files
    assert [commit.at for commit in commits] == sorted(commit.at for commit in commits)
    assert len(commits) > 100
    assert all(commit.at < 0 for commit in commits)


def test_every_promotion_changes_what_its_subject_says() -> None:
    for commit in history(seed()):
        match = re.match(r"feat\(([\w-]+)\): (\S+) -> (v\S+)", commit.subject)
        if match:
            ((path, data),) = commit.writes.items()
            assert f"/app-service/{match[1]}/" in path
            assert version_in(data) == match[3]
