"""Compare an Application with its cluster: sync status, health and the list of its objects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sgm_tui.sandbox.argocd.applications import Comparison
from sgm_tui.sandbox.argocd.context import Context, Target
from sgm_tui.sandbox.argocd.fields import differs
from sgm_tui.sandbox.argocd.health import Health, Named, health_of, named, overall
from sgm_tui.sandbox.argocd.manifests import ManifestError
from sgm_tui.sandbox.argocd.sync import images_of, tracked_by
from sgm_tui.sandbox.kubernetes.objects import KubeObject


def compare(context: Context, application: KubeObject, target: Target, revision: str) -> Comparison:
    """Compare the objects of a cluster with those of a commit."""
    spec = application["spec"]
    try:
        desired = context.manifests.of(application, revision)
    except ManifestError as error:
        return _unknown(application, str(error))
    before = last_applied(context, application)
    resources: list[KubeObject] = []
    parts: list[tuple[Named, Health | None]] = []
    images: dict[str, None] = {}
    for obj in desired:
        metadata = obj["metadata"]
        live = target.store.get(obj["kind"], metadata.get("namespace", ""), metadata["name"])
        out = live is None or differs(obj, live, before.get(named(obj)))
        resources.append(resource_entry(obj, "OutOfSync" if out else "Synced"))
        parts.append((named(obj), Health("Missing") if live is None else health_of(live)))
        images |= dict.fromkeys(_live_images(target, live))
    for obj in obsolete(application, target, desired):
        resources.append({**resource_entry(obj, "OutOfSync"), "requiresPruning": True})
        parts.append((named(obj), health_of(obj)))
    drifted = any(one["status"] != "Synced" for one in resources)
    return Comparison(
        sync="OutOfSync" if drifted else "Synced",
        revision=revision,
        resources=resources,
        health=overall(parts),
        images=list(images),
        source_type=context.manifests.source_type(spec, revision),
    )


def last_applied(context: Context, application: KubeObject) -> Mapping[object, KubeObject]:
    """Return the objects last applied: fields that git has removed since count as drift."""
    revision = context.applied.get(application["metadata"]["name"])
    if revision is None:
        return {}
    try:
        return {named(obj): obj for obj in context.manifests.of(application, revision)}
    except ManifestError:
        return {}  # the commit no longer renders: only the fields of today can be compared


def obsolete(application: KubeObject, target: Target, desired: Sequence[KubeObject]) -> list[KubeObject]:
    """Return the live objects of an Application that git no longer has."""
    desired_names = {named(obj) for obj in desired}
    surplus: list[KubeObject] = []
    for entry in (application.get("status") or {}).get("resources") or ():
        name = Named(entry.get("group", ""), entry["kind"], entry.get("namespace", ""), entry["name"])
        if name not in desired_names:
            live = target.store.get(name.kind, name.namespace, name.name)
            if live is not None and tracked_by(live) == application["metadata"]["name"]:
                surplus.append(live)
    return surplus


def resource_entry(obj: KubeObject, status: str) -> dict[str, Any]:
    """Return an entry of `status.resources`; since Argo CD 3 it has no health (protocols §A2)."""
    name = named(obj)
    entry: dict[str, Any] = {"group": name.group} if name.group else {}
    entry |= {"kind": name.kind, "name": name.name}
    entry |= {"namespace": name.namespace} if name.namespace else {}
    return {**entry, "status": status, "version": str(obj.get("apiVersion", "v1")).rpartition("/")[2]}


def _unknown(application: KubeObject, reason: str) -> Comparison:
    """Return the comparison for a manifest that does not render: sync Unknown, old health (protocols §J)."""
    status = application.get("status") or {}
    spec = application["spec"]
    sources = spec.get("sources") or [spec.get("source") or {}]
    resources = [{**one, "requiresPruning": True, "status": "Unknown"} for one in status.get("resources") or ()]
    return Comparison(
        sync="Unknown",
        revision=sources[0].get("targetRevision", ""),
        resources=resources or None,
        health=None if (status.get("health") or {}).get("status") else Health("Healthy"),
        condition=("ComparisonError", reason),
    )


def _live_images(target: Target, live: KubeObject | None) -> list[str]:
    """Return the images of a workload's pods: both versions while one replaces the other."""
    if live is None or not images_of(live):
        return []
    images: dict[str, None] = {}
    for child in target.store.owned("ReplicaSet", live["metadata"]["uid"]):
        if (child.get("spec") or {}).get("replicas"):
            images |= dict.fromkeys(images_of(child))
    return list(images) or images_of(live)
