"""An Application of several sources, as a real Argo CD wrote it: a chart from a registry, the values from git."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sgm_tui.live.application_wire import ApplicationWire, to_application
from sgm_tui.live.wire import read_object

RECORDED = Path(__file__).parent.parent / "data" / "argocd" / "multi-source.json"
COMMIT = "2cc9184f013d7de96e658633a423fe9afa5ff3d3"
OTHER = "7a2b82400000000000000000000000000000cafe"


def test_the_revision_of_several_sources_is_the_commit_and_not_the_charts_version() -> None:
    application = to_application(read_object(RECORDED.read_bytes(), ApplicationWire))
    assert (application.revision, application.deployed_revision) == (COMMIT, COMMIT)
    assert application.operation is not None
    assert application.operation.revision == COMMIT


@pytest.mark.parametrize("order", [1, -1])
def test_of_two_repositories_the_gitops_one_counts(order: int) -> None:
    document = json.loads(RECORDED.read_bytes())
    ours = {"repoURL": "https://git.example.com/acme/gitops", "targetRevision": "release-7"}
    sources = [{"repoURL": "https://git.example.com/acme/charts"}, ours]
    document["spec"]["sources"] = sources[::order]
    document["status"]["sync"]["revisions"] = [OTHER, COMMIT][::order]
    wire = read_object(json.dumps(document).encode(), ApplicationWire)
    application = to_application(wire, lambda url: url.endswith("gitops"))
    assert (application.revision, application.follows) == (COMMIT, "release-7")


def test_what_the_hydrator_made_counts_as_the_commit_it_was_made_of() -> None:
    written, hydrated, older = "a" * 40, "b" * 40, "c" * 40
    status = {
        "sync": {"status": "Synced", "revision": hydrated},
        "history": [{"revision": older}, {"revision": hydrated}],
        "sourceHydrator": {"lastSuccessfulOperation": {"drySHA": written, "hydratedSHA": hydrated}},
    }
    document = {"metadata": {"name": "a"}, "status": status}
    application = to_application(read_object(json.dumps(document).encode(), ApplicationWire))
    assert (application.revision, application.deployed_revision) == (written, written)
    status["history"] = [{"revision": older}]
    application = to_application(read_object(json.dumps(document).encode(), ApplicationWire))
    assert application.deployed_revision == older


OURS = "https://git.example.com/acme/gitops"
CHARTS = "https://git.example.com/acme/charts"
VALUES = {"valueFiles": ["$values/prod/cart/values.yaml"]}


@pytest.mark.parametrize(
    "sources",
    [
        [
            {"repoURL": OURS, "targetRevision": "chart-1.4.0", "path": "charts/app", "helm": VALUES},
            {"repoURL": OURS, "targetRevision": "main", "ref": "values"},
        ],
        [
            {"repoURL": OURS, "targetRevision": "main", "ref": "values"},
            {"repoURL": OURS, "targetRevision": "chart-1.4.0", "path": "charts/app", "helm": VALUES},
        ],
        [
            {"repoURL": OURS, "targetRevision": "shared-2", "ref": "shared"},
            {"repoURL": OURS, "targetRevision": "chart-1.4.0", "path": "charts/app", "helm": VALUES},
            {"repoURL": OURS, "targetRevision": "main", "ref": "values"},
        ],
        [
            {"repoURL": CHARTS, "targetRevision": "v9", "path": "charts/app", "helm": VALUES},
            {"repoURL": OURS, "targetRevision": "main", "ref": "values"},
        ],
        [
            {"repoURL": CHARTS, "targetRevision": "v9", "path": "charts/app"},
            {"repoURL": OURS, "targetRevision": "main", "path": "prod/cart"},
        ],
    ],
    ids=["chart of a tag first", "values first", "two refs", "a chart from elsewhere", "no ref"],
)
def test_of_several_sources_the_one_the_values_are_read_from_counts(sources: list[dict[str, object]]) -> None:
    deciding = next(at for at, one in enumerate(sources) if one["targetRevision"] == "main")
    revisions = [COMMIT if at == deciding else OTHER for at in range(len(sources))]
    document = {
        "metadata": {"name": "a"},
        "spec": {"sources": sources},
        "status": {
            "sync": {"status": "Synced", "revisions": revisions},
            "history": [{"revisions": revisions, "sources": sources}],
            "operationState": {"phase": "Succeeded", "syncResult": {"revisions": revisions, "sources": sources}},
        },
    }
    application = to_application(read_object(json.dumps(document).encode(), ApplicationWire), lambda url: url == OURS)
    assert (application.follows, application.revision, application.deployed_revision) == ("main", COMMIT, COMMIT)
    assert application.operation is not None
    assert application.operation.revision == COMMIT


def with_resources(resources: object, sync: str = "OutOfSync") -> bytes:
    return json.dumps(
        {"metadata": {"name": "a"}, "status": {"sync": {"status": sync}, "resources": resources}}
    ).encode()


@pytest.mark.parametrize(
    ("resources", "sync", "count", "names"),
    [
        (
            [
                {"kind": "Service", "name": "cart", "status": "Synced"},
                {"group": "apps", "kind": "Deployment", "name": "cart", "status": "OutOfSync"},
                {"kind": "ConfigMap", "name": "old", "status": "OutOfSync", "requiresPruning": True},
            ],
            "OutOfSync",
            2,
            ("Deployment cart", "ConfigMap old (to be pruned)"),
        ),
        ([{"kind": "ConfigMap", "name": "c", "status": "OutOfSync"}], "Synced", 0, ()),
        (
            [{"kind": "ConfigMap", "name": f"c{at}", "status": "OutOfSync"} for at in range(5000)],
            "OutOfSync",
            5000,
            None,
        ),
        ([{"kind": "Config\x1b[31mMap", "name": "c", "status": "OutOfSync"}], "OutOfSync", 1, None),
        ("nonsense", "OutOfSync", 0, ()),
        (None, "OutOfSync", 0, ()),
    ],
    ids=["some", "in sync", "thousands", "hostile", "unreadable", "none"],
)
def test_which_resources_differ_is_read_and_bounded(
    resources: object, sync: str, count: int, names: tuple[str, ...] | None
) -> None:
    application = to_application(read_object(with_resources(resources, sync), ApplicationWire))
    assert application.differing_count == count
    assert len(application.differing) <= 20
    assert names is None or application.differing == names
    assert not any("\x1b" in name for name in application.differing)
