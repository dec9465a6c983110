"""The rules of the real schemas that people run into: required fields, and numeric replicas."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sgm_tui.sandbox.kubernetes.columns import at
from sgm_tui.sandbox.kubernetes.kinds import Resource
from sgm_tui.sandbox.kubernetes.revisions import KubeObject
from sgm_tui.sandbox.kubernetes.status import ApiError, bad_request, invalid

_REQUIRED: Mapping[str, tuple[str, ...]] = {
    "Application": ("spec", "spec.destination", "spec.project"),
    "AppProject": ("spec",),
    "ApplicationSet": ("spec", "spec.generators", "spec.template"),
    "AnalysisRun": ("spec", "spec.metrics"),
    "AnalysisTemplate": ("spec", "spec.metrics"),
    "HorizontalPodAutoscaler": ("spec.maxReplicas", "spec.scaleTargetRef"),
    "ReplicaSet": ("spec.selector",),
    "Rollout": ("spec",),
}

_UNCHECKED = (
    "<nil>",
    "FieldValueInvalid",
    (
        "Invalid value: null: some validation rules were not checked because the object was invalid; "
        "correct the existing errors to complete validation"
    ),
)

_JSON_TYPES: Mapping[type, str] = {str: "string", bool: "boolean", float: "number", list: "array", dict: "object"}


def validate(resource: Resource, obj: KubeObject) -> None:
    """Refuse what the real server's schema refuses.

    Raises:
        ApiError: 422 naming the field.
    """
    name = obj["metadata"]["name"]
    for path in _REQUIRED.get(resource.kind, ()):
        if at(obj, path) is None:
            raise invalid(resource, name, [(path, "FieldValueRequired", "Required value")])
    replicas = at(obj, "spec.replicas")
    if resource.scale and replicas is not None and (isinstance(replicas, bool) or not isinstance(replicas, int)):
        raise _replicas_are_no_number(resource, name, replicas)


def _replicas_are_no_number(resource: Resource, name: str, replicas: Any) -> ApiError:
    json_type = _JSON_TYPES.get(type(replicas), "string")
    wrong = f'Invalid value: "{json_type}": spec.replicas in body must be of type integer: "{json_type}"'
    accessor = (
        f"Invalid value: 0: .spec.replicas accessor error: {replicas} is of the type {json_type}, expected int64"
    )  # fmt: skip
    causes = [
        ("spec.replicas", "FieldValueTypeInvalid", wrong),
        (".spec.replicas", "FieldValueInvalid", accessor),
        _UNCHECKED,
    ]
    return invalid(resource, name, causes)


def check_strictly(resource: Resource, obj: KubeObject) -> None:
    """Check what `fieldValidation=Strict` adds: no unknown field at the top level.

    Raises:
        ApiError: 400 naming the field.
    """
    if not resource.custom:
        return
    fields = {
        "apiVersion",
        "kind",
        "metadata",
        "spec",
        "status",
        *(("operation",) if obj["kind"] == "Application" else ()),
    }
    for field in obj:
        if field not in fields:
            raise bad_request(
                f'{resource.kind} in version "{resource.version}" cannot be handled as a {resource.kind}: '
                f'strict decoding error: unknown field "{field}"'
            )
