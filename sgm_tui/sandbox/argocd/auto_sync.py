"""Auto-sync: the operation an Application needs after a comparison, and why there is none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sgm_tui.sandbox.argocd.applications import Comparison, is_automated, revision_fields, source_fields
from sgm_tui.sandbox.argocd.context import Context
from sgm_tui.sandbox.kubernetes.objects import KubeObject

_HEAL_COOLDOWN = 330.0
"""Virtual seconds without healing after which the pauses start from zero."""
_LONGEST_PAUSE = 300.0
"""The longest pause between two attempts to heal, in virtual seconds."""


class AutoSync:
    """Requests syncs for Applications that are out of sync, and heals drift with growing pauses."""

    def __init__(self, context: Context, refresh: Callable[[str], None]) -> None:
        self._context = context
        self._refresh = refresh
        """Compare an Application again."""
        self._healed: dict[str, tuple[int, float]] = {}
        """Application → attempts to heal it, and the moment of the last one."""

    def forget(self, name: str) -> None:
        """Forget a deleted Application."""
        self._healed.pop(name, None)

    def request(self, application: KubeObject, comparison: Comparison) -> dict[str, Any] | None:
        """Return the operation to start after a comparison; None if auto-sync does nothing."""
        spec = application["spec"]
        if comparison.sync != "OutOfSync" or not is_automated(spec):
            return None
        if not self._context.may_sync(application, manual=False):
            return None
        policy = spec["syncPolicy"]["automated"]
        stale = [resource for resource in comparison.resources or () if resource["status"] != "Synced"]
        if not policy.get("prune") and all(resource.get("requiresPruning") for resource in stale):
            return None
        if not self._has_attempted(application, comparison.revision):
            return build_operation(application, comparison.revision)
        if not policy.get("selfHeal") or _has_failed(application):
            return None
        return self._heal(application, comparison, stale)

    def explain(self, application: KubeObject, comparison: Comparison) -> tuple[str, str] | None:
        """Return the condition that says why auto-sync does not try again: its type and message."""
        if comparison.sync != "OutOfSync" or not is_automated(application["spec"]):
            return None
        if not self._has_attempted(application, comparison.revision) or not _has_failed(application):
            return None
        state = application["status"]["operationState"]
        if state.get("phase") in {"Running", "Terminating"}:
            return None
        return "SyncError", f"Failed last sync attempt to [{comparison.revision}]: {state.get('message', '')}"

    def _heal(
        self, application: KubeObject, comparison: Comparison, stale: Sequence[KubeObject]
    ) -> dict[str, Any] | None:
        """Return a sync of the drifted objects; None while the pause after the last one lasts."""
        name, now = application["metadata"]["name"], self._context.clock.now
        count, last = self._healed.get(name, (0, -_HEAL_COOLDOWN))
        if now - last >= _HEAL_COOLDOWN:
            count = 0
        pause = min(2.0 * 3.0 ** (count - 1), _LONGEST_PAUSE) if count else 0.0
        if now - last < pause:
            self._context.agenda.after(last + pause - now, lambda: self._refresh(name))
            return None
        self._healed[name] = (count + 1, now)
        return build_operation(application, comparison.revision, heal=stale, attempts=count + 1)

    def _has_attempted(self, application: KubeObject, revision: str) -> bool:
        """Return whether the last operation deployed the same manifests, whatever commits there were since."""
        state = (application.get("status") or {}).get("operationState") or {}
        result = state.get("syncResult") or {}
        commits = [commit for commit in result.get("revisions") or () if len(commit) == 40]
        target_commit = result.get("revision") or next(iter(commits), "")
        if not target_commit or "finishedAt" not in state:
            return False
        manifests, spec = self._context.manifests, application["spec"]
        applied = self._context.applied.get(application["metadata"]["name"], target_commit)
        attempted = applied if state.get("phase") == "Succeeded" else target_commit
        return target_commit == revision or (
            manifests.fingerprint(spec, attempted) == manifests.fingerprint(spec, revision)
        )


def build_operation(
    application: KubeObject, revision: str, heal: Sequence[KubeObject] = (), attempts: int = 1
) -> dict[str, Any]:
    """Build the operation of an automated sync.

    Args:
        application: the Application.
        revision: the commit to deploy.
        heal: the only resources to sync; () for all.
        attempts: how often they have been healed in a row, with this one.
    """
    spec = application["spec"]
    policy = spec.get("syncPolicy") or {}
    fields = ("group", "kind", "name")
    healing = {
        "autoHealAttemptsCount": attempts,
        "resources": [{key: resource[key] for key in fields if key in resource} for resource in heal],
    }
    sync = {
        **(healing if heal else {}),
        **({"prune": True} if policy["automated"].get("prune") else {}),
        **revision_fields(spec, revision),
        **source_fields(spec),
        **({"syncOptions": policy["syncOptions"]} if policy.get("syncOptions") else {}),
    }
    return {"initiatedBy": {"automated": True}, "retry": policy.get("retry") or {"limit": 5}, "sync": sync}


def _has_failed(application: KubeObject) -> bool:
    return bool(application["status"]["operationState"].get("phase") != "Succeeded")
