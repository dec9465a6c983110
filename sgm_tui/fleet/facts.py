"""Facts as clusters, Argo CD, Prometheus and GitHub report them: one frozen class for each kind of object.

The words are the controllers' own (`Synced`, `Degraded`, `Paused`), kept as strings because tomorrow's controller
may report new ones; an unknown word is shown as it is and never counts as good. Times are aware UTC.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sgm_tui.fleet.model import CellKey, ClusterName, StageName, Version

UNREADABLE = "Unreadable"
"""The phase of a Rollout that cannot be read; no controller has it, so no rule takes it for good."""


@dataclass(frozen=True, slots=True)
class Operation:
    """`status.operationState` of an Application, or an `operation` that was only requested so far."""

    phase: str
    """Running, Terminating, Succeeded, Failed or Error; "" when requested and not started."""
    message: str = ""
    revision: str = ""
    retry_count: int = 0
    retry_limit: int = 0
    """The number of retries; negative: no limit (`retry.limit: -1`); 0 where it is not reported."""
    started_at: datetime | None = None
    finished_at: datetime | None = None
    automated: bool = False
    username: str = ""

    @property
    def in_flight(self) -> bool:
        """Whether it is requested, running, or waiting for a retry (A2: Running with finishedAt is a back-off)."""
        return self.phase in {"", "Running", "Terminating"}

    @property
    def failing(self) -> bool:
        """Whether it failed, or keeps failing and retrying: phase stays Running then, and retryCount grows (§J)."""
        return self.phase in {"Failed", "Error"} or (self.in_flight and self.retry_count > 0)

    @property
    def attempt(self) -> str:
        """The number of the attempt, and of how many where there is a limit: "attempt 2 of 5"."""
        return f"attempt {self.retry_count}" + (f" of {self.retry_limit}" if self.retry_limit > 0 else "")


@dataclass(frozen=True, slots=True)
class Condition:
    """An Argo CD condition; its presence means it is active."""

    type: str
    message: str
    since: datetime | None = None

    @property
    def is_error(self) -> bool:
        """Whether its severity, the suffix of its type, is Error (A2)."""
        return self.type.endswith("Error")


@dataclass(frozen=True, slots=True)
class Application:
    """One Argo CD Application, reduced to what the matrix needs."""

    name: str
    namespace: str
    sync: str
    """Synced, OutOfSync, Unknown; "" before the first comparison."""
    health: str
    """Healthy, Suspended, Progressing, Missing, Degraded, Unknown; "" before the first comparison."""
    revision: str = ""
    """`status.sync.revision`: the commit of the last comparison."""
    detailed: bool = False
    """False while only the Table row is known: operation, conditions and history are then not known either."""
    uid: str = ""
    health_message: str = ""
    health_since: datetime | None = None
    """When it entered this health; None with older releases of Argo CD."""
    requested: bool = False
    """Whether `operation` is set: a requested sync that has not ended."""
    deleting: bool = False
    """Whether it is being deleted, and its resources are not deleted yet."""
    operation: Operation | None = None
    conditions: tuple[Condition, ...] = ()
    differing: tuple[str, ...] = ()
    """Resources that are OutOfSync, as "Deployment cart", the first few of them; () while they are unknown."""
    differing_count: int = 0
    """The number of all differing resources."""
    auto_sync: bool = False
    self_heal: bool = False
    deployed_revision: str = ""
    """Revision of the newest history entry: what was really applied."""
    deployed_at: datetime | None = None
    reconciled_at: datetime | None = None
    images: tuple[str, ...] = ()
    destination: str = ""
    """Cluster name or server URL of `spec.destination`."""
    destination_namespace: str = ""
    project: str = ""
    """The AppProject it belongs to; "" while only the Table row is known."""
    hub: str = ""
    """Context of the hub whose Argo CD has it."""
    follows: str = ""
    """`targetRevision` of its source in the GitOps repository: a branch, a tag, a commit, HEAD; "" where unknown."""

    @property
    def is_operating(self) -> bool:
        """Whether an operation is requested or in progress."""
        return self.requested or (self.operation is not None and self.operation.in_flight)


@dataclass(frozen=True, slots=True)
class ReplicaSet:
    """One ReplicaSet of a Rollout, with its role (B4)."""

    name: str
    hash: str
    revision: int
    images: tuple[str, ...]
    ready: int
    available: int
    current: int
    """The number of pods, `status.replicas`."""
    desired: int
    """The desired number of pods, `spec.replicas`."""
    status: str
    """Progressing, Healthy, ScaledDown or ReplicaFailure."""
    stable: bool = False
    canary: bool = False
    active: bool = False
    preview: bool = False


@dataclass(frozen=True, slots=True)
class AnalysisRun:
    """One AnalysisRun of a Rollout."""

    name: str
    hash: str
    kind: str
    """Step, Background, PrePromotion or PostPromotion."""
    phase: str
    """Pending, Running, Successful, Failed, Error or Inconclusive; "" before the controller has processed it."""
    message: str = ""
    revision: int = 0
    successful: int = 0
    failed: int = 0
    inconclusive: int = 0
    error: int = 0
    started_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One canary step: its kind, and the values that matter."""

    kind: str
    """setWeight, pause, analysis, experiment, setCanaryScale, setHeaderRoute, setMirrorRoute, plugin."""
    weight: int | None = None
    """The weight of `setWeight`; an invalid step may set another field as well."""
    duration: str | None = None
    """The duration of a pause as written; None waits for manual approval."""
    detail: str = ""
    """The name of a plugin or route, or what a canary scale sets."""

    @property
    def text(self) -> str:
        """The step as people write it: "setWeight: 20", "pause: 30s", "analysis"."""
        if self.kind == "setWeight":
            return f"setWeight: {self.weight}"
        if self.kind == "pause":
            return "pause" if self.duration is None else f"pause: {self.duration}"
        if self.kind == "setCanaryScale" and self.detail:
            return f"{self.kind}{{{self.detail}}}"
        return f"{self.kind}: {self.detail}" if self.detail else self.kind


@dataclass(frozen=True, slots=True)
class Rollout:
    """One Argo Rollout as `kubectl argo rollouts get rollout` derives it (B4)."""

    name: str
    namespace: str
    cluster: ClusterName
    strategy: str
    """Canary or BlueGreen."""
    phase: str
    """Healthy, Progressing, Paused or Degraded; `UNREADABLE` with the reason in `message`."""
    message: str = ""
    health: str = ""
    """Its health by Argo CD's own health check (A4)."""
    health_message: str = ""
    uid: str = ""
    application: str = ""
    """The Argo CD Application that owns it, from the tracking id."""
    step: int | None = None
    """Completed steps; None when there are none to complete."""
    steps: int | None = None
    canary_steps: tuple[Step, ...] = ()
    """Every step of its spec."""
    set_weight: float | None = None
    actual_weight: float | None = None
    """Percent of traffic on the new version, a whole number as int; None for blue-green."""
    ready: int = 0
    desired: int = 0
    current: int = 0
    updated: int = 0
    available: int = 0
    stable_version: Version | None = None
    """Image tag of the stable ReplicaSet."""
    active_version: Version | None = None
    """Image tag of the ReplicaSet a blue-green's active Service selects."""
    new_version: Version | None = None
    """Image tag of the ReplicaSet on its way in; None when fully promoted."""
    spec_version: Version | None = None
    """Image tag of the pod template in its spec."""
    aborted: bool = False
    pause_reason: str = ""
    """CanaryPauseStep, BlueGreenPause, InconclusiveAnalysisRun, InconclusiveExperiment, or "spec.paused"."""
    paused_since: datetime | None = None
    pause_seconds: float | None = None
    """Length of a timed pause; None when a person has to resume it."""
    pause_error: str = ""
    """Why the controller refuses the length of the current pause."""
    current_hash: str = ""
    """Hash of the pod template being rolled out; the same as `stable_hash` when no update is in progress."""
    stable_hash: str = ""
    rolling_since: datetime | None = None
    """When the update in progress began; None when there is none."""
    updated_at: datetime | None = None
    """Newest transition time among its conditions."""
    observed: bool = True
    """Whether the controller has observed the newest spec."""
    worked_at: datetime | None = None
    """Newest timestamp the controller wrote into the status; None where it wrote none."""
    due_at: datetime | None = None
    """By when a running controller acts at the latest; None when nothing is due by time alone."""
    unavailable_since: datetime | None = None
    """Since when its condition `Available` is False."""
    replica_sets: tuple[ReplicaSet, ...] = ()
    analysis_runs: tuple[AnalysisRun, ...] = ()

    @property
    def live_version(self) -> Version | None:
        """The version that serves most requests: what the active Service selects, else the stable version."""
        return self.active_version or self.stable_version


@dataclass(frozen=True, slots=True)
class Scaling:
    """The bounds and the desired size of a HorizontalPodAutoscaler."""

    minimum: int
    maximum: int
    current: int
    desired: int
    maxed: bool = False
    """Whether its maximum keeps it from scaling further."""
    trouble: str = ""
    """Why it cannot scale, in its own words; Argo CD reports Degraded without the reason."""


@dataclass(frozen=True, slots=True)
class Metrics:
    """The measurements of one cell from Prometheus; None means no data, never zero."""

    requests_per_second: float | None = None
    error_ratio: float | None = None
    """0–1."""
    latency_p99_seconds: float | None = None
    trend: tuple[float | None, ...] = ()
    """Requests per second over the last half hour, oldest first; None is a gap."""
    error_budget_remaining: float | None = None
    """Share of the error budget that is left: 1 is all of it, 0 none, below 0 is overdrawn."""


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert that concerns a cell or, without a service, its cluster."""

    name: str
    severity: str
    state: str
    """firing or pending."""
    cluster: ClusterName
    service: str = ""
    summary: str = ""
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class UnrelatedChange:
    """A file in which a pull request changes more than a version."""

    path: str
    keys: tuple[str, ...] = ()
    """The changed keys of a values file; () where it is another file, or they are unknown."""
    how: str = ""
    """"new", "taken away", or "" where it is changed."""
    stage: StageName | None = None
    """The stage whose folder contains it; None for what all stages may share (charts, argocd, CODEOWNERS, …)."""


@dataclass(frozen=True, slots=True)
class PullRequest:
    """One open (or just merged) pull request that touches the fleet."""

    number: int
    title: str
    url: str
    author: str
    branch: str
    head: str
    """Commit at the tip of its branch."""
    state: str
    """open, merged or closed."""
    draft: bool = False
    created_at: datetime | None = None
    updated_at: datetime | None = None
    merged_at: datetime | None = None
    merge_commit: str = ""
    labels: tuple[str, ...] = ()
    reviewers: tuple[str, ...] = ()
    checks: str = ""
    """The state of all checks together: passing, failing, pending, or "" when it has none."""
    results: tuple[tuple[str, str], ...] = ()
    """Name and conclusion (or progress) of each check and commit status; a name may occur several times."""
    approved: bool = False
    mergeable: bool | None = None
    auto_merge: bool = False
    marked: bool = False
    """Whether branch, hidden block and commit look like sgm's; anybody who may push can imitate them."""
    ours: bool = False
    """Whether we opened it with sgm, and every commit is sgm's, so that a newer change may supersede it."""
    proposes: tuple[tuple[CellKey, Version], ...] = ()
    """The versions that git would have after the merge."""
    unrelated_changes: tuple[UnrelatedChange, ...] = ()
    """Everything else it changes; only read while it is open."""
    unknown: frozenset[str] = frozenset()
    """The fields that could not be read.

    "checks", "approved" and "proposes" of a pull request that ended before it was read; "ours" of an open one where
    GitHub does not tell who we are.
    """


@dataclass(frozen=True, slots=True)
class PendingVersion:
    """The version that an open pull request proposes for one cell."""

    version: Version
    number: int
    url: str
    opened_at: datetime | None = None
