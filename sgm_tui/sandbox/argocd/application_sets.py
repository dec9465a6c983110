"""The ApplicationSet controller: creates, updates and deletes the Applications of ApplicationSets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sgm_tui.fleet.argo.objects import Cluster
from sgm_tui.sandbox.argocd.applications import KIND, REFRESH
from sgm_tui.sandbox.argocd.context import IN_CLUSTER, Context
from sgm_tui.sandbox.argocd.expansion import NOWHERE, ExpansionError, expand
from sgm_tui.sandbox.kubernetes.objects import KubeObject

SET_KIND = "ApplicationSet"
SET_REFRESH = "argocd.argoproj.io/application-set-refresh"
_DONE = "All applications have been generated successfully"
_PRESERVED = (REFRESH, "argocd.argoproj.io/hydrate")
"""Annotations of an Application that clients own, and not its ApplicationSet."""


class _CommitTree:
    """The repository at the newest commit, as generators read it."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def paths(self) -> Sequence[str]:
        return list(self._context.repository.blobs(self._context.head))

    def read(self, path: str) -> bytes | None:
        return self._context.repository.read(self._context.head, path)


class ApplicationSets:
    """Keeps the Applications on the hub as the ApplicationSets there generate them."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._expanded_specs: dict[str, object] = {}

    def names(self) -> list[str]:
        """Return the names of the ApplicationSets on the hub."""
        return [
            application_set["metadata"]["name"]
            for application_set in self._context.hub.list(SET_KIND, self._context.applications.namespace)
        ]

    def expanded(self, application_set: KubeObject) -> list[KubeObject]:
        """Return the Applications an ApplicationSet generates now.

        Raises:
            ExpansionError: it generates none.
        """
        clusters = [
            Cluster(target.name, target.server, target.labels, {}, NOWHERE)
            for target in self._context.targets.values()
            if target.name != IN_CLUSTER
        ]
        return expand(application_set, clusters, _CommitTree(self._context))

    def reconcile(self, name: str, *, force: bool = False) -> None:
        """Write the Applications of an ApplicationSet, if it or its inputs changed since the last time.

        `force` writes them in any case, because somebody changed an Application.
        """
        application_set = self._context.hub.get(SET_KIND, self._context.applications.namespace, name)
        if application_set is None:
            return
        inputs = self._inputs(application_set)
        if force or self._expanded_specs.get(name) != inputs:
            self._expanded_specs[name] = inputs
            try:
                self._apply(application_set, self.expanded(application_set))
                self._write_outcome(name, None)
            except ExpansionError as error:
                self._write_outcome(name, error)
        self._remove_refresh_annotation(name)

    def adopt(self, name: str) -> None:
        """Take the existing Applications as those of an ApplicationSet, at the start of a settled world."""
        application_set = self._context.hub.get(SET_KIND, self._context.applications.namespace, name)
        if application_set is not None:
            self._expanded_specs[name] = self._inputs(application_set)
            self._write_outcome(name, None)

    def report(self) -> None:
        """Write the sync and health status of the Applications into the status of their ApplicationSets."""
        for name in self.names():
            application_set = self._context.hub.get(SET_KIND, self._context.applications.namespace, name)
            if application_set is None:
                continue
            resources = self._resources(application_set)
            status = application_set.get("status") or {}
            if status.get("conditions") and status.get("resources") != resources:
                status = {**status, "resources": resources, "resourcesCount": len(resources)}
                self._context.hub.write(SET_KIND, {**application_set, "status": status}, subresource="status")

    def _inputs(self, application_set: KubeObject) -> object:
        """Return a value that changes with the spec and with the folders or files an expansion reads."""
        blobs = self._context.repository.blobs(self._context.head)
        reads_files = "'files'" in repr((application_set.get("spec") or {}).get("generators"))
        shape = (
            hash(tuple(blobs.items()))
            if reads_files
            else hash(tuple(sorted({path.rpartition("/")[0] for path in blobs})))
        )
        return application_set["metadata"]["generation"], shape

    def _apply(self, application_set: KubeObject, desired: Sequence[KubeObject]) -> None:
        hub, namespace = self._context.hub, self._context.applications.namespace
        owned = {one["metadata"]["name"]: one for one in hub.owned(KIND, application_set["metadata"]["uid"])}
        for application in desired:
            name = application["metadata"]["name"]
            live = owned.pop(name, None) or self._context.applications.get(name)
            if live is None:
                self._context.applications.create(application)
            else:
                hub.write(KIND, _update(live, application))
        for name, live in owned.items():
            if "deletionTimestamp" not in live["metadata"]:
                hub.delete(KIND, namespace, name)

    def _write_outcome(self, name: str, error: ExpansionError | None) -> None:
        hub, namespace = self._context.hub, self._context.applications.namespace
        application_set = hub.get(SET_KIND, namespace, name)
        if application_set is None:
            return
        old = application_set.get("status") or {}
        message = error.message if error else _DONE
        resources = self._resources(application_set)
        status: dict[str, Any] = {
            "conditions": self._conditions(old.get("conditions") or (), error),
            "health": {"message": message, "status": "Degraded" if error else "Healthy"},
            "resources": resources,
            "resourcesCount": len(resources),
        }
        hub.write(SET_KIND, {**application_set, "status": status}, subresource="status")

    def _conditions(self, old: Sequence[Mapping[str, Any]], error: ExpansionError | None) -> list[dict[str, Any]]:
        if error:
            conditions = [("ErrorOccurred", "True", error.reason, error.message)]
            conditions += [
                (kind, "False", "ErrorOccurred", error.message) for kind in ("ParametersGenerated", "ResourcesUpToDate")
            ]
        else:
            generated = "Successfully generated parameters for all Applications"
            conditions = [
                ("ErrorOccurred", "False", "ApplicationSetUpToDate", _DONE),
                ("ParametersGenerated", "True", "ParametersGenerated", generated),
                ("ResourcesUpToDate", "True", "ApplicationSetUpToDate", _DONE),
            ]
        since = {(one["type"], one["status"], one["message"]): one["lastTransitionTime"] for one in old}
        now = self._context.clock.stamp()
        return [
            {
                "lastTransitionTime": since.get((kind, status, message), now),
                "message": message,
                "reason": reason,
                "status": status,
                "type": kind,
            }
            for kind, status, reason, message in conditions
        ]

    def _resources(self, application_set: KubeObject) -> list[dict[str, Any]]:
        owned = self._context.hub.owned(KIND, application_set["metadata"]["uid"])
        return [_build_resource(one) for one in sorted(owned, key=lambda one: str(one["metadata"]["name"]))]

    def _remove_refresh_annotation(self, name: str) -> None:
        application_set = self._context.hub.get(SET_KIND, self._context.applications.namespace, name)
        if application_set is None:
            return
        annotations = dict(application_set["metadata"].get("annotations") or {})
        if annotations.pop(SET_REFRESH, None) is not None:
            metadata = {**application_set["metadata"], "annotations": annotations}
            self._context.hub.write(SET_KIND, {**application_set, "metadata": metadata})


def _update(live: KubeObject, desired: KubeObject) -> KubeObject:
    """Return the live Application with the spec, labels and annotations its ApplicationSet generates."""
    metadata = {key: value for key, value in live["metadata"].items() if key not in {"labels", "annotations"}}
    preserved = {key: value for key, value in (live["metadata"].get("annotations") or {}).items() if key in _PRESERVED}
    annotations = {**(desired["metadata"].get("annotations") or {}), **preserved}
    if desired["metadata"].get("labels"):
        metadata["labels"] = desired["metadata"]["labels"]
    if annotations:
        metadata["annotations"] = annotations
    metadata["ownerReferences"] = desired["metadata"]["ownerReferences"]
    return {**live, "metadata": metadata, "spec": desired["spec"]}


def _build_resource(application: KubeObject) -> dict[str, Any]:
    status = application.get("status") or {}
    health = (status.get("health") or {}).get("status")
    return {
        "group": "argoproj.io",
        **({"health": {"status": health}} if health else {}),
        "kind": KIND,
        "name": application["metadata"]["name"],
        "namespace": application["metadata"]["namespace"],
        "status": (status.get("sync") or {}).get("status") or "Unknown",
        "version": "v1alpha1",
    }
