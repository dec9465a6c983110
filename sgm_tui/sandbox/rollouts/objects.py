"""A Rollout and its ReplicaSets as the controller reads them: typed fields with defaults."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sgm_tui.sandbox.kubernetes.objects import KubeObject

HASH_LABEL = "rollouts-pod-template-hash"
REVISION = "rollout.argoproj.io/revision"
REVISION_HISTORY = "rollout.argoproj.io/revision-history"
DESIRED_REPLICAS = "rollout.argoproj.io/desired-replicas"
WORKLOAD_GENERATION = "rollout.argoproj.io/workload-generation"
SCALE_DOWN_DEADLINE = "scale-down-deadline"
MANAGED_BY = "argo-rollouts.argoproj.io/managed-by-rollouts"

_DEFAULT_SHARE = "25%"


def share(value: object, of: int, *, up: bool) -> int:
    """Return an amount given as a number or as a percentage."""
    text = str(value)
    if text.endswith("%"):
        exact = int(text[:-1]) * of / 100
        return math.ceil(exact) if up else math.floor(exact)
    return int(text)


@dataclass(frozen=True, slots=True)
class ReplicaSet:
    """A ReplicaSet as it was when the reconciliation began; scaling it does not change this value."""

    obj: KubeObject
    name: str
    uid: str
    hash: str
    replicas: int
    """`spec.replicas`."""
    actual: int
    ready: int
    available: int
    revision: int
    desired: int | None
    """The Rollout's size when this ReplicaSet was last scaled; distinguishes a scaling event from an update."""
    deadline: str
    """When it is to be scaled down, RFC 3339; "" if it is not."""

    @classmethod
    def of(cls, obj: KubeObject) -> ReplicaSet:
        """Read a ReplicaSet."""
        metadata, status = obj["metadata"], obj.get("status") or {}
        notes = metadata.get("annotations") or {}
        desired = notes.get(DESIRED_REPLICAS)
        return cls(
            obj=obj,
            name=metadata["name"],
            uid=metadata["uid"],
            hash=(metadata.get("labels") or {}).get(HASH_LABEL, ""),
            replicas=obj["spec"].get("replicas", 1),
            actual=status.get("replicas", 0),
            ready=status.get("readyReplicas", 0),
            available=status.get("availableReplicas", 0),
            revision=int(notes.get(REVISION) or 0),
            desired=None if desired is None else int(desired),
            deadline=notes.get(SCALE_DOWN_DEADLINE, ""),
        )


def total_wanted(sets: Sequence[ReplicaSet | None]) -> int:
    """Return how many pods the sets should have."""
    return sum(one.replicas for one in sets if one)


def total_actual(sets: Sequence[ReplicaSet | None]) -> int:
    """Return how many pods exist."""
    return sum(one.actual for one in sets if one)


def total_ready(sets: Sequence[ReplicaSet | None]) -> int:
    """Return how many pods are ready."""
    return sum(one.ready for one in sets if one)


def total_available(sets: Sequence[ReplicaSet | None]) -> int:
    """Return how many pods are available."""
    return sum(one.available for one in sets if one)


class Rollout:
    """One version of a Rollout; with a workloadRef, its spec has the template and selector of the workload."""

    def __init__(self, obj: KubeObject, spec: dict[str, Any] | None = None) -> None:
        self.obj = obj
        self.metadata: dict[str, Any] = obj["metadata"]
        self.spec: dict[str, Any] = obj["spec"] if spec is None else spec
        self.status: dict[str, Any] = obj.get("status") or {}
        strategy = self.spec.get("strategy") or {}
        self.canary: dict[str, Any] | None = strategy.get("canary")
        self.blue_green: dict[str, Any] | None = strategy.get("blueGreen")
        self.steps: list[dict[str, Any]] = (self.canary or {}).get("steps") or []
        self.conditions: list[dict[str, Any]] = self.status.get("conditions") or []

    @property
    def name(self) -> str:
        """Return its name."""
        name: str = self.metadata["name"]
        return name

    @property
    def namespace(self) -> str:
        """Return its namespace."""
        namespace: str = self.metadata["namespace"]
        return namespace

    @property
    def uid(self) -> str:
        """Return its uid."""
        uid: str = self.metadata["uid"]
        return uid

    @property
    def generation(self) -> str:
        """Return `metadata.generation`, as `status.observedGeneration` is written."""
        return str(self.metadata["generation"])

    @property
    def observed(self) -> bool:
        """Return whether the status is about this generation."""
        return bool(self.status.get("observedGeneration") == self.generation)

    @property
    def annotations(self) -> dict[str, str]:
        """Return its annotations."""
        return self.metadata.get("annotations") or {}

    @property
    def revision(self) -> int:
        """Return its revision."""
        return int(self.annotations.get(REVISION) or 0)

    @property
    def replicas(self) -> int:
        """Return the desired number of pods."""
        return int(self.spec.get("replicas", 1))

    @property
    def paused(self) -> bool:
        """Return whether a person paused it by its spec."""
        return bool(self.spec.get("paused"))

    @property
    def template(self) -> dict[str, Any]:
        """Return the pod template."""
        return self.spec.get("template") or {}

    @property
    def match_labels(self) -> dict[str, str]:
        """Return the labels it selects pods by."""
        return (self.spec.get("selector") or {}).get("matchLabels") or {}

    @property
    def selector_text(self) -> str:
        """Return the same as `status.selector` formats it."""
        return selector_text(self.match_labels)

    @property
    def routed(self) -> bool:
        """Return whether a traffic router splits the requests, rather than the number of pods."""
        return bool(self.canary and self.canary.get("trafficRouting") is not None)

    @property
    def dynamic_stable(self) -> bool:
        """Return whether the stable ReplicaSet shrinks as traffic leaves it."""
        return bool(self.canary and self.canary.get("dynamicStableScale"))

    @property
    def full_weight(self) -> int:
        """Return the weight that means all traffic."""
        return int(((self.canary or {}).get("trafficRouting") or {}).get("maxTrafficWeight", 100))

    @property
    def stable_hash(self) -> str:
        """Return `status.stableRS`."""
        return str(self.status.get("stableRS", ""))

    @property
    def current_hash(self) -> str:
        """Return `status.currentPodHash`."""
        return str(self.status.get("currentPodHash", ""))

    @property
    def active_hash(self) -> str:
        """Return `status.blueGreen.activeSelector`."""
        return str((self.status.get("blueGreen") or {}).get("activeSelector", ""))

    @property
    def preview_hash(self) -> str:
        """Return `status.blueGreen.previewSelector`."""
        return str((self.status.get("blueGreen") or {}).get("previewSelector", ""))

    @property
    def preview_passed(self) -> bool:
        """Return `status.blueGreen.scaleUpPreviewCheckPoint`."""
        return bool((self.status.get("blueGreen") or {}).get("scaleUpPreviewCheckPoint"))

    @property
    def promoted(self) -> bool:
        """Return whether the desired ReplicaSet is the stable one."""
        return self.stable_hash == self.current_hash

    @property
    def promote_full(self) -> bool:
        """Return whether a person requested a full promotion."""
        return bool(self.status.get("promoteFull"))

    @property
    def aborted(self) -> bool:
        """Return `status.abort`."""
        return bool(self.status.get("abort"))

    @property
    def controller_pause(self) -> bool:
        """Return whether the controller paused it; if no pause condition remains, a person has resumed it."""
        return bool(self.status.get("controllerPause"))

    @property
    def pauses(self) -> list[dict[str, str]]:
        """Return `status.pauseConditions`."""
        return self.status.get("pauseConditions") or []

    def pause(self, reason: str) -> dict[str, str] | None:
        """Return the pause with that reason, if any."""
        return next((one for one in self.pauses if one["reason"] == reason), None)

    @property
    def step_index(self) -> int | None:
        """Return how many steps are complete; None without steps."""
        return int(self.status.get("currentStepIndex") or 0) if self.steps else None

    @property
    def step(self) -> dict[str, Any] | None:
        """Return the current step; None if all are complete."""
        index = self.step_index
        return self.steps[index] if index is not None and index < len(self.steps) else None

    def condition(self, kind: str) -> dict[str, Any] | None:
        """Return the condition of a type, if any."""
        return next((one for one in self.conditions if one["type"] == kind), None)

    @property
    def deadline_seconds(self) -> float:
        """Return the virtual seconds without progress after which it has timed out."""
        return float(self.spec.get("progressDeadlineSeconds", 600))

    @property
    def fences(self) -> tuple[int, int]:
        """Return maxSurge and maxUnavailable as numbers of pods."""
        if self.canary is None:
            missing = (self.blue_green or {}).get("maxUnavailable", _DEFAULT_SHARE)
            return 0, min(share(missing, self.replicas, up=False), self.replicas)
        surge = share(self.canary.get("maxSurge", _DEFAULT_SHARE), self.replicas, up=True)
        missing = share(self.canary.get("maxUnavailable", _DEFAULT_SHARE), self.replicas, up=False)
        if surge == 0 and missing == 0:
            missing = 1  # rounding down must not stop it for good
        return surge, min(missing, self.replicas)

    def scale_down_delay(self) -> float:
        """Return the virtual seconds an old ReplicaSet stays up after the switch."""
        if self.blue_green is not None:
            return float(self.blue_green.get("scaleDownDelaySeconds", 30))
        return float(self.canary.get("scaleDownDelaySeconds", 30)) if self.canary and self.routed else 0.0

    def abort_scale_down_delay(self) -> float | None:
        """Return the virtual seconds the new ReplicaSet stays up after an abort; None for ever."""
        strategy = self.blue_green if self.blue_green is not None else self.canary if self.routed else None
        if strategy is None:
            return 0.0
        delay = strategy.get("abortScaleDownDelaySeconds", 30)
        return float(delay) if delay else None

    @property
    def waits_long_after_abort(self) -> bool:
        """Return whether `abortScaleDownDelaySeconds` is set."""
        strategy = self.blue_green or self.canary or {}
        return bool(strategy.get("abortScaleDownDelaySeconds"))


def selector_text(labels: dict[str, str]) -> str:
    """Format labels as a selector."""
    return ",".join(f"{key}={value}" for key, value in sorted(labels.items()))


def step_text(step: dict[str, Any]) -> str:
    """Format a canary step as events name it."""
    if "setWeight" in step:
        return f"setWeight: {step['setWeight']}"
    if step.get("pause") is not None:
        duration = step["pause"].get("duration")
        return "pause" if duration is None else f"pause: {duration}"
    scale = step.get("setCanaryScale")
    if scale is not None:
        for name in ("weight", "matchTrafficWeight", "replicas"):
            if scale.get(name):
                return f"setCanaryScale{{{name}: {str(scale[name]).lower()}}}"
    return next((kind for kind in ("experiment", "analysis", "plugin") if step.get(kind) is not None), "invalid")
