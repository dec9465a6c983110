"""Writes over HTTP: create, replace, patch, scale and delete, with the status subresource kept apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from sgm_tui.sandbox.kubernetes.kinds import Resource
from sgm_tui.sandbox.kubernetes.objects import ObjectStore
from sgm_tui.sandbox.kubernetes.patches import PatchError, json_patch, merge_patch, strategic_merge_patch, without_nulls
from sgm_tui.sandbox.kubernetes.paths import Target
from sgm_tui.sandbox.kubernetes.revisions import KubeObject
from sgm_tui.sandbox.kubernetes.selectors import selection
from sgm_tui.sandbox.kubernetes.status import ApiError, bad_request, details_of, invalid, not_found
from sgm_tui.sandbox.kubernetes.validation import check_strictly, validate

_MERGE = "application/merge-patch+json"
_JSON = "application/json-patch+json"
_STRATEGIC = "application/strategic-merge-patch+json"
_APPLY = "application/apply-patch+yaml"


def create(store: ObjectStore, target: Target, body: KubeObject, query: Mapping[str, str]) -> KubeObject:
    """Handle the POST of a new object.

    Raises:
        ApiError: 400, 404 (no such namespace), 409, 422.
    """
    resource = target.resource
    obj = _checked(target, body, query)
    if obj["metadata"].get("resourceVersion"):
        raise bad_request("resourceVersion should not be set on objects to be created")
    if resource.namespaced:
        namespaces = store.shelf("Namespace")
        if namespaces.versions() and namespaces.get(f"/{target.namespace}") is None:
            raise ApiError(
                404, "NotFound", f'namespaces "{target.namespace}" not found',
                {"name": target.namespace, "kind": "namespaces"},
            )  # fmt: skip
    if resource.status:
        obj.pop("status", None)
    if resource.kind == "Namespace":
        obj["status"] = {"phase": "Active"}
    if "name" in obj["metadata"]:
        validate(resource, obj)
    return store.create(resource.kind, obj, dry_run=_dry_run(query))


def replace(store: ObjectStore, target: Target, body: KubeObject, query: Mapping[str, str]) -> KubeObject:
    """Handle the PUT of an object, of its status or of its scale.

    Raises:
        ApiError: 400, 404, 409, 422.
    """
    if target.subresource == "scale":
        return _rescale(store, target, body, query)
    old = existing(store, target)
    obj = _checked(target, body, query)
    if target.resource.custom and not obj["metadata"].get("resourceVersion"):
        message = "Invalid value: 0: must be specified for an update"
        causes = [("metadata.resourceVersion", "FieldValueInvalid", message)]
        raise invalid(target.resource, target.name, causes, by_kind=False)
    return _write(store, target, old, obj, query)


def patch(store: ObjectStore, target: Target, media: str, body: bytes, query: Mapping[str, str]) -> KubeObject:
    """Handle the PATCH of an object, of its status or of its scale.

    Raises:
        ApiError: 400, 404, 409, 415, 422.
    """
    apply = _patcher(target.resource, media)
    old = existing(store, target)
    if target.subresource == "scale":
        return _rescale(store, target, apply(scale_of(old), body), query)
    patched = apply(old, body)
    if not isinstance(patched, dict) or not isinstance(patched.get("metadata"), dict):
        raise bad_request("the patched object has no metadata")
    return _write(store, target, old, _checked(target, patched, query), query)


def delete(store: ObjectStore, target: Target, body: Mapping[str, Any], query: Mapping[str, str]) -> KubeObject:
    """Handle DELETE; return the object while it has finalizers, else a Status that says it is deleted.

    Raises:
        ApiError: 404, 409.
    """
    resource = target.resource
    preconditions = body.get("preconditions") or {}
    if _dry_run({**query, **({"dryRun": "All"} if body.get("dryRun") else {})}):
        last = existing(store, target)
    else:
        last = store.delete(
            resource.kind,
            target.namespace or "",
            target.name,
            propagation=body.get("propagationPolicy") or query.get("propagationPolicy") or "Background",
            uid=preconditions.get("uid") or "",
            resource_version=preconditions.get("resourceVersion") or "",
        )
        if store.get(resource.kind, target.namespace or "", target.name) is not None:
            return last
    if resource.kind == "Pod":
        return last
    details = {**details_of(resource, target.name), "uid": last["metadata"]["uid"]}
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}


def selected(store: ObjectStore, target: Target, query: Mapping[str, str]) -> Sequence[KubeObject]:
    """Return the objects that a DELETE of a collection selects."""
    chosen = selection(target.resource.kind, target.namespace, query)
    return [obj for obj in store.list(target.resource.kind, target.namespace) if chosen.matches(obj)]


def existing(store: ObjectStore, target: Target) -> KubeObject:
    """Return the object of a request.

    Raises:
        ApiError: 404, it or the subresource does not exist.
    """
    resource, subresource = target.resource, target.subresource
    obj = store.get(resource.kind, target.namespace or "", target.name)
    served = {"": True, "status": resource.status, "scale": resource.scale}.get(subresource, False)
    if obj is None or not served:
        raise not_found(resource, target.name)
    return obj


def scale_of(obj: KubeObject) -> KubeObject:
    """Return the Scale of an object that has replicas."""
    fields = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    metadata = {part: obj["metadata"][part] for part in fields if part in obj["metadata"]}
    status = obj.get("status") or {}
    labels = ((obj.get("spec") or {}).get("selector") or {}).get("matchLabels") or {}
    selector = status.get("selector") or ",".join(f"{key}={value}" for key, value in labels.items())
    replicas = status.get("HPAReplicas", status.get("replicas", 0))
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": metadata,
        "spec": {"replicas": (obj.get("spec") or {}).get("replicas", 0)},
        "status": {"replicas": replicas, "selector": selector},
    }


def _rescale(store: ObjectStore, target: Target, scale: Any, query: Mapping[str, str]) -> KubeObject:
    old = existing(store, target)
    replicas = (scale.get("spec") or {}).get("replicas") if isinstance(scale, dict) else None
    metadata = dict(old["metadata"])
    expected_version = (scale.get("metadata") or {}).get("resourceVersion") if isinstance(scale, dict) else None
    if expected_version:
        metadata["resourceVersion"] = expected_version
    obj = {**old, "metadata": metadata, "spec": {**(old.get("spec") or {}), "replicas": replicas}}
    validate(target.resource, obj)
    return scale_of(store.write(target.resource.kind, obj, dry_run=_dry_run(query)))


def _write(
    store: ObjectStore, target: Target, old: KubeObject, obj: KubeObject, query: Mapping[str, str]
) -> KubeObject:
    resource = target.resource
    if not target.subresource:
        if resource.status:
            obj.pop("status", None)
            if "status" in old:
                obj["status"] = old["status"]
        validate(resource, obj)
    return store.write(resource.kind, obj, subresource=target.subresource, dry_run=_dry_run(query))


def _checked(target: Target, body: KubeObject, query: Mapping[str, str]) -> KubeObject:
    """Return a copy of the body, checked against its path, without empty parts of metadata."""
    resource = target.resource
    if body.get("kind", resource.kind) != resource.kind or not isinstance(body.get("metadata"), dict):
        raise bad_request(
            f"{body.get('kind', '')} in version {body.get('apiVersion', '')!r} cannot be handled as a {resource.kind}"
        )
    empty_is_absent = ("annotations", "labels", "finalizers", "ownerReferences")
    metadata = {key: value for key, value in body["metadata"].items() if value or key not in empty_is_absent}
    if target.name and metadata.setdefault("name", target.name) != target.name:
        raise bad_request(
            f"the name of the object ({metadata['name']}) does not match the name on the URL ({target.name})"
        )
    if resource.namespaced and metadata.setdefault("namespace", target.namespace) != target.namespace:
        raise bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )  # fmt: skip
    content = without_nulls(body) if resource.custom else body
    obj = {**content, "metadata": metadata, "kind": resource.kind}
    if query.get("fieldValidation") == "Strict":
        check_strictly(resource, obj)
    return obj


def _dry_run(query: Mapping[str, str]) -> bool:
    return query.get("dryRun", "") == "All"


def _patcher(resource: Resource, media: str) -> Any:
    """Return the function that applies a patch of this content type to an object of this kind."""
    if media == _MERGE:
        return lambda obj, body: merge_patch(obj, decoded(body))
    if media == _JSON:
        return _apply_json_patch
    if media == _STRATEGIC and not resource.custom:
        return lambda obj, body: strategic_merge_patch(obj, decoded(body))
    accepted = (_JSON, _MERGE, _APPLY) if resource.custom else (_JSON, _MERGE, _STRATEGIC, _APPLY)
    raise ApiError(
        415, "UnsupportedMediaType",
        "the body of the request was in an unknown format - accepted media types include: " + ", ".join(accepted),
    )  # fmt: skip


def _apply_json_patch(obj: KubeObject, body: bytes) -> Any:
    operations = decoded(body)
    if not isinstance(operations, Sequence) or isinstance(operations, str):
        raise bad_request(
            "error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp"
        )
    try:
        return json_patch(obj, operations)
    except PatchError as error:
        # The real server does not say what was wrong either.
        message = "the server rejected our request due to an error in our request"
        raise ApiError(422, "Invalid", message, {}) from error


def decoded(body: bytes) -> Any:
    """Return the JSON of a request.

    Raises:
        ApiError: 400, it is none.
    """
    try:
        return msgspec.json.decode(body)
    except msgspec.DecodeError as error:
        raise bad_request(f"error decoding request body: {error}") from error
