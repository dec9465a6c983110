"""Apply JSON Merge Patches (RFC 7386), JSON Patches (RFC 6902) and simple strategic merge patches.

No function changes its arguments. Merge patches share unchanged parts with their target; JSON Patches copy it.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from jsonpatch import JsonPatch, JsonPatchException
from jsonpointer import JsonPointer, JsonPointerException


class PatchError(Exception):
    """A JSON Patch that cannot be applied: a failing `test`, a missing path or an unknown operation."""


def merge_patch(target: Any, patch: Any) -> Any:
    """Apply a merge patch: null deletes a key, maps are merged, every other value replaces the old one."""
    if not isinstance(patch, Mapping):
        return patch
    result = dict(target) if isinstance(target, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge_patch(result.get(key), value)
    return result


def without_nulls(value: Any) -> Any:
    """Return the value without nulls in its maps, as the server prunes custom resources; itself if it has none."""
    if isinstance(value, dict):
        pruned = {key: without_nulls(item) for key, item in value.items() if item is not None}
        unchanged = len(pruned) == len(value) and all(pruned[key] is item for key, item in value.items())
        return value if unchanged else pruned
    if isinstance(value, list):
        items = [without_nulls(item) for item in value]
        return value if all(new is old for new, old in zip(items, value, strict=True)) else items
    return value


def strategic_merge_patch(target: Any, patch: Any) -> Any:
    """Apply a strategic merge patch to maps and scalars: lists are replaced, directives are ignored.

    The sandbox has no schemas with the merge keys of lists; labels, annotations and replicas need none.
    """
    return merge_patch(target, _without_directives(patch))


def _without_directives(patch: Any) -> Any:
    if isinstance(patch, Mapping):
        return {key: _without_directives(value) for key, value in patch.items() if not key.startswith("$")}
    return patch


def json_patch(target: Any, operations: Sequence[Mapping[str, Any]]) -> Any:
    """Apply the operations of a JSON Patch in order, all or nothing, to a copy of the target.

    Raises:
        PatchError: an operation cannot be applied.
    """
    document = copy.deepcopy(target)
    try:
        for operation in copy.deepcopy(operations):
            if not _tests_absent_key_for_null(document, operation):
                document = JsonPatch([operation]).apply(document, in_place=True)
    except (JsonPatchException, JsonPointerException) as error:
        raise PatchError(str(error)) from error
    return document


def _tests_absent_key_for_null(document: Any, operation: Mapping[str, Any]) -> bool:
    """Return whether a `test` compares an absent key of a map with null: the server's library lets it pass."""
    path = operation.get("path")
    tests_null = operation.get("op") == "test" and operation.get("value", ...) is None
    if not tests_null or not isinstance(path, str) or not path:
        return False
    parent, key = JsonPointer(path).to_last(document)
    return isinstance(parent, Mapping) and key not in parent
