"""What a Rollout's spec says, and whether it may say so: validation in the controller's words, and its pod template."""

from __future__ import annotations

from typing import Any

from sgm_tui.sandbox.objects import KubeObject, ObjectStore


def invalid(store: ObjectStore, rollout: KubeObject) -> str:
    """Why the controller refuses a spec; "" when it does not."""
    name, spec = rollout["metadata"]["name"], rollout["spec"]
    strategy = spec.get("strategy") or {}
    prefix = f'The Rollout "{name}" is invalid: '
    if not strategy.get("canary") and not strategy.get("blueGreen") and "canary" not in strategy:
        return f"{prefix}spec.strategy.strategy: Required value: Rollout has missing field '.spec.strategy.canary or "
    for position, step in enumerate((strategy.get("canary") or {}).get("steps") or ()):
        place = f"{prefix}spec.strategy.steps[{position}]"
        weight = step.get("setWeight")
        if weight is not None and not 0 <= weight <= 100:
            return f"{place}.setWeight: Invalid value: {weight}: SetWeight needs to be between 0 and 100"
    if spec.get("workloadRef") and not template_of(store, rollout):
        return f'{prefix}spec.workloadRef.name: Invalid value: "{spec["workloadRef"]["name"]}": not found'
    return ""


def template_of(store: ObjectStore, rollout: KubeObject) -> dict[str, Any]:
    """The pod template: the Rollout's own, or that of the workload it refers to; {} when that is not there."""
    spec = rollout["spec"]
    reference = spec.get("workloadRef")
    if not reference:
        template: dict[str, Any] = spec.get("template") or {}
        return template
    workload = store.get(reference["kind"], rollout["metadata"]["namespace"], reference["name"])
    if workload is None:
        return {}
    found: dict[str, Any] = workload["spec"]["template"] if reference["kind"] != "PodTemplate" else workload["template"]
    return found


def resolved(store: ObjectStore, rollout: KubeObject) -> KubeObject:
    """The Rollout with the template and the selector of the workload it refers to, where it has none of its own."""
    spec = rollout["spec"]
    if not spec.get("workloadRef"):
        return rollout
    template = template_of(store, rollout)
    labels = (template.get("metadata") or {}).get("labels") or {}
    selector = spec.get("selector") or {"matchLabels": labels}
    return {**rollout, "spec": {**spec, "template": template, "selector": selector}}


def workload_generation(store: ObjectStore, rollout: KubeObject) -> str:
    """Generation of the workload it refers to; "" where it has a template of its own."""
    reference = rollout["spec"].get("workloadRef")
    if not reference:
        return ""
    workload = store.get(reference["kind"], rollout["metadata"]["namespace"], reference["name"])
    return "" if workload is None else str(workload["metadata"].get("generation", 1))
