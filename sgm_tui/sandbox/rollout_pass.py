"""One look of the simulated Rollouts controller at one Rollout: what it finds, and the status it builds up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sgm_tui.fleet.rollout import seconds
from sgm_tui.sandbox.analysis import AnalysisController
from sgm_tui.sandbox.clock import Clock
from sgm_tui.sandbox.objects import KubeObject, ObjectStore
from sgm_tui.sandbox.replica_sets import (
    WORKLOAD_GENERATION,
    annotations_of,
    asked,
    hash_of,
    revision_of,
    steps_hash,
    there,
)
from sgm_tui.sandbox.rollout_status import (
    ABORTED_REASON,
    AVAILABLE_REASON,
    PAUSED_REASON,
    PROGRESSING,
    RESUMED_REASON,
    RETRY_REASON,
    TIMED_OUT_REASON,
    UPDATED_REASON,
    Status,
    condition,
    with_condition,
    with_phase,
    without_condition,
)


@dataclass(slots=True)
class Memory:
    """What the controller remembers of a Rollout between looks; all of it could be read from the objects again."""

    pauses: dict[str, float] = field(default_factory=dict)
    """Reason of a pause condition → the virtual moment it began."""
    counts: tuple[int, ...] = ()
    progressed_at: float = 0.0
    scale_down_at: dict[str, float] = field(default_factory=dict)
    """Hash of an old ReplicaSet → when it may go."""
    restarted: set[str] = field(default_factory=set)
    """Uids of pods deleted by a restart."""
    past_runs: set[str] = field(default_factory=set)
    """Uids of AnalysisRuns of updates that are over."""


@dataclass(slots=True)
class Pass:
    """One look."""

    store: ObjectStore
    clock: Clock
    analysis: AnalysisController
    memory: Memory
    rollout: KubeObject
    new: KubeObject
    stable: KubeObject | None
    others: list[KubeObject]
    status: Status = field(default_factory=dict)
    added_pause: str = ""
    abort_message: str = ""
    wake_in: list[float] = field(default_factory=list)
    """Seconds after which to look again, whatever happens."""

    @property
    def spec(self) -> Mapping[str, Any]:
        """The Rollout's spec."""
        spec: Mapping[str, Any] = self.rollout["spec"]
        return spec

    @property
    def before(self) -> Mapping[str, Any]:
        """The status as it was found."""
        return self.rollout.get("status") or {}

    @property
    def replicas(self) -> int:
        """Pods the Rollout wants."""
        return int(self.spec.get("replicas", 1))

    @property
    def hash(self) -> str:
        """Pod template hash of what the spec asks for."""
        return hash_of(self.new)

    @property
    def steps(self) -> Sequence[Mapping[str, Any]]:
        """The canary steps; () for blue-green."""
        return (self.spec["strategy"].get("canary") or {}).get("steps") or ()

    @property
    def all_sets(self) -> list[KubeObject]:
        """Every ReplicaSet, once."""
        stable = [self.stable] if self.stable is not None and hash_of(self.stable) != self.hash else []
        return [self.new, *stable, *self.others]

    @property
    def aborted(self) -> bool:
        """Somebody, or an analysis just now, aborted it."""
        return bool(self.before.get("abort")) or bool(self.abort_message)

    @property
    def changed(self) -> bool:
        """The pod template or the steps are not those of the last status."""
        if self.before.get("currentPodHash") != self.hash:
            return True
        known = self.before.get("currentStepHash")
        return bool(self.steps) and known is not None and known != steps_hash(self.steps)

    def event(self, reason: str, message: str, kind: str = "Normal") -> None:
        """Note something for people to read."""
        metadata = self.rollout["metadata"]
        stamp = self.clock.stamp()
        involved = {
            "apiVersion": self.rollout["apiVersion"],
            "kind": "Rollout",
            "name": metadata["name"],
            "namespace": metadata["namespace"],
            "uid": metadata["uid"],
        }
        self.store.create(
            "Event",
            {
                "metadata": {"generateName": f"{metadata['name']}.", "namespace": metadata["namespace"]},
                "involvedObject": involved,
                "reason": reason,
                "message": message,
                "type": kind,
                "count": 1,
                "firstTimestamp": stamp,
                "lastTimestamp": stamp,
                "source": {"component": "rollouts-controller"},
            },
        )

    def base_status(self) -> Status:
        """Counts and hashes as they are now, everything else as it was found."""
        sets = self.all_sets
        status: Status = dict(self.before)
        status |= {
            "replicas": sum(there(one) for one in sets),
            "updatedReplicas": there(self.new),
            "readyReplicas": sum(there(one, "readyReplicas") for one in sets),
            "availableReplicas": sum(there(one, "availableReplicas") for one in sets),
            "HPAReplicas": sum(there(one) for one in sets),
            "currentPodHash": self.hash,
            "observedGeneration": str(self.rollout["metadata"]["generation"]),
            "selector": ",".join(f"{key}={value}" for key, value in self.spec["selector"]["matchLabels"].items()),
        }
        if self.steps:
            status["currentStepHash"] = steps_hash(self.steps)
        generation = annotations_of(self.rollout).get(WORKLOAD_GENERATION)
        if generation:
            status["workloadObservedGeneration"] = generation
        return status

    def has_pause(self, reason: str) -> bool:
        """Whether it is paused for a reason."""
        return any(one["reason"] == reason for one in self.before.get("pauseConditions") or ())

    def paused_for(self, reason: str) -> float:
        """Virtual seconds since a pause began."""
        return self.clock.now - self.memory.pauses.setdefault(reason, self.clock.now)

    def resumed(self) -> bool:
        """A person cleared the pause the controller had made."""
        return bool(self.before.get("controllerPause")) and not self.before.get("pauseConditions")

    def finish(self, status: Status) -> None:
        """Add pauses, abort, conditions and phase, and write the status if anything changed."""
        status = self._with_pauses(status)
        status = self._with_progress(status)
        status = self._with_health(status)
        status = with_phase(self.spec, status)
        self.write(status)

    def write(self, status: Status) -> None:
        """Write the status."""
        self.status = status
        current = self.store.get("Rollout", self.rollout["metadata"]["namespace"], self.rollout["metadata"]["name"])
        if current is not None:
            self.store.write("Rollout", {**current, "status": status}, subresource="status")

    def _with_pauses(self, status: Status) -> Status:
        for key in ("pauseConditions", "controllerPause"):
            status.pop(key, None)
        if self.aborted and not status.get("promoteFull"):
            if not self.before.get("abort"):
                self.event(ABORTED_REASON, f"Rollout aborted update to revision {revision_of(self.new)}", "Warning")
            return status | {"abort": True, "abortedAt": self.before.get("abortedAt") or self.clock.stamp()}
        kept = list(self.before.get("pauseConditions") or ()) if not status.pop("_cleared", False) else []
        if self.added_pause and not self.has_pause(self.added_pause):
            self.memory.pauses[self.added_pause] = self.clock.now
            kept.append({"reason": self.added_pause, "startTime": self.clock.stamp()})
        return status | {"pauseConditions": kept, "controllerPause": True} if kept else status

    def _with_progress(self, status: Status) -> Status:
        stamp = self.clock.stamp()
        found = condition(status, PROGRESSING).get("reason")
        name = f'ReplicaSet "{self.new["metadata"]["name"]}"'
        if status.get("abort"):
            message = f"Rollout aborted update to revision {revision_of(self.new)}"
            known = condition(status, PROGRESSING)
            if self.abort_message:
                message = f"{message}: {self.abort_message}"
            elif known.get("reason") == ABORTED_REASON:
                message = known["message"]
            return with_condition(status, PROGRESSING, "False", ABORTED_REASON, message, stamp)
        if found == ABORTED_REASON:
            status = with_condition(status, PROGRESSING, "Unknown", RETRY_REASON, "Retrying Rollout", stamp)
        if status.get("pauseConditions") or self.spec.get("paused"):
            return with_condition(status, PROGRESSING, "Unknown", PAUSED_REASON, "Rollout is paused", stamp)
        if self._complete(status):
            message = f"{name} has successfully progressed."
            return with_condition(status, PROGRESSING, "True", AVAILABLE_REASON, message, stamp)
        if self._timed_out(status):
            message = f"{name} has timed out progressing."
            return with_condition(status, PROGRESSING, "False", TIMED_OUT_REASON, message, stamp)
        return with_condition(status, PROGRESSING, "True", UPDATED_REASON, f"{name} is progressing.", stamp)

    def _complete(self, status: Mapping[str, Any]) -> bool:
        return (
            status.get("stableRS") == self.hash
            and status["updatedReplicas"] == self.replicas
            and status["availableReplicas"] >= self.replicas
        )

    def _timed_out(self, status: Mapping[str, Any]) -> bool:
        counts = tuple(status.get(key, 0) for key in ("replicas", "updatedReplicas", "readyReplicas"))
        mark = (*counts, status.get("currentStepIndex") or 0, len(status.get("pauseConditions") or ()))
        reason = condition(self.before, PROGRESSING).get("reason")
        if mark != self.memory.counts or reason in {PAUSED_REASON, RESUMED_REASON}:
            self.memory.counts, self.memory.progressed_at = mark, self.clock.now
            return False
        deadline = float(self.spec.get("progressDeadlineSeconds", 600))
        if asked(self.new) == there(self.new, "availableReplicas"):
            return False
        left = deadline - (self.clock.now - self.memory.progressed_at)
        if left > 0:
            self.wake_in.append(left)
        return left <= 0

    def _with_health(self, status: Status) -> Status:
        """The conditions that no phase hangs on: Available, Completed, Healthy, Paused."""
        stamp = self.clock.stamp()
        available = status["availableReplicas"] >= self.replicas
        message = "Rollout has minimum availability" if available else "Rollout does not have minimum availability"
        status = with_condition(status, "Available", str(available), "AvailableReason", message, stamp)
        done = status.get("stableRS") == self.hash and not status.get("abort")
        words = "RolloutCompleted" if done else "Rollout not completed, started update to revision"
        text = "Rollout completed update" if done else f"{words} {revision_of(self.new)}"
        status = with_condition(status, "Completed", str(done), "RolloutCompleted", text, stamp)
        healthy = done and self._complete(status)
        text = "Rollout is healthy" if healthy else "Rollout is not healthy"
        status = with_condition(status, "Healthy", str(healthy), "RolloutHealthy", text, stamp)
        if status.get("pauseConditions"):
            return with_condition(status, "Paused", "True", PAUSED_REASON, "Rollout is paused", stamp)
        return without_condition(status, "Paused")


def pause_seconds(step: Mapping[str, Any]) -> float | None:
    """Length of a pause step; None when a person has to let it go on."""
    duration = (step.get("pause") or {}).get("duration")
    return None if duration is None else seconds(str(duration))
