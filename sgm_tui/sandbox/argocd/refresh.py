"""Looks at Applications: compare, publish, and ask for a sync where auto-sync is on (protocols §A7, §J)."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import replace
from typing import Any

from sgm_tui.sandbox.agenda import Script
from sgm_tui.sandbox.argocd.applications import KIND, Comparison, GoneError, is_automated
from sgm_tui.sandbox.argocd.comparison import compare
from sgm_tui.sandbox.argocd.context import Context, Target
from sgm_tui.sandbox.argocd.health import Health
from sgm_tui.sandbox.argocd.operations import Operations
from sgm_tui.sandbox.argocd.project import violation
from sgm_tui.sandbox.argocd.sync import tracked_by
from sgm_tui.sandbox.kubernetes.objects import KubeObject

_MOMENT = 0.02
_HEAL_COOLDOWN = 330.0
_HEAL_LONGEST = 300.0


class Refresher:
    """Looks at one Application at a time, each look once however many reasons there are for it."""

    def __init__(self, context: Context, operations: Operations) -> None:
        self._context = context
        self._operations = operations
        self._applications = context.applications
        self._pending: dict[str, bool] = {}
        self._fingerprints: dict[str, object] = {}
        self._healed: dict[str, tuple[int, float]] = {}

    def later(self, name: str, seconds: float, *, latest: bool) -> None:
        """Look at an Application that much later; `latest` asks git too, not only the cluster."""
        if name in self._pending:
            self._pending[name] |= latest
            return
        self._pending[name] = latest
        self._context.agenda.start(self._survive(self._look(name)), seconds)

    def operate(self, name: str, seconds: float) -> None:
        """Carry out the operation somebody has written into the Application."""
        self._operations.running.add(name)
        self._context.agenda.start(self._survive(self._operations.run(name, begun=False)), seconds)

    def delete(self, name: str, seconds: float) -> None:
        """The Application is being deleted: take its objects down, then let it go."""
        self._context.agenda.start(self._survive(self._delete(name)), seconds)

    def remember(self, name: str) -> None:
        """Take an Application as compared with, and applied from, the commit Argo CD knows."""
        application = self._applications.get(name)
        if application is not None:
            self._fingerprints[name] = self._context.manifests.fingerprint(application["spec"], self._context.head)
            self._context.applied[name] = self._context.head

    def forget(self, name: str) -> None:
        """The Application is gone."""
        self._fingerprints.pop(name, None)
        self._healed.pop(name, None)
        self._context.applied.pop(name, None)

    def concerned(self, application: KubeObject, commit: str) -> bool:
        """Whether an Application stands for something else at this commit, or was not well compared before."""
        status = application.get("status") or {}
        if status.get("conditions") or not (status.get("sync") or {}).get("status"):
            return True
        old = self._fingerprints.get(application["metadata"]["name"])
        return old != self._context.manifests.fingerprint(application["spec"], commit)

    def pass_by(self, name: str, commit: str) -> None:
        """A commit that does not concern the Application."""
        application = self._applications.get(name)
        if application is not None and (application.get("status") or {}).get("sync") and commit == self._context.head:
            self._applications.move(name, commit)

    @staticmethod
    def _survive(script: Script) -> Script:
        """An Application that is deleted meanwhile ends every script about it."""
        try:
            yield from script
        except GoneError:
            return

    def _look(self, name: str) -> Script:
        while name in self._operations.applying:
            yield 0.1  # a sync is at the cluster just now; it looks itself when it is through
        latest = self._pending.pop(name)
        application = self._applications.get(name)
        if application is None or "deletionTimestamp" in application["metadata"]:
            return
        annotations = application["metadata"].get("annotations") or {}
        if annotations.get("argocd.argoproj.io/skip-reconcile") == "true":
            return
        spec = application.get("spec") or {}
        refused = violation(application, self._context.project(spec), self._context.servers)
        target = None if refused else self._context.target(spec)
        if target is None:
            self._applications.refuse(name, refused or "Destination server missing from app spec")
            self._applications.refreshed(name)
            return
        yield from self._compared(name, application, target, latest=latest)

    def _compared(
        self, name: str, application: KubeObject, target: Target, *, latest: bool
    ) -> Generator[float, None, None]:
        comparison = self._comparison(application, target)
        operation = self._automation(application, comparison)
        if operation is None and comparison.condition is None:
            comparison = replace(comparison, condition=self._complaint(application, comparison))
        if operation is not None:
            self._operations.running.add(name)
            self._operations.applying.add(name)
            self._applications.request(name, operation)
            yield _MOMENT
            self._applications.begin(name)
            yield _MOMENT
        self._applications.publish(name, comparison, latest=latest)
        yield _MOMENT
        self._applications.refreshed(name)
        if operation is not None:
            yield from self._operations.run(name, begun=True)

    def _comparison(self, application: KubeObject, target: Target) -> Comparison:
        context, spec = self._context, application["spec"]
        commit = context.manifests.resolve(spec, context.head)
        comparison = compare(context, application, target, commit)
        if comparison.condition is None:
            self._fingerprints[application["metadata"]["name"]] = context.manifests.fingerprint(spec, commit)
        if target.reachable or comparison.condition is not None:
            return comparison
        # The cluster does not answer: what was last seen of it stays the truth about it.
        return replace(comparison, health=None, images=None)

    def _automation(self, application: KubeObject, comparison: Comparison) -> dict[str, Any] | None:
        """The operation auto-sync wants after this comparison."""
        name, spec = application["metadata"]["name"], application["spec"]
        if comparison.sync != "OutOfSync" or not is_automated(spec):
            return None
        if "operation" in application or name in self._operations.running:
            return None
        if not self._context.may_sync(application, manual=False):
            return None
        policy = spec["syncPolicy"]["automated"]
        stale = [one for one in comparison.resources or () if one["status"] != "Synced"]
        if not policy.get("prune") and all(one.get("requiresPruning") for one in stale):
            return None
        if not self._attempted(application, comparison.revision):
            return self._operations.automated(application, comparison.revision)
        if not policy.get("selfHeal") or self._failed(application):
            return None
        return self._heal(application, comparison, stale)

    def _heal(
        self, application: KubeObject, comparison: Comparison, stale: Sequence[KubeObject]
    ) -> dict[str, Any] | None:
        """A partial sync of what drifted; who keeps drifting waits longer and longer."""
        name, now = application["metadata"]["name"], self._context.clock.now
        count, last = self._healed.get(name, (0, -_HEAL_COOLDOWN))
        if now - last >= _HEAL_COOLDOWN:
            count = 0
        wait = min(2.0 * 3.0 ** (count - 1), _HEAL_LONGEST) if count else 0.0
        if now - last < wait:
            self._context.agenda.after(last + wait - now, lambda: self.later(name, 0.0, latest=False))
            return None
        self._healed[name] = (count + 1, now)
        return self._operations.automated(application, comparison.revision, heal=stale, attempts=count + 1)

    def _attempted(self, application: KubeObject, revision: str) -> bool:
        """Whether the last operation was about the same manifests, whatever commits have passed since."""
        state = (application.get("status") or {}).get("operationState") or {}
        result = state.get("syncResult") or {}
        tried = result.get("revision") or next((one for one in result.get("revisions") or () if len(one) == 40), "")
        if not tried or "finishedAt" not in state:
            return False
        manifests, spec = self._context.manifests, application["spec"]
        applied = self._context.applied.get(application["metadata"]["name"], tried)
        attempted = applied if state.get("phase") == "Succeeded" else tried
        return tried == revision or manifests.fingerprint(spec, attempted) == manifests.fingerprint(spec, revision)

    @staticmethod
    def _failed(application: KubeObject) -> bool:
        return bool(application["status"]["operationState"].get("phase") != "Succeeded")

    def _complaint(self, application: KubeObject, comparison: Comparison) -> tuple[str, str] | None:
        """The condition that says why auto-sync does not try again."""
        if comparison.sync != "OutOfSync" or not is_automated(application["spec"]):
            return None
        if not self._attempted(application, comparison.revision) or not self._failed(application):
            return None
        state = application["status"]["operationState"]
        if state.get("phase") in {"Running", "Terminating"}:
            return None
        return "SyncError", f"Failed last sync attempt to [{comparison.revision}]: {state.get('message', '')}"

    def _delete(self, name: str) -> Script:
        application = self._applications.get(name)
        if application is None:
            return
        target = self._context.target(application["spec"])
        if target is not None and application["metadata"].get("finalizers"):
            yield from self._take_down(name, application, target)
        application = self._applications.get(name)
        if application is not None:
            rest = {key: value for key, value in application["metadata"].items() if key != "finalizers"}
            self._context.hub.write(KIND, {**application, "metadata": rest})

    def _take_down(self, name: str, application: KubeObject, target: Target) -> Script:
        while not target.reachable:
            yield 2.0  # nothing can be removed from a cluster that does not answer; the Application waits with it
        resources = (application.get("status") or {}).get("resources") or []
        if not resources:
            return  # it never had any
        causes = ", ".join(
            f"{resource['group']}/{resource['kind']}:{resource.get('namespace', '')}/{resource['name']}"
            if resource.get("group")
            else f"{resource['kind']}:{resource.get('namespace', '')}/{resource['name']}"
            for resource in resources[:3]
        )
        sync = application["status"].get("sync") or {}
        going = Comparison(
            sync.get("status", "Synced"), sync.get("revision", ""),
            health=Health("Progressing", f"Caused by {causes}"),
            source_type=application["status"].get("sourceType", ""),
        )  # fmt: skip
        self._applications.publish(name, going, latest=False)
        yield self._context.jitter(0.5, 1.5)
        for resource in resources:
            live = target.store.get(resource["kind"], resource.get("namespace", ""), resource["name"])
            if live is not None and tracked_by(live) == name:
                target.store.delete(resource["kind"], resource.get("namespace", ""), resource["name"])
        remaining = [{**resource, "status": "OutOfSync"} for resource in resources]
        missing = replace(going, sync="OutOfSync", resources=remaining, health=Health("Missing"), images=[])
        self._applications.publish(name, missing, latest=False)
        yield _MOMENT
