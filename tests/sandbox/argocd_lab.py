"""A hub, one cluster and a repository in memory, stepped in virtual time: the laboratory of the Argo CD tests."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from sgm_tui.sandbox.argocd.context import Target
from sgm_tui.sandbox.argocd.controller import ArgoController
from sgm_tui.sandbox.clock import Clock
from sgm_tui.sandbox.kubernetes.objects import KubeObject, ObjectStore
from sgm_tui.sandbox.rollouts.controller import RolloutsController

STEP = 0.05
_KINDS = (
    "waiting for healthy",
    "one or more synchronization tasks completed unsuccessfully",
    "Retrying operation",
    "Sync operation blocked",
    "successfully synced",
    "ComparisonError",
)

SERVICE = """apiVersion: v1
kind: Service
metadata: {{name: {name}}}
spec: {{ports: [{{port: 80}}], selector: {{app: x}}}}
"""
ROLLOUT = """apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {{name: {name}}}
spec:
  replicas: 4
  selector: {{matchLabels: {{app: x}}}}
  template:
    metadata: {{labels: {{app: x}}}}
    spec: {{containers: [{{name: main, image: "ghcr.io/acme/{name}:{version}"}}]}}
  strategy:
    canary:
      steps: {steps}
"""
GATED = "[{setWeight: 25}, {pause: {}}, {setWeight: 50}, {pause: {duration: 4s}}]"
PROJECT = {
    "apiVersion": "argoproj.io/v1alpha1",
    "kind": "AppProject",
    "metadata": {"name": "acme", "namespace": "argocd"},
    "spec": {
        "sourceRepos": ["https://git.example/gitops.git"],
        "destinations": [{"name": "*", "namespace": "app-*"}],
        "clusterResourceWhitelist": [{"group": "", "kind": "Namespace"}],
    },
}


def application(name: str, cluster: str, service: str, path: str, **policy: Any) -> KubeObject:
    """An Application of a folder of manifests."""
    spec: dict[str, Any] = {
        "project": "acme",
        "destination": {"name": cluster, "namespace": f"app-{service}"},
        "source": {"repoURL": "https://git.example/gitops.git", "path": path, "targetRevision": "main"},
    }
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": name, "namespace": "argocd", "finalizers": ["resources-finalizer.argocd.argoproj.io"]},
        "spec": spec | ({"syncPolicy": policy} if policy else {}),
    }


AUTOMATED: dict[str, Any] = {
    "automated": {"prune": True, "selfHeal": True},
    "syncOptions": ["CreateNamespace=true"],
}


class MemoryRepository:
    """Commits that are tables of files."""

    def __init__(self) -> None:
        self._commits: dict[str, dict[str, str]] = {}
        self._head = ""

    def commit(self, **files: str | None) -> str:
        """Change files; None deletes one. Keys are paths with `__` for a slash."""
        content = dict(self._commits.get(self._head, {}))
        for key, text in files.items():
            path = key.replace("__", "/") + ".yaml"
            content.pop(path, None)
            if text is not None:
                content[path] = text
        self._head = hashlib.sha1(repr((len(self._commits), sorted(content.items()))).encode()).hexdigest()
        self._commits[self._head] = content
        return self._head

    def head(self, branch: str = "main") -> str:
        return self._head

    def read(self, commit: str, path: str) -> bytes | None:
        text = self._commits.get(commit, {}).get(path)
        return None if text is None else text.encode()

    def blobs(self, commit: str) -> dict[str, str]:
        files = self._commits.get(commit, {})
        return {path: hashlib.sha1(text.encode()).hexdigest() for path, text in sorted(files.items())}


class Lab:
    """One hub, one cluster called `prod-eu1`, and everything the Applications went through."""

    def __init__(self, seed: str = "lab") -> None:
        self.clock = Clock(datetime(2026, 11, 23, 10, 0, tzinfo=UTC), 1.0)
        self.hub = ObjectStore(self.clock, seed=f"{seed}:hub")
        self.cluster = ObjectStore(self.clock, seed=f"{seed}:prod-eu1")
        self.repository = MemoryRepository()
        self.target = Target("prod-eu1", "https://prod-eu1", self.cluster, {"stage": "prod"})
        hub = Target("in-cluster", "https://kubernetes.default.svc", self.hub)
        self.argo = ArgoController(
            self.hub, {"prod-eu1": self.target, "in-cluster": hub}, self.repository, self.clock, seed=seed
        )
        self.rollouts = RolloutsController(self.cluster, self.clock, measure=lambda _query: [], seed=seed)
        self.states: dict[str, list[list[Any]]] = {}
        self._revisions: dict[str, list[str]] = {}
        self.hub.create("AppProject", PROJECT)
        self.hub.listeners.append(self._record)

    def begin(self) -> None:
        self.argo.prepare()
        self.argo.begin()

    def service(self, name: str = "checkout", **policy: Any) -> str:
        """An Application for a canary with a gate, deployed and quiet."""
        self.deploy(**files(name, "v1.0.0"))
        self.hub.create("Application", application(f"prod-eu1-{name}", "prod-eu1", name, name, **(policy or AUTOMATED)))
        self.until(lambda: self.state(f"prod-eu1-{name}")[:3] == ["Synced", 0, "Healthy"])
        self.run(3.0)
        self.forget()
        return f"prod-eu1-{name}"

    def forget(self) -> None:
        """Record from here on: every Application's present state becomes its first."""
        self._revisions.clear()
        self.states.clear()
        for one in self.hub.list("Application"):
            self._record("MODIFIED", "Application", one)

    def deploy(self, **changes: str) -> None:
        """Push, and let Argo CD have noticed."""
        self.push(**changes)
        self.run(2.0)

    def push(self, **changes: str | None) -> str:
        commit = self.repository.commit(**changes)
        self.argo.on_push()
        return commit

    def run(self, seconds: float) -> None:
        end = self.clock.now + seconds
        while self.clock.now < end:
            self.step()

    def step(self) -> None:
        self.clock.advance(STEP)
        self.rollouts.step()
        self.argo.step()

    def until(self, holds: Callable[[], bool], seconds: float = 120.0) -> None:
        end = self.clock.now + seconds
        while not holds():
            assert self.clock.now < end, f"still not after {seconds} s: {self.states}"
            self.step()

    def state(self, name: str) -> list[Any]:
        return self.states.get(name, [[None]])[-1]

    def app(self, name: str) -> KubeObject:
        found = self.hub.get("Application", "argocd", name)
        assert found is not None
        return found

    def annotate(self, name: str, **annotations: str) -> None:
        """Annotate an Application under argocd.argoproj.io/."""
        app = self.app(name)
        mine = {f"argocd.argoproj.io/{key}": value for key, value in annotations.items()}
        metadata = {**app["metadata"], "annotations": {**(app["metadata"].get("annotations") or {}), **mine}}
        self.hub.write("Application", {**app, "metadata": metadata})

    def operate(self, name: str, **sync: Any) -> None:
        """Write a manual operation, as a person does."""
        operation = {"initiatedBy": {"username": "lab"}, "sync": {"syncStrategy": {"hook": {}}, **sync}}
        self.hub.write("Application", {**self.app(name), "operation": operation})

    def patch_live(self, service: str = "checkout", **spec: Any) -> None:
        """Change fields of a live Rollout's spec."""
        live = self.cluster.get("Rollout", f"app-{service}", service)
        assert live is not None
        self.cluster.write("Rollout", {**live, "spec": {**live["spec"], **spec}})

    def patch_status(self, service: str = "checkout", **status: Any) -> None:
        live = self.cluster.get("Rollout", f"app-{service}", service)
        assert live is not None
        self.cluster.write("Rollout", {**live, "status": {**live["status"], **status}}, subresource="status")

    def _record(self, event: str, kind: str, obj: KubeObject) -> None:
        if kind != "Application":
            return
        name = obj["metadata"]["name"]
        state = ["DELETED"] if event == "DELETED" else self._state_of(name, obj)
        states = self.states.setdefault(name, [])
        if not states or states[-1] != state:
            states.append(state)

    def _state_of(self, name: str, obj: KubeObject) -> list[Any]:
        status = obj.get("status") or {}
        sync, operation = status.get("sync") or {}, status.get("operationState") or {}
        revision = sync.get("revision", "")
        revisions = self._revisions.setdefault(name, [])
        if len(revision) == 40 and revision not in revisions:
            revisions.append(revision)
        message = operation.get("message", "")
        return [
            sync.get("status", ""),
            revisions.index(revision) if revision in revisions else revision,
            (status.get("health") or {}).get("status", ""),
            operation.get("phase", ""),
            next((kind for kind in _KINDS if message.startswith(kind)), message),
            operation.get("retryCount", 0),
            [one["type"] for one in status.get("conditions") or ()],
            "operation" in obj,
        ]


def files(name: str, version: str, steps: str = GATED) -> dict[str, str]:
    """The folder of a service at a version."""
    return {
        f"{name}__service": SERVICE.format(name=name),
        f"{name}__rollout": ROLLOUT.format(name=name, version=version, steps=steps),
    }
