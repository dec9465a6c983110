"""An Application of several sources, as a real Argo CD wrote it: a chart from a registry, the values from git."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sgm_tui.live.application_wire import application, decode_application

RECORDED = Path(__file__).parent.parent / "data" / "argocd" / "multi-source.json"
COMMIT = "2cc9184f013d7de96e658633a423fe9afa5ff3d3"
OTHER = "7a2b82400000000000000000000000000000cafe"


def test_the_revision_of_several_sources_is_the_commit_and_not_the_charts_version() -> None:
    seen = application(decode_application(RECORDED.read_bytes()))
    assert (seen.revision, seen.deployed_revision) == (COMMIT, COMMIT)
    assert seen.operation is not None
    assert seen.operation.revision == COMMIT


@pytest.mark.parametrize("order", [1, -1])
def test_of_two_repositories_the_gitops_one_counts(order: int) -> None:
    document = json.loads(RECORDED.read_bytes())
    ours = {"repoURL": "https://git.example.com/acme/gitops", "targetRevision": "release-7"}
    sources = [{"repoURL": "https://git.example.com/acme/charts"}, ours]
    document["spec"]["sources"] = sources[::order]
    document["status"]["sync"]["revisions"] = [OTHER, COMMIT][::order]
    wire = decode_application(json.dumps(document).encode())
    seen = application(wire, lambda url: url.endswith("gitops"))
    assert (seen.revision, seen.follows) == (COMMIT, "release-7")


def test_what_the_hydrator_made_counts_as_the_commit_it_was_made_of() -> None:
    written, made, older = "a" * 40, "b" * 40, "c" * 40
    status = {
        "sync": {"status": "Synced", "revision": made},
        "history": [{"revision": older}, {"revision": made}],
        "sourceHydrator": {"lastSuccessfulOperation": {"drySHA": written, "hydratedSHA": made}},
    }
    document = {"metadata": {"name": "a"}, "status": status}
    seen = application(decode_application(json.dumps(document).encode()))
    assert (seen.revision, seen.deployed_revision) == (written, written)
    status["history"] = [{"revision": older}]
    seen = application(decode_application(json.dumps(document).encode()))
    assert seen.deployed_revision == older
