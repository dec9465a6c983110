"""What a Rollout means: phase, step, weight, roles and health, derived as the controllers' own tools derive them.

The rules are those of `kubectl argo rollouts get rollout` (pkg/kubectl-argo-rollouts/info, utils/rollout) and of
Argo CD's health check of a Rollout (protocols §B4, §A4, §J); every line of every recording has to come out equal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sgm_tui.fleet.facts import AnalysisRun, ReplicaSet, Rollout
from sgm_tui.fleet.images import parse_image
from sgm_tui.fleet.model import ClusterName, Version
from sgm_tui.fleet.rollouts.pauses import pause_of
from sgm_tui.fleet.rollouts.progress import due_at, unavailable_since, worked_at
from sgm_tui.fleet.rollouts.weights import percent_of

_FULL_WEIGHT = 100
DEADLINE_SECONDS = 600
"""`progressDeadlineSeconds` where the spec does not name it."""


@dataclass(frozen=True, slots=True)
class Step:
    """One canary step: what it is, and the numbers that matter."""

    kind: str
    """setWeight, pause, analysis, experiment, setCanaryScale, setHeaderRoute, setMirrorRoute, plugin."""
    weight: int | None = None
    """Asked for; an invalid step may ask for another thing besides."""
    duration: str | None = None
    """Of a pause, as written; None waits for a person."""
    detail: str = ""
    """Of a plugin or a route its name, of a canary scale what it asks for."""

    @property
    def text(self) -> str:
        """As people write it."""
        if self.kind == "setWeight":
            return f"setWeight: {self.weight}"
        if self.kind == "pause":
            return "pause" if self.duration is None else f"pause: {self.duration}"
        if self.kind == "setCanaryScale" and self.detail:
            return f"{self.kind}{{{self.detail}}}"
        return f"{self.kind}: {self.detail}" if self.detail else self.kind


@dataclass(frozen=True, slots=True)
class Condition:
    """One entry of `status.conditions`."""

    type: str
    status: str
    reason: str
    message: str
    transitioned_at: datetime | None = None
    updated_at: datetime | None = None
    """`lastUpdateTime`: of `Progressing` the last time the controller saw progress."""


@dataclass(frozen=True, slots=True)
class RolloutObject:
    """The fields of a Rollout that decide anything, as the API server has them."""

    name: str
    namespace: str
    cluster: ClusterName
    uid: str = ""
    application: str = ""
    generation: int = 0
    workload_generation: str = ""
    """Annotation `rollout.argoproj.io/workload-generation`."""
    strategy: str = ""
    """Canary, BlueGreen, or "" when the spec has neither."""
    steps: tuple[Step, ...] = ()
    traffic_routed: bool = False
    full_weight: int = _FULL_WEIGHT
    """`trafficRouting.maxTrafficWeight`."""
    auto_promotion_enabled: bool = True
    """`blueGreen.autoPromotionEnabled`; where it is false the seconds do not count."""
    auto_promotion_seconds: int = 0
    post_promotion_analysis: bool = False
    """Its strategy asks for one, and it has not ended."""
    annotated: bool = True
    """It has annotations at all; the controller's own come with the first it writes."""
    replicas: int = 1
    paused: bool = False
    progress_deadline_seconds: int = DEADLINE_SECONDS
    restart_at: str = ""
    workload_ref: bool = False
    images: tuple[str, ...] = ()
    """Of the pod template, the service's own container first; () with a workloadRef."""
    has_status: bool = True
    phase: str = ""
    message: str = ""
    observed_generation: str = ""
    workload_observed_generation: str = ""
    aborted: bool = False
    controller_pause: bool = False
    pause_reasons: tuple[str, ...] = ()
    pause_starts: tuple[datetime | None, ...] = ()
    """When each of them began; None where that cannot be read."""
    step_analysis_phase: str = ""
    """`canary.currentStepAnalysisRunStatus.status`; "" when the step under way has no analysis."""
    current_hash: str = ""
    stable_hash: str = ""
    active_hash: str = ""
    preview_hash: str = ""
    step_index: int | None = None
    current: int = 0
    updated: int = 0
    ready: int = 0
    available: int = 0
    restarted_at: str = ""
    canary_weight: int | None = None
    """`status.canary.weights.canary.weight`, only with traffic routing."""
    conditions: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True)
class ReplicaSetObject:
    """The fields of a ReplicaSet that decide anything."""

    name: str
    hash: str
    revision: int
    images: tuple[str, ...]
    generation: int
    observed_generation: int
    desired: int | None
    current: int
    ready: int
    available: int
    failing: bool = False
    """Its condition ReplicaFailure is True."""
    containers: tuple[str, ...] = ()
    """Names, one for each image."""


def derive(
    rollout: RolloutObject,
    replica_sets: Sequence[ReplicaSetObject] = (),
    analysis_runs: Sequence[AnalysisRun] = (),
) -> Rollout:
    """Everything the matrix needs to know of one Rollout and what it owns."""
    rollout = _with_stable(rollout)
    pause = pause_of(rollout)
    roles = tuple(sorted((_role(rollout, one) for one in replica_sets), key=lambda one: (-one.revision, one.name)))
    canary = rollout.strategy == "Canary"
    has_step = canary and rollout.steps and rollout.step_index is not None
    return replace(
        _judged(rollout),
        step=rollout.step_index if has_step else None,
        steps=len(rollout.steps) if has_step else None,
        step_names=tuple(step.text for step in rollout.steps),
        set_weight=percent_of(set_weight(rollout), rollout.full_weight) if canary else None,
        actual_weight=percent_of(_actual_weight(rollout, roles), rollout.full_weight) if canary else None,
        stable_version=_image_of(rollout, replica_sets, rollout.stable_hash),
        active_version=_image_of(rollout, replica_sets, rollout.active_hash),
        new_version=_new_version(rollout, replica_sets),
        spec_version=_spec_version(rollout, replica_sets),
        pause_reason=pause.reason,
        paused_since=pause.since,
        pause_seconds=pause.seconds,
        pause_error=pause.error,
        replica_sets=roles,
        analysis_runs=tuple(analysis_runs),
        due_at=due_at(rollout, pause, roles, analysis_runs),
    )


def _with_stable(rollout: RolloutObject) -> RolloutObject:
    """Fill in the stable hash of a blue-green of a controller before 0.8, which wrote none: what is active and healthy.

    The plugin of today waits for it for ever; Argo CD's health check takes such a Rollout for promoted.
    """
    old = rollout.strategy == "BlueGreen" and not rollout.phase and not rollout.stable_hash
    is_promoted = old and bool(rollout.current_hash) and rollout.active_hash == rollout.current_hash
    if not is_promoted or health_of(rollout)[0] != "Healthy":
        return rollout
    return replace(rollout, stable_hash=rollout.current_hash)


def _judged(rollout: RolloutObject) -> Rollout:
    """Who it is, how it is and how many: what needs nothing but the object itself."""
    phase, message = phase_of(rollout)
    health, health_message = health_of(rollout)
    return Rollout(
        name=rollout.name,
        namespace=rollout.namespace,
        cluster=rollout.cluster,
        uid=rollout.uid,
        application=rollout.application,
        strategy=rollout.strategy,
        phase=phase,
        message=message,
        health=health,
        health_message=health_message,
        ready=rollout.ready,
        desired=rollout.replicas,
        current=rollout.current,
        updated=rollout.updated,
        available=rollout.available,
        aborted=rollout.aborted,
        current_hash=rollout.current_hash,
        stable_hash=rollout.stable_hash,
        rolling_since=_rolling_since(rollout),
        observed=_observed(rollout.observed_generation, rollout.generation),
        worked_at=worked_at(rollout),
        unavailable_since=unavailable_since(rollout),
        updated_at=max((one.transitioned_at for one in rollout.conditions if one.transitioned_at), default=None),
    )


def _rolling_since(rollout: RolloutObject) -> datetime | None:
    """The controller says Healthy=False, and Completed=False of a new revision, when it begins to move."""
    begun = (one for one in rollout.conditions if one.type in {"Healthy", "Completed"} and one.status == "False")
    return max((one.transitioned_at for one in begun if one.transitioned_at), default=None)


def phase_of(rollout: RolloutObject) -> tuple[str, str]:
    """Phase and message as the kubectl plugin shows them (GetRolloutPhase); the first that applies."""
    if not _observed(rollout.observed_generation, rollout.generation):
        return "Progressing", "waiting for rollout spec update to be observed"
    if rollout.controller_pause and not rollout.pause_reasons:
        return "Progressing", "waiting for rollout to unpause"
    if rollout.phase:
        return rollout.phase, rollout.message
    return _computed_phase(rollout)


def _observed(observed: str, generation: int) -> bool:
    """A generation that is no number, or ahead of the object's, is of an older controller: it counts as observed."""
    if not observed.isdecimal() or int(observed) > generation:
        return True
    return int(observed) == generation


def _workload_observed(rollout: RolloutObject) -> bool:
    """Argo CD asks this of a workloadRef, the kubectl plugin does not; equal as numbers, or neither is one."""
    known, seen = rollout.workload_generation, rollout.workload_observed_generation
    return (int(known) if known.isdecimal() else None) == (int(seen) if seen.isdecimal() else None)


def _computed_phase(rollout: RolloutObject) -> tuple[str, str]:
    """CalculateRolloutPhase, for controllers that write no phase and before the first reconcile."""
    for condition in rollout.conditions:
        if condition.type == "InvalidSpec":
            return "Degraded", f"InvalidSpec: {condition.message}"
        if condition.reason in {"RolloutAborted", "ProgressDeadlineExceeded"}:
            return "Degraded", f"{condition.reason}: {condition.message}"
    if rollout.paused:
        return "Paused", "manually paused"
    if rollout.pause_reasons:
        return "Paused", rollout.pause_reasons[0]
    waiting = _waiting_for(rollout)
    return ("Progressing", waiting) if waiting else ("Healthy", "")


def _waiting_for(rollout: RolloutObject) -> str:
    if rollout.restart_at and rollout.restart_at != rollout.restarted_at:
        return "rollout is restarting"
    if rollout.updated < rollout.replicas:
        return "more replicas need to be updated"
    if rollout.available < rollout.updated:
        return "updated replicas are still becoming available"
    promoted = bool(rollout.stable_hash) and rollout.stable_hash == rollout.current_hash
    if rollout.strategy == "BlueGreen":
        if not rollout.active_hash or rollout.active_hash != rollout.current_hash:
            return "active service cutover pending"
        if promoted:
            return ""
        what = "analysis" if rollout.post_promotion_analysis else "post-promotion verification"
        return f"waiting for {what} to complete"
    if rollout.strategy == "Canary" and not rollout.traffic_routed and rollout.current > rollout.updated:
        return "old replicas are pending termination"
    return "" if promoted or rollout.strategy != "Canary" else "waiting for all steps to complete"


def health_of(rollout: RolloutObject) -> tuple[str, str]:
    """What Argo CD's health check says of the object (resource_customizations, argoproj.io/Rollout)."""
    if not rollout.has_status or not _observed(rollout.observed_generation, rollout.generation):
        return "Progressing", "Waiting for rollout spec update to be observed"
    if rollout.workload_ref and rollout.annotated and not _workload_observed(rollout):
        return "Progressing", "Waiting for rollout spec update to be observed"
    if rollout.phase:
        return ("Suspended" if rollout.phase == "Paused" else rollout.phase), rollout.message
    return _legacy_health(rollout)


def _legacy_health(rollout: RolloutObject) -> tuple[str, str]:
    for condition in rollout.conditions:
        if condition.type == "InvalidSpec":
            return "Degraded", condition.message
        if condition.type == "Progressing" and condition.reason in {"RolloutAborted", "ProgressDeadlineExceeded"}:
            return "Degraded", condition.message
    if rollout.pause_reasons or rollout.paused:
        return "Suspended", "Rollout is paused"
    if not rollout.current_hash:
        return "Progressing", "Waiting for rollout to finish: status has not been reconciled."
    waiting = _legacy_waiting(rollout)
    return ("Progressing", waiting) if waiting else ("Healthy", "")


def _legacy_waiting(rollout: RolloutObject) -> str:
    """Not the plugin's order nor its words: a restart is not asked for, old replicas count with traffic routing too."""
    if rollout.updated < rollout.replicas:
        return "Waiting for roll out to finish: More replicas need to be updated"
    if rollout.available < rollout.updated:
        return "Waiting for roll out to finish: updated replicas are still becoming available"
    promoted = rollout.stable_hash == rollout.current_hash
    if rollout.strategy == "BlueGreen":
        if rollout.active_hash != rollout.current_hash:
            return "active service cutover pending"
        return "waiting for analysis to complete" if rollout.stable_hash and not promoted else ""
    if rollout.strategy == "Canary" and rollout.current > rollout.updated:
        return "Waiting for roll out to finish: old replicas are pending termination"
    return "" if promoted or rollout.strategy != "Canary" else "Waiting for rollout to finish steps"


def _current_step(rollout: RolloutObject) -> int | None:
    """Index of the step under way; None when there are no steps left, or none at all."""
    index = rollout.step_index or 0
    return index if index < len(rollout.steps) else None


def set_weight(rollout: RolloutObject) -> int:
    """Return the weight asked for, in units of `full_weight`: the last setWeight up to the step under way.

    It is 0 once aborted.
    """
    if rollout.aborted:
        return 0
    index = _current_step(rollout)
    if index is None:
        return rollout.full_weight
    weights = [step.weight for step in rollout.steps[: index + 1] if step.weight is not None]
    return weights[-1] if weights else 0


def _actual_weight(rollout: RolloutObject, roles: Sequence[ReplicaSet]) -> int:
    """Return the weight there is, in units of `full_weight`: told by the traffic router, or by counting pods."""
    if _current_step(rollout) is None:
        return rollout.full_weight
    if rollout.available <= 0:
        return 0
    if rollout.traffic_routed:
        return set_weight(rollout) if rollout.canary_weight is None else rollout.canary_weight
    canary = next((one for one in roles if one.canary), None)
    return canary.available * rollout.full_weight // rollout.available if canary else 0


def _role(rollout: RolloutObject, one: ReplicaSetObject) -> ReplicaSet:
    stable = bool(one.hash) and one.hash == rollout.stable_hash
    blue_green = rollout.strategy == "BlueGreen"
    active = blue_green and bool(one.hash) and one.hash == rollout.active_hash
    return ReplicaSet(
        name=one.name,
        hash=one.hash,
        revision=one.revision,
        images=_images_of(rollout, one),
        ready=one.ready,
        available=one.available,
        current=one.current,
        desired=one.desired or 0,
        status=_replica_set_status(one),
        stable=stable,
        canary=rollout.strategy == "Canary" and not stable and bool(one.hash) and one.hash == rollout.current_hash,
        active=active,
        preview=blue_green and not active and bool(one.hash) and one.hash == rollout.preview_hash,
    )


def _replica_set_status(one: ReplicaSetObject) -> str:
    if one.generation > one.observed_generation:
        return "Progressing"
    if one.failing:
        return "ReplicaFailure"
    if one.desired is not None and one.available < one.desired:
        return "Progressing"
    return "ScaledDown" if one.desired == 0 else "Healthy"


def version_of(images: Sequence[str]) -> Version | None:
    """The tag of the first image, its digest, or `tag@digest`: what of it is written in git is for git to say."""
    if not images:
        return None
    return parse_image(images[0]).version


def _image_of(rollout: RolloutObject, replica_sets: Sequence[ReplicaSetObject], wanted: str) -> Version | None:
    """The version of a ReplicaSet's service: of the container called like the Rollout, else of the first."""
    found = next((one for one in replica_sets if wanted and one.hash == wanted), None)
    if found is not None:
        return version_of(_images_of(rollout, found))
    # Its ReplicaSet may be gone, or forbidden to us: the current one's template is the Rollout's own.
    observed = _observed(rollout.observed_generation, rollout.generation)
    return version_of(rollout.images) if observed and wanted and wanted == rollout.current_hash else None


def _images_of(rollout: RolloutObject, one: ReplicaSetObject) -> tuple[str, ...]:
    """Return the images of a ReplicaSet, that of the container called like the Rollout first."""
    if len(one.containers) != len(one.images):
        return one.images
    named = sorted(zip(one.containers, one.images, strict=True), key=lambda pair: pair[0] != rollout.name)
    return tuple(image for _, image in named)


def _new_version(rollout: RolloutObject, replica_sets: Sequence[ReplicaSetObject]) -> Version | None:
    if rollout.stable_hash == rollout.current_hash:
        return None
    return _image_of(rollout, replica_sets, rollout.current_hash) or version_of(rollout.images)


def _spec_version(rollout: RolloutObject, replica_sets: Sequence[ReplicaSetObject]) -> Version | None:
    return version_of(rollout.images) or _image_of(rollout, replica_sets, rollout.current_hash)
