"""A Rollout and its ReplicaSets as the API server has them: the fields that decide anything, nothing derived."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sgm_tui.fleet.facts import Step
from sgm_tui.fleet.model import ClusterName

_FULL_WEIGHT = 100
DEADLINE_SECONDS = 600
"""`progressDeadlineSeconds` where the spec does not name it."""


@dataclass(frozen=True, slots=True)
class RolloutCondition:
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
    """Whether its strategy has a post-promotion analysis that has not ended."""
    annotated: bool = True
    """Whether it has annotations at all; the controller adds its own with the first write."""
    replicas: int = 1
    paused: bool = False
    progress_deadline_seconds: int = DEADLINE_SECONDS
    restart_at: str = ""
    workload_ref: bool = False
    images: tuple[str, ...] = ()
    """Images of the pod template, the service's own container first; () with a workloadRef."""
    has_status: bool = True
    phase: str = ""
    message: str = ""
    observed_generation: str = ""
    workload_observed_generation: str = ""
    aborted: bool = False
    controller_pause: bool = False
    pause_reasons: tuple[str, ...] = ()
    pause_starts: tuple[datetime | None, ...] = ()
    """When each of `pause_reasons` began; None where that cannot be read."""
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
    conditions: tuple[RolloutCondition, ...] = ()


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
    """Whether its condition ReplicaFailure is True."""
    containers: tuple[str, ...] = ()
    """Names of the containers, one for each image."""
