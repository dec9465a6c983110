"""The autoscaler of a simulated cluster: keeps a Rollout's replicas within the bounds it was given."""

from __future__ import annotations

from sgm_tui.sandbox.agenda import Agenda
from sgm_tui.sandbox.clock import Clock
from sgm_tui.sandbox.objects import KubeObject, ObjectStore
from sgm_tui.sandbox.rollout_settled import autoscaler_status

_DELAY = 1.0


class Autoscaler:
    """Scales Rollouts that name no replicas of their own."""

    def __init__(self, store: ObjectStore, clock: Clock, agenda: Agenda) -> None:
        self._store = store
        self._clock = clock
        self._agenda = agenda
        self._queued: set[tuple[str, str]] = set()

    def note(self, kind: str, obj: KubeObject) -> None:
        """An autoscaler or what it scales changed: look soon."""
        namespace = obj["metadata"]["namespace"]
        name = obj["metadata"]["name"] if kind == "Rollout" else obj["spec"]["scaleTargetRef"]["name"]
        if (namespace, name) not in self._queued:
            self._queued.add((namespace, name))
            self._agenda.after(_DELAY, lambda: self._sync(namespace, name))

    def _sync(self, namespace: str, name: str) -> None:
        self._queued.discard((namespace, name))
        rollout = self._store.get("Rollout", namespace, name)
        scaler = next(
            (
                one
                for one in self._store.list("HorizontalPodAutoscaler", namespace)
                if one["spec"]["scaleTargetRef"]["name"] == name
            ),
            None,
        )
        if rollout is None or scaler is None:
            return
        least, most = scaler["spec"].get("minReplicas", 1), scaler["spec"]["maxReplicas"]
        current = int(rollout["spec"].get("replicas", 0))
        desired = min(max(current, least), most)
        if desired != current:
            self._store.write("Rollout", {**rollout, "spec": {**rollout["spec"], "replicas": desired}})
        status = (rollout.get("status") or {}).get("HPAReplicas", 0)
        wanted = autoscaler_status(status, desired, scaler["metadata"]["creationTimestamp"], at_most=False)
        self._store.write("HorizontalPodAutoscaler", {**scaler, "status": wanted}, subresource="status")
