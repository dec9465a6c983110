"""A Rollout that takes its pod template from a Deployment (`spec.workloadRef`)."""

from __future__ import annotations

from typing import Any

from sgm_tui.sandbox.kubernetes.objects import KubeObject, ObjectStore
from sgm_tui.sandbox.rollouts.objects import WORKLOAD_GENERATION

_KINDS = frozenset({"Deployment", "ReplicaSet"})


class WorkloadError(Exception):
    """A workload that cannot be used, in the words of the InvalidSpec condition."""


def resolved_spec(store: ObjectStore, rollout: KubeObject) -> dict[str, Any]:
    """Return the spec with the template and selector of the workload it refers to, or unchanged.

    Raises:
        WorkloadError: there is no such workload, or the Rollout has a template of its own.
    """
    spec: dict[str, Any] = rollout["spec"]
    reference = spec.get("workloadRef")
    if reference is None:
        return spec
    shown = "{" + ", ".join(f'"{key}":"{value}"' for key, value in sorted(reference.items())) + "}"
    refused = f"spec.workloadRef: Invalid value: {shown}: "
    if spec.get("template"):
        raise WorkloadError(f"{refused}template must be empty for workload reference rollout")
    kind, name = reference.get("kind", ""), reference.get("name", "")
    if kind not in _KINDS:
        raise WorkloadError(f"{refused}workload of type {reference.get('apiVersion', '')}/{kind} is not supported")
    workload = store.get(kind, rollout["metadata"]["namespace"], name)
    if workload is None:
        raise WorkloadError(f'{refused}{kind.lower()}s.apps "{name}" not found')
    selector = spec.get("selector") or workload["spec"].get("selector")
    return {**spec, "template": workload["spec"]["template"], "selector": selector}


def note_workload(store: ObjectStore, namespace: str, name: str) -> None:
    """Write a Deployment's generation to the Rollouts that refer to it, so that they are reconciled."""
    workload = store.get("Deployment", namespace, name)
    if workload is None:
        return
    generation = str(workload["metadata"]["generation"])
    for rollout in store.list("Rollout", namespace):
        metadata = rollout["metadata"]
        notes = metadata.get("annotations") or {}
        if (rollout["spec"].get("workloadRef") or {}).get("name") == name:
            changed = {**metadata, "annotations": {**notes, WORKLOAD_GENERATION: generation}}
            store.write("Rollout", {**rollout, "metadata": changed})
