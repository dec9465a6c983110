"""The objects of a settled world: clusters as git declares them, and the status of synced Applications."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sgm_tui.sandbox.argocd.applications import revision_fields, source_fields
from sgm_tui.sandbox.argocd.comparison import resource_entry
from sgm_tui.sandbox.argocd.health import named
from sgm_tui.sandbox.argocd.sync import images_of
from sgm_tui.sandbox.clock import Clock
from sgm_tui.sandbox.kubernetes.objects import KubeObject, ObjectStore
from sgm_tui.yaml_reader.nodes import load

_HISTORY_SHOWN = 10


@dataclass(frozen=True, slots=True)
class DeclaredCluster:
    """A cluster declared under `argocd/clusters/`."""

    name: str
    server: str
    labels: Mapping[str, str]

    @property
    def stage(self) -> str:
        """The stage of the cluster; "" if it has no label."""
        return self.labels.get("stage", "")


def declared_clusters(files: Mapping[str, bytes]) -> list[DeclaredCluster]:
    """Return every declared cluster, sorted by file name."""
    clusters: list[DeclaredCluster] = []
    for path, data in sorted(files.items()):
        if path.startswith("argocd/clusters/"):
            declaration = load(data)
            facts = declaration["stringData"]
            clusters.append(DeclaredCluster(facts["name"], facts["server"], declaration["metadata"]["labels"]))
    return clusters


def cluster_secret(cluster: DeclaredCluster) -> KubeObject:
    """Return the Secret of a cluster for Argo CD, without credentials."""
    facts = {"name": cluster.name, "server": cluster.server}
    return {
        "metadata": {
            "name": f"cluster-{cluster.name}",
            "namespace": "argocd",
            "labels": dict(cluster.labels),
            "annotations": {"managed-by": "argocd.argoproj.io"},
        },
        "type": "Opaque",
        "data": {key: base64.b64encode(value.encode()).decode() for key, value in facts.items()},
    }


def default_project(namespace: str) -> KubeObject:
    """Return Argo CD's built-in project, which allows everything and contains the app of apps."""
    anywhere = {"server": "*", "namespace": "*"}
    return {
        "metadata": {"name": "default", "namespace": namespace},
        "spec": {
            "sourceRepos": ["*"],
            "destinations": [anywhere],
            "clusterResourceWhitelist": [{"group": "*", "kind": "*"}],
        },
    }


def create_namespaces(store: ObjectStore, names: Iterable[str], created: str) -> None:
    """Create the missing namespaces."""
    for name in names:
        if store.get("Namespace", "", name) is None:
            metadata = {"name": name, "creationTimestamp": created, "labels": {"kubernetes.io/metadata.name": name}}
            store.create("Namespace", {"metadata": metadata, "spec": {"finalizers": ["kubernetes"]},
                                       "status": {"phase": "Active"}})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Deployed:
    """A commit that an Application has deployed."""

    commit: str
    at: datetime


def settled_status(
    application: KubeObject, desired: Sequence[KubeObject], head: str, deployed: Sequence[Deployed], clock: Clock
) -> dict[str, Any]:
    """Return the status of an Application that is synced and healthy since its last deployment."""
    spec = application["spec"]
    last = deployed[-1]
    images = [image for obj in desired for image in images_of(obj)]
    stamp = _stamp(last.at)
    return {
        "controllerNamespace": "argocd",
        "health": {"lastTransitionTime": stamp, "status": "Healthy"},
        "history": [_entry(spec, number, one) for number, one in enumerate(deployed)][-_HISTORY_SHOWN:],
        "operationState": _operation_state(spec, desired, last),
        "reconciledAt": clock.stamp(),
        "resourceHealthSource": "appTree",
        "resources": [resource_entry(obj, "Synced") for obj in desired],
        "sourceHydrator": {},
        "sourceType": "Helm" if not (spec.get("source") or {}).get("directory") else "Directory",
        "summary": {"images": images} if images else {},
        "sync": {
            "comparedTo": {"destination": spec["destination"], **source_fields(spec)},
            **revision_fields(spec, head),
            "status": "Synced",
        },
    }


def _entry(spec: Mapping[str, Any], number: int, deployed: Deployed) -> dict[str, Any]:
    return {
        "deployStartedAt": _stamp(deployed.at),
        "deployedAt": _stamp(deployed.at),
        "id": number,
        "initiatedBy": {"automated": True},
        **revision_fields(spec, deployed.commit),
        **source_fields(spec),
    }


def _operation_state(spec: Mapping[str, Any], desired: Sequence[KubeObject], last: Deployed) -> dict[str, Any]:
    options = (spec.get("syncPolicy") or {}).get("syncOptions")
    about = {**revision_fields(spec, last.commit), **source_fields(spec)}
    return {
        "finishedAt": _stamp(last.at),
        "message": "successfully synced (all tasks run)",
        "operation": {
            "initiatedBy": {"automated": True},
            "retry": (spec.get("syncPolicy") or {}).get("retry") or {"limit": 5},
            "sync": {"prune": True, **about, **({"syncOptions": options} if options else {})},
        },
        "phase": "Succeeded",
        "startedAt": _stamp(last.at),
        "syncResult": {"resources": [_result(obj) for obj in desired], **about},
    }


def _result(obj: KubeObject) -> dict[str, Any]:
    name = named(obj)
    images = images_of(obj)
    group = f".{name.group}" if name.group else ""
    changed = "configured" if name.kind == "Rollout" else "unchanged"
    return {
        "group": name.group,
        "hookPhase": "Running",
        **({"images": images} if images else {}),
        "kind": name.kind,
        "message": f"{name.kind.lower()}{group}/{name.name} {changed}",
        "name": name.name,
        "namespace": name.namespace,
        "status": "Synced",
        "syncPhase": "Sync",
        "version": str(obj.get("apiVersion", "v1")).rpartition("/")[2],
    }


def _stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
