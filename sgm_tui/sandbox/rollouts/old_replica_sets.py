"""Old ReplicaSets are kept for going back, so many of them and no more."""

from __future__ import annotations

from sgm_tui.sandbox.rollouts.objects import HASH_LABEL
from sgm_tui.sandbox.rollouts.reconciliation import Round


def limit_history(look: Round) -> None:
    """Delete the oldest ReplicaSets without pods beyond `revisionHistoryLimit`, with their analysis runs."""
    surplus = len(look.others) - int(look.rollout.spec.get("revisionHistoryLimit", 10))
    if surplus <= 0:
        return
    oldest = sorted(look.others, key=lambda one: (one.obj["metadata"]["creationTimestamp"], one.revision))
    for one in oldest[:surplus]:
        if one.wanted or one.actual:
            continue
        look.shop.store.delete("ReplicaSet", look.rollout.namespace, one.name)
        look.all = [other for other in look.all if other.uid != one.uid]
        for run in look.runs.others:
            if (run["metadata"].get("labels") or {}).get(HASH_LABEL) == one.hash:
                look.shop.store.delete("AnalysisRun", look.rollout.namespace, run["metadata"]["name"])
        look.runs.others = [
            run for run in look.runs.others if (run["metadata"].get("labels") or {}).get(HASH_LABEL) != one.hash
        ]
