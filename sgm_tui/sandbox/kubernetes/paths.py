"""Parsing the path of a request into resource, object and subresource."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sgm_tui.sandbox.kubernetes.kinds import BY_PATH, Resource


@dataclass(frozen=True, slots=True)
class Target:
    """The target of a request."""

    resource: Resource
    namespace: str | None
    """None for all namespaces, or for a cluster-scoped resource."""
    name: str = ""
    subresource: str = ""

    @property
    def plural(self) -> str:
        """Return `rollouts` or `rollouts/status`, as access rules name it."""
        return f"{self.resource.plural}/{self.subresource}" if self.subresource else self.resource.plural


def target_of(path: str) -> Target | None:
    """Return the target of `api/v1/…` or `apis/GROUP/VERSION/…`; None if nothing is served there."""
    parts = path.strip("/").split("/")
    if parts[0] == "api" and len(parts) > 2:
        return _within("", parts[1], parts[2:])
    if parts[0] == "apis" and len(parts) > 3:
        return _within(parts[1], parts[2], parts[3:])
    return None


def _within(group: str, version: str, parts: Sequence[str]) -> Target | None:
    # `namespaces/x` and `namespaces/x/status` are the namespace itself, `namespaces/x/pods` is what is in it.
    if parts[0] == "namespaces" and len(parts) > 2 and parts[2] not in ("status", "finalize"):
        namespace, plural, rest = parts[1], parts[2], parts[3:]
        resource = BY_PATH.get((group, version, plural))
        if resource is None or not resource.namespaced or len(rest) > 2:
            return None
        return Target(resource, namespace, *rest)
    resource = BY_PATH.get((group, version, parts[0]))
    if resource is None or len(parts) > 3 or (resource.namespaced and len(parts) > 1):
        return None
    return Target(resource, None, *parts[1:])
