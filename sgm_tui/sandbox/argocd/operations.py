"""Sync operations: started, blocked by windows, applied, retried, terminated and finished, in the recorded order.

Each operation is a script over the Application (see `agenda`): clients see what is written between two pauses
together, and the order of the writes is the order of the events their watches receive.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from sgm_tui.durations import DurationError, number_or_go_seconds
from sgm_tui.sandbox.agenda import Script
from sgm_tui.sandbox.argocd.applications import source_fields
from sgm_tui.sandbox.argocd.comparison import last_applied, obsolete
from sgm_tui.sandbox.argocd.context import MOMENT, Context, Target
from sgm_tui.sandbox.argocd.manifests import ManifestError
from sgm_tui.sandbox.argocd.operation import SUCCESS, Operation, identify
from sgm_tui.sandbox.argocd.second_look import compare_after_sync, publish_first_deployment
from sgm_tui.sandbox.argocd.sync import Attempt
from sgm_tui.sandbox.kubernetes.objects import KubeObject

BLOCKED = "Sync operation blocked by sync window"
_FAILURE = "one or more synchronization tasks completed unsuccessfully, reason: "
_SYNC_ALL = (2.0, 5.0)
"""Virtual seconds a sync of a dozen objects takes: fetch, render, dry run, apply."""
_SYNC_SOME = (0.3, 1.2)
"""Virtual seconds a sync of chosen objects takes."""
_CHECK_PERIOD = 2.0
"""Virtual seconds between two checks of a waiting operation."""


class Operations:
    """Runs the operation of every Application that has one."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._applications = context.applications
        self.running: set[str] = set()
        """Applications with a running operation."""
        self.applying: set[str] = set()
        """Applications whose sync is at the cluster: comparisons wait."""

    def run(self, name: str, *, begun: bool) -> Script:
        """Run the operation of an Application to its end; `begun` if it is already Running."""
        self.running.add(name)
        operation = Operation(self._context, name)
        try:
            if not begun:
                self._applications.begin(name)
                yield MOMENT
            yield from self._wait_for_window(operation)
            application = self._applications.get(name)
            if application is not None and "operation" in application:  # else it was terminated
                yield from self._run_attempts(operation)
        finally:
            self.running.discard(name)
            self.applying.discard(name)

    def _wait_for_window(self, operation: Operation) -> Script:
        manual = not operation.is_automated
        while True:
            application = self._applications.get(operation.name)
            if application is None or self._context.may_sync(application, manual=manual):
                return
            result = {"revision": "", **source_fields(application["spec"])}
            self._applications.progress(operation.name, message=BLOCKED, syncResult=result)
            yield _CHECK_PERIOD
            if operation.finish_if_terminating():
                return

    def _run_attempts(self, operation: Operation) -> Script:
        """Attempt the sync, and again after growing pauses up to the retry limit."""
        name = operation.name
        retry = operation.request.get("retry") or {}
        limit = retry.get("limit", 0)
        count = 0
        while True:
            failure = yield from self._attempt(operation)
            if not failure:
                return
            if 0 <= limit <= count:
                message = f"{failure} (retried {count} times)." if count else failure
                self._applications.finish(name, "Failed", message)
                return
            try:
                pause = _pause_before(count + 1, retry.get("backoff") or {})
            except DurationError as error:
                self._applications.finish(name, "Failed", f"{failure} (failed to retry: {error})")
                return
            count += 1
            when = self._context.clock.wall().strftime("%I:%M%p")
            message = f"{failure}. Retrying attempt #{count} at {when}."
            now = self._context.clock.stamp()
            self._applications.progress(name, message=message, retryCount=count, finishedAt=now)
            self.applying.discard(name)
            yield from _wait(operation, pause)
            if name not in self.running or operation.finish_if_terminating():
                return
            message = f"Retrying operation. Attempt #{count}"
            self._applications.progress(name, without=("finishedAt",), message=message, syncResult=operation.result([]))

    def _attempt(self, operation: Operation) -> Generator[float, None, str]:
        """Attempt the sync once; return why it failed, "" if the operation is finished."""
        name = operation.name
        application = self._applications.must(name)
        target = self._context.target(application["spec"])
        while target is not None and not target.reachable:
            yield _CHECK_PERIOD  # the request to the cluster hangs, and nothing is reported
            if operation.finish_if_terminating():
                return ""
        sync = operation.request.get("sync")
        if sync is None or target is None:
            self._applications.finish(name, "Error", "Invalid operation request: no operation specified")
            return ""
        self.applying.add(name)
        yield self._context.jitter(*(_SYNC_SOME if sync.get("resources") else _SYNC_ALL))
        try:
            attempt = self._prepare(operation, application, target, sync)
        except ManifestError as error:
            self._applications.finish(name, "Error", f"ComparisonError: {error}", syncResult=operation.result([]))
            return ""
        if attempt.dry_run:
            attempt.apply()
            operation.succeed(attempt, "successfully synced (no more tasks)", "Succeeded")
            return ""
        return (yield from self._apply(operation, attempt, application, target, sync))

    def _prepare(self, operation: Operation, application: KubeObject, target: Target, sync: dict[str, Any]) -> Attempt:
        """Render the objects of an attempt.

        Raises:
            ManifestError: they cannot be rendered.
        """
        desired = every = self._context.manifests.of(application, operation.revision)
        chosen = {(entry.get("group", ""), entry["kind"], entry["name"]) for entry in sync.get("resources") or ()}
        if chosen:
            desired = [obj for obj in every if identify(obj) in chosen]
        return Attempt(
            store=target.store,
            project=self._context.project_or_empty(application["spec"]),
            desired=desired,
            before=last_applied(self._context, application),
            obsolete=[] if chosen else obsolete(application, target, every),
            dry_run=bool(sync.get("dryRun")),
        )

    def _apply(
        self, operation: Operation, attempt: Attempt, application: KubeObject, target: Target, sync: dict[str, Any]
    ) -> Generator[float, None, str]:
        namespace = application["spec"]["destination"].get("namespace", "")
        if "CreateNamespace=true" in (sync.get("syncOptions") or ()) and attempt.needs_namespace(namespace):
            attempt.create_namespace(namespace)
            operation.report(f"waiting for healthy state of /Namespace/{namespace}", attempt, "Running")
            yield 0.1
        attempt.apply()
        attempt.prune(allowed=bool(sync.get("prune")))
        if attempt.failures:
            return (yield from self._report_failures(operation, attempt))
        yield MOMENT
        if operation.is_automated:
            publish_first_deployment(self._context, operation, target)
        revision, is_partial = operation.revision, bool(sync.get("resources"))
        self._context.applied[operation.name] = revision
        if not is_partial:
            self._applications.record(operation.name, revision)
            yield MOMENT
        operation.succeed(attempt, SUCCESS, "Running")
        yield from compare_after_sync(self._context, operation, revision, healing=is_partial)
        return ""

    def _report_failures(self, operation: Operation, attempt: Attempt) -> Generator[float, None, str]:
        applied = [result for result in attempt.results if result["status"] != "SyncFailed"]
        if applied:
            first = f"{applied[0]['group']}/{applied[0]['kind']}/{applied[0]['name']}"
            more = f" and {len(applied) - 1} more resources" if len(applied) > 1 else ""
            operation.report(f"waiting for healthy state of {first}{more}", attempt, "Running")
            yield MOMENT
        self._applications.progress(operation.name, syncResult=operation.result(attempt.phase("Succeeded")))
        return _FAILURE + ",".join(attempt.failures)


def _wait(operation: Operation, seconds: float) -> Script:
    """Wait, but no longer than until the operation is terminated."""
    while seconds > 0:
        yield min(seconds, _CHECK_PERIOD)
        seconds -= _CHECK_PERIOD
        if operation.is_terminating:
            return


def _pause_before(attempt: int, backoff: dict[str, Any]) -> float:
    """Return the seconds before the next attempt: 10, 20, 40 … with Argo CD's defaults, as recorded.

    Raises:
        DurationError: Argo CD could not read the back-off.
    """
    duration = number_or_go_seconds(str(backoff.get("duration", "5s")))
    longest = number_or_go_seconds(str(backoff.get("maxDuration", "3m")))
    return float(min(duration * float(backoff.get("factor", 2)) ** attempt, longest))
