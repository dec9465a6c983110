"""Delete old ReplicaSets beyond the revision history limit."""

from __future__ import annotations

from sgm_tui.sandbox.rollouts.objects import HASH_LABEL
from sgm_tui.sandbox.rollouts.reconciliation import Round


def limit_history(look: Round) -> None:
    """Delete the oldest ReplicaSets without pods beyond `revisionHistoryLimit`, with their analysis runs."""
    surplus = len(look.other_sets) - int(look.rollout.spec.get("revisionHistoryLimit", 10))
    if surplus <= 0:
        return
    oldest = sorted(
        look.other_sets,
        key=lambda replica_set: (replica_set.obj["metadata"]["creationTimestamp"], replica_set.revision),
    )
    for replica_set in oldest[:surplus]:
        if replica_set.replicas or replica_set.actual:
            continue
        look.shop.store.delete("ReplicaSet", look.rollout.namespace, replica_set.name)
        look.all = [other for other in look.all if other.uid != replica_set.uid]
        for run in look.runs.other_runs:
            if (run["metadata"].get("labels") or {}).get(HASH_LABEL) == replica_set.hash:
                look.shop.store.delete("AnalysisRun", look.rollout.namespace, run["metadata"]["name"])
        look.runs.other_runs = [
            run
            for run in look.runs.other_runs
            if (run["metadata"].get("labels") or {}).get(HASH_LABEL) != replica_set.hash
        ]
