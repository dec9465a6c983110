"""Sync operations: taken up, held by windows, applied, retried, terminated, finished — in the recorded order.

Each is a script over the Application (see `agenda`): what stands between two pauses is seen together, and the order
of the writes is the order of the events people's watches get.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import replace
from typing import Any

from sgm_tui.durations import DurationError, number_or_go_seconds
from sgm_tui.sandbox.agenda import Script
from sgm_tui.sandbox.argocd.applications import Comparison, is_automated, revision_fields, source_fields
from sgm_tui.sandbox.argocd.comparison import compare, last_applied, obsolete
from sgm_tui.sandbox.argocd.context import Context, Target
from sgm_tui.sandbox.argocd.health import Health
from sgm_tui.sandbox.argocd.manifests import ManifestError
from sgm_tui.sandbox.argocd.sync import Attempt
from sgm_tui.sandbox.kubernetes.objects import KubeObject

SUCCESS = "successfully synced (all tasks run)"
BLOCKED = "Sync operation blocked by sync window"
_FAILURE = "one or more synchronization tasks completed unsuccessfully, reason: "
_MOMENT = 0.02
"""Between two writes of one pass of the controller."""
_APPLY_ALL = (2.0, 5.0)
"""Virtual seconds a sync of a dozen objects takes: fetch, render, dry run, apply."""
_APPLY_SOME = (0.3, 1.2)
_LAG = 0.3
"""Until the cluster cache shows what a sync has changed; the cluster's own controllers are quicker."""
_SECOND_LOOK = 0.6
"""How often a sync is followed by an empty second one, because the cluster cache had not caught up."""


class Operations:
    """Runs the operation of every Application that has one."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._applications = context.applications
        self.running: set[str] = set()
        """Applications whose operation is being worked on."""
        self.applying: set[str] = set()
        """Those of them that are at the cluster just now: comparisons wait."""

    def automated(
        self, application: KubeObject, revision: str, heal: Sequence[KubeObject] = (), attempts: int = 1
    ) -> dict[str, Any]:
        """The operation auto-sync asks for; with `heal` only for these objects."""
        spec = application["spec"]
        policy = spec.get("syncPolicy") or {}
        fields = ("group", "kind", "name")
        healing = {
            "autoHealAttemptsCount": attempts,
            "resources": [{key: one[key] for key in fields if key in one} for one in heal],
        }
        sync = {
            **(healing if heal else {}),
            **({"prune": True} if policy["automated"].get("prune") else {}),
            **revision_fields(spec, revision),
            **source_fields(spec),
            **({"syncOptions": policy["syncOptions"]} if policy.get("syncOptions") else {}),
        }
        return {"initiatedBy": {"automated": True}, "retry": policy.get("retry") or {"limit": 5}, "sync": sync}

    def run(self, name: str, *, begun: bool) -> Script:
        """Work on the Application's operation until it is over."""
        self.running.add(name)
        try:
            if not begun:
                self._applications.begin(name)
                yield _MOMENT
            yield from self._wait_for_window(name)
            yield from self._attempts(name)
        finally:
            self.running.discard(name)
            self.applying.discard(name)

    def _operation(self, name: str) -> dict[str, Any]:
        application = self._applications.must(name)
        operation: dict[str, Any] = application["status"]["operationState"]["operation"]
        return operation

    def _terminated(self, name: str) -> bool:
        application = self._applications.get(name)
        state = ((application or {}).get("status") or {}).get("operationState") or {}
        if state.get("phase") != "Terminating":
            return False
        self._applications.finish(name, "Failed", "Operation terminated")
        return True

    def _wait_for_window(self, name: str) -> Script:
        manual = not (self._operation(name).get("initiatedBy") or {}).get("automated")
        while True:
            application = self._applications.get(name)
            if application is None or self._context.may_sync(application, manual=manual):
                return
            source = source_fields(application["spec"])
            self._applications.progress(name, message=BLOCKED, syncResult={"revision": "", **source})
            yield 2.0
            if self._terminated(name):
                return

    def _attempts(self, name: str) -> Script:
        """Try, and try again after growing pauses while the retry limit lasts."""
        state = self._applications.get(name)
        if state is None or "operation" not in state:
            return  # terminated while it waited
        retry = self._operation(name).get("retry") or {}
        limit = retry.get("limit", 0)
        count = 0
        while True:
            failure = yield from self._attempt(name)
            if not failure:
                return
            if 0 <= limit <= count:
                text = f"{failure} (retried {count} times)." if count else failure
                self._applications.finish(name, "Failed", text)
                return
            try:
                wait = _backoff(retry.get("backoff") or {}, count + 1)
            except DurationError as error:
                self._applications.finish(name, "Failed", f"{failure} (failed to retry: {error})")
                return
            count += 1
            when = self._context.clock.wall().strftime("%I:%M%p")
            message = f"{failure}. Retrying attempt #{count} at {when}."
            now = self._context.clock.stamp()
            self._applications.progress(name, message=message, retryCount=count, finishedAt=now)
            self.applying.discard(name)
            yield from self._pause(name, wait)
            if name not in self.running or self._terminated(name):
                return
            self._applications.progress(
                name, without=("finishedAt",), message=f"Retrying operation. Attempt #{count}",
                syncResult=self._result(name, []),
            )  # fmt: skip

    def _pause(self, name: str, seconds: float) -> Script:
        """Wait, but not past a wish to terminate."""
        while seconds > 0:
            yield min(seconds, 2.0)
            seconds -= 2.0
            application = self._applications.get(name)
            state = ((application or {}).get("status") or {}).get("operationState") or {}
            if state.get("phase") == "Terminating":
                return

    def _attempt(self, name: str) -> Generator[float, None, str]:
        """One attempt; returns why it failed, "" when the operation is over."""
        application = self._applications.must(name)
        target = self._context.target(application["spec"])
        while target is not None and not target.reachable:
            yield 2.0  # the request to the cluster hangs; nothing is said meanwhile
            if self._terminated(name):
                return ""
        sync = self._operation(name).get("sync")
        if sync is None or target is None:
            self._applications.finish(name, "Error", "Invalid operation request: no operation specified")
            return ""
        self.applying.add(name)
        yield self._context.jitter(*(_APPLY_SOME if sync.get("resources") else _APPLY_ALL))
        attempt = self._prepared(name, application, target, sync)
        if attempt is None:
            return ""
        if attempt.dry_run:
            attempt.apply()
            self._finish(name, attempt, "successfully synced (no more tasks)", "Succeeded")
            return ""
        namespace = application["spec"]["destination"].get("namespace", "")
        if "CreateNamespace=true" in (sync.get("syncOptions") or ()) and attempt.needs_namespace(namespace):
            attempt.create_namespace(namespace)
            waiting = f"waiting for healthy state of /Namespace/{namespace}"
            self._applications.progress(name, message=waiting, syncResult=self._result(name, attempt.phase("Running")))
            yield 0.1
        attempt.apply()
        attempt.prune(allowed=bool(sync.get("prune")))
        if attempt.failures:
            return (yield from self._failed(name, attempt))
        yield _MOMENT
        if (self._operation(name).get("initiatedBy") or {}).get("automated"):
            self._half_seen(name, target)
        yield from self._succeeded(name, attempt, sync)
        return ""

    def _prepared(self, name: str, application: KubeObject, target: Target, sync: dict[str, Any]) -> Attempt | None:
        """The attempt with its objects rendered; None when that failed, which ends the operation as Error."""
        revision = self._revision(name)
        try:
            desired = self._context.manifests.of(application, revision)
        except ManifestError as error:
            self._applications.finish(
                name, "Error", f"ComparisonError: {error}", syncResult=self._result(name, [], plain=True)
            )
            return None
        chosen = {(one.get("group", ""), one["kind"], one["name"]) for one in sync.get("resources") or ()}
        if chosen:
            desired = [one for one in desired if _short(one) in chosen]
        pruned = [] if chosen else obsolete(application, target, self._context.manifests.of(application, revision))
        return Attempt(
            store=target.store,
            project=self._context.project(application["spec"]) or {"metadata": {"name": ""}, "spec": {}},
            desired=desired,
            before=last_applied(self._context, application),
            obsolete=pruned,
            dry_run=bool(sync.get("dryRun")),
        )

    def _failed(self, name: str, attempt: Attempt) -> Generator[float, None, str]:
        waiting = [one for one in attempt.results if one["status"] != "SyncFailed"]
        if waiting:
            first = f"{waiting[0]['group']}/{waiting[0]['kind']}/{waiting[0]['name']}"
            more = f" and {len(waiting) - 1} more resources" if len(waiting) > 1 else ""
            result = self._result(name, attempt.phase("Running"))
            self._applications.progress(name, message=f"waiting for healthy state of {first}{more}", syncResult=result)
            yield _MOMENT
        self._applications.progress(name, syncResult=self._result(name, attempt.phase("Succeeded")))
        return _FAILURE + ",".join(attempt.failures)

    def _succeeded(self, name: str, attempt: Attempt, sync: dict[str, Any]) -> Script:
        revision = self._revision(name)
        self._context.applied[name] = revision
        if not sync.get("resources"):
            self._applications.record(name, revision)
            yield _MOMENT
        self._finish(name, attempt, SUCCESS, "Running")
        yield _LAG
        yield from self._second_look(name, revision, healing=bool(sync.get("resources")))

    def _half_seen(self, name: str, target: Target) -> None:
        """A first deployment is noticed bit by bit: the workload is still unseen when the rest is there."""
        application = self._applications.get(name)
        if application is None or (application["status"].get("health") or {}).get("status") != "Missing":
            return
        comparison = compare(self._context, application, target, self._revision(name))
        unseen = [
            {**resource, "status": "OutOfSync"} if resource["kind"] == "Rollout" else resource
            for resource in comparison.resources or ()
        ]
        if any(resource["status"] == "OutOfSync" for resource in unseen) and len(unseen) > 1:
            half = replace(comparison, sync="OutOfSync", resources=unseen, health=Health("Healthy"), images=None)
            self._applications.publish(name, half, latest=False)

    def _second_look(self, name: str, revision: str, *, healing: bool) -> Script:
        """The comparison after a sync; often a stale cache first asks for a second sync that changes nothing."""
        application = self._applications.must(name)
        target = self._context.target(application["spec"])
        if target is None:
            return
        stale = [one for one in application["status"].get("resources") or () if one["status"] == "OutOfSync"]
        again = not healing and self._heals_again(application, stale)
        if again:
            self._applications.request(name, self.automated(application, revision, heal=stale))
            yield _MOMENT
            self._applications.begin(name)
            yield _MOMENT
        self._publish(name, compare(self._context, application, target, self._context.head))
        if again:
            yield self._context.jitter(0.2, 0.4)
            self._finish(name, self._unchanged(application, target, revision, stale), SUCCESS, "Running")

    def _heals_again(self, application: KubeObject, stale: Sequence[KubeObject]) -> bool:
        spec = application["spec"]
        if not stale or not is_automated(spec) or not spec["syncPolicy"]["automated"].get("selfHeal"):
            return False
        unknown = any(one.get("requiresPruning") for one in stale)
        may = self._context.may_sync(application, manual=False)
        return may and not unknown and self._context.random.random() < _SECOND_LOOK

    def _unchanged(
        self, application: KubeObject, target: Target, revision: str, stale: Sequence[KubeObject]
    ) -> Attempt:
        """The second sync of what the first has just brought."""
        chosen = {(one.get("group", ""), one["kind"], one["name"]) for one in stale}
        desired = [one for one in self._context.manifests.of(application, revision) if _short(one) in chosen]
        project = self._context.project(application["spec"]) or {"metadata": {"name": ""}, "spec": {}}
        attempt = Attempt(target.store, project, desired, {})
        attempt.apply()
        return attempt

    def _publish(self, name: str, comparison: Comparison) -> None:
        self._applications.publish(name, comparison, latest=True)

    def _finish(self, name: str, attempt: Attempt, message: str, hook_phase: str) -> None:
        self._applications.finish(name, "Succeeded", message, syncResult=self._result(name, attempt.phase(hook_phase)))

    def _revision(self, name: str) -> str:
        """The commit the operation is for: the one it names, else where the branch is now."""
        sync = self._operation(name)["sync"]
        several = [one for one in sync.get("revisions") or () if len(one) == 40]
        revision = sync.get("revision") or (several[0] if several else "")
        return revision if len(revision) == 40 else self._context.head

    def _result(self, name: str, resources: list[dict[str, Any]], *, plain: bool = False) -> dict[str, Any]:
        application = self._applications.must(name)
        spec = application["spec"]
        listed = {} if plain or not resources else {"resources": resources}
        return {**listed, **revision_fields(spec, self._revision(name)), **source_fields(spec)}


def _backoff(backoff: dict[str, Any], attempt: int) -> float:
    """Return the seconds before the next attempt: 10, 20, 40 … with Argo CD's defaults, as recorded.

    Raises:
        DurationError: Argo CD could not read the back-off.
    """
    duration = number_or_go_seconds(str(backoff.get("duration", "5s")))
    longest = number_or_go_seconds(str(backoff.get("maxDuration", "3m")))
    return float(min(duration * float(backoff.get("factor", 2)) ** attempt, longest))


def _short(obj: KubeObject) -> tuple[str, str, str]:
    group, slash, _ = str(obj.get("apiVersion", "v1")).partition("/")
    return group if slash else "", obj["kind"], obj["metadata"]["name"]
