"""The operation of one Application as its status records it."""

from __future__ import annotations

from typing import Any

from sgm_tui.sandbox.argocd.applications import revision_fields, source_fields
from sgm_tui.sandbox.argocd.context import Context
from sgm_tui.sandbox.argocd.sync import Attempt
from sgm_tui.sandbox.kubernetes.objects import KubeObject

SUCCESS = "successfully synced (all tasks run)"


class Operation:
    """Reads the operation of an Application and writes its progress."""

    def __init__(self, context: Context, name: str) -> None:
        self._context = context
        self._applications = context.applications
        self.name = name
        """The Application."""

    @property
    def request(self) -> dict[str, Any]:
        """What was requested: `status.operationState.operation`."""
        state = self._applications.must(self.name)["status"]["operationState"]
        operation: dict[str, Any] = state["operation"]
        return operation

    @property
    def is_automated(self) -> bool:
        """Whether auto-sync requested it, and not a person."""
        return bool((self.request.get("initiatedBy") or {}).get("automated"))

    @property
    def revision(self) -> str:
        """The commit to deploy: the one the request names, else the head of the branch."""
        sync = self.request["sync"]
        commits = [revision for revision in sync.get("revisions") or () if len(revision) == 40]
        revision = sync.get("revision") or (commits[0] if commits else "")
        return revision if len(revision) == 40 else self._context.head

    @property
    def is_terminating(self) -> bool:
        """Whether somebody has terminated it."""
        application = self._applications.get(self.name)
        state = ((application or {}).get("status") or {}).get("operationState") or {}
        return state.get("phase") == "Terminating"

    def finish_if_terminating(self) -> bool:
        """Finish a terminated operation as Failed; return whether it was terminated."""
        if not self.is_terminating:
            return False
        self._applications.finish(self.name, "Failed", "Operation terminated")
        return True

    def report(self, message: str, attempt: Attempt, hook_phase: str) -> None:
        """Write a message and the results of an attempt."""
        self._applications.progress(self.name, message=message, syncResult=self.result(attempt.phase(hook_phase)))

    def succeed(self, attempt: Attempt, message: str, hook_phase: str) -> None:
        """Finish the operation as Succeeded."""
        self._applications.finish(self.name, "Succeeded", message, syncResult=self.result(attempt.phase(hook_phase)))

    def result(self, resources: list[dict[str, Any]]) -> dict[str, Any]:
        """Return `syncResult`: the resources, if there are any, the revision and the sources."""
        spec = self._applications.must(self.name)["spec"]
        listed = {"resources": resources} if resources else {}
        return {**listed, **revision_fields(spec, self.revision), **source_fields(spec)}


def identify(obj: KubeObject) -> tuple[str, str, str]:
    """Return group, kind and name of an object, as an operation lists the resources to sync."""
    group, slash, _ = str(obj.get("apiVersion", "v1")).partition("/")
    return group if slash else "", obj["kind"], obj["metadata"]["name"]
