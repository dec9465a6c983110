"""Derive phase, step, weight, roles and health of a Rollout as the controllers' own tools derive them.

The rules are those of `kubectl argo rollouts get rollout` (pkg/kubectl-argo-rollouts/info, utils/rollout) and of
Argo CD's health check of a Rollout (protocols §B4, §A4, §J); every line of every recording has to come out the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from sgm_tui.fleet.facts import AnalysisRun, ReplicaSet, Rollout
from sgm_tui.fleet.images import parse_image
from sgm_tui.fleet.model import Version
from sgm_tui.fleet.rollouts.objects import ReplicaSetObject, RolloutObject
from sgm_tui.fleet.rollouts.pauses import pause_of
from sgm_tui.fleet.rollouts.phase import health_of, is_observed, phase_of
from sgm_tui.fleet.rollouts.progress import due_at, unavailable_since, worked_at
from sgm_tui.fleet.rollouts.weights import percent_of


def derive(
    rollout: RolloutObject,
    replica_sets: Sequence[ReplicaSetObject] = (),
    analysis_runs: Sequence[AnalysisRun] = (),
) -> Rollout:
    """Derive one Rollout from its object, its ReplicaSets and its AnalysisRuns."""
    rollout = _with_stable(rollout)
    pause = pause_of(rollout)
    roles = tuple(
        sorted((_to_replica_set(rollout, one) for one in replica_sets), key=lambda one: (-one.revision, one.name))
    )
    canary = rollout.strategy == "Canary"
    has_step = canary and rollout.steps and rollout.step_index is not None
    return replace(
        _derive_from_object(rollout),
        step=rollout.step_index if has_step else None,
        steps=len(rollout.steps) if has_step else None,
        canary_steps=rollout.steps,
        set_weight=percent_of(set_weight(rollout), rollout.full_weight) if canary else None,
        actual_weight=percent_of(_actual_weight(rollout, roles), rollout.full_weight) if canary else None,
        stable_version=_version_of_hash(rollout, replica_sets, rollout.stable_hash),
        active_version=_version_of_hash(rollout, replica_sets, rollout.active_hash),
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
    """Fill in the stable hash of a blue-green Rollout of a controller before 0.8, which wrote none.

    It is the active hash where that is healthy. Today's plugin waits for ever for such a Rollout; Argo CD's health
    check takes it for promoted.
    """
    old = rollout.strategy == "BlueGreen" and not rollout.phase and not rollout.stable_hash
    is_promoted = old and bool(rollout.current_hash) and rollout.active_hash == rollout.current_hash
    if not is_promoted or health_of(rollout)[0] != "Healthy":
        return rollout
    return replace(rollout, stable_hash=rollout.current_hash)


def _derive_from_object(rollout: RolloutObject) -> Rollout:
    """Derive identity, phase, health and pod counts, which need nothing but the object itself."""
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
        observed=is_observed(rollout.observed_generation, rollout.generation),
        worked_at=worked_at(rollout),
        unavailable_since=unavailable_since(rollout),
        updated_at=max((one.transitioned_at for one in rollout.conditions if one.transitioned_at), default=None),
    )


def _rolling_since(rollout: RolloutObject) -> datetime | None:
    """Return when the controller set Healthy, or Completed of a new revision, to False: an update began."""
    begun = (one for one in rollout.conditions if one.type in {"Healthy", "Completed"} and one.status == "False")
    return max((one.transitioned_at for one in begun if one.transitioned_at), default=None)


def _current_step(rollout: RolloutObject) -> int | None:
    """Index of the step under way; None when there are no steps left, or none at all."""
    index = rollout.step_index or 0
    return index if index < len(rollout.steps) else None


def set_weight(rollout: RolloutObject) -> int:
    """Return the target weight, in units of `full_weight`: the last setWeight up to the step under way.

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
    """Return the actual weight, in units of `full_weight`: by the traffic router, else by counting pods."""
    if _current_step(rollout) is None:
        return rollout.full_weight
    if rollout.available <= 0:
        return 0
    if rollout.traffic_routed:
        return set_weight(rollout) if rollout.canary_weight is None else rollout.canary_weight
    canary = next((one for one in roles if one.canary), None)
    return canary.available * rollout.full_weight // rollout.available if canary else 0


def _to_replica_set(rollout: RolloutObject, replica_set: ReplicaSetObject) -> ReplicaSet:
    stable = bool(replica_set.hash) and replica_set.hash == rollout.stable_hash
    blue_green = rollout.strategy == "BlueGreen"
    active = blue_green and bool(replica_set.hash) and replica_set.hash == rollout.active_hash
    return ReplicaSet(
        name=replica_set.name,
        hash=replica_set.hash,
        revision=replica_set.revision,
        images=_images_of(rollout, replica_set),
        ready=replica_set.ready,
        available=replica_set.available,
        current=replica_set.current,
        desired=replica_set.desired or 0,
        status=_replica_set_status(replica_set),
        stable=stable,
        canary=rollout.strategy == "Canary"
        and not stable
        and bool(replica_set.hash)
        and replica_set.hash == rollout.current_hash,
        active=active,
        preview=blue_green and not active and bool(replica_set.hash) and replica_set.hash == rollout.preview_hash,
    )


def _replica_set_status(replica_set: ReplicaSetObject) -> str:
    if replica_set.generation > replica_set.observed_generation:
        return "Progressing"
    if replica_set.failing:
        return "ReplicaFailure"
    if replica_set.desired is not None and replica_set.available < replica_set.desired:
        return "Progressing"
    return "ScaledDown" if replica_set.desired == 0 else "Healthy"


def version_of(images: Sequence[str]) -> Version | None:
    """Return the version of the first image: its tag, its digest, or `tag@digest`; None where there is no image."""
    if not images:
        return None
    return parse_image(images[0]).version


def _version_of_hash(rollout: RolloutObject, replica_sets: Sequence[ReplicaSetObject], pod_hash: str) -> Version | None:
    """Return the version of the ReplicaSet with a hash: of the container named like the Rollout, else of the first."""
    match = next((one for one in replica_sets if pod_hash and one.hash == pod_hash), None)
    if match is not None:
        return version_of(_images_of(rollout, match))
    # Its ReplicaSet may be deleted, or forbidden to us: the current one's template is the Rollout's own.
    observed = is_observed(rollout.observed_generation, rollout.generation)
    return version_of(rollout.images) if observed and pod_hash and pod_hash == rollout.current_hash else None


def _images_of(rollout: RolloutObject, replica_set: ReplicaSetObject) -> tuple[str, ...]:
    """Return the images of a ReplicaSet, that of the container named like the Rollout first."""
    if len(replica_set.containers) != len(replica_set.images):
        return replica_set.images
    named = sorted(
        zip(replica_set.containers, replica_set.images, strict=True), key=lambda pair: pair[0] != rollout.name
    )
    return tuple(image for _, image in named)


def _new_version(rollout: RolloutObject, replica_sets: Sequence[ReplicaSetObject]) -> Version | None:
    if rollout.stable_hash == rollout.current_hash:
        return None
    return _version_of_hash(rollout, replica_sets, rollout.current_hash) or version_of(rollout.images)


def _spec_version(rollout: RolloutObject, replica_sets: Sequence[ReplicaSetObject]) -> Version | None:
    return version_of(rollout.images) or _version_of_hash(rollout, replica_sets, rollout.current_hash)
