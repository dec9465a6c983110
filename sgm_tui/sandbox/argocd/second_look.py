"""The comparisons around a sync, which a cluster cache that lags behind distorts as recorded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sgm_tui.sandbox.agenda import Script
from sgm_tui.sandbox.argocd.applications import is_automated
from sgm_tui.sandbox.argocd.auto_sync import build_operation
from sgm_tui.sandbox.argocd.comparison import compare
from sgm_tui.sandbox.argocd.context import MOMENT, Context, Target
from sgm_tui.sandbox.argocd.health import Health
from sgm_tui.sandbox.argocd.operation import SUCCESS, Operation, identify
from sgm_tui.sandbox.argocd.sync import Attempt
from sgm_tui.sandbox.kubernetes.objects import KubeObject

_LAG = 0.3
"""Virtual seconds until the cluster cache shows a sync; the cluster's own controllers are quicker."""
_SECOND_SYNC = 0.6
"""The share of syncs that an empty second one follows, because the cluster cache lagged behind."""


def publish_first_deployment(context: Context, operation: Operation, target: Target) -> None:
    """Publish a first deployment half-seen: the cache does not show the workload yet, but the other objects."""
    application = context.applications.get(operation.name)
    if application is None or (application["status"].get("health") or {}).get("status") != "Missing":
        return
    comparison = compare(context, application, target, operation.revision)
    resources = [
        {**resource, "status": "OutOfSync"} if resource["kind"] == "Rollout" else resource
        for resource in comparison.resources or ()
    ]
    if any(resource["status"] == "OutOfSync" for resource in resources) and len(resources) > 1:
        half = replace(comparison, sync="OutOfSync", resources=resources, health=Health("Healthy"), images=None)
        context.applications.publish(operation.name, half, latest=False)


def compare_after_sync(context: Context, operation: Operation, revision: str, *, healing: bool) -> Script:
    """Compare after a sync; often the lagging cache first causes a second sync that changes nothing."""
    yield _LAG
    name, applications = operation.name, context.applications
    application = applications.must(name)
    target = context.target(application["spec"])
    if target is None:
        return
    stale = [resource for resource in application["status"].get("resources") or () if resource["status"] == "OutOfSync"]
    syncs_again = not healing and _syncs_again(context, application, stale)
    if syncs_again:
        applications.request(name, build_operation(application, revision, heal=stale))
        yield MOMENT
        applications.begin(name)
        yield MOMENT
    applications.publish(name, compare(context, application, target, context.head), latest=True)
    if syncs_again:
        yield context.jitter(0.2, 0.4)
        operation.succeed(_apply_again(context, application, target, revision, stale), SUCCESS, "Running")


def _syncs_again(context: Context, application: KubeObject, stale: Sequence[KubeObject]) -> bool:
    spec = application["spec"]
    if not stale or not is_automated(spec) or not spec["syncPolicy"]["automated"].get("selfHeal"):
        return False
    requires_pruning = any(resource.get("requiresPruning") for resource in stale)
    is_allowed = context.may_sync(application, manual=False)
    return is_allowed and not requires_pruning and context.random.random() < _SECOND_SYNC


def _apply_again(
    context: Context, application: KubeObject, target: Target, revision: str, stale: Sequence[KubeObject]
) -> Attempt:
    chosen = {(resource.get("group", ""), resource["kind"], resource["name"]) for resource in stale}
    desired = [obj for obj in context.manifests.of(application, revision) if identify(obj) in chosen]
    attempt = Attempt(target.store, context.project_or_empty(application["spec"]), desired, {})
    attempt.apply()
    return attempt
