"""Readable builders: a fleet of twelve services on five clusters in a few words, and cells in every journey."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sgm_tui.errors import SgmError
from sgm_tui.fleet.cell import Cell, CellFacts, Journey, Verdict
from sgm_tui.fleet.desired import Desired
from sgm_tui.fleet.facts import (
    Alert,
    AnalysisRun,
    Application,
    Condition,
    Metrics,
    Operation,
    PendingVersion,
    PullRequest,
    ReplicaSet,
    Rollout,
    Scaling,
    Step,
)
from sgm_tui.fleet.gate import Gate
from sgm_tui.fleet.history.cell_history import HealthyTime, PastVersion, RevertForecast
from sgm_tui.fleet.history.last_promotion import LastPromotion
from sgm_tui.fleet.model import CellKey, Cluster, ClusterName, Fleet, ServiceName, Stage, StageName, Version
from sgm_tui.fleet.plans.plan import Change, Plan, Refusal, StagingResult
from sgm_tui.fleet.plans.proposal import FileEdit, Preview, Progress, Proposal, UnfinishedWrite, WriteOptions
from sgm_tui.fleet.plans.staging import find_cells_behind, plan_promotion, plan_promotions
from sgm_tui.fleet.plans.waves import WavePlan, WaveStep
from sgm_tui.fleet.pull_request_actions import PullAction
from sgm_tui.fleet.reverts.promotion import PromotionRevert, group_by_stage, plan_promotion_revert
from sgm_tui.fleet.rollouts.actions import RolloutAction
from sgm_tui.fleet.snapshot import FleetSnapshot
from sgm_tui.fleet.source import SourceHealth, SourceId, SourceKind, SourceState
from sgm_tui.permission import NO_CONSENT, Consent

NOW = datetime(2026, 11, 23, 14, 3, 20, tzinfo=UTC)
REVISION = "3f2a1c9d" + "0" * 32
SERVICES = (
    "cart",
    "catalog",
    "checkout",
    "gateway",
    "identity",
    "inventory",
    "notifications",
    "payments",
    "recommendations",
    "reviews",
    "search",
    "shipping",
)
STEPS = (
    Step("setWeight", weight=10),
    Step("pause", duration="1m"),
    Step("analysis"),
    Step("setWeight", weight=30),
    Step("pause"),
    Step("setWeight", weight=60),
    Step("pause", duration="5m"),
    Step("setWeight", weight=100),
)
_BUSY = {Journey.MERGED, Journey.SYNCING, Journey.ROLLING, Journey.PROPOSED, Journey.SOAKING}
_ATTENTION = {Journey.PAUSED, Journey.DRIFTED}


def ago(seconds: float) -> datetime:
    """A moment so many seconds before now."""
    return NOW - timedelta(seconds=seconds)


def fleet() -> Fleet:
    """dev, staging and protected prod; five clusters."""
    stages = (
        Stage(StageName("dev")),
        Stage(StageName("staging")),
        Stage(StageName("prod"), protected=True),
    )
    places = (("dev", "eu1"), ("staging", "eu1"), ("prod", "eu1"), ("prod", "us1"), ("prod", "ap1"))
    return Fleet(stages, tuple(Cluster(ClusterName(f"{s}-{at}"), StageName(s), at) for s, at in places))


def wide_fleet(clusters: int) -> Fleet:
    """As many clusters as asked for, a third of them in each stage."""
    stages = fleet().stages
    names = [(stages[min(2, index * 3 // clusters)].name, f"r{index:02d}") for index in range(clusters)]
    return Fleet(stages, tuple(Cluster(ClusterName(f"{s}-{at}"), s, at) for s, at in names))


def key(service: str, cluster: str) -> CellKey:
    """The key of a cell; a cluster's stage is the first word of its name."""
    return CellKey(ServiceName(service), StageName(cluster.partition("-")[0]), ClusterName(cluster))


def rollout(where: CellKey, version: str, **facts: Any) -> Rollout:
    """A healthy canary Rollout of four pods; any field can be given."""
    healthy = Rollout(
        name=where.service,
        namespace=f"app-{where.service}",
        cluster=where.cluster,
        strategy="Canary",
        phase="Healthy",
        health="Healthy",
        step=8,
        steps=8,
        canary_steps=STEPS,
        set_weight=100,
        actual_weight=100,
        ready=4,
        desired=4,
        current=4,
        updated=4,
        available=4,
        stable_version=Version(version),
        spec_version=Version(version),
        current_hash="41",
        stable_hash="41",
        replica_sets=(replica_set(where, version, 41, stable=True),),
    )
    return replace(healthy, **facts)


def replica_set(where: CellKey, version: str, revision: int, pods: int = 4, **facts: Any) -> ReplicaSet:
    """One ReplicaSet, all of its pods ready."""
    plain = ReplicaSet(
        name=f"{where.service}-{revision}",
        hash=str(revision),
        revision=revision,
        images=(f"ghcr.io/acme/{where.service}:{version}",),
        ready=pods,
        available=pods,
        current=pods,
        desired=pods,
        status="Healthy",
    )
    return replace(plain, **facts)


def rolling(where: CellKey, old: str, new: str, **facts: Any) -> Rollout:
    """A canary on its way: step 3 of 8, 30 %."""
    values: dict[str, Any] = {
        "phase": "Progressing",
        "message": "more replicas need to be updated",
        "health": "Progressing",
        "step": 3,
        "set_weight": 30,
        "actual_weight": 30,
        "updated": 1,
        "new_version": Version(new),
        "spec_version": Version(new),
        "current_hash": "42",
        "replica_sets": (
            replica_set(where, new, 42, 1, canary=True),
            replica_set(where, old, 41, 3, stable=True),
        ),
        "analysis_runs": (
            AnalysisRun(f"{where.service}-42-2", "42", "Step", "Successful", "", 42, successful=3, started_at=ago(200)),
        ),
    }
    return rollout(where, old, **{**values, **facts})


def cell(
    service: str,
    cluster: str,
    version: str = "v2.8.1",
    journey: Journey = Journey.SETTLED,
    *,
    since: float = 90_000,
    reason: str = "",
    verdict: Verdict | None = None,
    **facts: Any,
) -> Cell:
    """A cell; settled since yesterday unless said otherwise."""
    where = key(service, cluster)
    desired = Desired(
        path=f"{where.stage}/{where.cluster + '/' if where.stage == 'prod' else ''}app-service/{service}/values.yaml",
        key="image.tag",
        version=Version(version),
        revision="9b1c44e0" + "0" * 32,
        author="mia",
        subject=f"feat({service}): {where.stage} -> {version}",
        committed_at=ago(since + 60),
        whole_stage=where.stage != "prod",
    )
    values: dict[str, Any] = {
        "key": where,
        "location": cluster.partition("-")[2],
        "desired": desired,
        "synced": True,
        "deployed": True,
        "application": application(where),
        "rollout": rollout(where, version),
        "scaling": Scaling(minimum=2, maximum=10, current=4, desired=4),
        "metrics": Metrics(128.4, 0.0007, 0.182, (80.0, 84.0, 81.0, 95.0, 120.0, 119.0, 131.0, 128.0)),
    }
    return Cell(
        facts=CellFacts(**{**values, **facts}),
        journey=journey,
        verdict=verdict or _verdict(journey),
        since=ago(since),
        reason=reason,
    )


def _verdict(journey: Journey) -> Verdict:
    if journey is Journey.FAILED:
        return Verdict.BAD
    if journey is Journey.UNKNOWN:
        return Verdict.UNKNOWN
    if journey in _ATTENTION:
        return Verdict.ATTENTION
    return Verdict.BUSY if journey in _BUSY else Verdict.GOOD


def application(where: CellKey, **facts: Any) -> Application:
    """A synced, healthy Application."""
    plain = Application(
        name=f"{where.cluster}-{where.service}",
        namespace="argocd",
        sync="Synced",
        health="Healthy",
        revision=REVISION,
        detailed=True,
        auto_sync=True,
        self_heal=True,
        deployed_revision="9b1c44e0" + "0" * 32,
        deployed_at=ago(80_000),
        destination=where.cluster,
    )
    return replace(plain, **facts)


def source(
    kind: SourceKind, scope: str = "", state: SourceState = "fresh", seconds: float = 4, reason: str = ""
) -> SourceHealth:
    """One source, seen so many seconds ago."""
    return SourceHealth(SourceId(kind, scope), state, ago(seconds), ago(seconds), reason)


def sources(*others: SourceHealth) -> tuple[SourceHealth, ...]:
    """Every source fresh, but for those given."""
    clusters = [cluster.name for cluster in fleet().clusters]
    fresh = [
        source("git"),
        source("argocd", "hub"),
        *(source("rollouts", name) for name in clusters),
        *(source("scaling", name) for name in clusters),
        *(source("metrics", name) for name in clusters),
        *(source("alerts", name) for name in clusters),
        source("forge", seconds=11),
    ]
    changed = {one.source: one for one in others}
    return tuple(changed.get(one.source, one) for one in fresh)


def snapshot(cells: Iterable[Cell], **facts: Any) -> FleetSnapshot:
    """A snapshot of these cells."""
    listed = {one.key: one for one in cells}
    plain = FleetSnapshot(
        generated_at=NOW,
        fleet=fleet(),
        services=tuple(sorted({where.service for where in listed})),
        cells=listed,
        sources=sources(),
        repository="acme/gitops",
        branch="main",
        revision=REVISION,
        releases=_releases(listed.values()),
    )
    return replace(plain, **facts)


def _releases(cells: Iterable[Cell]) -> dict[ServiceName, frozenset[Version]]:
    """Every version of these cells, as git has had them all."""
    found: dict[ServiceName, set[Version]] = {}
    for one in cells:
        versions = (one.live_version, one.desired_version, one.new_version)
        found.setdefault(one.key.service, set()).update(version for version in versions if version)
    return {service: frozenset(versions) for service, versions in found.items()}


def calm_cells() -> dict[CellKey, Cell]:
    """Twelve services, every cell settled, all stages at the same version."""
    versions = dict(zip(SERVICES, (f"v{1 + index % 5}.{index}.{index % 3}" for index in range(12)), strict=True))
    made = (cell(service, cluster.name, versions[service]) for service in SERVICES for cluster in fleet().clusters)
    return {one.key: one for one in made}


def calm() -> FleetSnapshot:
    """Nothing is going on."""
    return snapshot(calm_cells().values())


def pull_request(number: int, title: str, **facts: Any) -> PullRequest:
    """An open pull request, checks passed, waiting for approval."""
    plain = PullRequest(
        number=number,
        title=title,
        url=f"https://github.com/acme/gitops/pull/{number}",
        author="mia",
        branch=f"sgm/{number}",
        head="77aa12bc" + "0" * 32,
        state="open",
        created_at=ago(1860),
        labels=("promotion",),
        reviewers=("@acme/sre",),
        checks="passing",
    )
    return replace(plain, **facts)


def release() -> FleetSnapshot:
    """Things in flight everywhere: every journey is somewhere."""
    cells = calm_cells()
    for one in _in_flight():
        cells[one.key] = one
    proposed = (
        pull_request(
            42,
            "feat(catalog): prod-us1 -> v5.1.0",
            proposes=((key("catalog", "prod-us1"), Version("v5.1.0")),),
        ),
        pull_request(
            41,
            "feat(search): staging -> v1.11.0",
            author="jo",
            checks="pending",
            proposes=((key("search", "staging-eu1"), Version("v1.11.0")),),
        ),
    )
    alert = Alert(
        "HighErrorRatio", "page", "firing", ClusterName("prod-us1"), "gateway", "5 % of requests fail", ago(240)
    )
    return snapshot(
        cells.values(),
        sources=sources(source("rollouts", "prod-ap1", "stale", 42, "timed out")),
        pull_requests=proposed,
        alerts=(alert,),
    )


def _in_flight() -> list[Cell]:
    checkout, staging = key("checkout", "prod-eu1"), key("catalog", "staging-eu1")
    shipping, payments = key("shipping", "prod-us1"), key("payments", "staging-eu1")
    alert = Alert(
        "HighErrorRatio", "page", "firing", ClusterName("prod-us1"), "gateway", "5 % of requests fail", ago(240)
    )
    quiet = cell("cart", "prod-ap1", "v2.8.0")
    return [
        cell("cart", "dev-eu1", "v2.8.1"),
        cell("cart", "staging-eu1", "v2.8.1"),
        cell("cart", "prod-eu1", "v2.8.0"),
        cell("cart", "prod-us1", "v2.8.0"),
        replace(
            quiet,
            journey=Journey.UNKNOWN,
            verdict=Verdict.UNKNOWN,
            since=ago(42),
            reason="rollouts prod-ap1: timed out",
            facts=replace(quiet.facts, stale=("rollouts prod-ap1",), stale_since=ago(42), stale_reason="timed out"),
        ),
        cell("catalog", "dev-eu1", "v5.1.0"),
        cell(
            "catalog",
            "staging-eu1",
            "v5.1.0",
            Journey.ROLLING,
            since=190,
            rollout=rolling(staging, "v5.0.3", "v5.1.0", step=2, set_weight=10, actual_weight=10),
        ),
        cell("catalog", "prod-eu1", "v5.0.3"),
        cell(
            "catalog",
            "prod-us1",
            "v5.0.3",
            Journey.PROPOSED,
            since=1860,
            pending=(PendingVersion(Version("v5.1.0"), 42, "https://github.com/acme/gitops/pull/42"),),
            reason="#42 wants v5.1.0",
        ),
        cell("catalog", "prod-ap1", "v5.0.3"),
        cell("checkout", "dev-eu1", "v1.4.2"),
        cell("checkout", "staging-eu1", "v1.4.2", since=1860),
        cell(
            "checkout",
            "prod-eu1",
            "v1.4.2",
            Journey.PAUSED,
            since=240,
            reason="canary paused at step 4/8 by a manual gate",
            rollout=rolling(
                checkout,
                "v1.4.1",
                "v1.4.2",
                phase="Paused",
                message="CanaryPauseStep",
                health="Suspended",
                step=4,
                pause_reason="CanaryPauseStep",
                paused_since=ago(240),
            ),
            application=application(checkout, health="Suspended"),
        ),
        cell("checkout", "prod-us1", "v1.4.1"),
        cell("checkout", "prod-ap1", "v1.4.1"),
        cell("gateway", "prod-us1", "v4.3.0", verdict=Verdict.ATTENTION, alerts=(alert,)),
        cell("inventory", "dev-eu1", "v1.6.0", Journey.MERGED, since=20, reason="Argo CD has not seen 9b1c44e yet"),
        cell("notifications", "dev-eu1", "v2.7.0", Journey.SYNCING, since=8),
        cell(
            "payments",
            "staging-eu1",
            "v3.8.0",
            Journey.FAILED,
            since=480,
            reason="rollout aborted: analysis of the error ratio failed",
            application=application(payments, health="Degraded", health_message="RolloutAborted"),
            rollout=rollout(
                payments,
                "v3.7.1",
                phase="Degraded",
                message='RolloutAborted: metric "error-ratio" assessed Failed due to failed (3) > failureLimit (2)',
                aborted=True,
                current_hash="42",
                step=0,
                set_weight=0,
                actual_weight=0,
                spec_version=Version("v3.8.0"),
                analysis_runs=(
                    AnalysisRun(
                        "payments-42-2",
                        "42",
                        "Step",
                        "Failed",
                        'metric "error-ratio" assessed Failed due to failed (3) > failureLimit (2)',
                        42,
                        successful=1,
                        failed=3,
                        started_at=ago(600),
                    ),
                ),
            ),
        ),
        cell(
            "reviews",
            "prod-us1",
            "v5.9.0",
            Journey.DRIFTED,
            since=1200,
            reason="live v5.8.0, git wants v5.9.0",
            rollout=rollout(key("reviews", "prod-us1"), "v5.8.0"),
            application=application(key("reviews", "prod-us1"), sync="OutOfSync"),
        ),
        cell(
            "search",
            "staging-eu1",
            "v1.10.1",
            Journey.PROPOSED,
            since=300,
            pending=(PendingVersion(Version("v1.11.0"), 41, "https://github.com/acme/gitops/pull/41"),),
        ),
        cell(
            "shipping",
            "prod-us1",
            "v2.11.2",
            Journey.FAILED,
            since=130,
            reason="one or more objects failed to apply",
            application=application(
                shipping,
                sync="OutOfSync",
                health="Missing",
                operation=Operation(
                    "Failed",
                    'one or more objects failed to apply, reason: Deployment.apps "shipping" is invalid',
                    retry_count=5,
                    retry_limit=5,
                    finished_at=ago(130),
                ),
                conditions=(Condition("SyncError", "Failed last sync attempt: one or more objects failed to apply"),),
            ),
        ),
    ]


def outage() -> FleetSnapshot:
    """Nobody answers any more."""
    cells = [
        replace(
            one,
            journey=Journey.UNKNOWN,
            verdict=Verdict.UNKNOWN,
            since=ago(95),
            reason="argocd hub: connection refused",
            facts=replace(one.facts, stale=("argocd hub",), stale_since=ago(95)),
        )
        for one in calm_cells().values()
    ]
    dead = [replace(one, state="stale", since=ago(95), reason="connection refused") for one in sources()]
    return snapshot(cells, sources=tuple(dead))


def loading() -> FleetSnapshot:
    """The shape is known, no source has answered."""
    waiting = tuple(replace(one, state="waiting", seen_at=None) for one in sources())
    return snapshot((), sources=waiting, branch="", revision="")


def big(services: int = 100, clusters: int = 20) -> FleetSnapshot:
    """A fleet of any size."""
    shape = wide_fleet(clusters)
    cells = (cell(f"service-{number:03d}", one.name) for number in range(services) for one in shape.clusters)
    return snapshot(cells, fleet=shape)


class ScriptedSession:
    """A session that a test drives: snapshots are pushed, intents are kept, writing is scripted."""

    def __init__(self, first: FleetSnapshot) -> None:
        self.snapshot = first
        self.submitted: list[Preview] = []
        self.refreshed = 0
        self.failure: SgmError | None = None
        self.refusal: Refusal | None = None
        self.previewed: Callable[[FleetSnapshot], Preview] = preview
        self.gates: tuple[Gate, ...] | Refusal = ()
        self.pasts: tuple[PastVersion, ...] = ()
        self.last_promotions: dict[tuple[ServiceName, StageName], LastPromotion] = {}
        self.histories: dict[CellKey, tuple[PastVersion, ...]] = {}
        self.reverts = StagingResult(refusals=(Refusal("", "scripted"),))
        self.fared: dict[str, HealthyTime] = {}
        self.begun: tuple[UnfinishedWrite, ...] = ()
        self.wave_plans: tuple[tuple[WavePlan, WaveStep], ...] = ()
        self.resumed: tuple[Progress, ...] = ()
        self.list_available_versions: tuple[Version, ...] = ()
        self.asked: list[tuple[object, ...]] = []
        self.consents: list[Consent] = []
        """The consent each write came with."""
        self._changed = asyncio.Event()

    def push(self, newest: FleetSnapshot) -> None:
        """Publish a snapshot."""
        self.snapshot = newest
        self._changed.set()

    def plan(self, planned: Plan) -> None:
        """Publish the same snapshot with another plan."""
        self.push(replace(self.snapshot, plan=planned))

    async def snapshots(self) -> AsyncIterator[FleetSnapshot]:
        """The newest, whenever there is a newer one."""
        while True:
            self._changed.clear()
            yield self.snapshot
            await self._changed.wait()

    async def stage_promotion(self, where: CellKey, version: Version | None = None) -> Change | Refusal:
        """By the real rule."""
        staged = plan_promotion(self.snapshot, where, version)
        if isinstance(staged, Change):
            self.plan(self.snapshot.plan.with_change(staged))
        return staged

    async def stage_promotions(self, keys: Iterable[CellKey]) -> StagingResult:
        """By the real rule."""
        staged = plan_promotions(self.snapshot, keys)
        if staged.changes:
            self.plan(self.snapshot.plan.with_change(*staged.changes))
        return staged

    async def stage_behind(self, stage: StageName) -> StagingResult:
        """By the real rule."""
        return await self.stage_promotions(find_cells_behind(self.snapshot, stage))

    async def edit(
        self, change: Change, version: Version | None = None, strategy: str | None = None
    ) -> Change | Refusal:
        """Taken as it is, unless a test has it refused."""
        if self.refusal is not None:
            return self.refusal
        made = replace(change, to_version=version or change.to_version)
        made = made if strategy is None else replace(made, strategy=strategy)
        self.plan(self.snapshot.plan.with_replacement(change, made))
        return made

    async def versions(self, service: ServiceName) -> tuple[Version, ...]:
        """What a test says."""
        return self.list_available_versions

    def strategies(self) -> tuple[str, ...]:
        """The team has one of its own."""
        return ("careful",)

    async def undo(self) -> None:
        """Take the newest change back."""
        self.plan(self.snapshot.plan.before_last_step())

    async def drop(self, change: Change) -> None:
        """Take one change back."""
        self.plan(self.snapshot.plan.without(change))

    async def sketch(self) -> Preview:
        """The same without gates."""
        if self.failure is not None:
            raise self.failure
        return preview(self.snapshot)

    async def preview(self, terms: WriteOptions) -> Preview:
        """One proposal a stage, or the failure."""
        if self.failure is not None:
            raise self.failure
        made = self.previewed(self.snapshot)
        proposals = (
            replace(
                one,
                override=terms.override,
                reason=terms.reason,
                direct=terms.direct and one.pushable,
                unwritable="" if terms.direct else one.unwritable,
                supersedes=one.replaceable if terms.supersede else (),
            )
            for one in made.proposals
        )
        return replace(made, proposals=tuple(proposals))

    async def submit(self, previewed: Preview, consent: Consent = NO_CONSENT) -> AsyncIterator[Progress]:
        """Open them all, or fail half-way."""
        self.submitted.append(previewed)
        self.consents.append(consent)
        for number, proposal in enumerate(previewed.proposals, 57):
            yield Progress("committing", proposal)
            if self.failure is not None:
                raise self.failure
            url = f"https://github.com/acme/gitops/pull/{number}"
            yield Progress("opened", proposal, number=number, url=url)
        self.plan(Plan())

    async def refresh(self) -> None:
        """Counted."""
        self.refreshed += 1

    async def why(self, where: CellKey) -> tuple[Gate, ...] | Refusal:
        """What a test says."""
        return self.gates

    @property
    def history(self) -> ScriptedSession:
        """Return this session, which also scripts the history."""
        return self

    async def past_versions(self, key: CellKey) -> tuple[PastVersion, ...]:
        """Return the versions the test set."""
        return self.pasts

    async def add_healthy_times(self, snapshot: FleetSnapshot, pasts: Sequence[PastVersion]) -> tuple[PastVersion, ...]:
        """Add the healthy times the test set."""
        return tuple(replace(one, healthy=self.fared.get(one.version)) for one in pasts)

    async def stage_revert(self, where: CellKey, to: str | None) -> Change | Refusal:
        """Kept."""
        self.asked.append(("revert", where, to))
        return Refusal("", "scripted")

    async def stage_revert_of(self, service: ServiceName, version: Version) -> StagingResult:
        """Kept."""
        self.asked.append(("revert of", service, version))
        return self.reverts

    async def plan_promotion_reverts(
        self, snapshot: FleetSnapshot, keys: Iterable[CellKey]
    ) -> tuple[PromotionRevert, ...]:
        """Plan the reverts by the real rule, from the last promotions the test set."""
        groups = group_by_stage(tuple(keys))
        return tuple(
            PromotionRevert(
                *group, last := self.last_promotions.get(group), plan_promotion_revert(snapshot, last, histories)
            )
            for group, cells in groups.items()
            for histories in [{key: self.histories.get(key, ()) for key in cells}]
        )

    async def stage_reverts(self, changes: Iterable[Change]) -> StagingResult:
        """Staged, unless a test has it refused."""
        if self.refusal is not None:
            return StagingResult(refusals=(self.refusal,))
        staged = StagingResult(tuple(changes))
        self.plan(self.snapshot.plan.with_change(*staged.changes))
        return staged

    async def forecast_revert(self, where: CellKey, to: str | None) -> RevertForecast | Refusal:
        """At once."""
        return RevertForecast(True, "the pod template equals the stable one")

    async def mark_bad(self, service: ServiceName, version: Version, reason: str) -> None:
        """Kept."""
        self.asked.append(("bad", service, version, reason))

    async def act_on_pull(self, number: int, head: str, action: PullAction, consent: Consent = NO_CONSENT) -> str:
        """Kept."""
        if self.failure is not None:
            raise self.failure
        self.asked.append((action, number, head))
        self.consents.append(consent)
        return f"#{number}: {action}"

    async def act_on_rollout(
        self, where: CellKey, seen: Rollout, action: RolloutAction, *, consent: Consent = NO_CONSENT
    ) -> str:
        """Kept."""
        if self.failure is not None:
            raise self.failure
        self.asked.append((action, where))
        self.consents.append(consent)
        return f"{where}: {action}"

    async def waves(self) -> tuple[tuple[WavePlan, WaveStep], ...]:
        """What a test says."""
        return self.wave_plans

    async def stop_waves(self, identity: str, reason: str) -> None:
        """Kept."""
        self.asked.append(("stop", identity, reason))

    async def resume_waves(self, identity: str, consent: Consent = NO_CONSENT) -> None:
        """Kept."""
        self.asked.append(("go on", identity))
        self.consents.append(consent)

    async def drop_waves(self, identity: str) -> None:
        """Kept."""
        self.asked.append(("drop", identity))

    @property
    def recovery(self) -> ScriptedSession:
        """Return this session, which also scripts the unfinished writes."""
        return self

    async def list_unfinished(self) -> tuple[UnfinishedWrite, ...]:
        """Return the unfinished writes the test set."""
        return self.begun

    async def resume(self, operation: str, consent: Consent = NO_CONSENT) -> AsyncIterator[Progress]:
        """Kept; nothing is told."""
        self.asked.append(("resume", operation))
        self.consents.append(consent)
        for told in self.resumed:
            yield told

    async def discard(self, operation: str) -> str:
        """Kept."""
        self.asked.append(("discard", operation))
        self.begun = tuple(one for one in self.begun if one.operation != operation)
        return f"{operation} discarded"


def promotion(where: CellKey, to: str) -> Change:
    """A change of one cell, from whatever it wants."""
    path = f"{where.stage}/app-service/{where.service}/values.yaml"
    versions = Version("v1"), Version(to)
    return Change("promotion", where.service, where.stage, where.cluster, path, "image.tag", *versions, (where,))


def preview(shown: FleetSnapshot) -> Preview:
    """The plan of a snapshot as pull requests, one a stage."""
    proposals: dict[StageName, Proposal] = {}
    for change in shown.plan.changes:
        edit = FileEdit(change, _diff(change))
        known = proposals.get(change.stage)
        edits = (*known.edits, edit) if known else (edit,)
        title = change.subject if len(edits) == 1 else f"feat: {len(edits)} promotions into {change.stage}"
        proposals[change.stage] = Proposal(
            change.stage, f"sgm/{change.stage}-1f3a", title, "", edits, ("promotion",), ("@acme/sre",)
        )
    return Preview(REVISION, tuple(proposals.values()))


def _diff(change: Change) -> str:
    return "\n".join(
        (
            f"--- a/{change.path}",
            f"+++ b/{change.path}",
            "@@ -3,5 +3,5 @@",
            " image:",
            f"   repository: ghcr.io/acme/{change.service}",
            f"-  tag: {change.from_version}",
            f"+  tag: {change.to_version}",
            " replicas: 4",
            " # the team of the shop",
        )
    )
