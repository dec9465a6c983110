"""The deletion of an Application: its objects first, then itself."""

from __future__ import annotations

from dataclasses import replace

from sgm_tui.sandbox.agenda import Script
from sgm_tui.sandbox.argocd.applications import KIND, Comparison
from sgm_tui.sandbox.argocd.context import MOMENT, Context, Target
from sgm_tui.sandbox.argocd.health import Health
from sgm_tui.sandbox.argocd.sync import tracked_by
from sgm_tui.sandbox.kubernetes.objects import KubeObject


def delete_application(context: Context, name: str) -> Script:
    """Delete the objects of an Application if it has the finalizer, then remove its finalizers."""
    application = context.applications.get(name)
    if application is None:
        return
    target = context.target(application["spec"])
    if target is not None and application["metadata"].get("finalizers"):
        yield from _delete_objects(context, application, target)
    application = context.applications.get(name)
    if application is not None:
        metadata = {key: value for key, value in application["metadata"].items() if key != "finalizers"}
        context.hub.write(KIND, {**application, "metadata": metadata})


def _delete_objects(context: Context, application: KubeObject, target: Target) -> Script:
    name = application["metadata"]["name"]
    while not target.reachable:
        yield 2.0  # the objects of an unreachable cluster cannot be deleted: the Application waits
    resources = (application.get("status") or {}).get("resources") or []
    if not resources:
        return
    sync = application["status"].get("sync") or {}
    deleting = Comparison(
        sync.get("status", "Synced"),
        sync.get("revision", ""),
        health=Health("Progressing", f"Caused by {', '.join(map(_describe, resources[:3]))}"),
        source_type=application["status"].get("sourceType", ""),
    )
    context.applications.publish(name, deleting, latest=False)
    yield context.jitter(0.5, 1.5)
    for resource in resources:
        live = target.store.get(resource["kind"], resource.get("namespace", ""), resource["name"])
        if live is not None and tracked_by(live) == name:
            target.store.delete(resource["kind"], resource.get("namespace", ""), resource["name"])
    remaining = [{**resource, "status": "OutOfSync"} for resource in resources]
    missing = replace(deleting, sync="OutOfSync", resources=remaining, health=Health("Missing"), images=[])
    context.applications.publish(name, missing, latest=False)
    yield MOMENT


def _describe(resource: KubeObject) -> str:
    group = f"{resource['group']}/" if resource.get("group") else ""
    return f"{group}{resource['kind']}:{resource.get('namespace', '')}/{resource['name']}"
