"""An attempt at a sync: namespace, apply, prune, with a result for each object in the recorded form and words."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sgm_tui.sandbox.argocd.fields import applied, differs
from sgm_tui.sandbox.argocd.health import named
from sgm_tui.sandbox.argocd.manifests import TRACKING
from sgm_tui.sandbox.argocd.project import kind_allowed
from sgm_tui.sandbox.kubernetes.kinds import BY_KIND
from sgm_tui.sandbox.kubernetes.objects import ApiError, KubeObject, ObjectStore

_LATE_KINDS = ("Service", "Deployment", "Rollout", "HorizontalPodAutoscaler")
"""Kinds applied last, in this order: they refer to the others."""
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
_NOT_A_LABEL = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end "
    "with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)


@dataclass(slots=True)
class Attempt:
    """The objects to apply to a cluster, and their results."""

    store: ObjectStore
    project: KubeObject
    desired: Sequence[KubeObject]
    before: Mapping[object, KubeObject]
    """The objects last applied, by identity: fields that git has removed since are deleted."""
    obsolete: Sequence[KubeObject] = ()
    """Live objects of the Application that git no longer has."""
    dry_run: bool = False
    results: list[dict[str, Any]] = field(default_factory=list)

    @property
    def failures(self) -> list[str]:
        """The reasons why objects were refused."""
        return [one["message"] for one in self.results if one["status"] == "SyncFailed"]

    def needs_namespace(self, namespace: str) -> bool:
        """Return whether the destination namespace does not exist."""
        return bool(namespace) and self.store.get("Namespace", "", namespace) is None

    def create_namespace(self, name: str) -> None:
        """Create the namespace first, in a phase of its own (CreateNamespace=true)."""
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        result = _result(namespace, "Synced", f"namespace/{name} created", "PreSync")
        if not self.dry_run:
            self.store.create("Namespace", {**namespace, "status": {"phase": "Active"}})
        self.results.append({**result, "namespace": ""})

    def apply(self) -> None:
        """Apply every object in Argo CD's order of kinds; a refused one does not stop the others."""
        for obj in sorted(self.desired, key=_wave):
            try:
                message, status = self._sync_object(obj), "Synced"
            except ApiError as error:
                message, status = error.message, "SyncFailed"
            result = _result(obj, status, f"{message}{' (dry run)' if self.dry_run else ''}", "Sync")
            self.results.append(result)

    def prune(self, *, allowed: bool) -> None:
        """Delete the obsolete objects, or report that pruning is required."""
        for obj in self.obsolete:
            if not allowed:
                self.results.append(_result(obj, "PruneSkipped", "ignored (requires pruning)", "Sync"))
                continue
            if not self.dry_run:
                metadata = obj["metadata"]
                self.store.delete(obj["kind"], metadata.get("namespace", ""), metadata["name"])
            self.results.append(_result(obj, "Pruned", "pruned", "Sync"))

    def phase(self, hook_phase: str) -> list[dict[str, Any]]:
        """Return the results with a hook phase, Running or Succeeded; failed objects have Failed."""
        return [{**one, "hookPhase": "Failed" if one["status"] == "SyncFailed" else hook_phase} for one in self.results]

    def _sync_object(self, desired: KubeObject) -> str:
        kind, metadata = desired["kind"], desired["metadata"]
        resource = BY_KIND.get(kind)
        label = f"{kind.lower()}{f'.{resource.group}' if resource and resource.group else ''}/{metadata['name']}"
        if not kind_allowed(self.project, named(desired).group, kind, namespaced=bool(metadata.get("namespace"))):
            group = named(desired).group
            project = self.project["metadata"]["name"]
            raise ApiError(403, "Forbidden", f"resource {group}:{kind} is not permitted in project {project}")
        namespace = metadata.get("namespace", "")
        if namespace and self.needs_namespace(namespace) and not self.dry_run:
            raise ApiError(404, "NotFound", f'namespaces "{namespace}" not found')
        if not _LABEL.fullmatch(metadata["name"]):
            reason = f'{kind} "{metadata["name"]}" is invalid: metadata.name: Invalid value: "{metadata["name"]}"'
            raise ApiError(422, "Invalid", f"{reason}: {_NOT_A_LABEL}")
        live = self.store.get(kind, namespace, metadata["name"])
        if live is None:
            if not self.dry_run:
                self.store.create(kind, desired)
            return f"{label} created"
        before = self.before.get(named(desired))
        if not differs(desired, live, before):
            return f"{label} unchanged"
        if not self.dry_run:
            self.store.write(kind, applied(desired, live, before))
        return f"{label} configured"


def images_of(obj: KubeObject) -> list[str]:
    """Return the images of an object's pod template; [] for other kinds."""
    pod = ((obj.get("spec") or {}).get("template") or {}).get("spec") or {}
    return [one["image"] for part in ("initContainers", "containers") for one in pod.get(part) or () if "image" in one]


def tracked_by(obj: KubeObject) -> str:
    """Return the Application of an object by its tracking annotation; "" if it has none."""
    tracking: str = (obj["metadata"].get("annotations") or {}).get(TRACKING, "")
    return tracking.split(":", 1)[0]


def _wave(obj: KubeObject) -> tuple[int, int]:
    annotations = obj["metadata"].get("annotations") or {}
    wave = int(annotations.get("argocd.argoproj.io/sync-wave", 0))
    return wave, _LATE_KINDS.index(obj["kind"]) if obj["kind"] in _LATE_KINDS else -1


def _result(obj: KubeObject, status: str, message: str, sync_phase: str) -> dict[str, Any]:
    name = named(obj)
    images = images_of(obj)
    return {
        "group": name.group,
        "hookPhase": "Running",
        **({"images": images} if images else {}),
        "kind": name.kind,
        "message": message,
        "name": name.name,
        "namespace": name.namespace,
        "status": status,
        "syncPhase": sync_phase,
        "version": str(obj.get("apiVersion", "v1")).rpartition("/")[2],
    }
