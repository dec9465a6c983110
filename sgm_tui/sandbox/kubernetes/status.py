"""Refusals of a Kubernetes API server, with the reasons and texts recorded from the real one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sgm_tui.sandbox.kubernetes.kinds import Resource


class ApiError(Exception):
    """A refusal of the API server: HTTP code, machine-readable reason, message."""

    def __init__(self, code: int, reason: str, message: str, details: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details
        self.metadata: Mapping[str, Any] = {}

    def body(self) -> dict[str, Any]:
        """Return the Status object that clients receive."""
        status: dict[str, Any] = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": dict(self.metadata),
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
        }
        if self.details is not None:
            status["details"] = dict(self.details)
        status["code"] = self.code
        return status


def details_of(resource: Resource, name: str = "", *, by_kind: bool = False) -> dict[str, Any]:
    """Return the `details` of a Status; `by_kind` where the real server names the Kind, not the plural."""
    details: dict[str, Any] = {"name": name, "group": resource.group}
    details = {key: value for key, value in details.items() if value}
    details["kind"] = resource.kind if by_kind else resource.plural
    return details


def not_found(resource: Resource, name: str) -> ApiError:
    """Return a 404 for an object, or for a subresource the kind does not have."""
    return ApiError(404, "NotFound", f'{resource.group_resource} "{name}" not found', details_of(resource, name))


def already_exists(resource: Resource, name: str) -> ApiError:
    """Return a 409 for creating an existing name."""
    message = f'{resource.group_resource} "{name}" already exists'
    return ApiError(409, "AlreadyExists", message, details_of(resource, name))


def modified_since(resource: Resource, name: str) -> ApiError:
    """Return a 409 for a write based on a version that is not the newest."""
    message = (
        f'Operation cannot be fulfilled on {resource.group_resource} "{name}": the object has been modified; '
        "please apply your changes to the latest version and try again"
    )
    return ApiError(409, "Conflict", message, details_of(resource, name))


def precondition_failed(resource: Resource, name: str, *, field: str, expected: str, actual: str) -> ApiError:
    """Return a 409 for a delete bound to another object than the current one; `field` is UID or ResourceVersion."""
    message = (
        f'Operation cannot be fulfilled on {resource.group_kind} "{name}": the {field} in the precondition '
        f"({expected}) does not match the {field} in record ({actual}). "
        "The object might have been deleted and then recreated"
    )
    return ApiError(409, "Conflict", message, details_of(resource, name, by_kind=True))


def invalid(resource: Resource, name: str, causes: Sequence[tuple[str, str, str]], *, by_kind: bool = True) -> ApiError:
    """Return a 422 naming the invalid fields; a cause is (field, reason, message)."""
    named = resource.group_kind if by_kind else resource.group_resource
    listed = [f"{field}: {message}" for field, _, message in causes]
    text = listed[0] if len(listed) == 1 else f"[{', '.join(listed)}]"
    details = details_of(resource, name, by_kind=by_kind)
    details["causes"] = [{"reason": reason, "message": message, "field": field} for field, reason, message in causes]
    return ApiError(422, "Invalid", f'{named} "{name}" is invalid: {text}', details)


def immutable(resource: Resource, name: str, field: str, value: str) -> ApiError:
    """Return a 422 for a write that changes what identifies the object."""
    message = f'Invalid value: "{value}": field is immutable'
    error = invalid(resource, name, [(field, "FieldValueInvalid", message)])
    # The real server validates metadata twice and lists the cause twice, in details only.
    error.details = {**(error.details or {}), "causes": (error.details or {})["causes"] * 2}
    return error


def bad_request(message: str) -> ApiError:
    """Return a 400."""
    return ApiError(400, "BadRequest", message)


def expired(message: str) -> ApiError:
    """Return a 410: the client must list again."""
    return ApiError(410, "Expired", message)
