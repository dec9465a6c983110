"""Refresh Applications: compare, publish the comparison, and sync where auto-sync is on (protocols §A7, §J)."""

from __future__ import annotations

from dataclasses import replace

from sgm_tui.sandbox.agenda import Script
from sgm_tui.sandbox.argocd.applications import Comparison, GoneError
from sgm_tui.sandbox.argocd.auto_sync import AutoSync
from sgm_tui.sandbox.argocd.comparison import compare
from sgm_tui.sandbox.argocd.context import MOMENT, Context, Target
from sgm_tui.sandbox.argocd.deletion import delete_application
from sgm_tui.sandbox.argocd.operations import Operations
from sgm_tui.sandbox.argocd.project import violation
from sgm_tui.sandbox.kubernetes.objects import KubeObject


class Refresher:
    """Refreshes Applications, each once however many reasons there are for it."""

    def __init__(self, context: Context, operations: Operations) -> None:
        self._context = context
        self._operations = operations
        self._auto_sync = AutoSync(context, lambda name: self.refresh_later(name, 0.0, latest=False))
        self._applications = context.applications
        self._pending: dict[str, bool] = {}
        """Application → whether its pending refresh fetches from git."""
        self._fingerprints: dict[str, object] = {}
        """Application → fingerprint of the manifests it was last compared with."""

    def refresh_later(self, name: str, seconds: float, *, latest: bool) -> None:
        """Refresh an Application after some seconds; `latest` compares with git, not only with the cluster."""
        if name in self._pending:
            self._pending[name] |= latest
            return
        self._pending[name] = latest
        self._start(self._refresh(name), seconds)

    def operate_later(self, name: str, seconds: float) -> None:
        """Run the operation a client has written into an Application."""
        self._operations.running.add(name)
        self._start(self._operations.run(name, begun=False), seconds)

    def delete_later(self, name: str, seconds: float) -> None:
        """Delete the objects of an Application that is being deleted, then itself."""
        self._start(delete_application(self._context, name), seconds)

    def mark_as_compared(self, name: str) -> None:
        """Take an Application as compared with, and deployed from, the newest commit."""
        application = self._applications.get(name)
        if application is not None:
            self._fingerprints[name] = self._context.manifests.fingerprint(application["spec"], self._context.head)
            self._context.applied[name] = self._context.head

    def forget(self, name: str) -> None:
        """Forget a deleted Application."""
        self._fingerprints.pop(name, None)
        self._auto_sync.forget(name)
        self._context.applied.pop(name, None)

    def is_affected(self, application: KubeObject, commit: str) -> bool:
        """Return whether a commit changes the manifests of an Application, or its last comparison failed."""
        status = application.get("status") or {}
        if status.get("conditions") or not (status.get("sync") or {}).get("status"):
            return True
        old = self._fingerprints.get(application["metadata"]["name"])
        return old != self._context.manifests.fingerprint(application["spec"], commit)

    def move_to(self, name: str, commit: str) -> None:
        """Write a commit that does not affect an Application as its revision."""
        application = self._applications.get(name)
        if application is not None and (application.get("status") or {}).get("sync") and commit == self._context.head:
            self._applications.move(name, commit)

    def _start(self, script: Script, seconds: float) -> None:
        self._context.agenda.start(_end_when_gone(script), seconds)

    def _refresh(self, name: str) -> Script:
        while name in self._operations.applying:
            yield 0.1  # a sync is at the cluster; it compares when it ends
        latest = self._pending.pop(name)
        application = self._applications.get(name)
        if application is None or "deletionTimestamp" in application["metadata"]:
            return
        annotations = application["metadata"].get("annotations") or {}
        if annotations.get("argocd.argoproj.io/skip-reconcile") == "true":
            return
        spec = application.get("spec") or {}
        refusal_reason = violation(application, self._context.project(spec), self._context.servers)
        target = None if refusal_reason else self._context.target(spec)
        if target is None:
            self._applications.refuse(name, refusal_reason or "Destination server missing from app spec")
            self._applications.refreshed(name)
            return
        yield from self._compare_and_sync(name, application, target, latest=latest)

    def _compare_and_sync(self, name: str, application: KubeObject, target: Target, *, latest: bool) -> Script:
        comparison = self._compare(application, target)
        operation = None
        if "operation" not in application and name not in self._operations.running:
            operation = self._auto_sync.request(application, comparison)
        if operation is None and comparison.condition is None:
            comparison = replace(comparison, condition=self._auto_sync.explain(application, comparison))
        if operation is not None:
            self._operations.running.add(name)
            self._operations.applying.add(name)
            self._applications.request(name, operation)
            yield MOMENT
            self._applications.begin(name)
            yield MOMENT
        self._applications.publish(name, comparison, latest=latest)
        yield MOMENT
        self._applications.refreshed(name)
        if operation is not None:
            yield from self._operations.run(name, begun=True)

    def _compare(self, application: KubeObject, target: Target) -> Comparison:
        context, spec = self._context, application["spec"]
        commit = context.manifests.resolve(spec, context.head)
        comparison = compare(context, application, target, commit)
        if comparison.condition is None:
            self._fingerprints[application["metadata"]["name"]] = context.manifests.fingerprint(spec, commit)
        if target.reachable or comparison.condition is not None:
            return comparison
        # The cluster does not respond: its last state stays in the status.
        return replace(comparison, health=None, images=None)


def _end_when_gone(script: Script) -> Script:
    """Run a script about an Application; end it without an error once the Application is deleted."""
    try:
        yield from script
    except GoneError:
        return
