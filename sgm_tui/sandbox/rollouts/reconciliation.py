"""One reconciliation of a Rollout: the state it read, and the writes every strategy shares.

A reconciliation reads once and works with what it read; every write causes an event, and the event causes the next
reconciliation. That is how the real controller works, and why its states appear in this order.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sgm_tui.sandbox.kubernetes.objects import KubeObject
from sgm_tui.sandbox.kubernetes.template_hash import steps_hash, template_hash
from sgm_tui.sandbox.kubernetes.workshop import Workshop
from sgm_tui.sandbox.rollouts.conditions import Conditions
from sgm_tui.sandbox.rollouts.objects import (
    DESIRED_REPLICAS,
    REVISION,
    REVISION_HISTORY,
    SCALE_DOWN_DEADLINE,
    ReplicaSet,
    Rollout,
)
from sgm_tui.sandbox.rollouts.pauses import Pauses
from sgm_tui.sandbox.rollouts.replica_set_template import NOT_COPIED, new_replica_set

_SOONEST = 0.01
"""The least virtual seconds between two reconciliations, so that none waits for itself within one moment."""


@dataclass
class Runs:
    """The analysis runs of a Rollout: the current one of each kind, and all others."""

    step: KubeObject | None = None
    background: KubeObject | None = None
    pre: KubeObject | None = None
    post: KubeObject | None = None
    other_runs: list[KubeObject] = field(default_factory=list)

    def current(self) -> list[KubeObject]:
        """Return the current runs."""
        return [run for run in (self.post, self.pre, self.step, self.background) if run is not None]


class Round:
    """One reconciliation: what it read and what it decides.

    Longer than 200 lines because canary and blue-green share all of these reads and writes, on the same state.
    """

    def __init__(self, shop: Workshop, rollout: Rollout) -> None:
        self.shop = shop
        self.rollout = rollout
        self.hash = template_hash(rollout.template, rollout.status.get("collisionCount"))
        self.steps_hash = steps_hash(rollout.steps) if rollout.canary is not None else ""
        owned = shop.store.owned("ReplicaSet", rollout.uid)
        self.all = [ReplicaSet.of(obj) for obj in owned]
        self.new = next((one for one in self.all if one.hash == self.hash), None)
        self.pauses = Pauses(rollout, shop.marks)
        self.runs = Runs()
        self.run_statuses: dict[str, dict[str, str]] = {}
        """`current…AnalysisRunStatus` by field name, for the final status."""
        self.weights: dict[str, Any] | None = (rollout.status.get("canary") or {}).get("weights")
        self.restarted_at: str | None = rollout.status.get("restartedAt")
        self.new_is_delayed = self.new is not None and self.remaining(self.new) > 0.0
        """Whether the new ReplicaSet still waits to be scaled down, because it was the stable one a moment ago."""

    @property
    def older(self) -> list[ReplicaSet]:
        """Return all ReplicaSets but the new one."""
        return [one for one in self.all if self.new is None or one.uid != self.new.uid]

    @property
    def stable(self) -> ReplicaSet | None:
        """Return the stable ReplicaSet; None before the first deployment is complete."""
        stable_hash = self.rollout.stable_hash
        return next((one for one in self.all if stable_hash and one.hash == stable_hash), None)

    @property
    def other_sets(self) -> list[ReplicaSet]:
        """Return the ReplicaSets that are neither new nor stable."""
        stable = self.stable
        return [one for one in self.older if stable is None or one.uid != stable.uid]

    def event(self, reason: str, message: str, *, warning: bool = False) -> None:
        """Record an event of the Rollout."""
        self.shop.events.record(self.rollout.obj, reason, message, warning=warning)

    def look_again(self, delay: float) -> None:
        """Reconcile again after so many virtual seconds, whatever happens until then."""
        self.shop.queue.add(("rollout", self.rollout.namespace, self.rollout.name), max(delay, _SOONEST))

    @property
    def template_changed(self) -> bool:
        """Return whether the pod template differs from the one the status is about."""
        current = self.rollout.current_hash
        return bool(current) and current != (self.new.hash if self.new else self.hash)

    @property
    def update_changed(self) -> bool:
        """Return whether the template or the canary steps changed."""
        return self.template_changed or self.rollout.status.get("currentStepHash", "") != self.steps_hash

    @property
    def is_rollback(self) -> bool:
        """Return whether the template is the stable one, or an older one."""
        if self.new is None or self.stable is None:
            return False
        return self.new.hash == self.rollout.stable_hash or self._created(self.new) < self._created(self.stable)

    @property
    def within_window(self) -> bool:
        """Return whether the rollback window allows skipping the steps."""
        window = (self.rollout.spec.get("rollbackWindow") or {}).get("revisions", 0)
        if not window or self.new is None or self.stable is None:
            return False
        first, last = self._created(self.new), self._created(self.stable)
        return first < last and sum(first < self._created(one) < last for one in self.all) < window

    @property
    def is_fast_rollback(self) -> bool:
        """Return whether a rollback may skip pauses and analysis; also true of a Rollout promoted long ago."""
        if not self.is_rollback or self.new is None:
            return False
        delayed = self.new_is_delayed and self.rollout.blue_green is not None
        return self.within_window or delayed or self.new.hash == self.rollout.stable_hash

    @property
    def halted(self) -> bool:
        """Return whether nothing may be scaled or switched: a person paused it, or its analysis is inconclusive."""
        return self.rollout.paused or self.rollout.pause("InconclusiveAnalysisRun") is not None

    @property
    def delays_abort(self) -> bool:
        """Return whether the new ReplicaSet stays up for a while after an abort."""
        rollout = self.rollout
        if not self.pauses.aborted or self.stable is None or (rollout.canary is not None and not rollout.routed):
            return False
        if rollout.abort_scale_down_delay() is None:
            return False
        return not rollout.dynamic_stable or rollout.waits_long_after_abort

    def is_saturated(self, replica_set: ReplicaSet) -> bool:
        """Return whether a ReplicaSet has all pods of the Rollout, and they are available."""
        replicas = self.rollout.replicas
        return (
            replica_set.replicas == replicas and replica_set.desired == replicas and replica_set.available == replicas
        )

    def remaining(self, replica_set: ReplicaSet) -> float:
        """Return the virtual seconds until a ReplicaSet is scaled down; 0 without a deadline or after it."""
        if not replica_set.deadline:
            return 0.0
        return max(
            0.0,
            self.shop.marks.moment(replica_set.uid, SCALE_DOWN_DEADLINE, replica_set.deadline) - self.shop.marks.now,
        )

    def _created(self, replica_set: ReplicaSet) -> float:
        return self.shop.marks.moment(replica_set.uid, "created", replica_set.obj["metadata"]["creationTimestamp"])

    def annotate(
        self, replica_set: ReplicaSet, changes: dict[str, str | None], *, size: int | None = None
    ) -> ReplicaSet:
        """Write annotations (None removes one) and, if given, the size of a ReplicaSet."""
        obj = self.as_written(replica_set).obj
        metadata = obj["metadata"]
        notes = {**(metadata.get("annotations") or {}), **changes}
        annotations = {key: value for key, value in notes.items() if value is not None}
        spec = obj["spec"] if size is None else {**obj["spec"], "replicas": size}
        changed = {**obj, "metadata": {**metadata, "annotations": annotations}, "spec": spec}
        return ReplicaSet.of(self.shop.store.write("ReplicaSet", changed))

    def as_written(self, replica_set: ReplicaSet) -> ReplicaSet:
        """Return a ReplicaSet with what this reconciliation has written to it."""
        obj = self.shop.store.get("ReplicaSet", self.rollout.namespace, replica_set.name)
        return replica_set if obj is None else ReplicaSet.of(obj)

    def replace(self, old: ReplicaSet, new: ReplicaSet) -> None:
        """Continue with a newer version of a ReplicaSet."""
        self.all = [new if one.uid == old.uid else one for one in self.all]
        if self.new is not None and self.new.uid == old.uid:
            self.new = new

    def scale(self, replica_set: ReplicaSet, size: int) -> bool:
        """Scale a ReplicaSet; return whether its size changed. The reconciliation keeps the size it read."""
        replicas = self.rollout.replicas
        stale_note = replica_set.desired != replicas or (replicas == 0 and bool(replica_set.deadline))
        if replica_set.replicas == size and not stale_note:
            return False
        changes: dict[str, str | None] = {DESIRED_REPLICAS: str(replicas)}
        if size == 0 and not self.delays_abort:
            changes[SCALE_DOWN_DEADLINE] = None
        written = self.annotate(replica_set, changes, size=size)
        if written.replicas == replica_set.replicas:
            return False
        way = "up" if replica_set.replicas < size else "down"
        resized = f"from {replica_set.replicas} to {size}"
        message = f"Scaled {way} ReplicaSet {replica_set.name} (revision {written.revision}) {resized}"
        self.event("ScalingReplicaSet", message)
        return True

    def set_deadline(self, replica_set: ReplicaSet, delay: float) -> None:
        """Schedule the scale-down of a ReplicaSet after so many virtual seconds; 0 removes the deadline."""
        if delay:
            deadline = self.shop.marks.note(replica_set.uid, SCALE_DOWN_DEADLINE, delay)
            self.annotate(replica_set, {SCALE_DOWN_DEADLINE: deadline})
        elif replica_set.deadline:
            self.annotate(replica_set, {SCALE_DOWN_DEADLINE: None})

    def drop_deadlines(self) -> None:
        """Keep the new and the stable ReplicaSet: they are in use again."""
        keepers = [] if self.new is None or self.delays_abort else [self.new]
        if self.stable is not None and all(replica_set.uid != self.stable.uid for replica_set in keepers):
            keepers.append(self.stable)
        for replica_set in keepers:
            if replica_set.deadline:
                self.replace(replica_set, self.annotate(replica_set, {SCALE_DOWN_DEADLINE: None}))

    def create_replica_set(self) -> None:
        """Create the ReplicaSet of a new template, and record it in the Rollout's conditions."""
        revision = str(max((one.revision for one in self.older), default=0) + 1)
        obj = new_replica_set(self.rollout, self.hash, revision, self.shop.marks.stamp())
        created = ReplicaSet.of(self.shop.store.create("ReplicaSet", obj))
        self.all.append(created)
        self.shop.marks.note(created.uid, "created")
        self.set_revision(revision)
        self.event("NewReplicaSetCreated", f"Created ReplicaSet {created.name} (revision {revision})")
        self.note_progress("NewReplicaSetCreated", f'Created new replica set "{created.name}"')

    def sync_revision(self) -> None:
        """Give the new ReplicaSet and the Rollout the newest revision."""
        if self.new is None:
            return
        newest = max((one.revision for one in self.older), default=0) + 1
        present = self.new.obj["metadata"].get("annotations") or {}
        changes: dict[str, str | None] = {
            key: value
            for key, value in self.rollout.annotations.items()
            if key not in NOT_COPIED and present.get(key) != value
        }
        if self.new.revision < newest:
            changes[REVISION] = str(newest)
        if changes:
            if REVISION in present:
                served = [*filter(None, present.get(REVISION_HISTORY, "").split(",")), present[REVISION]]
                changes[REVISION_HISTORY] = ",".join(served)
            self.replace(self.new, self.annotate(self.new, changes))
            return
        self.set_revision(present.get(REVISION, ""))
        if self.rollout.condition("Progressing") is None:
            self.note_progress("FoundNewReplicaSet", f'Found new replica set "{self.new.name}"')

    def set_revision(self, revision: str) -> None:
        """Write the revision of the Rollout."""
        rollout = self.rollout
        if rollout.annotations.get(REVISION) == revision:
            return
        metadata = {**rollout.metadata, "annotations": {**rollout.annotations, REVISION: revision}}
        written = self.shop.store.write("Rollout", {**rollout.obj, "metadata": metadata})
        self.go_on_with(written)
        self.event("RolloutUpdated", f"Rollout updated to revision {revision}")

    def note_progress(self, reason: str, message: str) -> None:
        """Write a Progressing condition immediately."""
        conditions = Conditions(self.rollout.conditions, self.shop.marks, self.rollout.uid)
        conditions.set("Progressing", "True", reason, message)
        self.write_status({"blueGreen": {}, "canary": {}, **self.rollout.status, "conditions": conditions.all})

    def go_on_with(self, obj: KubeObject) -> None:
        """Continue with a newer version of the Rollout."""
        self.rollout = Rollout(obj, self.rollout.spec)

    def write_status(self, status: dict[str, Any]) -> None:
        """Write the Rollout's status, sorted by name as an API server returns custom resources."""
        ordered = {key: status[key] for key in sorted(status)}
        self.go_on_with(self.shop.store.write("Rollout", {**self.rollout.obj, "status": ordered}, subresource="status"))
