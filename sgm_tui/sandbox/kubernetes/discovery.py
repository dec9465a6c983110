"""Discovery of an embedded API server: version, groups, resources, and an OpenAPI document for kubectl.

Both forms are answered: aggregated discovery for current clients, and one document per group for older ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sgm_tui.sandbox.kubernetes.kinds import RESOURCES, Resource

VERSION = {
    "major": "1",
    "minor": "37",
    "gitVersion": "v1.37.2",
    "gitCommit": "",
    "gitTreeState": "clean",
    "buildDate": "1970-01-01T00:00:00Z",
    "goVersion": "go1.26.8",
    "compiler": "gc",
    "platform": "linux/amd64",
}

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"

_VERBS = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]
_SUBRESOURCE_VERBS = ["get", "patch", "update"]

REVIEWS: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("authentication.k8s.io", "v1"): ("SelfSubjectReview",),
    ("authorization.k8s.io", "v1"): ("SelfSubjectAccessReview", "SelfSubjectRulesReview"),
}
"""Kinds that are only created and answered at once."""


def _groups() -> dict[str, str]:
    """Return the version of every group except the core group."""
    groups = {resource.group: resource.version for resource in RESOURCES if resource.group}
    return groups | dict(REVIEWS.keys())


def _of_group(group: str, version: str) -> list[Resource]:
    return [resource for resource in RESOURCES if (resource.group, resource.version) == (group, version)]


def api_versions(host: str) -> dict[str, Any]:
    """Return `/api`."""
    return {
        "kind": "APIVersions",
        "versions": ["v1"],
        "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": host}],
    }


def _group(name: str, version: str) -> dict[str, Any]:
    served = {"groupVersion": f"{name}/{version}", "version": version}
    return {"name": name, "versions": [served], "preferredVersion": served}


def api_groups() -> dict[str, Any]:
    """Return `/apis`."""
    groups = [_group(name, version) for name, version in _groups().items()]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}


def api_group(name: str) -> dict[str, Any] | None:
    """Return `/apis/GROUP`; None if there is no such group."""
    version = _groups().get(name)
    return None if version is None else {"kind": "APIGroup", "apiVersion": "v1", **_group(name, version)}


def api_resources(group: str, version: str) -> dict[str, Any] | None:
    """Return `/api/v1` or `/apis/GROUP/VERSION`; None if nothing is served there."""
    resources = [entry for resource in _of_group(group, version) for entry in _entries(resource)]
    resources += [
        {
            "name": f"{kind.lower()}s",
            "singularName": kind.lower(),
            "namespaced": False,
            "kind": kind,
            "verbs": ["create"],
        }
        for kind in REVIEWS.get((group, version), ())
    ]
    if not resources:
        return None
    head = {"kind": "APIResourceList"} | ({"apiVersion": "v1"} if group else {})
    return {**head, "groupVersion": f"{group}/{version}" if group else version, "resources": resources}


def _entries(resource: Resource) -> list[dict[str, Any]]:
    entry: dict[str, Any] = {
        "name": resource.plural,
        "singularName": resource.singular,
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": _VERBS,
    }
    if resource.short_names:
        entry["shortNames"] = list(resource.short_names)
    if resource.categories:
        entry["categories"] = list(resource.categories)
    entries = [entry]
    common = {"singularName": "", "namespaced": resource.namespaced}
    if resource.status:
        name = f"{resource.plural}/status"
        entries.append({"name": name, **common, "kind": resource.kind, "verbs": _SUBRESOURCE_VERBS})
    if resource.scale:
        of = {"group": "autoscaling", "version": "v1", "kind": "Scale"}
        entries.append({"name": f"{resource.plural}/scale", **common, **of, "verbs": _SUBRESOURCE_VERBS})
    return entries


def aggregated(*, core: bool) -> dict[str, Any]:
    """Return `/api` (core) or `/apis` in the aggregated form."""
    groups = {"": "v1"} if core else _groups()
    items = []
    for name, version in groups.items():
        resources = [_aggregated_entry(resource) for resource in _of_group(name, version)]
        resources += [_aggregated_review(name, version, kind) for kind in REVIEWS.get((name, version), ())]
        served = {"version": version, "resources": resources, "freshness": "Current"}
        items.append({"metadata": {"name": name} if name else {}, "versions": [served]})
    return {"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items}


def _aggregated_entry(resource: Resource) -> dict[str, Any]:
    kind = {"group": resource.group, "version": resource.version, "kind": resource.kind}
    entry: dict[str, Any] = {
        "resource": resource.plural,
        "responseKind": kind,
        "scope": "Namespaced" if resource.namespaced else "Cluster",
        "singularResource": resource.singular,
        "verbs": _VERBS,
    }
    if resource.short_names:
        entry["shortNames"] = list(resource.short_names)
    if resource.categories:
        entry["categories"] = list(resource.categories)
    subresources = []
    if resource.scale:
        scale = {"group": "autoscaling", "version": "v1", "kind": "Scale"}
        subresources.append({"subresource": "scale", "responseKind": scale, "verbs": _SUBRESOURCE_VERBS})
    if resource.status:
        subresources.append({"subresource": "status", "responseKind": kind, "verbs": _SUBRESOURCE_VERBS})
    if subresources:
        entry["subresources"] = subresources
    return entry


def _aggregated_review(group: str, version: str, kind: str) -> dict[str, Any]:
    return {
        "resource": f"{kind.lower()}s",
        "responseKind": {"group": group, "version": version, "kind": kind},
        "scope": "Cluster",
        "singularResource": kind.lower(),
        "verbs": ["create"],
    }


def openapi_index(prefix: str) -> dict[str, Any]:
    """Return `/openapi/v3`, the index of the groups' documents; its paths start at the root of the host."""
    names = ["api/v1", *(f"apis/{name}/{version}" for name, version in _groups().items())]
    return {"paths": {name: {"serverRelativeURL": f"{prefix}/openapi/v3/{name}"} for name in names}}


def openapi_document(path: str) -> dict[str, Any] | None:
    """Return `/openapi/v3/…`: just enough for kubectl to see that the server validates fields."""
    match path.split("/"):
        case ["api", "v1"]:
            group, version = "", "v1"
        case ["apis", group, version]:
            pass
        case _:
            return None
    resources = _of_group(group, version)
    if not resources and (group, version) not in REVIEWS:
        return None
    info = {"title": "Kubernetes", "version": VERSION["gitVersion"]}
    paths = {f"/{path}{_collection(resource)}/{{name}}": {"patch": _patch(resource)} for resource in resources}
    schemas = {f"{group or 'core'}.{version}.{resource.kind}": _schema(resource) for resource in resources}
    return {"openapi": "3.0.0", "info": info, "paths": paths, "components": {"schemas": schemas}}


def _collection(resource: Resource) -> str:
    return f"/namespaces/{{namespace}}/{resource.plural}" if resource.namespaced else f"/{resource.plural}"


def _kind(resource: Resource) -> dict[str, str]:
    return {"group": resource.group, "version": resource.version, "kind": resource.kind}


def _patch(resource: Resource) -> dict[str, Any]:
    names: Sequence[str] = ("dryRun", "fieldManager", "fieldValidation", "force")
    parameters = [{"name": name, "in": "query", "schema": {"type": "string"}} for name in names]
    media = {"application/merge-patch+json": {"schema": {"type": "object"}}}
    return {
        "parameters": parameters,
        "requestBody": {"content": media},
        "responses": {"200": {"description": "OK"}},
        "x-kubernetes-action": "patch",
        "x-kubernetes-group-version-kind": _kind(resource),
    }


def _schema(resource: Resource) -> dict[str, Any]:
    anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    return {
        "type": "object",
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
            "spec": anything,
            "status": anything,
        },
        "x-kubernetes-preserve-unknown-fields": True,
        "x-kubernetes-group-version-kind": [_kind(resource)],
    }
