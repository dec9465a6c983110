"""Validation of a Rollout's spec in the controller's words: the first failure becomes InvalidSpec."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sgm_tui.durations import DurationError, pause_seconds
from sgm_tui.sandbox.kubernetes.objects import ObjectStore
from sgm_tui.sandbox.rollouts.analysis import MissingTemplateError, run_spec, templates_of
from sgm_tui.sandbox.rollouts.objects import HASH_LABEL, MANAGED_BY, Rollout

_STEP_KINDS = (
    ("Experiment", "experiment"),
    ("Pause", "pause"),
    ("SetWeight", "setWeight"),
    ("Analysis", "analysis"),
    ("SetCanaryScale", "setCanaryScale"),
    ("SetHeaderRoute", "setHeaderRoute"),
    ("SetMirrorRoute", "setMirrorRoute"),
    ("Plugin", "plugin"),
)
_SAME_SERVICES = "This rollout uses the same service for the {} services, but two different services are required."
_NO_STEP = "Step must have one of the following set: experiment, setWeight, setCanaryScale, plugin or pause"


def first_complaint(rollout: Rollout, store: ObjectStore) -> str:
    """Return why the spec is invalid; "" if it is valid."""
    return next(_complaints(rollout, store), "")


def _complaints(rollout: Rollout, store: ObjectStore) -> Iterator[str]:
    yield from _about_pods(rollout)
    if rollout.canary is None and rollout.blue_green is None:
        message = "Rollout has missing field '.spec.strategy.canary or .spec.strategy.blueGreen'"
        yield f"spec.strategy.strategy: Required value: {message}"
        return
    if rollout.canary is not None and rollout.blue_green is not None:
        yield _invalid(
            "spec.strategy.strategy", "blueGreen: true canary: true", "Multiple Strategies can not be listed"
        )
        return
    if rollout.canary is not None:
        yield from _about_canary(rollout, rollout.canary)
    else:
        strategy = rollout.blue_green or {}
        if strategy.get("activeService") == strategy.get("previewService"):
            text = _SAME_SERVICES.format("active and preview")
            yield _invalid("spec.strategy.activeService", strategy.get("activeService", ""), text)
    yield from _about_services(rollout, store)
    yield from _about_templates(rollout, store)


def _invalid(path: str, value: object, text: str) -> str:
    shown = f'"{value}"' if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)
    return f"{path}: Invalid value: {shown}: {text}"


def _about_pods(rollout: Rollout) -> Iterator[str]:
    spec = rollout.spec
    if rollout.replicas < 0:
        yield _invalid("spec.replicas", rollout.replicas, "must be greater than or equal to 0")
    if not spec.get("selector"):
        yield "spec.selector: Required value: Rollout has missing field '.spec.selector'"
    labels = (rollout.template.get("metadata") or {}).get("labels") or {}
    if not rollout.match_labels.items() <= labels.items():
        shown = "{" + ", ".join(f'"{key}":"{value}"' for key, value in sorted(labels.items())) + "}"
        yield f"spec.template.metadata.labels: Invalid value: {shown}: `selector` does not match template `labels`"
    containers = (rollout.template.get("spec") or {}).get("containers") or []
    if not containers:
        yield "spec.template.spec.containers: Required value"
    for number, container in enumerate(containers):
        for field in ("name", "image"):
            if not container.get(field):
                yield f"spec.template.spec.containers[{number}].{field}: Required value"
    if rollout.deadline_seconds <= spec.get("minReadySeconds", 0):
        deadline = int(rollout.deadline_seconds)
        yield _invalid("spec.progressDeadlineSeconds", deadline, "must be greater than minReadySeconds")


def _about_canary(rollout: Rollout, canary: dict[str, Any]) -> Iterator[str]:
    if all(str(canary.get(name, "25%")).rstrip("%") == "0" for name in ("maxSurge", "maxUnavailable")):
        text = "MaxSurge and MaxUnavailable both can not be zero"
        yield _invalid("spec.strategy.maxSurge", canary["maxSurge"], text)
    stable, new = canary.get("stableService"), canary.get("canaryService")
    if stable and stable == new:
        yield _invalid("spec.strategy.stableService", stable, _SAME_SERVICES.format("stable and canary"))
    if not rollout.routed:
        for name, what in (("scaleDownDelaySeconds", 0), ("dynamicStableScale", False)):
            if canary.get(name, what) != what or (name in canary and what == 0 and what is not False):
                yield _invalid(
                    f"spec.strategy.{name}", canary[name], f"Canary {name} can only be used with traffic routing"
                )
    for number, step in enumerate(rollout.steps):
        yield from _about_step(rollout, f"spec.strategy.steps[{number}]", step)


def _about_step(rollout: Rollout, path: str, step: dict[str, Any]) -> Iterator[str]:
    if all(step.get(field) is None for _, field in _STEP_KINDS):
        shown = " ".join(f"step.{name}: true" for name, _ in _STEP_KINDS)
        yield _invalid(path, shown, _NO_STEP)
    weight = step.get("setWeight")
    if weight is not None and not 0 <= weight <= rollout.full_weight:
        yield _invalid(f"{path}.setWeight", weight, f"SetWeight needs to be between 0 and {rollout.full_weight}")
    duration = (step.get("pause") or {}).get("duration")
    if duration is not None and not _is_duration(duration):
        yield _invalid(f"{path}.pause.duration", -1, "Duration needs to be greater than 0")
    if step.get("setCanaryScale") is not None and not rollout.routed:
        yield "spec.strategy.trafficRouting: Required value: SetCanaryScale requires TrafficRouting to be set"


def _is_duration(duration: object) -> bool:
    try:
        pause_seconds(str(duration))
    except DurationError:
        return False
    return True


def _about_services(rollout: Rollout, store: ObjectStore) -> Iterator[str]:
    strategy, group = (
        (rollout.canary, "canary") if rollout.canary is not None else (rollout.blue_green or {}, "blueGreen")
    )
    labels = (rollout.template.get("metadata") or {}).get("labels") or {}
    for field in ("activeService", "previewService", "stableService", "canaryService"):
        name = strategy.get(field)
        if not name:
            continue
        path = f"spec.strategy.{group}.{field}"
        service = store.get("Service", rollout.namespace, name)
        if service is None:
            yield _invalid(path, name, f'service "{name}" not found')
            continue
        for key, value in (service["spec"].get("selector") or {}).items():
            if key != HASH_LABEL and labels.get(key) != value:
                yield _invalid(path, name, f'Service "{name}" has unmatch label "{key}" in rollout')
        manager = (service["metadata"].get("annotations") or {}).get(MANAGED_BY)
        if manager is not None and manager != rollout.name:
            yield _invalid(path, name, f'Service "{name}" is managed by another Rollout')


def _analyses(rollout: Rollout) -> Iterator[tuple[str, dict[str, Any]]]:
    for number, step in enumerate(rollout.steps):
        if step.get("analysis") is not None:
            yield f"spec.strategy.canary.steps[{number}].analysis.templates", step["analysis"]
    if (rollout.canary or {}).get("analysis"):
        yield "spec.strategy.canary.analysis.templates", (rollout.canary or {})["analysis"]
    for when in ("prePromotionAnalysis", "postPromotionAnalysis"):
        if (rollout.blue_green or {}).get(when):
            yield f"spec.strategy.blueGreen.{when}.templates", (rollout.blue_green or {})[when]


def _about_templates(rollout: Rollout, store: ObjectStore) -> Iterator[str]:
    for path, analysis in _analyses(rollout):
        references = analysis.get("templates") or ()
        try:
            templates = templates_of(store, rollout.namespace, references)
        except MissingTemplateError as error:
            yield _invalid(path, next(one["templateName"] for one in references), str(error))
            continue
        arguments = [{"name": arg["name"], "value": ""} for arg in analysis.get("args") or ()]
        try:
            run_spec(templates, analysis, arguments)
        except ValueError as error:
            names = " ".join(template["metadata"]["name"] for template in templates)
            yield _invalid(path, f"templateNames: [{names}]", str(error))
