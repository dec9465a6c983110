"""A cluster with hand-made Rollouts and ReplicaSets under the load model, without any controller."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sgm_tui.sandbox.clock import Clock
from sgm_tui.sandbox.kubernetes.objects import ObjectStore
from sgm_tui.sandbox.prometheus.server import ClusterLoad, Defect, Load

STARTED = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
HASH = "rollouts-pod-template-hash"


class LoadLab:
    """One cluster, `prod-eu1`, of one stage."""

    def __init__(self, *, stage: str = "prod", speed: float = 1.0, seed: str = "test", now: float = 0.0) -> None:
        self.clock = Clock(STARTED, speed)
        self.clock.now = now
        self.store = ObjectStore(self.clock, seed=seed)
        self.defects: dict[tuple[str, str], Defect] = {}
        self.load = Load({"prod-eu1": self.store}, {"prod-eu1": stage}, self.clock, seed=seed, defects=self.defects)

    @property
    def cluster(self) -> ClusterLoad:
        return self.load.clusters["prod-eu1"]

    def service(self, name: str, available: dict[str, int], *, strategy: str = "canary", **status: Any) -> None:
        """Make or change a service: available pods by version; the version is its hash too."""
        namespace = f"app-{name}"
        if self.store.get("Namespace", "", namespace) is None:
            self.store.create("Namespace", {"metadata": {"name": namespace}})
        template = {"spec": {"containers": [{"name": name, "image": f"ghcr.io/acme/{name}:v0"}]}}
        rollout = self.store.get("Rollout", namespace, name) or self.store.create(
            "Rollout",
            {
                "metadata": {"name": name, "namespace": namespace},
                "spec": {"strategy": {strategy: {}}, "template": template},
            },
        )
        self.store.write("Rollout", {**rollout, "status": status}, subresource="status")
        for version, count in available.items():
            self._replica_set(rollout, name, version, count)

    def _replica_set(self, rollout: dict[str, Any], service: str, version: str, available: int) -> None:
        namespace, name = rollout["metadata"]["namespace"], f"{service}-{version}"
        existing = self.store.get("ReplicaSet", namespace, name)
        if existing is None:
            owner = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "name": service, "controller": True,
                     "uid": rollout["metadata"]["uid"]}  # fmt: skip
            container = {"name": service, "image": f"ghcr.io/acme/{service}:{version}"}
            existing = self.store.create(
                "ReplicaSet",
                {
                    "metadata": {
                        "name": name,
                        "namespace": namespace,
                        "labels": {HASH: version},
                        "ownerReferences": [owner],
                    },
                    "spec": {"replicas": available, "template": {"spec": {"containers": [container]}}},
                },
            )
        self.store.write("ReplicaSet", {**existing, "status": {"availableReplicas": available}}, subresource="status")

    def rules(self, service: str, *rules: dict[str, Any]) -> None:
        """Give the service a PrometheusRule."""
        metadata = {"name": service, "namespace": f"app-{service}"}
        self.store.create(
            "PrometheusRule", {"metadata": metadata, "spec": {"groups": [{"name": "slo", "rules": list(rules)}]}}
        )

    def pass_time(self, seconds: float, step: float = 5.0) -> None:
        for _ in range(round(seconds / step)):
            self.clock.advance(step)
            self.load.step()

    def ask(self, query: str) -> list[float]:
        return self.cluster.measure(query)
