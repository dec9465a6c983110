"""Restart pods: evict those older than `spec.restartAt`, at most as many at once as may be unavailable."""

from __future__ import annotations

from datetime import datetime

from sgm_tui.sandbox.kubernetes.kubelet import is_ready
from sgm_tui.sandbox.kubernetes.objects import KubeObject
from sgm_tui.sandbox.rollouts.objects import total_wanted
from sgm_tui.sandbox.rollouts.reconciliation import Round

_LOOK_AGAIN = 30.0


def restart_pods(look: Round) -> int:
    """Evict the pods that are due; return how many."""
    restart_at = look.rollout.spec.get("restartAt")
    if not restart_at or restart_at == look.rollout.status.get("restartedAt"):
        return 0
    marks = look.shop.marks
    wait = marks.moment(look.rollout.uid, "restart", restart_at) - marks.now
    if wait >= 0.0:
        look.look_again(wait)
        return 0
    pods = _pods(look)
    due = [pod for pod in pods if _is_older(pod, restart_at)]
    _, missing = look.rollout.fences
    least = max(look.rollout.replicas, total_wanted(look.all)) - max(missing, 1)
    free = max(0, sum(is_ready(pod) for pod in pods) - least)
    for pod in due[:free]:
        look.shop.store.delete("Pod", look.rollout.namespace, pod["metadata"]["name"])
    if len(due) > free:
        look.look_again(_LOOK_AGAIN)
    else:
        look.restarted_at = restart_at
    return min(free, len(due))


def _pods(look: Round) -> list[KubeObject]:
    """Return the stable ReplicaSet's pods first, then the new one's."""
    ranks = {one.uid: 0 for one in (look.stable, look.new) if one is not None}
    ordered = sorted(look.all, key=lambda one: ranks.get(one.uid, 1))
    return [pod for one in ordered for pod in look.shop.store.owned("Pod", one.uid)]


def _is_older(pod: KubeObject, restart_at: str) -> bool:
    return datetime.fromisoformat(pod["metadata"]["creationTimestamp"]) < datetime.fromisoformat(restart_at)
