"""Authentication and authorization of an embedded API server: one bearer token may do everything."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Any

from sgm_tui.sandbox.kubernetes.paths import Target
from sgm_tui.sandbox.kubernetes.status import ApiError, details_of

USER = "sandbox-admin"
ANONYMOUS = "system:anonymous"

_PUBLIC = frozenset({"healthz", "livez", "readyz", "version"})
"""The paths that the real server's public-info-viewer role makes public."""

_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "HEAD": "get"}

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})


def is_loopback(host: str) -> bool:
    """Return whether a Host header names this machine; that of a page rebound to it by DNS does not."""
    name = host if host.endswith("]") else host.rpartition(":")[0] or host
    return name.lower() in _LOOPBACK


def user_of(authorization: str, token: str) -> str:
    """Return the user behind an Authorization header.

    Raises:
        ApiError: 401, a token that nobody has.
    """
    if not authorization:
        return ANONYMOUS
    scheme, _, credentials = authorization.partition(" ")
    if scheme.lower() != "bearer" or not hmac.compare_digest(credentials.strip().encode(), token.encode()):
        raise ApiError(401, "Unauthorized", "Unauthorized")
    return USER


def verb_of(method: str, target: Target, *, watch: bool) -> str:
    """Return the verb that access rules use for a request."""
    if method == "GET":
        return "watch" if watch else "get" if target.name else "list"
    if method == "DELETE":
        return "delete" if target.name else "deletecollection"
    return _VERBS.get(method, method.lower())


def check(user: str, method: str, path: str, target: Target | None, *, watch: bool = False) -> None:
    """Refuse the anonymous user everything that is not public.

    Raises:
        ApiError: 403 in the words of the real server.
    """
    if user != ANONYMOUS or path.strip("/").partition("/")[0] in _PUBLIC:
        return
    if target is None:
        verb = _VERBS.get(method, method.lower())
        message = f'forbidden: User "{user}" cannot {verb} path "/{path}"'
        raise ApiError(403, "Forbidden", message, {})
    resource = target.resource
    named = f'{resource.group_resource} "{target.name}"' if target.name else resource.group_resource
    scope = f'in the namespace "{target.namespace}"' if target.namespace else "at the cluster scope"
    verb = verb_of(method, target, watch=watch)
    message = (
        f'{named} is forbidden: User "{user}" cannot {verb} resource "{target.plural}" '
        f'in API group "{resource.group}" {scope}'
    )
    raise ApiError(403, "Forbidden", message, details_of(resource, target.name))


def review(kind: str, body: Mapping[str, Any], stamp: str) -> dict[str, Any]:
    """Answer a review of the user's own permissions: the one user may do everything."""
    head: dict[str, Any] = {"kind": kind, "metadata": {}, "spec": body.get("spec") or {}}
    if kind == "SelfSubjectReview":
        user = {"username": USER, "uid": USER, "groups": ["system:masters", "system:authenticated"]}
        return {
            "kind": kind,
            "apiVersion": "authentication.k8s.io/v1",
            "metadata": {"creationTimestamp": stamp},
            "status": {"userInfo": user},
        }
    head["apiVersion"] = "authorization.k8s.io/v1"
    if kind == "SelfSubjectAccessReview":
        return {**head, "status": {"allowed": True}}
    everything = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}
    rules = {"resourceRules": [everything], "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}]}
    return {**head, "spec": {}, "status": {**rules, "incomplete": False}}
