"""The files the embedded repository starts from, at every size, and the history behind them."""

from __future__ import annotations

import re

import pytest

from sgm_tui.sandbox.git.fleet_files import version_in
from sgm_tui.sandbox.git.history import CommitSpec, history
from sgm_tui.sandbox.git.seed import bundled, seed, service_names
from sgm_tui.sandbox.helm.render import render


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


SIZES = [(None, None), (2, None), (40, 5), (3, 1), (100, 20), (12, 40)]


@pytest.mark.parametrize(("services", "clusters"), SIZES)
def test_history_ends_in_exactly_the_files(services: int | None, clusters: int | None) -> None:
    files = seed(services, clusters)
    state: dict[str, bytes] = {}
    commits = history(files)
    for commit in commits:
        assert all(state.get(path) != data for path, data in commit.writes.items()), commit.subject
        state.update(commit.writes)
    assert state == files
    assert [commit.at for commit in commits] == sorted(commit.at for commit in commits)
    assert all(commit.at < -3600 for commit in commits)


def version_changes(commits: list[CommitSpec]) -> list[tuple[CommitSpec, re.Match[str]]]:
    found = [(one, re.match(r"(feat|revert)\(([\w-]+)\): (\S+) -> (v\S+)", one.subject)) for one in commits]
    return [(one, match) for one, match in found if match]


def test_every_version_change_does_what_its_subject_and_trailers_say() -> None:
    standing: dict[str, str] = {}
    commits = history(seed())
    for commit in commits:
        before = dict(standing)
        standing.update({path: version_in(data) for path, data in commit.writes.items() if "/app-service/" in path})
        for found, match in version_changes([commit]):
            ((path, data),) = found.writes.items()
            assert f"/app-service/{match[2]}/" in path
            assert version_in(data) == match[4]
            assert f"Sgm-From: {before[path]}\nSgm-To: {match[4]}\n" in found.body
            assert (order(match[4]) < order(before[path])) == (match[1] == "revert")
    assert len(version_changes(commits)) > 150


def order(version: str) -> list[int]:
    return [int(part) for part in version.removeprefix("v").split(".")]


def test_a_version_reaches_dev_first_then_staging_then_prod() -> None:
    arrived: dict[tuple[str, str], set[str]] = {}
    for commit, match in version_changes(history(seed())):
        if match[1] == "feat":
            (path,) = commit.writes
            stage = path.split("/")[0]
            arrived.setdefault((match[2], match[4]), set()).add(stage)
            assert stage != "prod" or "staging" in arrived[match[2], match[4]], commit.subject
            assert stage != "staging" or "dev" in arrived[match[2], match[4]], commit.subject


def test_the_months_before_had_reverts_limits_raised_and_components_updated() -> None:
    subjects = [commit.subject for commit in history(seed())]
    assert sum(subject.startswith("revert(") for subject in subjects) >= 2
    assert sum("may scale to" in subject for subject in subjects) >= 5
    assert "chore(platform): argo-rollouts 2.40.4 in staging" in subjects


def test_a_change_of_a_whole_stage_names_all_its_clusters() -> None:
    bodies = [commit.body for commit in history(seed(4, 20)) if ": dev -> " in commit.subject]
    assert bodies
    assert all("Sgm-Clusters: dev-eu1, dev-us1" in body for body in bodies)
