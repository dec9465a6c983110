"""The analysis runs of a Rollout: which ones a reconciliation starts, cancels or keeps, and how verdicts affect it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from sgm_tui.sandbox.kubernetes.objects import KubeObject, ObjectStore
from sgm_tui.sandbox.rollouts.conditions import COMPLETED_PHASES
from sgm_tui.sandbox.rollouts.objects import HASH_LABEL, REVISION
from sgm_tui.sandbox.rollouts.pauses import BLUE_GREEN_PAUSE, CANARY_PAUSE, INCONCLUSIVE
from sgm_tui.sandbox.rollouts.reconciliation import Round, Runs
from sgm_tui.sandbox.rollouts.replica_set_template import owner_of

_FIELDS = {
    "step": "currentStepAnalysisRunStatus",
    "background": "currentBackgroundAnalysisRunStatus",
    "pre": "prePromotionAnalysisRunStatus",
    "post": "postPromotionAnalysisRunStatus",
}
_TYPES = {"step": "Step", "background": "Background", "pre": "PrePromotion", "post": "PostPromotion"}
_COMPLAINTS = {
    "step": "Step-based analysis phase error/failed",
    "background": "Background analysis phase error/failed",
    "pre": "Blue/green pre-promotion analysis phase error/failed",
    "post": "Blue/green post-promotion analysis phase error/failed",
}
_SEPARATOR = re.compile(r"[.\[\]]+")


class MissingTemplateError(Exception):
    """An AnalysisTemplate that does not exist, by its name and the field that references it."""


def find_runs(look: Round) -> Runs:
    """Sort the Rollout's analysis runs by what its status says about them."""
    runs = Runs()
    status = look.rollout.status
    named = {
        (status.get(group) or {}).get(field, {}).get("name"): kind
        for kind, field in _FIELDS.items()
        for group in ("canary", "blueGreen")
    }
    for run in look.shop.store.owned("AnalysisRun", look.rollout.uid):
        kind = named.get(run["metadata"]["name"])
        if kind is None:
            runs.other_runs.append(run)
        else:
            setattr(runs, kind, run)
    return runs


def phase(run: KubeObject | None) -> str:
    """Return the phase of an analysis run; "" before it starts."""
    return str((run.get("status") or {}).get("phase", "")) if run else ""


def reconcile_runs(look: Round) -> None:
    """Start and cancel analysis runs, and act on their verdicts."""
    runs = look.runs
    rollout = look.rollout
    off = rollout.promoted or look.pauses.aborted or rollout.promote_full or look.is_fast_rollback
    now = Runs()
    if off or not rollout.stable_hash:
        _cancel(look, runs.current())
        now.pre, now.post = runs.pre, runs.post
    elif rollout.canary is not None:
        now.step = _reconcile_step(look)
        now.background = _reconcile_background(look)
    else:
        now.pre = _reconcile_promotion(look, "pre")
        now.post = _reconcile_promotion(look, "post")
    current_names = {run["metadata"]["name"] for run in now.current()}
    now.other_runs = [run for run in runs.other_runs if run["metadata"]["name"] not in current_names]
    _cancel(look, now.other_runs)
    _limit(look, now)
    for kind, field in _FIELDS.items():
        run = getattr(now, kind)
        if run is not None:
            look.run_statuses[field] = _status_of(run)
            _tell(look, kind, field, run)
    look.runs = now


def templates_of(store: ObjectStore, namespace: str, references: Iterable[dict[str, Any]]) -> list[KubeObject]:
    """Return the templates an analysis references, with those they reference in turn.

    Raises:
        MissingTemplateError: one is not there.
    """
    templates: dict[str, KubeObject] = {}
    for reference in references:
        name = reference["templateName"]
        kind = "ClusterAnalysisTemplate" if reference.get("clusterScope") else "AnalysisTemplate"
        template = store.get(kind, "" if reference.get("clusterScope") else namespace, name)
        if template is None:
            raise MissingTemplateError(f"{kind} '{name}' not found")
        templates.setdefault(f"{kind}/{name}", template)
        for nested in templates_of(store, namespace, template["spec"].get("templates") or ()):
            templates.setdefault(f"{nested['kind']}/{nested['metadata']['name']}", nested)
    return list(templates.values())


def run_spec(templates: Iterable[KubeObject], analysis: dict[str, Any], args: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the spec of an analysis run: the metrics of all templates, with their arguments resolved.

    Raises:
        ValueError: an argument has no value.
    """
    merged: dict[str, dict[str, Any]] = {}
    spec: dict[str, Any] = {"metrics": []}
    for template in templates:
        body = template["spec"]
        for arg in body.get("args") or ():
            if "value" in arg or "valueFrom" in arg or arg["name"] not in merged:
                merged[arg["name"]] = arg
        spec["metrics"] += body.get("metrics") or []
        for part in ("dryRun", "measurementRetention"):
            if body.get(part):
                spec[part] = [*spec.get(part, ()), *body[part]]
    for arg in args:
        if arg["name"] in merged:
            merged[arg["name"]] = arg
    for name, arg in merged.items():
        if "value" not in arg and "valueFrom" not in arg:
            raise ValueError(f"args.{name} was not resolved")
    if merged:
        spec["args"] = list(merged.values())
    for part in ("dryRun", "measurementRetention"):
        if analysis.get(part):
            spec[part] = [*spec.get(part, ()), *analysis[part]]
    return spec


def _reconcile_step(look: Round) -> KubeObject | None:
    rollout, run = look.rollout, look.runs.step
    if rollout.pauses or rollout.aborted:
        return run
    step = (rollout.step or {}).get("analysis")
    index = str(rollout.step_index)
    of_this_step = run is None or run["metadata"]["labels"].get("step-index") == index
    if step is None or not step.get("templates") or not of_this_step:
        _cancel(look, [run] if run else [])
        return None
    if _needs_another(look, run):
        return _create(look, "step", step, index, {"step-index": index})
    _heed(look, "step", run)
    return run


def _reconcile_background(look: Round) -> KubeObject | None:
    rollout, run = look.rollout, look.runs.background
    analysis = (rollout.canary or {}).get("analysis") or {}
    if not analysis.get("templates"):
        _cancel(look, [run] if run else [])
        return None
    if not rollout.current_hash or (rollout.step_index or 0) < analysis.get("startingStep", 0):
        return None
    if rollout.pause(INCONCLUSIVE) is not None:
        return run
    if _needs_another(look, run):
        return _create(look, "background", analysis, "", {})
    _heed(look, "background", run)
    return run


def _reconcile_promotion(look: Round, kind: str) -> KubeObject | None:
    """Reconcile the analysis before and after the active Service of a blue-green Rollout switches."""
    run: KubeObject | None = getattr(look.runs, kind)
    analysis = (look.rollout.blue_green or {}).get(f"{kind}PromotionAnalysis") or {}
    if not analysis.get("templates"):
        _cancel(look, [run] if run else [])
        return None
    if _is_too_early(look, kind, run):
        _cancel(look, [run] if run else [])
    elif look.rollout.pause(INCONCLUSIVE) is None and _needs_another(look, run):
        run = _create(look, kind, analysis, kind, {})
    _heed(look, kind, run)
    return run


def _is_too_early(look: Round, kind: str, run: KubeObject | None) -> bool:
    rollout, new = look.rollout, look.new
    if new is None or rollout.stable_hash == new.hash:
        return True
    switched = rollout.active_hash == new.hash
    if (kind == "pre" and (switched or not rollout.active_hash)) or (kind == "post" and not switched):
        return True
    if run is not None:
        return False
    preview = (rollout.blue_green or {}).get("previewReplicaCount")
    if kind == "pre" and preview is not None:
        return not (new.replicas == preview and new.available == preview)
    return not look.is_saturated(new)


def _needs_another(look: Round, run: KubeObject | None) -> bool:
    if run is None:
        return True
    rollout = look.rollout
    if rollout.controller_pause and rollout.pause(CANARY_PAUSE) is None and rollout.pause(BLUE_GREEN_PAUSE) is None:
        return phase(run) == "Inconclusive"
    return bool(rollout.status.get("abortedAt"))


def _heed(look: Round, kind: str, run: KubeObject | None) -> None:
    verdict = phase(run)
    if verdict == "Inconclusive":
        look.pauses.added.append(INCONCLUSIVE)
    elif verdict in {"Error", "Failed"} and run is not None:
        message = run["status"].get("message", "")
        look.pauses.abort_message = f"{_COMPLAINTS[kind]}: {message}" if message else _COMPLAINTS[kind]


def _create(look: Round, kind: str, analysis: dict[str, Any], infix: str, labels: dict[str, str]) -> KubeObject:
    rollout = look.rollout
    pod_hash = look.new.hash if look.new else ""
    templates = templates_of(look.shop.store, rollout.namespace, analysis["templates"])
    spec = run_spec(templates, analysis, _arguments(look, analysis))
    run_metadata = analysis.get("analysisRunMetadata") or {}
    named = {HASH_LABEL: pod_hash, "rollout-type": _TYPES[kind], **labels}
    revision = rollout.annotations.get(REVISION, "")
    metadata = {
        "name": _free_name(look, "-".join(filter(None, (rollout.name, pod_hash, revision, infix)))),
        "namespace": rollout.namespace,
        "creationTimestamp": look.shop.marks.stamp(),
        "labels": {**named, **(run_metadata.get("labels") or {}), **rollout.match_labels},
        "annotations": {REVISION: revision, **(run_metadata.get("annotations") or {})},
        "ownerReferences": [owner_of(rollout.obj)],
    }
    status = {"phase": "", "runSummary": {}}
    return look.shop.store.create("AnalysisRun", {"metadata": metadata, "spec": spec, "status": status})


def _free_name(look: Round, name: str) -> str:
    free, number = name, 0
    while look.shop.store.get("AnalysisRun", look.rollout.namespace, free) is not None:
        number += 1
        free = f"{name}.{number}"
    return free


def _arguments(look: Round, analysis: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"name": arg["name"], "value": _value(look, arg)} for arg in analysis.get("args") or ()]


def _value(look: Round, arg: dict[str, Any]) -> str:
    source = arg.get("valueFrom") or {}
    if source.get("podTemplateHashValue") is not None:
        replica_set = look.new if source["podTemplateHashValue"] == "Latest" else look.stable
        return replica_set.hash if replica_set else ""
    if source.get("fieldRef"):
        return _field(look.rollout.obj, source["fieldRef"]["fieldPath"])
    return str(arg.get("value", ""))


def _field(obj: KubeObject, path: str) -> str:
    """Return a field by its path: `metadata.labels['app']`, `spec.strategy.canary.steps[0].setWeight`."""
    value: Any = obj
    for section in filter(None, _SEPARATOR.split(path)):
        key = section.strip("'\"")
        if isinstance(value, list):
            value = value[int(key)] if key.isdecimal() and int(key) < len(value) else None
        else:
            value = value.get(key) if isinstance(value, dict) else None
    return "" if value is None else str(value)


def _cancel(look: Round, runs: Iterable[KubeObject]) -> None:
    for run in runs:
        if not run["spec"].get("terminate") and phase(run) not in COMPLETED_PHASES:
            look.shop.store.write("AnalysisRun", {**run, "spec": {**run["spec"], "terminate": True}})


def _limit(look: Round, runs: Runs) -> None:
    """Delete the runs of deleted ReplicaSets, and the oldest beyond the history limits."""
    limits = look.rollout.spec.get("analysis") or {}
    limit_by_success = {
        True: limits.get("successfulRunHistoryLimit", 5),
        False: limits.get("unsuccessfulRunHistoryLimit", 5),
    }
    hashes = {one.hash for one in look.all}
    for run in sorted(runs.other_runs, key=lambda one: one["metadata"]["creationTimestamp"], reverse=True):
        verdict = phase(run)
        surplus = (run["metadata"].get("labels") or {}).get(HASH_LABEL) not in hashes
        if not surplus and verdict in COMPLETED_PHASES:
            limit_by_success[verdict == "Successful"] -= 1
            surplus = limit_by_success[verdict == "Successful"] < 0
        if surplus:
            look.shop.store.delete("AnalysisRun", look.rollout.namespace, run["metadata"]["name"])


def _status_of(run: KubeObject) -> dict[str, str]:
    status = {"name": run["metadata"]["name"], "status": phase(run)}
    message = (run.get("status") or {}).get("message")
    return {**status, "message": message} if message else status


def _tell(look: Round, kind: str, field: str, run: KubeObject) -> None:
    group = "canary" if look.rollout.canary is not None else "blueGreen"
    before = (look.rollout.status.get(group) or {}).get(field)
    name, verdict = run["metadata"]["name"], phase(run)
    if not verdict or (before is not None and (before["name"] != name or before["status"] == verdict)):
        return
    was = "NoPreviousStatus" if before is None else before["status"]
    message = f"{_TYPES[kind]} Analysis Run '{name}' Status New: '{verdict}' Previous: '{was}'"
    look.event(f"AnalysisRun{verdict}", message, warning=verdict in {"Failed", "Error"})
