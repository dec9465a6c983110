"""Rollouts, ReplicaSets and AnalysisRuns as the API server writes them, and their conversion to the domain."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

import msgspec

from sgm_tui.fleet.facts import AnalysisRun, Step
from sgm_tui.fleet.model import ClusterName
from sgm_tui.fleet.rollouts.objects import DEADLINE_SECONDS, ReplicaSetObject, RolloutCondition, RolloutObject
from sgm_tui.live.wire import Metadata, Wire, clean_all, parse_revision, parse_time
from sgm_tui.untrusted_text import clean

HASH_LABEL = "rollouts-pod-template-hash"
REVISION = "rollout.argoproj.io/revision"
WORKLOAD_GENERATION = "rollout.argoproj.io/workload-generation"
_TRACKING = "argocd.argoproj.io/tracking-id"
_ENDED = frozenset({"Successful", "Failed", "Error", "Inconclusive"})
_STEPS = (
    "setWeight", "pause", "experiment", "analysis", "setCanaryScale", "plugin", "setHeaderRoute", "setMirrorRoute",
)  # fmt: skip
"""Kinds of steps in the order that decides for an invalid step with several of them, as the kubectl plugin does."""


class _Container(Wire, frozen=True):
    name: str = ""
    image: str = ""


class _PodSpec(Wire, frozen=True):
    containers: tuple[_Container, ...] | None = None


class _Template(Wire, frozen=True):
    spec: _PodSpec = _PodSpec()


class _TrafficRouting(Wire, frozen=True):
    max_traffic_weight: int | None = None


class _Canary(Wire, frozen=True):
    steps: tuple[dict[str, Any], ...] | None = None
    traffic_routing: _TrafficRouting | None = None


class _BlueGreen(Wire, frozen=True):
    auto_promotion_enabled: bool | None = None
    auto_promotion_seconds: int | None = None
    post_promotion_analysis: dict[str, Any] | None = None


class _Strategy(Wire, frozen=True):
    canary: _Canary | None = None
    blue_green: _BlueGreen | None = None


class _RolloutSpec(Wire, frozen=True):
    replicas: int | None = None
    paused: bool | None = None
    progress_deadline_seconds: int | None = None
    restart_at: str | None = None
    template: _Template | None = None
    workload_ref: dict[str, Any] | None = None
    strategy: _Strategy = _Strategy()


class _Condition(Wire, frozen=True):
    type: str = ""
    status: str = ""
    reason: str = ""
    message: str = ""
    last_transition_time: str | None = None
    last_update_time: str | None = None


class _Empty(Wire, frozen=True, forbid_unknown_fields=True):
    """The `{}` that some clients write for an empty list."""


class _PauseCondition(Wire, frozen=True):
    reason: str = ""
    start_time: str | None = None


class _Weight(Wire, frozen=True):
    weight: int | None = None


class _Weights(Wire, frozen=True):
    canary: _Weight | None = None


class _RunStatus(Wire, frozen=True):
    status: str = ""


class _CanaryStatus(Wire, frozen=True):
    weights: _Weights | None = None
    current_step_analysis_run_status: _RunStatus | None = None
    stable_rs: str | None = msgspec.field(default=None, name="stableRS")
    """The stable hash of controllers before 0.8, which had no `status.stableRS`."""


class _BlueGreenStatus(Wire, frozen=True):
    active_selector: str | None = None
    preview_selector: str | None = None
    post_promotion_analysis_run_status: _RunStatus | None = None


class _RolloutStatus(Wire, frozen=True):
    phase: str | None = None
    message: str | None = None
    observed_generation: str | int | None = None
    workload_observed_generation: str | int | None = None
    abort: bool | None = None
    controller_pause: bool | None = None
    pause_conditions: tuple[_PauseCondition, ...] | None = None
    current_pod_hash: str | None = None
    stable_rs: str | None = msgspec.field(default=None, name="stableRS")
    current_step_index: int | None = None
    replicas: int | None = None
    updated_replicas: int | None = None
    ready_replicas: int | None = None
    available_replicas: int | None = None
    restarted_at: str | None = None
    conditions: tuple[_Condition, ...] | _Empty | None = None
    canary: _CanaryStatus | None = None
    blue_green: _BlueGreenStatus | None = None


class RolloutWire(Wire, frozen=True):
    """A Rollout."""

    metadata: Metadata
    spec: _RolloutSpec = _RolloutSpec()
    status: _RolloutStatus | None = None


class _ReplicaSetSpec(Wire, frozen=True):
    replicas: int | None = None
    template: _Template = _Template()


class _ReplicaSetStatus(Wire, frozen=True):
    replicas: int | None = None
    ready_replicas: int | None = None
    available_replicas: int | None = None
    observed_generation: int | None = None
    conditions: tuple[_Condition, ...] | None = None


class ReplicaSetWire(Wire, frozen=True):
    """A ReplicaSet."""

    metadata: Metadata
    spec: _ReplicaSetSpec = _ReplicaSetSpec()
    status: _ReplicaSetStatus = _ReplicaSetStatus()


class _MetricResult(Wire, frozen=True):
    successful: int | None = None
    failed: int | None = None
    inconclusive: int | None = None
    error: int | None = None


class _AnalysisStatus(Wire, frozen=True):
    phase: str | None = None
    message: str | None = None
    started_at: str | None = None
    metric_results: tuple[_MetricResult, ...] | None = None


class AnalysisRunWire(Wire, frozen=True):
    """An AnalysisRun."""

    metadata: Metadata
    status: _AnalysisStatus = _AnalysisStatus()


Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Owned(Generic[Value]):
    """A value that belongs to a Rollout, and the Rollout's uid."""

    owner: str
    value: Value


def to_rollout(wire: RolloutWire, cluster: ClusterName) -> RolloutObject:
    """Convert a Rollout."""
    status = wire.status or _RolloutStatus()
    colours = status.blue_green or _BlueGreenStatus()
    canary = status.canary or _CanaryStatus()
    step_run = canary.current_step_analysis_run_status
    weights = canary.weights
    pauses = status.pause_conditions or ()
    return replace(
        _convert_spec(wire, cluster),
        has_status=wire.status is not None,
        post_promotion_analysis=_is_analysing(wire.spec.strategy.blue_green, colours),
        phase=clean(status.phase),
        message=clean(status.message, 1024),
        observed_generation=str(status.observed_generation or ""),
        workload_observed_generation=str(status.workload_observed_generation or ""),
        aborted=bool(status.abort),
        controller_pause=bool(status.controller_pause),
        pause_reasons=tuple(clean(pause.reason) for pause in pauses),
        pause_starts=tuple(parse_time(pause.start_time) for pause in pauses),
        step_analysis_phase=clean(step_run.status) if step_run else "",
        current_hash=clean(status.current_pod_hash),
        stable_hash=clean(canary.stable_rs if status.stable_rs is None else status.stable_rs),
        active_hash=clean(colours.active_selector),
        preview_hash=clean(colours.preview_selector),
        step_index=status.current_step_index,
        current=status.replicas or 0,
        updated=status.updated_replicas or 0,
        ready=status.ready_replicas or 0,
        available=status.available_replicas or 0,
        restarted_at=status.restarted_at or "",
        canary_weight=((weights.canary.weight if weights.canary else None) or 0) if weights else None,
        conditions=tuple(map(_to_condition, status.conditions if isinstance(status.conditions, tuple) else ())),
    )


def _convert_spec(wire: RolloutWire, cluster: ClusterName) -> RolloutObject:
    """Convert the metadata and the spec of a Rollout."""
    metadata, spec = wire.metadata, wire.spec
    canary, blue_green = spec.strategy.canary, spec.strategy.blue_green
    routing = canary.traffic_routing if canary else None
    return RolloutObject(
        name=clean(metadata.name),
        namespace=clean(metadata.namespace),
        cluster=cluster,
        uid=clean(metadata.uid),
        application=clean(tracked_by(metadata)),
        generation=metadata.generation or 0,
        workload_generation=clean(metadata.annotation(WORKLOAD_GENERATION)),
        strategy="Canary" if canary is not None else "BlueGreen" if blue_green is not None else "",
        steps=tuple(map(_to_step, (canary.steps if canary else None) or ())),
        traffic_routed=routing is not None,
        full_weight=(routing.max_traffic_weight if routing else None) or 100,
        auto_promotion_enabled=blue_green is None or blue_green.auto_promotion_enabled is not False,
        auto_promotion_seconds=(blue_green.auto_promotion_seconds if blue_green else None) or 0,
        annotated=metadata.annotations is not None,
        replicas=1 if spec.replicas is None else spec.replicas,
        paused=bool(spec.paused),
        progress_deadline_seconds=spec.progress_deadline_seconds or DEADLINE_SECONDS,
        restart_at=spec.restart_at or "",
        workload_ref=spec.workload_ref is not None,
        images=_images(spec.template, metadata.name),
    )


def _is_analysing(spec: _BlueGreen | None, status: _BlueGreenStatus) -> bool:
    """Return whether the analysis after a blue-green promotion has not ended yet."""
    if spec is None or spec.post_promotion_analysis is None:
        return False
    run = status.post_promotion_analysis_run_status
    return run is None or run.status not in _ENDED


def tracked_by(metadata: Metadata) -> str:
    """Return the name of the Application that owns an object, "" for none.

    The tracking id has one outside Argo CD's own namespace as `namespace_name` (protocols §A3).
    """
    return metadata.annotation(_TRACKING).partition(":")[0].rpartition("_")[2]


def to_replica_set(wire: ReplicaSetWire) -> Owned[ReplicaSetObject]:
    """Convert a ReplicaSet."""
    metadata, spec, status = wire.metadata, wire.spec, wire.status
    conditions = status.conditions or ()
    is_failing = any(condition.type == "ReplicaFailure" and condition.status == "True" for condition in conditions)
    return Owned(
        metadata.owner,
        ReplicaSetObject(
            name=clean(metadata.name),
            hash=clean(metadata.label(HASH_LABEL)),
            revision=parse_revision(metadata.annotation(REVISION)),
            images=_images(spec.template, ""),
            generation=metadata.generation or 0,
            observed_generation=status.observed_generation or 0,
            desired=spec.replicas,
            current=status.replicas or 0,
            ready=status.ready_replicas or 0,
            available=status.available_replicas or 0,
            failing=is_failing,
            containers=clean_all(container.name for container in spec.template.spec.containers or ()),
        ),
    )


def to_analysis_run(wire: AnalysisRunWire) -> Owned[AnalysisRun]:
    """Convert an AnalysisRun; measurements are counted over all its metrics, dry runs included."""
    metadata, status = wire.metadata, wire.status
    results = status.metric_results or ()
    return Owned(
        metadata.owner,
        AnalysisRun(
            name=clean(metadata.name),
            hash=clean(metadata.label(HASH_LABEL)),
            kind=clean(metadata.label("rollout-type")),
            phase=clean(status.phase),
            message=clean(status.message, 1024),
            revision=parse_revision(metadata.annotation(REVISION)),
            successful=sum(result.successful or 0 for result in results),
            failed=sum(result.failed or 0 for result in results),
            inconclusive=sum(result.inconclusive or 0 for result in results),
            error=sum(result.error or 0 for result in results),
            started_at=parse_time(status.started_at) or parse_time(metadata.creation_timestamp),
        ),
    )


def _images(template: _Template | None, service: str) -> tuple[str, ...]:
    """Return the images of a pod template, that of the container named like the service first."""
    containers = (template.spec.containers or ()) if template else ()
    ordered = sorted(containers, key=lambda container: container.name != service) if service else containers
    return clean_all(container.image for container in ordered)


def _to_condition(wire: _Condition) -> RolloutCondition:
    return RolloutCondition(
        clean(wire.type),
        clean(wire.status),
        clean(wire.reason),
        clean(wire.message, 1024),
        parse_time(wire.last_transition_time),
        parse_time(wire.last_update_time),
    )


def _to_step(step: dict[str, Any]) -> Step:
    kind = next((kind for kind in _STEPS if step.get(kind) is not None), next(iter(step), ""))
    weight, value = step.get("setWeight"), step.get(kind)
    settings = value if isinstance(value, dict) else {}
    return Step(
        clean(kind),
        weight if isinstance(weight, int) else None,
        clean(settings["duration"]) if kind == "pause" and settings.get("duration") is not None else None,
        _canary_scale(settings) if kind == "setCanaryScale" else clean(settings.get("name")),
    )


def _canary_scale(settings: dict[str, Any]) -> str:
    """Return the setting of a setCanaryScale step as "weight: 25"."""
    if settings.get("weight") is not None:
        return clean(f"weight: {settings['weight']}")
    if settings.get("matchTrafficWeight"):
        return "matchTrafficWeight: true"
    return "" if settings.get("replicas") is None else clean(f"replicas: {settings['replicas']}")
